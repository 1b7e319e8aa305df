//! Registers that a driver has no business with.

use crate::edu::{COMMAND, ENGINE, Edu, RAISE, TO_MEMORY, rest};
use crate::stage::{Row, Stage, all_said, said};
use alloc::string::String;
use alloc::vec::Vec;
use rt::CallError;
use rt::generated::DeviceMmioClient;
use rt::ipc::call_blocking;
use rt::schema::device;

/// Registers of the device for teaching: who it is, whether it lives, why it interrupted.
const IDENTITY: u32 = 0;
const LIVENESS: u32 = 4;
const REASON: u32 = 0x24;
/// Bytes of its window.
const SIZE: u32 = 1 << 20;

/// Methods of a device that there might be one day: none of them is a way to configuration space.
const UNKNOWN: core::ops::Range<u16> = 11..64;

pub const ROWS: &[Row<Edu>] = &[
    Row::new("read-only-register", read_only, "Denied"),
    Row::new("forged-address-register", forged_address, "Denied"),
    Row::new("hidden-register", hidden, "Denied"),
    Row::new("register-between-registers", between, "Denied"),
    Row::new("batch-with-a-bad-one", bad_batch, "Denied Unchanged"),
    Row::new("batch-malformed", malformed_batch, "InvalidArgument"),
    Row::new("outside-the-window", outside, "InvalidArgument"),
    Row::new("no-such-window", no_such_window, "NotFound"),
    Row::new("registers-mapped", mapped, "Denied"),
    Row::new("mapped-outside", mapped_outside, "Denied InvalidArgument"),
    Row::new("configuration-write", configuration, "UnknownMethod"),
    Row::new("addresses-in-configuration", addresses, "Zero"),
    Row::new("configuration-outside", configuration_outside, "InvalidArgument"),
];

fn write_all(window: &DeviceMmioClient, all: &[(u32, u8)]) -> String {
    all_said(all.iter().map(|(offset, width)| window.write_blocking(*offset, *width, u64::MAX)))
}

fn read_only(_: &Stage, edu: Edu) -> Result<String, CallError> {
    Ok(write_all(
        &edu.window,
        &[(IDENTITY, 4), (REASON, 4), (0x90, 8), (0x90, 4), (COMMAND, 8), (COMMAND, 4)],
    ))
}

/// Where a transfer goes, with what might be an address, a token, or our own buffer's.
fn forged_address(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    edu.bait_device(stage.timer())?;
    let mut tried = Vec::new();
    for value in [0x10_0000, edu.buffer.token(), 0xfee0_0000, u64::MAX] {
        for (register, width) in
            [(ENGINE[0], 8), (ENGINE[1], 8), (ENGINE[0] + 4, 4), (ENGINE[1], 4), (ENGINE[1] + 1, 1)]
        {
            tried.push(edu.window.write_blocking(register, width, value));
        }
        tried.push(edu.window.write_blocking(COMMAND, 8, TO_MEMORY));
    }
    rest(&edu.window, stage.timer())?;
    Ok(all_said(tried))
}

/// Where the kernel had it put something is not to be read.
fn hidden(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    edu.bait_device(stage.timer())?;
    let all = [(ENGINE[0], 8), (ENGINE[0], 4), (ENGINE[1], 8), (ENGINE[1] + 4, 4), (ENGINE[1] + 7, 1)];
    Ok(all_said(all.map(|(offset, width)| edu.window.read_blocking(offset, width))))
}

fn between(_: &Stage, edu: Edu) -> Result<String, CallError> {
    Ok(write_all(&edu.window, &[(0x0c, 4), (0x40, 4), (0x68, 4), (0xa0, 8), (0x4_0000, 4), (SIZE - 4, 4)]))
}

/// One access of a batch.
fn access(offset: u32, width: u8, write: u8, value: u64) -> Vec<u8> {
    let mut bytes = Vec::from(offset.to_le_bytes());
    bytes.extend([width, write, 0, 0]);
    bytes.extend(value.to_le_bytes());
    bytes
}

/// All of a batch is checked before the first of it is done.
fn bad_batch(_: &Stage, edu: Edu) -> Result<String, CallError> {
    edu.window.write_blocking(LIVENESS, 4, 1)?;
    let good = access(LIVENESS, 4, 1, 0xffff);
    let bad = access(ENGINE[1], 8, 1, 0x10_0000);
    let mut found = said(edu.window.batch_blocking(&[good, bad].concat()));
    // It answers with what was written, inverted.
    let unchanged = edu.window.read_blocking(LIVENESS, 4)? == u64::from(!1u32);
    found.push_str(if unchanged { " Unchanged" } else { " Changed" });
    Ok(found)
}

fn malformed_batch(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let good = access(LIVENESS, 4, 1, 1);
    let long: Vec<u8> = (0..129).flat_map(|_| good.clone()).collect();
    let batches = [
        good[..15].to_vec(),
        long,
        access(LIVENESS, 3, 1, 1),
        access(LIVENESS, 0, 0, 1),
        access(LIVENESS, 4, 2, 1),
        access(u32::MAX, 8, 0, 1),
    ];
    Ok(all_said(batches.iter().map(|batch| edu.window.batch_blocking(batch))))
}

fn outside(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let all = [
        (SIZE, 4),
        (SIZE - 4, 8),
        (u32::MAX, 1),
        (u32::MAX - 3, 4),
        (u32::MAX - 7, 8),
        (RAISE + 1, 4),
        (RAISE + 2, 4),
        (RAISE, 3),
        (RAISE, 0),
        (RAISE, 255),
    ];
    let mut found: Vec<_> = all.iter().map(|(at, width)| edu.window.write_blocking(*at, *width, 1)).collect();
    found.extend(all.iter().map(|(at, width)| edu.window.read_blocking(*at, *width).map(drop)));
    Ok(all_said(found))
}

fn no_such_window(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let windows = [1, 5, 6, 255].map(|bar| edu.device.window_blocking(bar).map(drop));
    let ports = [0, 1, 255].map(|bar| edu.device.ports_blocking(bar).map(drop));
    Ok(all_said(windows.into_iter().chain(ports)))
}

/// Who may not write all of a page has none of it.
fn mapped(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let all =
        [(0, 4096, true), (0, 4096, false), (0, SIZE, true), (4096, 4096, true), (SIZE - 4096, 4096, true)];
    Ok(all_said(all.map(|(offset, size, writable)| edu.window.map_blocking(offset, size, writable))))
}

fn mapped_outside(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let all =
        [(SIZE, 4096), (0, SIZE + 4096), (u32::MAX - 4095, 4096), (0, 0), (0, 100), (u32::MAX, u32::MAX)];
    Ok(all_said(all.map(|(offset, size)| edu.window.map_blocking(offset, size, true))))
}

/// Bus mastering, base addresses, messages: all of that is in configuration space, and nothing writes there.
fn configuration(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let tried = UNKNOWN.map(|method| {
        // As `config` would look if it could write: register 4, two bytes, all on.
        let words = [4u64 | 2 << 16, 0xffff];
        let message = move |out: &mut [u8]| probe::echo::put(out, &words);
        call_blocking(edu.device.cap(), device::INTERFACE_ID, method, message, &[], 0, 64).map(drop)
    });
    Ok(all_said(tried))
}

/// What is written in base address registers and in the message capability is not for drivers.
fn addresses(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let mut words = Vec::new();
    for offset in (0x10..0x28).chain(0x30..0x34).step_by(4) {
        words.push(edu.device.config_blocking(offset, 4)?);
    }
    let message = edu.device.config_blocking(0x34, 1)? as u16;
    for offset in (message + 4..message + 14).step_by(2) {
        words.push(edu.device.config_blocking(offset, 2)?);
    }
    Ok(String::from(if words.iter().all(|word| *word == 0) { "Zero" } else { "Readable" }))
}

fn configuration_outside(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let all = [(4096, 4), (u16::MAX, 1), (1, 2), (2, 4), (0, 3), (0, 0), (0, 8)];
    Ok(all_said(all.map(|(offset, width)| edu.device.config_blocking(offset, width))))
}
