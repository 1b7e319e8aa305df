//! How fast TSC and local timer run: told by the processor or the hypervisor, or measured against a clock of known rate.
//!
//! Measuring takes a few milliseconds, counted by the reference clock: under `-icount` that is the same number of instructions in
//! every run.

use super::{hpet, pit, tsc};
use crate::x86::apic::timer;
use core::arch::x86_64::__cpuid;

/// No clock of known rate on this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoClock;

/// What was found.
pub struct Rates {
    pub tsc_hz: u64,
    pub count_hz: u64,
    pub source: &'static str,
}

/// A clock of known rate.
pub struct Reference {
    pub name: &'static str,
    /// Length of a tick.
    pub femtoseconds: u64,
    /// Bits that count.
    pub mask: u32,
    /// The counter, upward.
    pub count: fn() -> u32,
}

const SECOND: u64 = 1_000_000_000_000_000;
/// Length of a measurement, femtoseconds.
const WINDOW: u64 = SECOND / 500;
/// Measurements before the best one has to do.
const TRIES: u32 = 3;
/// One that is certain to one part in this many is good enough at once.
const PRECISION: u64 = 4000;
/// Looks at a counter before it is given up, and before one that never moved is taken for absent.
const PATIENCE: u32 = 1_000_000;
const STILL: u32 = 10_000;

/// Finds the rates.
pub fn run() -> Result<Rates, NoClock> {
    let measured = hpet::reference().and_then(|it| measure(&it)).or_else(|| measure(&pit::reference()));
    match (told(), measured) {
        // The processor's word is exact where the measurement is close.
        (Some(tsc_hz), Some(rates)) => Ok(Rates { tsc_hz, ..rates }),
        (None, Some(rates)) => Ok(rates),
        (Some(tsc_hz), None) => Ok(Rates { tsc_hz, count_hz: count_by_tsc(tsc_hz), source: "cpuid" }),
        (None, None) => Err(NoClock),
    }
}

/// The TSC's rate as the processor (leaf 0x15) or the hypervisor (leaf 0x4000_0010) states it.
fn told() -> Option<u64> {
    if __cpuid(0).eax >= 0x15 {
        let leaf = __cpuid(0x15);
        let hz = (u64::from(leaf.ecx) * u64::from(leaf.ebx)).checked_div(u64::from(leaf.eax));
        if let Some(hz) = hz.filter(|hz| *hz > 0) {
            return Some(hz);
        }
    }
    let hypervisor = __cpuid(1).ecx >> 31 & 1 == 1;
    if hypervisor && (0x4000_0010..0x4001_0000).contains(&__cpuid(0x4000_0000).eax) {
        return Some(u64::from(__cpuid(0x4000_0010).eax) * 1000).filter(|hz| *hz > 0);
    }
    None
}

/// One look at the reference, with the TSC of the same moment.
struct Look {
    count: u32,
    tsc: u64,
    /// How long the look took: the moment is uncertain by that much.
    took: u64,
}

fn look(reference: &Reference) -> Look {
    let before = tsc();
    let count = (reference.count)();
    let took = tsc().wrapping_sub(before);
    Look { count, tsc: before.wrapping_add(took / 2), took }
}

/// The most certain of a few measurements, so that a pause of the host in the middle of a look does no harm.
fn measure(reference: &Reference) -> Option<Rates> {
    let mut best: Option<(u64, Rates)> = None;
    for _ in 0..TRIES {
        let (doubt, rates) = measure_once(reference)?;
        let certain = doubt * PRECISION <= rates.tsc_hz;
        if best.as_ref().is_none_or(|(least, _)| doubt < *least) {
            best = Some((doubt, rates));
        }
        if certain {
            break;
        }
    }
    best.map(|(_, rates)| rates)
}

/// Rates, and the uncertainty of the first in Hz.
fn measure_once(reference: &Reference) -> Option<(u64, Rates)> {
    let ticks = WINDOW / reference.femtoseconds;
    timer::measure_start();
    let start = look(reference);
    for looks in 0..PATIENCE {
        wait_a_little();
        let end = look(reference);
        let passed = u64::from(end.count.wrapping_sub(start.count) & reference.mask);
        if passed >= ticks {
            let counted = timer::measured();
            timer::stop();
            let femtoseconds = passed.checked_mul(reference.femtoseconds)?;
            let doubt = per_second(start.took + end.took, femtoseconds)?;
            let tsc_hz = per_second(end.tsc.wrapping_sub(start.tsc), femtoseconds)?;
            let count_hz = per_second(u64::from(counted), femtoseconds)?;
            let sound = tsc_hz > 0 && count_hz > 0;
            return sound.then_some((doubt, Rates { tsc_hz, count_hz, source: reference.name }));
        }
        if passed == 0 && looks > STILL {
            break;
        }
    }
    None
}

fn per_second(ticks: u64, femtoseconds: u64) -> Option<u64> {
    u64::try_from((u128::from(ticks) * u128::from(SECOND)).checked_div(u128::from(femtoseconds))?).ok()
}

fn count_by_tsc(tsc_hz: u64) -> u64 {
    timer::measure_start();
    let start = tsc();
    let window = tsc_hz / 500;
    while tsc().wrapping_sub(start) < window {
        wait_a_little();
    }
    u64::from(timer::measured()) * 500
}

/// About a microsecond of nothing: asking a clock costs an emulator far more than an instruction. No `pause`, which would make
/// one give up its turn.
pub fn wait_a_little() {
    // SAFETY: counts a register down.
    unsafe { core::arch::asm!("2:", "dec {0:e}", "jnz 2b", inout(reg) 500u32 => _, options(nomem, nostack)) };
}
