//! The HPET as a reference clock (IA-PC HPET specification 1.0a).

use super::calibrate::{Sample, WINDOW_NS, wait_a_little};
use super::tsc;
use crate::sync::Lock;
use crate::x86::acpi;
use crate::x86::apic::timer;
use crate::x86::paging::mmio::{self, Window};

const CAPABILITIES: usize = 0x00;
const CONFIGURATION: usize = 0x10;
const COUNTER: usize = 0xf0;
const ENABLE: u64 = 1;
const FEMTOSECONDS: u64 = 1_000_000;
/// Longest period that the specification allows, femtoseconds.
const SLOWEST: u64 = 100_000_000;
/// Looks at a counter before it is taken to stand still.
const PATIENCE: u32 = 1_000_000;

static WINDOW: Lock<Option<Window>> = Lock::new(None);

/// Compares it with the other clocks for a while.
pub fn measure() -> Option<Sample> {
    let address = acpi::hpet_address()?;
    let mut slot = WINDOW.lock();
    let window = slot.get_or_insert_with(|| mmio::map(address, 4096));
    let period = window.read64(CAPABILITIES) >> 32;
    if period == 0 || period > SLOWEST {
        return None;
    }
    window.write64(CONFIGURATION, window.read64(CONFIGURATION) | ENABLE);
    // 32 bits wrap after 42 s at the least, so the low half will do and suits 32-bit counters.
    let now = || window.read32(COUNTER);
    let ticks = u32::try_from(WINDOW_NS * FEMTOSECONDS / period).ok()?;
    timer::measure_start();
    let (first, first_tsc) = (now(), tsc());
    for _ in 0..PATIENCE {
        let passed = now().wrapping_sub(first);
        if passed >= ticks {
            let (tsc, count) = (tsc().wrapping_sub(first_tsc), timer::measured());
            timer::stop();
            return Some(Sample { ns: u64::from(passed) * period / FEMTOSECONDS, tsc, count });
        }
        wait_a_little();
    }
    None
}
