//! Interrupts without end.

use crate::edu::{Edu, RAISE};
use crate::stage::{Row, Stage};
use alloc::format;
use alloc::string::String;
use probe::factory;
use rt::CallError;
use rt::schema::hardware_audit_log::HardwareEvent;

pub const ROWS: &[Row<Edu>] = &[
    Row::new("storm-nobody-hears", unheard, "Paused Lives"),
    Row::new("storm-to-a-signaller", bound, "Paused Lives"),
];

/// More than the kernel lets pass of which nobody takes note.
const TIMES: u32 = 500;

/// Has the device interrupt again and again. Whether it was not heard for a while, and works afterwards.
fn storm(stage: &Stage, edu: &Edu) -> Result<String, CallError> {
    let since = stage.history.end_blocking()?;
    for _ in 0..TIMES {
        edu.window.write_blocking(RAISE, 4, 1)?;
    }
    let paused = stage.happened(HardwareEvent::Storm, since)? > 0;
    // The clock goes on, and so do calls.
    stage.keeper.audit.pause(2_000_000);
    edu.window.write_blocking(0x64, 4, u64::from(u32::MAX))?;
    edu.window.write_blocking(4, 4, 0)?;
    let lives = edu.window.read_blocking(4, 4)? == u64::from(u32::MAX);
    Ok(format!("{} {}", if paused { "Paused" } else { "Heard" }, if lives { "Lives" } else { "Gone" }))
}

fn unheard(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let line = edu.device.interrupt_blocking(0)?;
    line.acknowledge_blocking()?;
    storm(stage, &edu)
}

fn bound(stage: &Stage, edu: Edu) -> Result<String, CallError> {
    let line = edu.device.interrupt_blocking(0)?;
    let event = factory().create_notification_blocking()?;
    line.bind_blocking(event.mint_blocking(1, 0)?)?;
    line.acknowledge_blocking()?;
    storm(stage, &edu)
}
