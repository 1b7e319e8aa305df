//! What came from a generation of a function, after it.

use crate::edu::{ADDRESS_BITS, BUFFER_BITS, Edu, INTERRUPT, PLACE, RAISE, TO_DEVICE, TO_MEMORY, rest};
use crate::grant::{BAIT, Buffer};
use crate::stage::{Row, Stage, all_said, said};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rt::generated::{DeviceClient, DmaBufferClient, InterruptClient};
use rt::{CallError, Either, block_on, select};

pub const ROWS: &[Row<Edu>] = &[
    Row::new("handles-after-reset", after_reset, "Disconnected"),
    Row::new("handles-after-release", after_release, "Disconnected"),
    Row::new("doorbell-after-revoke", bell_after_reset, "Disconnected"),
    Row::new("token-after-reset", token_after_reset, "InvalidArgument"),
    Row::new("wait-over-reset", wait_over_reset, "Canceled"),
    Row::new("write-in-flight-at-reset", write_at_reset, "Untouched"),
    Row::new("write-in-flight-at-release", write_at_release, "Untouched"),
    Row::new("interrupt-after-reset", interrupt_after_reset, "Silent"),
    Row::new("interrupt-of-before", interrupt_of_before, "Silent"),
];

/// Longer than what was begun takes.
const LATER_NS: u64 = 200_000_000;

/// Tries all that came from the function.
fn try_all(edu: &Edu, buffer: &DmaBufferClient, line: &InterruptClient) -> String {
    edu.describe([edu.buffer.token(), PLACE, 64, TO_DEVICE]);
    all_said([
        edu.window.info_blocking().map(drop),
        edu.window.read_blocking(0, 4).map(drop),
        edu.window.write_blocking(RAISE, 4, 1),
        edu.window.batch_blocking(&[0; 16]).map(drop),
        edu.window.map_blocking(0, 4096, true).map(drop),
        edu.pool.allocate_blocking(1).map(drop),
        edu.pool.usage_blocking().map(drop),
        edu.pool.proof_blocking().map(drop),
        buffer.info_blocking().map(drop),
        buffer.memory_blocking().map(drop),
        edu.queue.info_blocking().map(drop),
        edu.queue.submission_blocking().map(drop),
        edu.queue.completion_blocking().map(drop),
        edu.queue.publish_blocking().map(drop),
        block_on(line.wait()).map(drop),
        line.acknowledge_blocking(),
    ])
}

fn after_reset(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let (line, buffer) = (edu.device.interrupt_blocking(0)?, edu.pool.allocate_blocking(1)?);
    edu.device.reset_blocking()?;
    Ok(try_all(&edu, &buffer, &line))
}

fn after_release(stage: &Stage, mut edu: Edu) -> Result<String, CallError> {
    let (line, buffer) = (edu.device.interrupt_blocking(0)?, edu.pool.allocate_blocking(1)?);
    // In its place comes the function's next claim: what is stale stays stale though somebody has it.
    drop(edu.device);
    edu.device = stage.edu_device("edu")?;
    Ok(try_all(&edu, &buffer, &line))
}

fn bell_after_reset(_: &Stage, edu: Edu) -> Result<String, CallError> {
    edu.describe([edu.buffer.token(), PLACE, 64, TO_DEVICE]);
    edu.device.reset_blocking()?;
    Ok(said(edu.queue.publish_blocking()))
}

/// Tokens begin anew with each generation: those of before that are not given out again name nothing.
fn token_after_reset(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let buffers: Vec<_> = (0..8).map_while(|_| edu.allocate(1).ok()).collect();
    let tokens: Vec<_> = buffers.iter().skip(2).map(|buffer| buffer.token()).collect();
    drop(buffers);
    edu.device.reset_blocking()?;
    let again = Edu::of(edu.device, stage.timer(), stage.seed)?;
    let tried: Vec<_> = tokens.iter().map(|token| again.publish([*token, PLACE, 64, TO_DEVICE])).collect();
    Ok(all_said(tried))
}

/// Who waits for an interrupt that will not come any more learns it.
fn wait_over_reset(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let line = edu.device.interrupt_blocking(0)?;
    let ended = block_on(select(line.wait(), async {
        let reset = edu.device.reset().await;
        core::future::pending::<()>().await;
        reset
    }));
    Ok(match ended {
        Either::First(ended) => said(ended),
        Either::Second(reset) => said(reset),
    })
}

/// Begins a write to memory, which is taken back by `take`. When it would have been through, none of the next driver's memory has it.
fn write_in_flight(
    stage: &Stage,
    edu: Edu,
    take: impl FnOnce(&Stage, Edu) -> Result<DeviceClient, CallError>,
) -> Result<String, CallError> {
    edu.bait_device(stage.timer())?;
    edu.publish([PLACE, edu.buffer.token(), BAIT, TO_MEMORY | INTERRUPT])?;
    let again = take(stage, edu)?;
    let pool = again.pool_blocking(ADDRESS_BITS, BUFFER_BITS)?;
    let others: Vec<_> = (0..32).map_while(|_| Buffer::unmarked(&pool, 1, stage.seed).ok()).collect();
    stage.keeper.audit.pause(LATER_NS);
    let touched = others.iter().any(|buffer| !buffer.is_clear());
    let found = if touched || others.len() < 32 { "Touched" } else { "Untouched" };
    stage.keep(others);
    Ok(String::from(found))
}

fn write_at_reset(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    write_in_flight(stage, edu, |_, edu| {
        edu.device.reset_blocking()?;
        let Edu { device, .. } = edu;
        Ok(device)
    })
}

fn write_at_release(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    write_in_flight(stage, edu, |stage, edu| {
        drop(edu);
        stage.edu_device("edu")
    })
}

/// Whether the line tells anything for a while.
fn listen(stage: &Stage, line: &InterruptClient) -> Result<String, CallError> {
    let until = stage.timer().now_blocking()?.saturating_add(LATER_NS);
    Ok(match block_on(select(line.wait(), stage.timer().sleep_until(until))) {
        Either::First(fired) => format!("Fired {}", said(fired)),
        Either::Second(_) => String::from("Silent"),
    })
}

/// The transfer ends after the reset, and would interrupt.
fn interrupt_after_reset(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let old = edu.device.interrupt_blocking(0)?;
    old.acknowledge_blocking()?;
    edu.publish([PLACE, edu.buffer.token(), BAIT, TO_MEMORY | INTERRUPT])?;
    edu.device.reset_blocking()?;
    let line = edu.device.interrupt_blocking(0)?;
    listen(stage, &line)
}

/// It interrupted, nobody looked, and the next driver has nothing to do with that.
fn interrupt_of_before(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let line = edu.device.interrupt_blocking(0)?;
    line.acknowledge_blocking()?;
    for _ in 0..3 {
        edu.window.write_blocking(RAISE, 4, 1)?;
    }
    drop((line, edu));
    let edu = stage.edu()?;
    let line = edu.device.interrupt_blocking(0)?;
    let heard = listen(stage, &line);
    rest(&edu.window, stage.timer())?;
    heard
}
