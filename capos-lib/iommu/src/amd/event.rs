//! Events: what a unit kept devices from doing, and what it thinks of its tables (2.5).

use crate::{Access, Fault, Reason};

const INTERRUPT: u64 = 1 << 51;
const WRITE: u64 = 1 << 53;

/// What an event says. `None` when nothing was written there.
pub fn event(words: [u64; 2]) -> Option<Fault> {
    let [low, address] = words;
    let source = (low & 0xffff) as u16;
    let [.., top] = low.to_le_bytes();
    let code = top >> 4;
    let access = match low {
        // An illegal or absent interrupt entry.
        _ if low & INTERRUPT != 0 && code == 2 => Access::Interrupt,
        _ if low & WRITE != 0 => Access::Write,
        _ => Access::Read,
    };
    let reason = match code {
        0 => return None,
        2 if access == Access::Interrupt => Reason::Interrupt,
        // A blocked function has tables that allow nothing, so that both look the same.
        2 => Reason::Denied,
        1 | 3 | 4 => Reason::Tables,
        8 => Reason::OutOfRange,
        other => Reason::Other(other),
    };
    Some(Fault { source, access, address, reason })
}
