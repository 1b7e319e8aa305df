//! Reset and power off, by every way the machine may have.

use super::acpi;
use super::panic::{stop_all, stop_here};
use x86_64::VirtAddr;
use x86_64::instructions::port::Port;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

/// Reset control register of Intel chipsets: full reset, then go.
const RESET_CONTROL: u16 = 0xcf9;
const FULL_RESET: [u8; 2] = [0x02, 0x06];
/// Keyboard controller: pulse the reset line.
const KEYBOARD_COMMAND: u16 = 0x64;
const PULSE_RESET: u8 = 0xfe;
/// Time for a reset to happen, in looks at a port (about a microsecond each).
const GRACE: u32 = 50_000;

fn out8(port: u16, value: u8) {
    // SAFETY: only called to end everything.
    unsafe { Port::new(port).write(value) };
}

fn wait() {
    for _ in 0..GRACE {
        // SAFETY: the port of firmware's progress codes, used for its delay alone.
        unsafe { Port::<u8>::new(0x80).write(0) };
    }
}

/// Resets the machine.
pub fn reboot() -> ! {
    acpi::reset();
    wait();
    FULL_RESET.into_iter().for_each(|value| out8(RESET_CONTROL, value));
    wait();
    out8(KEYBOARD_COMMAND, PULSE_RESET);
    wait();
    // Nothing helped: an exception without any handler resets every processor.
    // SAFETY: only called to end everything.
    unsafe {
        lidt(&DescriptorTablePointer { limit: 0, base: VirtAddr::zero() });
        core::arch::asm!("int3");
    }
    stop_here()
}

/// Switches the machine off, or at least stops it.
pub fn halt() -> ! {
    acpi::switch_off();
    wait();
    stop_all()
}
