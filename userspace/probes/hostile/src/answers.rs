//! A device that answers what it must not: who watches memory from outside does it in the device's place, as soon as that is through with what it
//! was given. What comes of it for a driver of ours that looks at nothing, which the kernel tells; and for the shipped one, which is to give its
//! client the next random bytes all the same.

use crate::ring::{self, Virtio, WRITE, Words};
use crate::stage::{Row, Stage, all_said};
use alloc::format;
use alloc::string::String;
use core::pin::pin;
use probe::{Driver, Fields};
use rt::generated::{ByteStreamClient, ProcessDebugClient, TimerClient};
use rt::schema::hardware_audit_log::HardwareEvent;
use rt::schema::process_debug::ThreadState;
use rt::{CallError, Either, block_on, select};

/// Where the kernel translates it knows what the device has; how many bytes were written it does not ask. Elsewhere it looks at nothing.
pub const PUBLISHED: &[Row<Virtio>] = &[
    Row::new("publish-unknown-id", |stage, rng| published(stage, &rng, "unknown-id"), "DeviceFault 2")
        .direct("Done 0"),
    Row::new("publish-not-given", |stage, rng| published(stage, &rng, "not-given"), "DeviceFault 2")
        .direct("Done 0"),
    Row::new("publish-twice", |stage, rng| published(stage, &rng, "twice"), "DeviceFault 2").direct("Done 0"),
    Row::new("publish-jump", |stage, rng| published(stage, &rng, "jump"), "DeviceFault 2").direct("Done 0"),
    Row::new("publish-back", |stage, rng| published(stage, &rng, "back"), "DeviceFault 2").direct("Done 0"),
    Row::new("publish-too-long", |stage, rng| published(stage, &rng, "too-long"), "Done 0"),
];

/// The driver resets such a device, once.
pub const DRIVEN: &[Row<()>] = &[
    Row::new("driver-unknown-id", |stage, ()| driven(stage, "unknown-id"), "1"),
    Row::new("driver-not-given", |stage, ()| driven(stage, "not-given"), "1"),
    Row::new("driver-twice", |stage, ()| driven(stage, "twice"), "1"),
    Row::new("driver-jump", |stage, ()| driven(stage, "jump"), "1"),
    Row::new("driver-back", |stage, ()| driven(stage, "back"), "1"),
    Row::new("driver-too-long", |stage, ()| driven(stage, "too-long"), "1"),
    Row::new("driver-late", late, "0"),
];

/// Bytes that are asked for: what the device gives at a time.
const MOST: u32 = 4096;
/// As often as that is what the driver has in stock.
const STOCK: usize = 4;
/// Bytes that are shown to who knows what the device gave.
const SAMPLE: usize = 32;
/// Between two looks.
const LOOK_NS: u64 = 1_000_000;

/// Two chains, and what the kernel says after that has happened to them, twice; and how often it noted it.
fn published(stage: &Stage, rng: &Virtio, misdeed: &str) -> Result<String, CallError> {
    let since = stage.history.end_blocking()?;
    for index in 0..2 {
        let token = rng.buffer.token() + 64 * u64::from(index);
        rng.describe(0, index, Words { token, length: 64, flags: WRITE, next: 0 });
        rng.offer(0, index, index + 1);
    }
    rng.publish(0)?;
    stage.await_watcher(&format!("publish.{misdeed}"))?;
    let said = all_said([rng.publish(0), rng.publish(0)]);
    Ok(format!("{said} {}", stage.happened(HardwareEvent::BadCompletion, since)?))
}

/// How often the driver reset the device after that. Its client waits meanwhile, and gets the device's bytes.
fn driven(stage: &Stage, misdeed: &str) -> Result<String, CallError> {
    let (since, driver) = (stage.history.end_blocking()?, start(stage)?);
    let debug = driver.handle.debug_blocking()?;
    let bytes = block_on(async {
        loop {
            let mut read = pin!(driver.client.read(MOST));
            // What is answered was in stock.
            match select(read.as_mut(), stop_hungry(&debug, stage.timer())).await {
                Either::First(answer) => drop(answer?),
                Either::Second(stopped) => {
                    stopped?;
                    stage.await_watcher(&format!("driver.{misdeed}"))?;
                    debug.resume_blocking(0, false, false, 0)?;
                    return read.await;
                }
            }
            debug.resume_blocking(0, false, false, 0)?;
        }
    })?;
    show(stage, &bytes);
    driver.handle.kill_blocking()?;
    stage.happened(HardwareEvent::Reset, since).map(|resets| format!("{resets}"))
}

/// Stops the driver while it waits for its device, having been asked for something: unless it has answered by then, it has seen
/// nothing of what the device does from now on.
async fn stop_hungry(debug: &ProcessDebugClient, timer: &TimerClient) -> Result<(), CallError> {
    loop {
        timer.sleep_until(timer.now_blocking()?.saturating_add(LOOK_NS)).await?;
        if debug.thread(0).await?.state == ThreadState::Waiting {
            break;
        }
    }
    debug.stop(0).await?;
    debug.wait().await.map(drop)
}

/// What the device writes to buffers that the driver has looked at already harms nobody. Nor may it reach them when the driver has ended.
fn late(stage: &Stage, (): ()) -> Result<String, CallError> {
    let (since, driver) = (stage.history.end_blocking()?, start(stage)?);
    let debug = driver.handle.debug_blocking()?;
    show(stage, &driver.client.read_blocking(MOST)?);
    stage.await_watcher("driver.nothing")?;
    // The device is through with everything, and the driver as well when it waits.
    while debug.thread_blocking(0)?.state != ThreadState::Waiting {
        stage.keeper.audit.pause(LOOK_NS);
    }
    stage.await_watcher("driver.late")?;
    for _ in 0..STOCK {
        show(stage, &driver.client.read_blocking(MOST)?);
    }
    driver.handle.kill_blocking()?;
    stage.at_rest()?;
    stage.await_watcher("driver.gone")?;
    stage.happened(HardwareEvent::Reset, since).map(|resets| format!("{resets}"))
}

fn start(stage: &Stage) -> Result<Driver<ByteStreamClient>, CallError> {
    stage.keeper.start("rng", ring::IDS, "virtio")
}

/// For who knows what the device gave.
fn show(stage: &Stage, bytes: &[u8]) {
    let sample = bytes.iter().take(SAMPLE);
    let hex: String = sample.map(|byte| format!("{byte:02x}")).collect();
    stage.report.event("entropy.sample", Fields::new().text("bytes", &hex));
}
