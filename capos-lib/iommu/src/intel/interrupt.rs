//! Entries of interrupts, and what names them (5.1, 9.9).

use crate::{Interrupt, Message};

/// The entry of an interrupt that only `source` may raise. `extended` if ids of processors have 32 bits.
pub fn interrupt_entry(interrupt: Interrupt, source: u16, extended: bool) -> [u64; 2] {
    const PRESENT: u64 = 1;
    const LEVEL: u64 = 1 << 4;
    // The source id is compared, all of it (SVT 1, SQ 0).
    const VERIFY: u64 = 1 << 18;
    let destination = u64::from(interrupt.destination) << if extended { 0 } else { 8 };
    let level = if interrupt.level { LEVEL } else { 0 };
    let low = PRESENT | level | u64::from(interrupt.vector) << 16 | destination << 32;
    [low, VERIFY | u64::from(source)]
}

/// The message that names entry `index`.
pub fn message(index: u8) -> Message {
    const REMAPPABLE: u32 = 1 << 4;
    Message { address: 0xfee0_0000 | u32::from(index) << 5 | REMAPPABLE, data: 0 }
}

/// What an I/O APIC's entry has beside trigger, polarity and mask: lower word, upper word. Its vector must be the one of the entry, as that is
/// what ends interrupts by level (5.1.5.1).
pub fn io_apic_entry(index: u8, vector: u8) -> [u32; 2] {
    const REMAPPABLE: u32 = 1 << 16;
    [u32::from(vector), u32::from(index) << 17 | REMAPPABLE]
}
