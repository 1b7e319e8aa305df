//! Drivers that end while their device is at work, or go on with what was taken from them: children.

use crate::edu::{Edu, INTERRUPT, PLACE, TO_MEMORY};
use crate::grant::{BAIT, PAGE};
use crate::ring;
use crate::stage::{Row, Stage};
use alloc::format;
use alloc::string::String;
use rt::generated::{DeviceClient, ProcessHandleClient, TimerClient};
use rt::region::{Region, touch};
use rt::schema::device_manager::DeviceState;
use rt::{CallError, Env, EnvError};

pub const ROWS: &[Row<()>] = &[
    Row::new("write-in-flight-at-exit", exits, "Exited 7 Draining"),
    Row::new("write-in-flight-at-fault", faults, "Faulted 14 Draining"),
    Row::new("write-in-flight-at-kill", killed, "Killed 0 Draining"),
    Row::new("registers-after-reset", registers, "Faulted 14"),
];

pub const RINGS: &[Row<()>] = &[Row::new("mapped-bell-after-reset", bell, "Exited 10").direct("Faulted 14")];

/// What a child says when it did all that it was to do, and when it could not.
const DONE: i64 = 7;
const FAILED: i64 = 2;

/// Time in which a child has begun its transfer, and does not end: a transfer takes 100 ms.
const UNDER_WAY_NS: u64 = 2_000_000;
const LOOKS: u32 = 1000;

/// Nothing is mapped there.
const NOWHERE: u64 = 16;

/// What became of a child.
fn end(child: &ProcessHandleClient) -> Result<String, CallError> {
    let end = child.wait_blocking()?;
    Ok(format!("{:?} {}", end.reason, end.code))
}

/// And of the function that it had.
fn ending(stage: &Stage, child: &ProcessHandleClient) -> Result<String, CallError> {
    Ok(format!("{} {:?}", end(child)?, stage.state()?))
}

fn exits(stage: &Stage, (): ()) -> Result<String, CallError> {
    ending(stage, &stage.child("exit", stage.edu_device("edu")?)?)
}

fn faults(stage: &Stage, (): ()) -> Result<String, CallError> {
    ending(stage, &stage.child("fault", stage.edu_device("edu")?)?)
}

fn killed(stage: &Stage, (): ()) -> Result<String, CallError> {
    let child = stage.child("stay", stage.edu_device("edu")?)?;
    for _ in 0..LOOKS {
        if stage.state()? == DeviceState::Running {
            break;
        }
        stage.keeper.audit.pause(UNDER_WAY_NS);
    }
    stage.keeper.audit.pause(UNDER_WAY_NS);
    child.kill_blocking()?;
    ending(stage, &child)
}

/// A class of which nothing is known has its registers mapped.
fn registers(stage: &Stage, (): ()) -> Result<String, CallError> {
    end(&stage.child("registers", stage.edu_device("plain")?)?)
}

/// Only behind an IOMMU the driver rings by itself; else the kernel does, who says (`disconnected`) that it is over.
fn bell(stage: &Stage, (): ()) -> Result<String, CallError> {
    end(&stage.child("bell", stage.keeper.claim(ring::IDS, "virtio")?)?)
}

/// A child's part.
pub fn play(part: &str, env: &mut Env, seed: u64) -> i64 {
    match parts(part, env, seed) {
        Ok(code) => code,
        Err(_) => FAILED,
    }
}

fn parts(part: &str, env: &mut Env, seed: u64) -> Result<i64, EnvError> {
    let (device, timer) = (env.client::<DeviceClient>("device")?, env.client::<TimerClient>("timer")?);
    let done = match part {
        "registers" => registers_after_reset(&device),
        "bell" => ring::bell_after_reset(device, &timer, seed),
        _ => begin_write(device, &timer, seed).map(|edu| {
            if part == "fault" {
                touch(NOWHERE);
            }
            if part == "stay" {
                let _ = timer.sleep_until_blocking(u64::MAX);
            }
            drop(edu);
        }),
    };
    Ok(match done {
        Ok(()) => DONE,
        Err(error) => error.exception().map_or(FAILED, |code| i64::from(code.code())),
    })
}

/// The device writes to our memory for the next 100 ms.
fn begin_write(device: DeviceClient, timer: &TimerClient, seed: u64) -> Result<Edu, CallError> {
    let edu = Edu::of(device, timer, seed)?;
    edu.bait_device(timer)?;
    edu.publish([PLACE, edu.buffer.token(), BAIT, TO_MEMORY | INTERRUPT])?;
    Ok(edu)
}

fn registers_after_reset(device: &DeviceClient) -> Result<(), CallError> {
    let window = device.window_blocking(0)?;
    let page = Region::of_registers(&window, 0, PAGE as u32)?;
    page.store32(4, 1);
    device.reset_blocking()?;
    page.store32(4, 2);
    Ok(())
}
