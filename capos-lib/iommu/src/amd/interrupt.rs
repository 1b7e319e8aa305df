//! Entries of interrupts, in tables that each function has for itself, and what names them (2.2.5).

use crate::{Interrupt, Message};

/// The entry of an interrupt; ids of processors have 8 bits in this form (table 20).
pub fn interrupt_entry(interrupt: Interrupt) -> u32 {
    const ENABLED: u32 = 1;
    ENABLED | (interrupt.destination & 0xff) << 8 | u32::from(interrupt.vector) << 16
}

/// The message that names entry `index`: its data does. Above 255 it would say something about how the interrupt is delivered.
pub fn message(index: u8) -> Message {
    Message { address: 0xfee0_0000, data: u32::from(index) }
}

/// What an I/O APIC's entry has beside trigger, polarity and mask: lower word, upper word. The vector is the number of the entry; it also ends
/// interrupts by level, so that both must be the same.
pub fn io_apic_entry(index: u8) -> [u32; 2] {
    [u32::from(index), 0]
}
