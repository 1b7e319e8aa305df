//! Interrupt lines of devices: claimed one by one, masked whenever they fire until their owner has looked.

use super::acpi;
use super::apic::io::{self, Pin, Trigger};
use super::cpu;
use super::traps::vectors;
use crate::lines::{Lines, Wire};
use crate::types::{IRQ_PLACES, IrqError, IrqInfo, IrqLine};

static LINES: Lines<Pin> = Lines::new();

// A place for each vector.
const _: () = assert!(IRQ_PLACES == (vectors::IRQ_END - vectors::IRQ) as usize);

/// The trigger mode of ISA lines without an override (ACPI 6.5, 5.2.12.5).
const ISA: Trigger = Trigger { active_low: false, level: false };

impl Wire for Pin {
    fn set_masked(&self, masked: bool) {
        Pin::set_masked(self, masked);
    }

    fn aim(&self, cpu: usize) -> usize {
        // A byte says where to, and its last value is everybody (82093AA, 3.2.4).
        let reached = if cpu::apic_id(cpu) < 0xff { cpu } else { 0 };
        self.set_target(cpu::apic_id(reached));
        reached
    }
}

/// Takes an ISA line, masked.
pub fn claim_isa(irq: u8) -> Result<IrqLine, IrqError> {
    // 2 is the cascade of the old controllers, 0 the timer that the kernel calibrates with.
    if irq > 15 || irq == 2 {
        return Err(IrqError::NotFound);
    }
    if irq == 0 {
        return Err(IrqError::Taken);
    }
    let (gsi, trigger) = acpi::isa_route(irq).unwrap_or((u32::from(irq), ISA));
    let pin = io::pin(gsi).ok_or(IrqError::NotFound)?;
    LINES.claim(gsi, cpu::id(), |place| pin.routed(trigger, vectors::IRQ + place as u8))
}

/// Gives a line back, masked.
pub fn release(line: IrqLine) {
    LINES.release(line);
}

/// Masks a line.
pub fn mask(line: IrqLine) {
    LINES.mask(line);
}

/// Unmasks a line, and has its interrupts come to this CPU if it was masked.
pub fn unmask(line: IrqLine) {
    LINES.unmask(line, cpu::id());
}

/// Line number `index` of those claimed.
pub fn info(index: usize) -> Option<IrqInfo> {
    LINES.info(index, vectors::IRQ)
}

/// A line fired: masks it and says which. `None` when it was released meanwhile.
pub(super) fn on_interrupt(vector: u8) -> Option<IrqLine> {
    LINES.fired(usize::from(vector.checked_sub(vectors::IRQ)?))
}
