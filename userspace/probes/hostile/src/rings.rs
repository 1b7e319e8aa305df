//! Chains that name what they may not, and registers of rings: on virtio devices.
//!
//! Where the kernel translates, it refuses. Where the device reads our own ring nobody does: the device says that it is broken, or that it is
//! done, with memory of ours or with what the IOMMU keeps it from. Who watches memory sees which.

use crate::grant::Buffer;
use crate::ring::{INDIRECT, MODERN, NEXT, SIZE, STATUS, Virtio, WRITE, Words};
use crate::stage::{Row, Stage, all_said, said};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rt::CallError;

pub const ROWS: &[Row<()>] = &[
    Row::new("ring-stale-token", stale, "InvalidArgument").direct("Done"),
    Row::new("ring-same-again-after-free", same_again, "Written InvalidArgument Untouched")
        .direct("Written Done Untouched"),
    Row::new("ring-out-of-range", out_of_range, "InvalidArgument").direct("Done"),
    Row::new("ring-wrapping-length", wrapping, "InvalidArgument").direct("Done Broken"),
    Row::new("ring-empty", empty, "InvalidArgument").direct("Silent"),
    Row::new("ring-physical-address", physical, "InvalidArgument").direct("Done"),
    Row::new("ring-interrupt-range", interrupts, "InvalidArgument").direct("Done"),
    Row::new("ring-indirect", indirect, "InvalidArgument").direct("Done"),
    Row::new("ring-flags", flags, "InvalidArgument").direct("Done"),
    Row::new("ring-loop", looped, "InvalidArgument").direct("Broken"),
    Row::new("ring-next-outside", next_outside, "InvalidArgument").direct("Broken"),
    Row::new("ring-head-outside", head_outside, "InvalidArgument").direct("Broken"),
    Row::new("ring-index-jumps", index_jumps, "InvalidArgument").direct("Broken"),
    Row::new("ring-order", order, "InvalidArgument").direct("Broken"),
    Row::new("ring-twice-in-flight", twice, "InvalidArgument").direct("Done"),
    Row::new("ring-stays-stopped", stays_stopped, "InvalidArgument").direct("Done"),
    Row::new("ring-token-of-another", of_another, "InvalidArgument").direct("Done"),
    Row::new("two-queues-one-buffer", two_queues, "Pinned InvalidArgument"),
];

pub const REGISTERS: &[Row<Virtio>] = &[
    Row::new("message-table-write", message_table, "Denied"),
    Row::new("queue-address-registers", queue_addresses, "Denied"),
    Row::new("doorbell-write", doorbell, "Denied").direct("Done"),
    Row::new("features-unchecked", features, "WrongState"),
    Row::new("features-after-start", features_later, "WrongState"),
    Row::new("reset-behind-the-kernel", reset_by_register, "WrongState"),
];

/// What one attempt comes to, with the device set up for it alone: a queue that was refused something takes no more.
fn one(stage: &Stage, attempt: impl FnOnce(&Virtio) -> Result<(), CallError>) -> Result<String, CallError> {
    let rng = stage.rng()?;
    Ok(match attempt(&rng) {
        Ok(()) if rng.is_direct()? => rng.fate(stage.timer())?,
        said_so => said(said_so),
    })
}

/// What all of these descriptors come to, which are made of a good token.
fn each_word(stage: &Stage, words: &[fn(u64) -> Words]) -> Result<String, CallError> {
    let mut found: Vec<String> = Vec::new();
    for words in words {
        let word = one(stage, |rng| rng.try_one(words(rng.buffer.token())))?;
        if !found.contains(&word) {
            found.push(word);
        }
    }
    Ok(found.join(" "))
}

fn write(token: u64, length: u32) -> Words {
    Words { token, length, flags: WRITE, next: 0 }
}

fn stale(stage: &Stage, (): ()) -> Result<String, CallError> {
    one(stage, |rng| {
        let gone = Buffer::allocate(&rng.pool, 1, rng.seed)?;
        let token = gone.token();
        drop(gone);
        rng.try_one(write(token, 64))
    })
}

/// What the device wrote to once it could still find, if an IOMMU remembered. The memory is still ours, so we see it.
fn same_again(stage: &Stage, (): ()) -> Result<String, CallError> {
    let rng = stage.rng()?;
    let mut freed = Buffer::allocate(&rng.pool, 1, rng.seed)?;
    let words = write(freed.token(), 64);
    rng.try_one(words)?;
    let written = rng.wait_used(0, 1, stage.timer())? && !freed.is_clear();
    // Where the kernel translates it takes note that the device is through.
    rng.publish(0)?;
    freed.put_words(0, [0; 8]);
    freed.free();
    // With this call the kernel has heard of it.
    rng.pool.usage_blocking()?;
    rng.describe(0, 1, words);
    rng.offer(0, 1, 2);
    let again = match rng.publish(0) {
        Ok(()) if !rng.wait_used(0, 2, stage.timer())? => String::from("Silent"),
        published => said(published),
    };
    let touched = if freed.is_clear() { "Untouched" } else { "Touched" };
    Ok(format!("{} {again} {touched}", if written { "Written" } else { "Idle" }))
}

fn out_of_range(stage: &Stage, (): ()) -> Result<String, CallError> {
    each_word(stage, &[|token| write(token + (1 << 20), 64), |token| write(token - 64, 128)])
}

fn wrapping(stage: &Stage, (): ()) -> Result<String, CallError> {
    each_word(stage, &[|_| write(u64::MAX - 7, 64), |token| write(token, 1 << 22), |_| write(u64::MAX, 1)])
}

fn empty(stage: &Stage, (): ()) -> Result<String, CallError> {
    each_word(stage, &[|token| write(token, 0)])
}

fn physical(stage: &Stage, (): ()) -> Result<String, CallError> {
    each_word(stage, &[|_| write(0x10_0000, 64), |_| write(0x100_0000, 64), |_| write(0, 64)])
}

/// What a device writes there is an interrupt, unless an IOMMU knows better.
fn interrupts(stage: &Stage, (): ()) -> Result<String, CallError> {
    each_word(stage, &[|_| write(0xfee0_0000, 4), |_| write(0xfee0_1004, 4)])
}

/// The table is in our own memory, and names what is not.
fn indirect(stage: &Stage, (): ()) -> Result<String, CallError> {
    one(stage, |rng| {
        rng.buffer.put_words(0, [0x10_0000, 64 | u64::from(WRITE) << 32]);
        rng.try_one(Words { token: rng.buffer.token(), length: 16, flags: INDIRECT, next: 0 })
    })
}

fn flags(stage: &Stage, (): ()) -> Result<String, CallError> {
    each_word(stage, &[|token| Words { token, length: 64, flags: WRITE | 0x80, next: 0 }])
}

fn looped(stage: &Stage, (): ()) -> Result<String, CallError> {
    one(stage, |rng| {
        let token = rng.buffer.token();
        rng.describe(0, 1, Words { token, length: 64, flags: WRITE | NEXT, next: 0 });
        rng.try_one(Words { token, length: 64, flags: WRITE | NEXT, next: 1 })
    })
}

fn next_outside(stage: &Stage, (): ()) -> Result<String, CallError> {
    each_word(
        stage,
        &[
            |token| Words { token, length: 64, flags: WRITE | NEXT, next: SIZE },
            |token| Words { token, length: 64, flags: WRITE | NEXT, next: u16::MAX },
        ],
    )
}

fn head_outside(stage: &Stage, (): ()) -> Result<String, CallError> {
    one(stage, |rng| {
        rng.describe(0, 0, write(rng.buffer.token(), 64));
        rng.offer(0, SIZE, 1);
        rng.publish(0)
    })
}

fn index_jumps(stage: &Stage, (): ()) -> Result<String, CallError> {
    one(stage, |rng| {
        rng.describe(0, 0, write(rng.buffer.token(), 64));
        rng.offer(0, 0, SIZE + 1);
        rng.publish(0)
    })
}

/// What the device reads comes behind what it writes.
fn order(stage: &Stage, (): ()) -> Result<String, CallError> {
    one(stage, |rng| {
        let token = rng.buffer.token();
        rng.describe(0, 1, Words { token, length: 64, flags: 0, next: 0 });
        rng.try_one(Words { token, length: 64, flags: WRITE | NEXT, next: 1 })
    })
}

fn twice(stage: &Stage, (): ()) -> Result<String, CallError> {
    one(stage, |rng| {
        rng.describe(0, 0, write(rng.buffer.token(), 64));
        rng.offer(0, 0, 1);
        rng.offer(0, 0, 2);
        rng.publish(0)
    })
}

/// A good chain behind a bad one.
fn stays_stopped(stage: &Stage, (): ()) -> Result<String, CallError> {
    one(stage, |rng| {
        let bad = rng.try_one(write(0x10_0000, 64));
        rng.describe(0, 1, write(rng.buffer.token(), 64));
        rng.offer(0, 1, 2);
        if bad.is_ok() && !rng.is_direct()? { Ok(()) } else { rng.publish(0) }
    })
}

fn of_another(stage: &Stage, (): ()) -> Result<String, CallError> {
    let other = stage.net()?;
    let theirs: Vec<_> = (0..8).map_while(|_| Buffer::allocate(&other.pool, 1, other.seed).ok()).collect();
    let token = theirs.last().map_or(0, |buffer| buffer.token());
    let found = one(stage, |rng| rng.try_one(write(token, 64)));
    drop((theirs, other));
    stage.keeper.rest(crate::ring::NET)?;
    found
}

/// Received is never, sent is at once: what one queue has given back the other one still has.
fn two_queues(stage: &Stage, (): ()) -> Result<String, CallError> {
    let net = stage.net()?;
    let shared = Buffer::allocate(&net.pool, 1, net.seed)?;
    let token = shared.token();
    for (queue, flags) in [(0, WRITE), (1, 0)] {
        net.describe(queue, 0, Words { token, length: 256, flags, next: 0 });
        net.offer(queue, 0, 1);
        net.publish(queue)?;
    }
    net.wait_used(1, 1, stage.timer())?;
    net.publish(1)?;
    shared.abandon();
    let pinned = net.pool.usage_blocking()?.pinned == 1;
    net.describe(1, 1, Words { token, length: 256, flags: 0, next: 0 });
    net.offer(1, 1, 2);
    let named = said(net.publish(1));
    drop(net);
    stage.keeper.rest(crate::ring::NET)?;
    Ok(format!("{} {named}", if pinned { "Pinned" } else { "Free" }))
}

/// Where the device's messages lie, QEMU's in a window of their own: entries, and what is pending.
fn message_table(_: &Stage, rng: Virtio) -> Result<String, CallError> {
    let table = rng.device.window_blocking(1)?;
    let mut tried = Vec::new();
    for (offset, width) in [(0, 4), (0, 8), (4, 4), (8, 4), (12, 4), (16, 4), (0x800, 4)] {
        tried.push(table.write_blocking(offset, width, 0xfee0_0000));
        tried.push(table.read_blocking(offset, width).map(drop));
    }
    tried.push(table.map_blocking(0, 4096, true).map(drop));
    Ok(all_said(tried))
}

/// As QEMU lays its windows out.
const COMMON: [(u32, u8); 10] = [
    (0x18, 2),
    (0x1c, 2),
    (0x20, 4),
    (0x24, 4),
    (0x20, 8),
    (0x28, 4),
    (0x2c, 4),
    (0x30, 4),
    (0x34, 4),
    (0x37, 1),
];
const FEATURE_SELECT: u32 = 8;
const FEATURE: u32 = 12;
const NOTIFY: u32 = 0x3000;

fn queue_addresses(_: &Stage, rng: Virtio) -> Result<String, CallError> {
    let window = rng.device.window_blocking(MODERN)?;
    let mut tried: Vec<_> = COMMON.iter().map(|(at, width)| window.write_blocking(*at, *width, 1)).collect();
    let addresses = COMMON.iter().filter(|(at, _)| *at >= 0x20);
    tried.extend(addresses.map(|(at, width)| window.read_blocking(*at, *width).map(drop)));
    tried.push(window.map_blocking(0, 4096, true).map(drop));
    Ok(all_said(tried))
}

fn doorbell(_: &Stage, rng: Virtio) -> Result<String, CallError> {
    let window = rng.device.window_blocking(MODERN)?;
    Ok(said(window.write_blocking(NOTIFY, 2, 0)))
}

/// Features that would have the device read what nobody checks: before they are agreed upon.
fn features(stage: &Stage, rng: Virtio) -> Result<String, CallError> {
    let device = rng.device;
    device.reset_blocking()?;
    let window = device.window_blocking(MODERN)?;
    let mut tried = Vec::new();
    // INDIRECT_DESC; RING_PACKED and IN_ORDER, NOTIFICATION_DATA, RING_RESET are in the second word.
    for (select, value) in [(0, 1 << 28), (1, 1 << 2), (1, 1 << 3), (1, 1 << 6), (1, 1 << 8), (2, 1)] {
        window.write_blocking(FEATURE_SELECT, 4, select)?;
        tried.push(window.write_blocking(FEATURE, 4, value));
    }
    drop((window, device));
    stage.keeper.rest(crate::ring::IDS)?;
    Ok(all_said(tried))
}

/// And when the device is at work.
fn features_later(_: &Stage, rng: Virtio) -> Result<String, CallError> {
    let window = rng.device.window_blocking(MODERN)?;
    window.write_blocking(FEATURE_SELECT, 4, 0)?;
    Ok(all_said([0, 1 << 29].map(|value| window.write_blocking(FEATURE, 4, value))))
}

/// The device would forget what it has, and the kernel would not know.
fn reset_by_register(_: &Stage, rng: Virtio) -> Result<String, CallError> {
    let window = rng.device.window_blocking(MODERN)?;
    Ok(all_said([0, 1].map(|status| window.write_blocking(STATUS, 1, status))))
}
