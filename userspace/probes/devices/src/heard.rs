//! What the lines of devices tell, looked at again and again: who counts begins anew when all who have a line were killed.

use core::cell::Cell;
use rt::generated::SystemInfoClient;
use rt::{CallError, ExceptionCode};

/// Those that PCI has here.
const LINES: core::ops::Range<u32> = 5..24;

/// Interrupts that were seen to have come by lines.
pub struct Heard {
    system: Option<SystemInfoClient>,
    last: Cell<u64>,
    total: Cell<u64>,
}

impl Heard {
    /// None yet. Without anybody to ask there never are any.
    pub fn new(system: Option<SystemInfoClient>) -> Self {
        Heard { system, last: Cell::new(0), total: Cell::new(0) }
    }

    /// Lines that somebody has, and interrupts by lines since the first look.
    pub fn look(&self) -> Result<(u64, u64), CallError> {
        let Some(system) = &self.system else { return Ok((0, 0)) };
        let (lines, now) = by_line(system)?;
        let before = self.last.replace(now);
        self.total.set(self.total.get() + if now < before { now } else { now - before });
        Ok((lines, self.total.get()))
    }
}

/// Lines that somebody has, and interrupts that came by them since.
fn by_line(system: &SystemInfoClient) -> Result<(u64, u64), CallError> {
    let mut seen = (0, 0);
    for index in 0.. {
        match system.irq_blocking(index) {
            Ok(irq) if LINES.contains(&irq.gsi) => seen = (seen.0 + 1, seen.1 + irq.count),
            Ok(_) => {}
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(seen)
}
