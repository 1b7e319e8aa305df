//! What happened to devices: the hardware audit log.

use capos_ledger::{Entry, Event, History, Read};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::order::LockRank;
use kernel_hal::sync::Lock;
use kernel_hal::{DmaFault, IrqLine, iommu, message_source, time};

/// Events that are kept.
const ROOM: usize = 512;

static HISTORY: Lock<History<ROOM>> = Lock::new(LockRank::Device, History::new());

/// How often units lost something, as far as that is written down.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Something happened to generation `generation` of a function.
pub(crate) fn add(event: Event, function: u32, generation: u32, detail: u64) {
    let entry = Entry { at_ns: time::now_ns(), function, event, generation, detail };
    HISTORY.lock().add(entry);
}

/// Something happened to an interrupt.
pub(crate) fn of_line(event: Event, line: IrqLine) {
    let (function, index) = message_source(line.gsi).unwrap_or((u32::MAX, line.gsi));
    let entry =
        Entry { at_ns: time::now_ns(), function, event, generation: line.turn, detail: u64::from(index) };
    HISTORY.lock().add(entry);
}

/// Takes over what IOMMUs kept devices from: the address is the detail, and no generation is known.
fn collect() {
    iommu::take_faults(&mut |DmaFault { when_ns, what }| {
        let (function, detail) = (u32::from(what.source), what.address);
        let entry = Entry { at_ns: when_ns, function, event: Event::Blocked, generation: 0, detail };
        HISTORY.lock().add(entry);
    });
    // What was lost was lost in the unit, before anybody could read it.
    let lost = (0..).map_while(iommu::info).map(|unit| unit.lost).sum();
    let before = LOST.fetch_max(lost, Ordering::Relaxed);
    if lost > before {
        add(Event::FaultsLost, u32::MAX, 0, lost - before);
    }
}

#[cfg(test)]
pub(super) fn forget() {
    LOST.store(0, Ordering::Relaxed);
}

/// How many there ever were.
pub(crate) fn end() -> u64 {
    collect();
    HISTORY.lock().end()
}

/// The first event at or after `cursor`.
pub(crate) fn read(cursor: u64) -> Option<Read> {
    collect();
    HISTORY.lock().read(cursor)
}
