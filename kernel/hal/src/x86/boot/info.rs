//! What the loader told, kept beyond the loader's memory.

use super::requests;
use crate::account::Account;
use crate::sync::Ref;
use crate::types::{BootInfo, BootModule, MemError, MemoryRange};
use crate::x86::mem::{Frames, phys};
use crate::x86::paging::PAGE;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_abi::PAGE_SIZE;
use core::ffi::CStr;
use limine::file::File;
use limine::firmware_type::FirmwareType;
use limine::memory_map::{Entry, EntryType};
use spin::Once;

static INFO: Once<BootInfo> = Once::new();
static NOTHING: BootInfo =
    BootInfo { command_line: "", loader: "", firmware: "unknown", modules: Vec::new(), memory: Vec::new() };

/// How the machine was booted.
pub fn info() -> &'static BootInfo {
    INFO.get().unwrap_or(&NOTHING)
}

fn keep(text: &CStr) -> &'static str {
    Box::leak(String::from_utf8_lossy(text.to_bytes()).into_owned().into_boxed_str())
}

/// Copies everything worth keeping. On the boot CPU, once.
pub fn collect(memory: &[&Entry]) -> Result<(), MemError> {
    let command_line = requests::COMMAND_LINE.get_response().map_or("", |response| keep(response.cmdline()));
    let loader = requests::LOADER.get_response().map_or("unknown", |response| {
        Box::leak(format!("{} {}", response.name(), response.version()).into_boxed_str())
    });
    let mut modules = Vec::new();
    for file in requests::MODULES.get_response().map_or(&[][..], |response| response.modules()) {
        modules.try_reserve(1).map_err(|_| MemError::OutOfMemory)?;
        modules.push(module(file)?);
    }
    let ranges =
        memory.iter().map(|entry| MemoryRange { pages: entry.length / PAGE, kind: kind(entry.entry_type) });
    INFO.call_once(|| BootInfo {
        command_line,
        loader,
        firmware: firmware(),
        modules,
        memory: ranges.collect(),
    });
    Ok(())
}

fn firmware() -> &'static str {
    match requests::FIRMWARE.get_response().map(limine::response::FirmwareTypeResponse::firmware_type) {
        Some(FirmwareType::X86_BIOS) => "bios",
        Some(FirmwareType::UEFI_32 | FirmwareType::UEFI_64) => "uefi",
        _ => "unknown",
    }
}

fn kind(entry: EntryType) -> &'static str {
    match entry {
        EntryType::USABLE => "usable",
        EntryType::ACPI_RECLAIMABLE => "acpi reclaimable",
        EntryType::ACPI_NVS => "acpi nvs",
        EntryType::BAD_MEMORY => "bad",
        EntryType::BOOTLOADER_RECLAIMABLE => "loader, reclaimed",
        EntryType::EXECUTABLE_AND_MODULES => "kernel and files",
        EntryType::FRAMEBUFFER => "framebuffer",
        _ => "reserved",
    }
}

fn module(file: &File) -> Result<BootModule, MemError> {
    let path = keep(file.path());
    let name = path.rsplit('/').next().unwrap_or(path);
    let length = usize::try_from(file.size()).map_err(|_| MemError::OutOfMemory)?;
    let pages = length.div_ceil(PAGE_SIZE).max(1);
    let frames = match physical(file.addr() as u64) {
        Some(address) if address.is_multiple_of(PAGE) => Frames::of_module(address, pages)?,
        // SAFETY: the loader's file, readable through the direct map.
        _ => copy_of(unsafe { core::slice::from_raw_parts(file.addr(), length) }, pages)?,
    };
    Ok(BootModule { name, length, frames })
}

/// The loader names files by their address in the direct map.
fn physical(pointer: u64) -> Option<u64> {
    pointer.checked_sub(phys::offset())
}

/// For loaders that do not align files to pages. Nobody pays: the copy belongs to the kernel and stays.
fn copy_of(bytes: &[u8], pages: usize) -> Result<Ref<Frames>, MemError> {
    let unlimited = Account::root([u64::MAX; capos_mem::RESOURCES])?;
    let copy = Frames::contiguous(pages, &unlimited)?;
    copy.write(0, bytes).map_err(|_| MemError::OutOfMemory)?;
    let (address, _) = copy.locate(0).ok_or(MemError::OutOfMemory)?;
    core::mem::forget(copy);
    Frames::of_module(address, pages)
}

/// Gives the loader's memory to the allocator, when all CPUs have left its stacks and everything worth keeping was copied. What
/// stays is the kernel's own file: Limine has it there, and panic reports read its symbols.
pub fn reclaim(memory: &[&Entry]) {
    let file = requests::FILE.get_response().map_or(0..0, |response| {
        let start = physical(response.file().addr() as u64).unwrap_or(0);
        start / PAGE * PAGE..start + response.file().size()
    });
    // The map itself lies in that memory, so it is copied before the first range goes.
    let mut ranges = Vec::new();
    for entry in memory.iter().filter(|entry| entry.entry_type == EntryType::BOOTLOADER_RECLAIMABLE) {
        let (start, end) = (entry.base, entry.base + entry.length);
        if ranges.try_reserve(2).is_err() {
            break;
        }
        ranges.push((start, end.min(file.start)));
        ranges.push((start.max(file.end), end));
    }
    ranges.into_iter().filter(|(start, end)| start < end).for_each(|(start, end)| phys::reclaim(start, end));
}
