//! Drivers that end while the controller writes to their memory.
//!
//! The page that it may write bears the mark, which is left there: what it writes afterwards is in a page that bears it, or the watcher sees it.
//! One command: QEMU 7.2 ends by a signal when a controller with two or more under way is reset, and completes one before the reset is over.

use crate::controller::{Nvme, READ, transfer};
use crate::stage::{Stage, mark};
use alloc::format;
use alloc::string::String;
use kit::dma::Buffer;
use probe::options::text;
use rt::generated::{DeviceClient, TimerClient};
use rt::region::touch;
use rt::{CallError, Env, EnvError};

type Play = fn(&Stage) -> Result<String, CallError>;

const ROWS: &[(&str, Play, &str)] = &[
    ("nvme-reset-with-a-read", reset, "Reset Served"),
    ("nvme-given-up-with-a-read", given_up, "Dropped Served"),
    ("nvme-exit-with-a-read", |stage| dies(stage, "exit"), "Exited 7 Served"),
    ("nvme-fault-with-a-read", |stage| dies(stage, "fault"), "Faulted 14 Served"),
];

/// Sectors of a read: the mark is behind them.
const SECTORS: u64 = 7;

/// What a child says when it did all that it was to do, and when it could not.
const DONE: i64 = 7;
const FAILED: i64 = 2;

/// Nothing is mapped there.
const NOWHERE: u64 = 16;

/// Plays them. How many there are.
pub fn play(stage: &Stage) -> Result<usize, CallError> {
    for (name, play, wanted) in ROWS {
        let found = play(stage)?;
        let served = if stage.serves()? { "Served" } else { "Refused" };
        stage.judge(name, &format!("{found} {served}"), wanted)?;
    }
    Ok(ROWS.len())
}

/// Begins a read, and does not look after it.
fn begin(nvme: &mut Nvme<'_>, seed: u64) -> Result<Buffer, CallError> {
    let mut pair = nvme.open()?;
    let buffer = nvme.buffer(1)?;
    mark(seed, &buffer);
    pair.submit(transfer(READ, 0, SECTORS, [buffer.token(), 0]))?;
    Ok(buffer)
}

fn reset(stage: &Stage) -> Result<String, CallError> {
    let mut nvme = stage.nvme()?;
    let _buffer = begin(&mut nvme, stage.seed)?;
    nvme.device.reset_blocking()?;
    Ok(String::from("Reset"))
}

fn given_up(stage: &Stage) -> Result<String, CallError> {
    let mut nvme = stage.nvme()?;
    drop(begin(&mut nvme, stage.seed)?);
    drop(nvme);
    Ok(String::from("Dropped"))
}

fn dies(stage: &Stage, part: &str) -> Result<String, CallError> {
    let end = stage.child(part)?.wait_blocking()?;
    Ok(format!("{:?} {}", end.reason, end.code))
}

/// A child's part, if we are one.
pub fn part(env: &mut Env, seed: u64) -> Option<i64> {
    let part = text(env, "part")?;
    Some(as_child(part, env, seed).unwrap_or(FAILED))
}

fn as_child(part: &str, env: &mut Env, seed: u64) -> Result<i64, EnvError> {
    let (device, timer) = (env.client::<DeviceClient>("device")?, env.client::<TimerClient>("timer")?);
    let Ok(mut nvme) = Nvme::of(device, &timer) else { return Ok(FAILED) };
    let begun = begin(&mut nvme, seed);
    if begun.is_ok() && part == "fault" {
        touch(NOWHERE);
    }
    Ok(if begun.is_ok() { DONE } else { FAILED })
}
