//! The wrong driver, or the right one at the wrong time.

use crate::edu::{Edu, INTERRUPT, PLACE, TO_DEVICE, rest};
use crate::stage::{Row, Stage, all_said, said};
use crate::{edu, ring};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rt::generated::InterruptClient;
use rt::schema::device_manager::DeviceState;
use rt::{CallError, Either, ExceptionCode, block_on, select};

pub const WITH_EDU: &[Row<Edu>] = &[
    Row::new("owned-by-another", claimed_twice, "Exists"),
    Row::new("second-pool", second_pool, "Exists"),
    Row::new("no-such-pool", bad_pool, "InvalidArgument"),
    Row::new("no-such-queue", no_such_queue, "Exists NotFound InvalidArgument"),
    Row::new("publish-while-it-runs", publish_while_running, "More"),
    Row::new("interrupt-taken", interrupt_taken, "Exists NotFound"),
    Row::new("two-waits", two_waits, "WrongState"),
    Row::new("start-before-quiet", start_before_quiet, "WrongState"),
    Row::new("publish-before-quiet", publish_before_quiet, "WrongState"),
    Row::new("budget-of-memory", budget, "BudgetExhausted"),
    Row::new("budget-as-long-as-held", held, "BudgetExhausted BudgetExhausted Done"),
];

pub const WITH_NOTHING: &[Row<()>] = &[
    Row::new("bridge", bridge, "Denied"),
    Row::new("wrong-policy", wrong_policy, "NotFound Unsupported"),
    Row::new("queue-without-pool", queue_without_pool, "WrongState"),
    Row::new("publish-before-start", publish_before_start, "WrongState"),
    Row::new("claim-while-draining", claim_while_draining, "WrongState Draining"),
];

fn claimed_twice(stage: &Stage, _edu: Edu) -> Result<String, CallError> {
    let address = stage.keeper.find(edu::IDS)?;
    Ok(all_said(
        ["edu", "plain", "virtio"].map(|policy| stage.keeper.devices.claim_blocking(address, policy, 2)),
    ))
}

fn second_pool(_: &Stage, edu: Edu) -> Result<String, CallError> {
    Ok(all_said([(28, 16), (12, 12), (64, 21)].map(|(bits, shift)| edu.device.pool_blocking(bits, shift))))
}

fn bad_pool(_: &Stage, edu: Edu) -> Result<String, CallError> {
    edu.device.reset_blocking()?;
    let all = [(65, 16), (12, 16), (64, 11), (64, 22), (0, 0), (255, 255)];
    Ok(all_said(all.map(|(bits, shift)| edu.device.pool_blocking(bits, shift))))
}

fn no_such_queue(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let twice = edu.device.queue_blocking(0, 1);
    let beyond = [64, u16::MAX].map(|index| edu.device.queue_blocking(index, 1));
    let sizes = [0, 2, u16::MAX].map(|entries| edu.device.queue_blocking(0, entries));
    Ok(all_said([twice].into_iter().chain(beyond).chain(sizes)))
}

/// The device has one transfer at a time; another is refused before it is looked at.
fn publish_while_running(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    edu.publish([edu.buffer.token(), PLACE, 64, TO_DEVICE])?;
    edu.describe([0x10_0000, PLACE, 64, TO_DEVICE]);
    let more = edu.queue.publish_blocking()?.more;
    rest(&edu.window, stage.timer())?;
    Ok(String::from(if more { "More" } else { "Begun" }))
}

fn interrupt_taken(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let _ours = edu.device.interrupt_blocking(0)?;
    Ok(all_said([0, 1, 2047, u16::MAX].map(|index| edu.device.interrupt_blocking(index))))
}

fn two_waits(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let line: InterruptClient = edu.device.interrupt_blocking(0)?;
    let ended = block_on(select(line.wait(), line.wait()));
    Ok(said(match ended {
        Either::First(ended) | Either::Second(ended) => ended,
    }))
}

/// It still copies what it was told before its reset.
fn start_before_quiet(_: &Stage, edu: Edu) -> Result<String, CallError> {
    edu.publish([edu.buffer.token(), PLACE, 64, TO_DEVICE | INTERRUPT])?;
    edu.device.reset_blocking()?;
    Ok(said(edu.device.start_blocking()))
}

/// Nor is it told of anything new until then.
fn publish_before_quiet(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    edu.publish([edu.buffer.token(), PLACE, 64, TO_DEVICE])?;
    edu.device.reset_blocking()?;
    let again = Edu::idle(edu.device, stage.seed)?;
    Ok(said(again.publish([again.buffer.token(), PLACE, 64, TO_DEVICE])))
}

fn budget(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let mut buffers = Vec::new();
    loop {
        match edu.allocate(16) {
            Ok(buffer) => buffers.push(buffer),
            Err(error) => return Ok(said::<()>(Err(error))),
        }
    }
}

/// Memory is paid for until it is neither a buffer nor mapped, and then there is room again.
fn held(_: &Stage, edu: Edu) -> Result<String, CallError> {
    let mut buffers = Vec::new();
    let full = loop {
        match edu.allocate(16) {
            Ok(buffer) => buffers.push(buffer),
            Err(error) => break said::<()>(Err(error)),
        }
    };
    let Some(mut last) = buffers.pop() else { return Ok(full) };
    last.free();
    let mapped = said(edu.allocate(16));
    drop(last);
    Ok(format!("{full} {mapped} {}", said(edu.allocate(16))))
}

fn bridge(stage: &Stage, (): ()) -> Result<String, CallError> {
    let (mut cursor, mut found) = (0, Vec::new());
    loop {
        match stage.keeper.devices.list_blocking(cursor) {
            Ok(function) => {
                if function.bridge {
                    found.push(stage.keeper.devices.claim_blocking(function.address, "plain", 1));
                }
                cursor = function.next;
            }
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(all_said(found)),
            Err(error) => return Err(error),
        }
    }
}

fn wrong_policy(stage: &Stage, (): ()) -> Result<String, CallError> {
    let (edu, rng) = (stage.keeper.find(edu::IDS)?, stage.keeper.find(ring::IDS)?);
    let claim = |address, policy| stage.keeper.devices.claim_blocking(address, policy, 1);
    Ok(all_said([
        claim(edu, ""),
        claim(edu, "nothing"),
        claim(u32::MAX, "edu"),
        claim(edu, "virtio"),
        claim(rng, "edu"),
    ]))
}

fn queue_without_pool(stage: &Stage, (): ()) -> Result<String, CallError> {
    Ok(said(stage.edu_device("edu")?.queue_blocking(0, 1)))
}

/// It may not reach memory yet, so it is not told of any.
fn publish_before_start(stage: &Stage, (): ()) -> Result<String, CallError> {
    let edu = Edu::idle(stage.edu_device("edu")?, stage.seed)?;
    Ok(said(edu.publish([edu.buffer.token(), PLACE, 64, TO_DEVICE])))
}

/// Who waits for the device at a transfer's end does not get it before.
fn claim_while_draining(stage: &Stage, (): ()) -> Result<String, CallError> {
    let edu = stage.edu()?;
    edu.publish([edu.buffer.token(), PLACE, 64, TO_DEVICE])?;
    drop(edu);
    let address = stage.keeper.find(edu::IDS)?;
    let claimed = said(stage.keeper.devices.claim_blocking(address, "edu", 1));
    let state = match stage.state()? {
        DeviceState::Draining => "Draining",
        _ => "Other",
    };
    Ok(format!("{claimed} {state}"))
}
