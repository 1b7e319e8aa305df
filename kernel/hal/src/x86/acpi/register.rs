//! Registers that tables name.

use crate::x86::paging::mmio;
use capos_acpi::{AddressSpace, GenericAddress};
use core::ptr;
use x86_64::instructions::port::Port;

/// Writes a register of 8 or 16 bits. Only used to end everything: reset and power off.
pub fn write(register: &GenericAddress, value: u16) {
    let wide = register.bit_width >= 16;
    let [low, _] = value.to_le_bytes();
    match (register.space, register.port()) {
        // SAFETY: the firmware names the register and the value.
        (AddressSpace::Io, Some(port)) if wide => unsafe { Port::new(port).write(value) },
        // SAFETY: as above.
        (AddressSpace::Io, Some(port)) => unsafe { Port::new(port).write(low) },
        (AddressSpace::Memory, _) => {
            if let Some(at) = mmio::map(register.address, 2).pointer() {
                // SAFETY: as above; mapped, uncached.
                unsafe {
                    if wide {
                        ptr::write_volatile(at.cast::<u16>(), value)
                    } else {
                        ptr::write_volatile(at, low)
                    }
                }
            }
        }
        _ => {}
    }
}
