//! Interrupts that come faster than anybody takes note of them: such a line is not heard for a while, so that a device costs the processor
//! no more than some interrupts each [`PAUSE_NS`], whatever it does.
//!
//! Lines that are masked until their owner has looked cannot storm; messages can, and lines that functions share. Nothing is lost: what a message says while it is masked it
//! says again afterwards (PCI 3.0, 6.8.3.5).

use crate::device::history;
use crate::task::timers;
use capos_ledger::Event;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::order::LockRank;
use kernel_hal::sync::Lock;
use kernel_hal::{IRQ_PLACES, IrqLine, cpu, irq, time};

/// How long a line is not heard.
pub(crate) const PAUSE_NS: u64 = 1_000_000;

/// Lines that are not heard, and until when. A place has a lock of its own: an interrupt waits for nothing that is done about another.
static PAUSED: [Lock<Option<Paused>>; IRQ_PLACES] = [const { Lock::new(LockRank::Own, None) }; IRQ_PLACES];

/// For each processor, when it is to look at those that it paused; `u64::MAX` when there are none.
static LOOK_AT: [AtomicU64; cpu::MAX_CPUS] = [const { AtomicU64::new(u64::MAX) }; cpu::MAX_CPUS];

#[derive(Clone, Copy)]
struct Paused {
    line: IrqLine,
    until: u64,
    cpu: usize,
}

fn look_at(cpu: usize) -> &'static AtomicU64 {
    // As for `cpu::of`.
    &LOOK_AT[cpu % cpu::MAX_CPUS]
}

/// `line` storms. In its interrupt: allocates nothing.
#[cold]
pub(crate) fn begin(line: IrqLine) {
    pause(line);
    history::of_line(Event::Storm, line);
}

/// `line` is not heard for a while. In its interrupt: allocates nothing.
#[cold]
pub(crate) fn pause(line: IrqLine) {
    let Some(place) = PAUSED.get(usize::from(line.place)) else { return };
    irq::mask(line);
    let (until, cpu) = (time::now_ns().saturating_add(PAUSE_NS), cpu::id());
    *place.lock() = Some(Paused { line, until, cpu });
    look_at(cpu).fetch_min(until, Ordering::Relaxed);
    timers::ensure_armed(until);
}

/// Whether `line` is one that is not heard for a while.
pub(crate) fn is_paused(line: IrqLine) -> bool {
    let place = PAUSED.get(usize::from(line.place));
    place.is_some_and(|place| place.lock().is_some_and(|paused| paused.line == line))
}

/// Lets those be heard again whose time has come. In the timer's interrupt of each processor.
#[inline]
pub(crate) fn check() {
    let cpu = cpu::id();
    if look_at(cpu).load(Ordering::Relaxed) != u64::MAX {
        end_due(cpu, time::now_ns());
    }
}

#[cold]
fn end_due(cpu: usize, now: u64) {
    let mut next = u64::MAX;
    for place in &PAUSED {
        let mut place = place.lock();
        match *place {
            Some(paused) if paused.cpu == cpu && paused.until <= now => {
                *place = None;
                drop(place);
                // If it was given back meanwhile, this does nothing.
                irq::unmask(paused.line);
            }
            Some(paused) if paused.cpu == cpu => next = next.min(paused.until),
            _ => {}
        }
    }
    look_at(cpu).store(next, Ordering::Relaxed);
    if next != u64::MAX {
        timers::ensure_armed(next);
    }
}
