//! ACPI tables: found once at boot, kept for questions.

use super::apic::io::{self, Trigger};
use crate::types::TableInfo;
use x86_64::instructions::port::Port;

/// A register that a table names.
#[derive(Clone, Copy)]
pub(super) enum Register {
    Port8(u16),
    Port16(u16),
}

impl Register {
    pub fn write8(self, value: u8) {
        match self {
            Register::Port8(port) | Register::Port16(port) => {
                // SAFETY: x
                unsafe { Port::new(port).write(value) }
            }
        }
    }
}

pub(super) fn init() {}
pub(super) fn init_interrupts() {
    io::add(0xfec0_0000, 0);
}
pub(super) fn hpet_address() -> Option<u64> {
    None
}
pub(super) fn isa_override(_irq: u8) -> Option<(u32, Trigger)> {
    None
}
pub(super) fn ports() -> &'static [(u16, u16)] {
    &[]
}
pub(super) fn reset_register() -> Option<(Register, u8)> {
    None
}
pub(super) fn soft_off() -> Option<[Option<(Register, u16)>; 2]> {
    None
}

/// Whether the machine has ACPI.
pub fn is_present() -> bool {
    false
}

/// Table number `index`.
pub fn table(_index: usize) -> Option<TableInfo> {
    None
}
