//! Children that end by themselves.

use crate::Setup;
use alloc::format;
use alloc::vec::Vec;
use probe::Limits;
use rt::CallError;
use rt::schema::process_handle::ExitReason;

/// What became of some children.
#[derive(Default)]
pub struct Tally {
    /// Started.
    pub spawned: u64,
    /// Whose end was seen.
    pub reaped: u64,
    /// That did not end as told.
    pub wrong: u64,
}

/// Starts `count` children, `at_once` at a time; each must end with the code that it was told.
pub fn spawn(setup: &Setup, count: u64, at_once: u64) -> Result<Tally, CallError> {
    let program = setup.nursery.program("probe-spawn")?;
    let mut tally = Tally::default();
    let mut running = Vec::with_capacity(at_once as usize);
    while tally.spawned < count {
        for _ in 0..at_once.min(count - tally.spawned) {
            // Negative codes and large ones too: the whole word comes back.
            let code = (tally.spawned as i64 - 3) * 0x1_0000_0001;
            let child = setup.nursery.child(&program, &Limits::SMALL, "null")?.arg(&format!("{code}"));
            running.push((child.start()?, code));
            tally.spawned += 1;
        }
        for (handle, code) in running.drain(..) {
            let end = handle.wait_blocking()?;
            tally.reaped += 1;
            tally.wrong += u64::from(end.reason != ExitReason::Exited || end.code != code);
        }
    }
    Ok(tally)
}
