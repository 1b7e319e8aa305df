//! Interrupt lines 0 to 15, fired by the test through the handler.

use crate::types::{IrqError, IrqInfo, IrqLine};
use std::sync::Mutex;

#[derive(Clone, Copy)]
struct Line {
    claimed: bool,
    masked: bool,
}

const IDLE: Line = Line { claimed: false, masked: true };
static LINES: Mutex<[Line; 16]> = Mutex::new([IDLE; 16]);

pub(super) fn reset() {
    *LINES.lock().expect("no test panics inside") = [IDLE; 16];
}

fn change<R>(line: IrqLine, f: impl FnOnce(&mut Line) -> R) -> Option<R> {
    let mut lines = LINES.lock().expect("no test panics inside");
    lines.get_mut(usize::try_from(line.0).ok()?).map(f)
}

/// Takes an ISA line, masked.
pub fn claim_isa(irq: u8) -> Result<IrqLine, IrqError> {
    let line = IrqLine(u32::from(irq));
    let free = change(line, |it| !core::mem::replace(&mut it.claimed, true)).ok_or(IrqError::NotFound)?;
    if free { Ok(line) } else { Err(IrqError::Taken) }
}

/// Gives a line back, masked.
pub fn release(line: IrqLine) {
    change(line, |it| *it = IDLE);
}

/// Masks a line.
pub fn mask(line: IrqLine) {
    change(line, |it| it.masked = true);
}

/// Unmasks a line.
pub fn unmask(line: IrqLine) {
    change(line, |it| it.masked = false);
}

/// Line number `index` of those claimed.
pub fn info(index: usize) -> Option<IrqInfo> {
    let lines = LINES.lock().expect("no test panics inside");
    let (gsi, line) = lines.iter().enumerate().filter(|(_, line)| line.claimed).nth(index)?;
    Some(IrqInfo { gsi: gsi as u32, vector: 0x30 + gsi as u8, count: 0, masked: line.masked })
}

/// Whether a line is masked, for tests.
pub fn is_masked(line: IrqLine) -> bool {
    change(line, |it| it.masked).unwrap_or(true)
}
