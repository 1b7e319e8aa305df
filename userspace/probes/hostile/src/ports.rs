//! Registers behind ports: a virtio device of the old kind, which never is behind an IOMMU.

use crate::ring::{Virtio, WRITE, Words};
use crate::stage::{Row, Stage, all_said, said};
use alloc::string::String;
use alloc::vec::Vec;
use rt::CallError;

pub const ROWS: &[Row<Virtio>] = &[
    Row::new("ports-queue-address", queue_address, "Denied"),
    Row::new("ports-doorbell", doorbell, "Denied"),
    Row::new("ports-outside", outside, "InvalidArgument"),
    Row::new("ports-divided", divided, "Denied"),
    Row::new("ports-features-after-start", features, "WrongState"),
    Row::new("ports-reset-behind-the-kernel", reset, "WrongState"),
    Row::new("ports-after-reset", after_reset, "Disconnected"),
    Row::new("completion-after-reset", completion, "Still"),
    Row::new("ports-ring-physical-address", physical, "InvalidArgument"),
];

/// Registers (virtio 1.2, 4.1.4.10).
const FEATURES: u16 = 4;
const QUEUE_ADDRESS: u16 = 8;
const NOTIFY: u16 = 16;
const STATUS: u16 = 18;
/// Ports that it has.
const PORTS: u16 = 32;

/// Bytes that the device gives at a time, and longer than it takes for the next.
const CHUNK: u64 = 64;
const LATER_NS: u64 = 300_000_000;

/// Where the queue lies: a page number, to be neither written nor read.
fn queue_address(_: &Stage, device: Virtio) -> Result<String, CallError> {
    let ports = device.device.ports_blocking(0)?;
    let mut tried = Vec::new();
    for at in QUEUE_ADDRESS..QUEUE_ADDRESS + 4 {
        tried.push(ports.write8_blocking(at, 0));
        tried.push(ports.read8_blocking(at).map(drop));
    }
    tried.push(ports.write16_blocking(QUEUE_ADDRESS, 0));
    tried.push(ports.write32_blocking(QUEUE_ADDRESS, 0x100));
    tried.push(ports.read32_blocking(QUEUE_ADDRESS).map(drop));
    Ok(all_said(tried))
}

fn doorbell(_: &Stage, device: Virtio) -> Result<String, CallError> {
    Ok(said(device.device.ports_blocking(0)?.write16_blocking(NOTIFY, 0)))
}

fn outside(_: &Stage, device: Virtio) -> Result<String, CallError> {
    let ports = device.device.ports_blocking(0)?;
    let mut tried: Vec<_> = [PORTS, u16::MAX].map(|at| ports.write8_blocking(at, 0)).into();
    tried.extend([PORTS - 1, u16::MAX].map(|at| ports.read16_blocking(at).map(drop)));
    tried.extend([PORTS - 3, u16::MAX - 2].map(|at| ports.write32_blocking(at, 0)));
    Ok(all_said(tried))
}

/// Neither a part of it, nor what lies around: absolute numbers mean nothing here.
fn divided(_: &Stage, device: Virtio) -> Result<String, CallError> {
    let ports = device.device.ports_blocking(0)?;
    let ranges = [(0, 1), (0xcf8, 8), (0, 0x1_0000), (u16::MAX, 1)];
    let mut tried: Vec<_> =
        ranges.map(|(base, length)| ports.subrange_blocking(base, length).map(drop)).into();
    tried.push(ports.write_bytes_blocking(NOTIFY, &[0; 8]));
    tried.push(ports.read_bytes_blocking(QUEUE_ADDRESS, 8).map(drop));
    Ok(all_said(tried))
}

fn features(_: &Stage, device: Virtio) -> Result<String, CallError> {
    let ports = device.device.ports_blocking(0)?;
    Ok(all_said([0, 1 << 28, 1 << 29].map(|value| ports.write32_blocking(FEATURES, value))))
}

fn reset(_: &Stage, device: Virtio) -> Result<String, CallError> {
    Ok(said(device.device.ports_blocking(0)?.write8_blocking(STATUS, 0)))
}

fn after_reset(_: &Stage, device: Virtio) -> Result<String, CallError> {
    let ports = device.device.ports_blocking(0)?;
    device.device.reset_blocking()?;
    Ok(all_said([ports.read8_blocking(STATUS).map(drop), ports.write8_blocking(STATUS, 1)]))
}

/// This device takes its time (`period`): the second chain would be through after the reset.
fn completion(stage: &Stage, device: Virtio) -> Result<String, CallError> {
    let token = device.buffer.token();
    for index in 0..2 {
        let words =
            Words { token: token + u64::from(index) * CHUNK, length: CHUNK as u32, flags: WRITE, next: 0 };
        device.describe(0, index, words);
        device.offer(0, index, index + 1);
    }
    device.publish(0)?;
    let first = device.wait_used(0, 1, stage.timer())?;
    device.device.reset_blocking()?;
    stage.keeper.audit.pause(LATER_NS);
    // Our mappings of the old ring and the old buffer.
    let still = device.used(0) == 1 && (CHUNK..2 * CHUNK).step_by(8).all(|at| device.buffer.word(at) == 0);
    Ok(String::from(match (first, still) {
        (true, true) => "Still",
        (true, false) => "Completed",
        (false, _) => "Idle",
    }))
}

fn physical(_: &Stage, device: Virtio) -> Result<String, CallError> {
    Ok(said(device.try_one(Words { token: 0x10_0000, length: 64, flags: WRITE, next: 0 })))
}
