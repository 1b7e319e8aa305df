//! Interrupt lines of PCI, which functions share: each says itself whether it is the one that signals, and can be told not to
//! (PCI 3.0, 6.2.2 and 6.2.3).
//!
//! A line signals by level, so whoever signals goes on until it is told not to. One function is served for each interrupt: it does not signal any more
//! until its driver has looked, and the line is heard again at once. If others signal, too, there is another interrupt, and those that were
//! not asked are asked first. Where nobody who has the line signals any more, its driver was faster than the interrupt, or somebody unknown
//! signals, and goes on: after some times the line is not heard for a while, so that neither the processor nor those who share it suffer for long.

use super::storm;
use crate::cap::interrupt::{ClaimError, Line};
use alloc::vec::Vec;
use capos_pci::{Address, COMMAND, Config, change_command, command};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Lock, OutOfMemory, Ref};
use kernel_hal::{IrqError, IrqLine, PciLine, irq, pci, time};

/// Interrupts of unknown origin in a [`storm::PAUSE_NS`] before the line is not heard for as long.
const UNKNOWN_MAX: u32 = 64;

/// What storms again within this is the same storm.
const SAME_STORM_NS: u64 = 10 * storm::PAUSE_NS;

struct Sharer {
    function: Address,
    /// Which of all that ever had a line.
    number: u64,
    line: Ref<Line>,
}

struct Wire {
    irq: IrqLine,
    level: bool,
    sharers: Vec<Sharer>,
    /// Who is asked first.
    next: usize,
    unknown: Unknown,
}

/// Interrupts that came from none of those who have the line.
#[derive(Default)]
struct Unknown {
    /// So many since that time.
    count: u32,
    since: u64,
    /// When there were too many.
    storm: Option<u64>,
}

/// What is to be done about one of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Nothing,
    Pause,
    /// The same, and it is to be told.
    Begin,
}

impl Unknown {
    /// Another one.
    fn note(&mut self, now: u64) -> Measure {
        if now.saturating_sub(self.since) > storm::PAUSE_NS {
            (self.count, self.since) = (0, now);
        }
        self.count += 1;
        if self.count <= UNKNOWN_MAX {
            return Measure::Nothing;
        }
        let before = self.storm.replace(now);
        let same = before.is_some_and(|before| now.saturating_sub(before) <= SAME_STORM_NS);
        if same { Measure::Pause } else { Measure::Begin }
    }
}

/// How many ever had one.
static JOINED: AtomicU64 = AtomicU64::new(0);

/// All that somebody has.
static WIRES: Lock<Vec<Wire>> = Lock::new(LockRank::List, Vec::new());

impl Wire {
    /// One that signals, which it does not any more.
    fn take_signal(&mut self) -> Option<Ref<Line>> {
        let count = self.sharers.len();
        let order = (0..count).map(|step| (self.next + step) % count);
        let found = order.into_iter().find(|index| self.sharers.get(*index).is_some_and(Sharer::signals))?;
        self.next = (found + 1) % count;
        let sharer = self.sharers.get(found)?;
        set_silent(sharer.function, true);
        Some(sharer.line.clone())
    }
}

impl Sharer {
    fn signals(&self) -> bool {
        let (on, status) =
            (pci::Access.read16(self.function, COMMAND), pci::Access.read16(self.function, STATUS));
        // What is gone answers with ones.
        status != u16::MAX && status & SIGNALS != 0 && on & command::NO_LINE == 0
    }
}

/// What a function says of itself, and the bit for: it would signal by its line (PCI 3.0, 6.2.3).
const STATUS: u16 = 0x06;
const SIGNALS: u16 = 1 << 3;

fn set_silent(function: Address, silent: bool) {
    let (clear, set) = if silent { (0, command::NO_LINE) } else { (command::NO_LINE, 0) };
    change_command(&pci::Access, function, clear, set);
}

/// A function gets its line, by which it does not signal yet. `make` is given what the line is, and a number.
pub(crate) fn join(
    line: PciLine,
    function: Address,
    make: impl FnOnce(IrqLine, u64) -> Result<Ref<Line>, OutOfMemory>,
) -> Result<Ref<Line>, ClaimError> {
    let mut wires = WIRES.lock();
    let found = wires.iter().position(|wire| wire.irq.gsi == line.gsi);
    if let Some(wire) = found.and_then(|at| wires.get(at)) {
        let has = wire.sharers.iter().any(|it| it.function == function);
        // What signals by edges says nothing while another one signals.
        if has || !wire.level {
            return Err(ClaimError::Line(IrqError::Taken));
        }
    }
    set_silent(function, true);
    if pci::Access.read16(function, COMMAND) & command::NO_LINE == 0 {
        return Err(ClaimError::Unsupported);
    }
    let at = match found {
        Some(at) => at,
        None => {
            wires.try_reserve(1).map_err(|_| OutOfMemory)?;
            let irq = irq::claim_line(line).map_err(ClaimError::Line)?;
            wires.push(Wire {
                irq,
                level: line.level,
                sharers: Vec::new(),
                next: 0,
                unknown: Unknown::default(),
            });
            wires.len() - 1
        }
    };
    let joined = match wires.get_mut(at) {
        Some(wire) => wire.add(function, make),
        None => Err(OutOfMemory),
    };
    give_back_unused(&mut wires);
    Ok(joined?)
}

impl Wire {
    fn add(
        &mut self,
        function: Address,
        make: impl FnOnce(IrqLine, u64) -> Result<Ref<Line>, OutOfMemory>,
    ) -> Result<Ref<Line>, OutOfMemory> {
        self.sharers.try_reserve(1).map_err(|_| OutOfMemory)?;
        let number = JOINED.fetch_add(1, Ordering::Relaxed);
        let line = make(self.irq, number)?;
        self.sharers.push(Sharer { function, number, line: line.clone() });
        Ok(line)
    }
}

fn give_back_unused(wires: &mut Vec<Wire>) {
    wires.retain(|wire| {
        let used = !wire.sharers.is_empty();
        if !used {
            irq::release(wire.irq);
        }
        used
    });
}

/// Number `number` hears nothing any more, and its function does not signal.
pub(crate) fn leave(number: u64) {
    let left = {
        let mut wires = WIRES.lock();
        let left = wires.iter_mut().find_map(|wire| {
            let at = wire.sharers.iter().position(|it| it.number == number)?;
            Some(wire.sharers.swap_remove(at))
        });
        if let Some(left) = &left {
            set_silent(left.function, true);
        }
        give_back_unused(&mut wires);
        left
    };
    drop(left);
}

/// The driver of number `number` listens, or does not.
pub(crate) fn listen(number: u64, listens: bool) {
    let wires = WIRES.lock();
    for wire in &*wires {
        let Some(sharer) = wire.sharers.iter().find(|it| it.number == number) else { continue };
        set_silent(sharer.function, !listens);
        if listens && !storm::is_paused(wire.irq) {
            irq::unmask(wire.irq);
        }
    }
}

/// `line` has fired, and is masked. Does nothing if it is none that functions share.
pub(crate) fn fired(line: IrqLine) {
    let (found, measure) = {
        let mut wires = WIRES.lock();
        let Some(wire) = wires.iter_mut().find(|wire| wire.irq == line) else { return };
        let found = wire.take_signal();
        let measure = if found.is_some() { Measure::Nothing } else { wire.unknown.note(time::now_ns()) };
        if measure == Measure::Nothing {
            irq::unmask(line);
        }
        (found, measure)
    };
    match measure {
        Measure::Nothing => {}
        Measure::Pause => storm::pause(line),
        Measure::Begin => storm::begin(line),
    }
    if let Some(line) = found {
        // It is silent until its driver has looked, however often it would signal.
        drop(line.fire());
    }
}
