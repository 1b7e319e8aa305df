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

/// What one measurement gave: ticks that passed at the same time on three clocks.
pub struct Sample {
    /// Nanoseconds by the reference.
    pub ns: u64,
    pub tsc: u64,
    pub count: u32,
}

/// Length of a measurement.
pub const WINDOW_NS: u64 = 4_000_000;
/// Measurements before the best one has to do.
const TRIES: u32 = 3;
/// Two measurements that agree to one part in this many are good.
const AGREEMENT: u64 = 2000;

/// Finds the rates.
pub fn run() -> Result<Rates, NoClock> {
    let measured = measure(hpet::measure, "hpet").or_else(|| measure(pit::measure, "pit"));
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

/// Measures until two results agree, so that a pause of the host in the middle of one does no harm.
fn measure(once: fn() -> Option<Sample>, source: &'static str) -> Option<Rates> {
    let mut last = rates(&once()?, source)?;
    for _ in 1..TRIES {
        let next = rates(&once()?, source)?;
        if next.tsc_hz.abs_diff(last.tsc_hz) <= next.tsc_hz / AGREEMENT {
            return Some(next);
        }
        last = next;
    }
    Some(last)
}

fn rates(sample: &Sample, source: &'static str) -> Option<Rates> {
    let per_second = |ticks: u64| {
        let wide = (u128::from(ticks) * 1_000_000_000).checked_div(u128::from(sample.ns))?;
        u64::try_from(wide).ok().filter(|hz| *hz > 0)
    };
    Some(Rates { tsc_hz: per_second(sample.tsc)?, count_hz: per_second(u64::from(sample.count))?, source })
}

fn count_by_tsc(tsc_hz: u64) -> u64 {
    timer::measure_start();
    let start = tsc();
    let window = tsc_hz / 250;
    while tsc().wrapping_sub(start) < window {
        wait_a_little();
    }
    u64::from(timer::measured()) * 250
}

/// About a microsecond of nothing: asking a clock costs an emulator far more than an instruction. No `pause`, which would make
/// one give up its turn.
pub fn wait_a_little() {
    // SAFETY: counts a register down.
    unsafe { core::arch::asm!("2:", "dec {0:e}", "jnz 2b", inout(reg) 500u32 => _, options(nomem, nostack)) };
}
