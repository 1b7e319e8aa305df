//! The HPET as a reference clock (IA-PC HPET specification 1.0a).

use super::calibrate::Reference;
use crate::x86::acpi;
use crate::x86::paging::mmio::{self, Window};
use spin::Once;

const CAPABILITIES: usize = 0x00;
const CONFIGURATION: usize = 0x10;
const COUNTER: usize = 0xf0;
const ENABLE: u64 = 1;
/// Longest period that the specification allows, femtoseconds.
const SLOWEST: u64 = 100_000_000;

static WINDOW: Once<Window> = Once::new();

/// The counter, running. `None` if there is none.
pub fn reference() -> Option<Reference> {
    let address = acpi::hpet_address()?;
    let window = WINDOW.call_once(|| mmio::map(address, 4096));
    let period = window.read64(CAPABILITIES) >> 32;
    if period == 0 || period > SLOWEST {
        return None;
    }
    window.write64(CONFIGURATION, window.read64(CONFIGURATION) | ENABLE);
    // The low half wraps after 42 s at the least, and it is all that 32-bit counters have.
    Some(Reference { name: "hpet", femtoseconds: period, mask: u32::MAX, count })
}

fn count() -> u32 {
    WINDOW.get().map_or(0, |window| window.read32(COUNTER))
}
