//! How the machine was booted: with the files the test names.

use crate::fake::heap;
use crate::fake::mem::Frames;
use crate::types::{BootInfo, BootModule, MemoryRange};
use alloc::vec::Vec;
use std::sync::OnceLock;

static INFO: OnceLock<BootInfo> = OnceLock::new();

/// Sets the boot files; the first caller in a process wins.
pub fn provide(command_line: &'static str, files: &[(&'static str, &[u8])]) {
    INFO.get_or_init(|| BootInfo {
        command_line,
        loader: "fake 1.0",
        firmware: "host",
        modules: files
            .iter()
            .map(|(name, bytes)| BootModule { name, length: bytes.len(), frames: Frames::module(bytes) })
            .collect(),
        memory: Vec::from([MemoryRange { pages: 1 << 16, kind: "usable" }]),
    });
}

/// How the machine was booted.
pub fn info() -> &'static BootInfo {
    heap::unfailing(|| provide("", &[("file", b"of the boot")]));
    INFO.get().expect("just provided")
}
