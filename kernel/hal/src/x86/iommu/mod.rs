//! IOMMUs: found and switched on at boot, so that no function reaches memory or raises an interrupt but what the kernel lets it.
//!
//! All or none: where one unit is not used, for whatever reason, none is, as what comes through that one could raise any interrupt. Memory that
//! firmware wants left reachable for some functions (RMRR, IVMD) is not: nothing that they do there is of use to the kernel. See
//! docs/decisions/0025-iommus.md.

mod amd;
mod domain;
mod find;
mod intel;
mod interrupts;
mod proof;
mod tables;
mod unit;
mod words;

pub use domain::Domain;
pub(super) use interrupts::Origin;

use super::apic::io;
use super::time;
use crate::order::LockRank;
use crate::pure::faults::Faults;
use crate::sync::Lock;
use crate::types::{DmaFault, IommuInfo, IommuInterrupts, IommuKind, IommuState};
use alloc::vec::Vec;
use find::{Found, Serves};
use spin::Once;
use unit::Unit;

/// A unit that is on.
struct Running {
    serves: Serves,
    unit: Lock<Unit>,
}

/// A unit that is not: its kind, and why.
type Refused = (IommuKind, &'static str);

/// Units that are on.
static RUNNING: Once<Vec<Running>> = Once::new();
/// Those that are not, if any is not.
static REFUSED: Once<Vec<Refused>> = Once::new();
/// What was seen of interrupts at boot.
static INTERRUPTS: Once<IommuInterrupts> = Once::new();
/// What units kept devices from.
static FAULTS: Lock<Faults> = Lock::new(LockRank::Device, Faults::new());

/// Finds all units and switches them on, or none. On the boot CPU, before any line or message is claimed.
pub(super) fn init() {
    let outcome = find::units().and_then(start);
    match outcome {
        Ok(running) => {
            RUNNING.call_once(|| running);
            // One that there is no memory for keeps its lines to itself.
            io::remap(&|id| io_apic(id).filter(Origin::prepare));
            if !self::running().is_empty() {
                INTERRUPTS.call_once(proof::try_out);
            }
        }
        Err(refused) => {
            REFUSED.call_once(|| refused);
        }
    }
}

/// Switches all on, or none.
fn start(found: Vec<Found>) -> Result<Vec<Running>, Vec<Refused>> {
    let mut running = Vec::new();
    let mut refused = Vec::new();
    if running.try_reserve(found.len()).is_err() || refused.try_reserve(found.len() + 1).is_err() {
        return Err(refused);
    }
    if let Some(reason) = lines_that_nobody_serves(&found) {
        refused.push((IommuKind::Unknown, reason));
    }
    for Found { serves, outcome } in found {
        match outcome {
            Ok(kind) => running.push(Running { serves, unit: Lock::new(LockRank::Unit, Unit::new(kind)) }),
            Err(reason) => refused.push((serves.kind(), reason)),
        }
    }
    if refused.is_empty() {
        let outcomes = running.iter().map(|it| (it.serves.kind(), it.unit.lock().kind.start()));
        refused.extend(outcomes.filter_map(|(kind, outcome)| Some((kind, outcome.err()?))));
    }
    if refused.is_empty() {
        return Ok(running);
    }
    running.iter().for_each(|it| it.unit.lock().kind.stop());
    Err(refused)
}

/// All I/O APICs must go through some unit, or lines would not arrive.
fn lines_that_nobody_serves(found: &[Found]) -> Option<&'static str> {
    let served = |id: u8| found.iter().any(|unit| unit.serves.io_apic(id).is_some());
    (!found.is_empty() && !io::ids().all(served))
        .then_some("firmware does not say how an I/O APIC goes through it")
}

fn running() -> &'static [Running] {
    RUNNING.get().map_or(&[], Vec::as_slice)
}

fn io_apic(id: u8) -> Option<Origin> {
    running().iter().find_map(|it| Some(Origin { unit: &it.unit, source: it.serves.io_apic(id)? }))
}

/// Who a function (bus << 8 | device << 3 | function) is to the unit that serves it.
pub(super) fn origin(function: u32) -> Option<Origin> {
    let function = u16::try_from(function).ok()?;
    let serving = |rest: bool| {
        running()
            .iter()
            .find_map(|it| Some(Origin { unit: &it.unit, source: it.serves.function(function, rest)? }))
    };
    serving(false).or_else(|| serving(true))
}

/// Whether they keep devices to what they were given.
pub fn state() -> IommuState {
    match (running().is_empty(), REFUSED.get()) {
        (false, _) => IommuState::On,
        (true, Some(_)) => IommuState::Unusable,
        (true, None) => IommuState::Absent,
    }
}

/// Unit number `index`.
pub fn info(index: usize) -> Option<IommuInfo> {
    let nothing = IommuInfo {
        kind: IommuKind::Unknown,
        unusable: None,
        interrupts: IommuInterrupts::Unproven,
        bits: 0,
        answers: false,
        faults: 0,
        lost: 0,
        last: 0,
    };
    if let Some((kind, reason)) = REFUSED.get().and_then(|refused| refused.get(index)) {
        return Some(IommuInfo { kind: *kind, unusable: Some(reason), ..nothing });
    }
    let it = running().get(index)?;
    let unit = it.unit.lock();
    Some(IommuInfo {
        kind: it.serves.kind(),
        interrupts: interrupts(),
        bits: unit.bits(),
        answers: unit.answers,
        faults: unit.faults,
        lost: unit.lost,
        last: unit.last,
        ..nothing
    })
}

/// Whether interrupts are kept to those who have them, as far as that could be tried.
fn interrupts() -> IommuInterrupts {
    INTERRUPTS.get().copied().unwrap_or(IommuInterrupts::Unproven)
}

/// Whether an IOMMU that is on serves a function: then it reaches memory only as an attached [`Domain`] says.
pub fn serves(function: u32) -> bool {
    origin(function).is_some()
}

/// Whether the tables of the unit that serves a function let it reach memory: for audits.
pub fn is_attached(function: u32) -> bool {
    origin(function).is_some_and(|origin| origin.unit.lock().is_attached(origin.source))
}

/// Whether two functions are one to the unit that serves them, as those behind a bridge that signs for them.
pub fn are_one(one: u32, other: u32) -> bool {
    origin(one)
        .zip(origin(other))
        .is_some_and(|(one, other)| core::ptr::eq(one.unit, other.unit) && one.source == other.source)
}

/// A unit interrupted: takes over what it recorded. When there is no room it is kept from interrupting until somebody has read.
pub(super) fn on_fault() {
    running().iter().for_each(|it| collect(&it.unit));
}

fn collect(unit: &Lock<Unit>) {
    let mut unit = unit.lock();
    let mut faults = FAULTS.lock();
    let when_ns = time::now_ns();
    unit.read_faults(&mut |what| faults.push(DmaFault { when_ns, what }));
    unit.set_fault_interrupt(!faults.is_full());
}

/// Hands over what units kept devices from and nobody has read, the oldest first. No more than is kept at a time, however fast devices go on:
/// what comes meanwhile is for the next time.
pub fn take_faults(work: &mut dyn FnMut(DmaFault)) {
    on_fault();
    for _ in 0..Faults::ROOM {
        let Some(fault) = FAULTS.lock().pop() else { break };
        work(fault);
    }
    // There is room again: units may interrupt.
    on_fault();
}
