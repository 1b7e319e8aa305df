//! Transfers that name what they may not, on the device for teaching.

use crate::edu::{Edu, PLACE, TO_DEVICE, TO_MEMORY, rest};
use crate::grant::{BAIT, Buffer, PAGE};
use crate::stage::{Row, Stage, all_said};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rt::CallError;

pub const ROWS: &[Row<Edu>] = &[
    Row::new("stale-token", stale_token, "InvalidArgument"),
    Row::new("token-after-reuse", token_after_reuse, "InvalidArgument"),
    Row::new("out-of-range", out_of_range, "InvalidArgument"),
    Row::new("wrapping-length", wrapping_length, "InvalidArgument"),
    Row::new("address-bits", address_bits, "InvalidArgument"),
    Row::new("physical-address", physical_address, "InvalidArgument"),
    Row::new("interrupt-range", interrupt_range, "InvalidArgument"),
    Row::new("both-sides", both_sides, "InvalidArgument"),
    Row::new("devices-own-buffer", devices_own_buffer, "InvalidArgument"),
    Row::new("no-such-command", no_such_command, "InvalidArgument"),
    Row::new("token-of-another", token_of_another, "InvalidArgument"),
    Row::new("changed-after-publish", changed_after_publish, "First"),
    Row::new("freed-in-flight", freed_in_flight, "Pinned Untouched"),
    Row::new("secrets-of-before", secrets_of_before, "Clear"),
];

/// Both ways, to the end if it is not refused: then the device's bait is where it should not be, or what it read from there in our own buffer.
fn try_both(stage: &Stage, edu: &Edu, token: u64, count: u64) -> [Result<(), CallError>; 2] {
    let written = edu.transfer(stage.timer(), [PLACE, token, count, TO_MEMORY]);
    let read = edu.transfer(stage.timer(), [token, PLACE, count, TO_DEVICE]);
    if read.is_ok() {
        // It says by itself what it came to.
        let _ = edu.transfer(stage.timer(), [PLACE, edu.buffer.token(), BAIT, TO_MEMORY]);
    }
    [written, read]
}

fn try_all(stage: &Stage, edu: &Edu, all: &[(u64, u64)]) -> String {
    let tried: Vec<_> = all.iter().flat_map(|(token, count)| try_both(stage, edu, *token, *count)).collect();
    all_said(tried)
}

fn stale_token(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let token = edu.allocate(1)?.token();
    Ok(try_all(stage, &edu, &[(token, 64), (token + 8, 1)]))
}

/// Its memory may be that of the next buffer, its token is not.
fn token_after_reuse(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let token = edu.allocate(1)?.token();
    let _next: Vec<_> = (0..8).map_while(|_| edu.allocate(1).ok()).collect();
    Ok(try_all(stage, &edu, &[(token, 64)]))
}

/// What lies around the buffer stays as it is until all rows are through: nobody clears it.
fn out_of_range(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let around = || (0..8).map_while(|_| Buffer::unmarked(&edu.pool, 1, edu.seed).ok());
    let mut others: Vec<_> = around().collect();
    let buffer = edu.allocate(1)?;
    others.extend(around());
    let token = buffer.token();
    let found = try_all(
        stage,
        &edu,
        &[(token + PAGE, 64), (token - BAIT, 64), (token + PAGE - 32, 64), (token + 4090, 7), (token - 1, 8)],
    );
    stage.keep(others);
    Ok(found)
}

fn wrapping_length(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let token = edu.buffer.token();
    Ok(try_all(
        stage,
        &edu,
        &[(u64::MAX - 7, 16), (token, u64::MAX), (token, 1 << 32), (token, u64::MAX - token + 1), (token, 0)],
    ))
}

/// The device drops all but 28 bits of an address: what is beyond them would be something else.
fn address_bits(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let token = edu.buffer.token();
    Ok(try_all(stage, &edu, &[(token | 1 << 28, 64), (token | 1 << 32, 64), (token | 1 << 63, 64)]))
}

fn physical_address(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    // Tokens are multiples of 64 KiB from there on; these are none that was given.
    Ok(try_all(stage, &edu, &[(0, 64), (0x1000, 64), (0x7c00, 64), (0xf_f000, 64), (0x0f00_0000, 64)]))
}

fn interrupt_range(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    Ok(try_all(stage, &edu, &[(0xfee0_0000, 4), (0xfee0_1000, 4), (0xfeef_fffc, 4), (0x0ee0_0000, 4)]))
}

fn both_sides(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let token = edu.buffer.token();
    Ok(all_said([
        edu.publish([token, token, 64, TO_DEVICE]),
        edu.publish([token, token, 64, TO_MEMORY]),
        edu.publish([PLACE, PLACE, 64, TO_DEVICE]),
        edu.publish([PLACE, PLACE, 64, TO_MEMORY]),
    ]))
}

/// QEMU ends when its bounds are left.
fn devices_own_buffer(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let token = edu.buffer.token();
    Ok(all_said([
        edu.publish([token, PLACE + 4000, 97, TO_DEVICE]),
        edu.publish([token, PLACE - 1, 8, TO_DEVICE]),
        edu.publish([PLACE + 4096, token, 1, TO_MEMORY]),
        edu.publish([u64::MAX, token, 8, TO_MEMORY]),
    ]))
}

fn no_such_command(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let token = edu.buffer.token();
    Ok(all_said([0, 2, 4, 8, 9, u64::MAX].map(|command| edu.publish([token, PLACE, 64, command]))))
}

/// Whatever another device's driver told us.
fn token_of_another(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let (other, address) = stage.another_edu()?;
    let buffers: Vec<_> = (0..8).map_while(|_| other.allocate(1).ok()).collect();
    let theirs: Vec<_> = buffers.iter().skip(4).map(|buffer| (buffer.token(), 64)).collect();
    if theirs.len() < 4 {
        return Ok(String::from("Poor"));
    }
    let found = try_all(stage, &edu, &theirs);
    drop((buffers, other));
    stage.keeper.rest_at(address)?;
    Ok(found)
}

/// The descriptor names another buffer as soon as the kernel has looked.
fn changed_after_publish(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    edu.bait_device(stage.timer())?;
    let second = edu.allocate(1)?;
    edu.publish([PLACE, edu.buffer.token(), BAIT, TO_MEMORY])?;
    edu.describe([PLACE, second.token(), BAIT, TO_MEMORY]);
    rest(&edu.window, stage.timer())?;
    Ok(String::from(match (edu.buffer.has_bait(), second.has_bait()) {
        (true, false) => "First",
        (false, true) => "Second",
        _ => "Neither",
    }))
}

/// Memory that the device has is nobody else's, however often it was freed.
fn freed_in_flight(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    edu.bait_device(stage.timer())?;
    let freed = edu.allocate(1)?;
    edu.publish([PLACE, freed.token(), BAIT, TO_MEMORY])?;
    freed.abandon();
    let pinned = edu.pool.usage_blocking()?.pinned;
    let others: Vec<_> = (0..16).map_while(|_| Buffer::unmarked(&edu.pool, 1, edu.seed).ok()).collect();
    rest(&edu.window, stage.timer())?;
    let touched = others.iter().any(|buffer| !buffer.is_clear());
    // As they are: nobody erases what is not to be there.
    others.into_iter().for_each(Buffer::abandon);
    Ok(format!(
        "{} {}",
        if pinned == 1 { "Pinned" } else { "Free" },
        if touched { "Touched" } else { "Untouched" }
    ))
}

/// What the one before us had in its memory.
fn secrets_of_before(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let secrets = edu.allocate(16)?;
    secrets.take_bait();
    drop((secrets, edu));
    let edu = stage.edu()?;
    let found = [edu.allocate(16)?, edu.allocate(16)?];
    Ok(String::from(if found.iter().all(|buffer| buffer.is_clear()) { "Clear" } else { "Readable" }))
}
