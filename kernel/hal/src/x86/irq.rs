//! Interrupt lines of devices: claimed one by one, masked whenever they fire until their owner has looked.

use super::acpi;
use super::apic::io::{self, Pin, Trigger};
use super::cpu;
use super::iommu::{self, Origin};
use super::message::Message;
use super::traps::vectors;
use crate::lines::{Lines, Wire};
use crate::types::{IRQ_PLACES, IrqError, IrqInfo, IrqLine, MessageEntry, PciLine, message};

static LINES: Lines<Source> = Lines::new();

// A place for each vector.
const _: () = assert!(IRQ_PLACES == (vectors::IRQ_END - vectors::IRQ) as usize);

/// The trigger mode of ISA lines without an override (ACPI 6.5, 5.2.12.5).
const ISA: Trigger = Trigger { active_low: false, level: false };

/// Where interrupts come from.
enum Source {
    Line(Pin),
    Message(Message),
}

impl Wire for Source {
    fn set_masked(&self, masked: bool) {
        match self {
            Source::Line(pin) => pin.set_masked(masked),
            Source::Message(message) => message.set_masked(masked),
        }
    }

    fn aim(&self, cpu: usize) -> usize {
        // A byte says where to, and its last value is everybody (82093AA, 3.2.4; Intel SDM vol. 3, 10.11.1), unless an IOMMU knows more.
        let near = cpu::apic_id(cpu) < 0xff || self.origin().is_some_and(|it| it.has_extended_ids());
        let reached = if near { cpu } else { 0 };
        match self {
            Source::Line(pin) => pin.set_target(cpu::apic_id(reached)),
            Source::Message(message) => message.set_target(cpu::apic_id(reached)),
        }
        reached
    }

    fn is_as_told(&self, cpu: usize, masked: bool) -> bool {
        match self {
            Source::Line(pin) => pin.is_as_told(cpu::apic_id(cpu), masked),
            Source::Message(message) => message.is_as_told(cpu::apic_id(cpu), masked),
        }
    }

    fn withdraw(&self) {
        match self {
            Source::Line(pin) => pin.withdraw(),
            Source::Message(message) => message.withdraw(),
        }
    }

    fn tells_once(&self) -> bool {
        matches!(self, Source::Message(_))
    }
}

impl Source {
    fn origin(&self) -> Option<Origin> {
        match self {
            Source::Line(pin) => pin.origin(),
            Source::Message(message) => message.origin,
        }
    }
}

/// Takes a message of a function, masked. Messages must be on at the function.
pub fn claim_message(entry: MessageEntry) -> Result<IrqLine, IrqError> {
    let origin = iommu::origin(entry.function);
    if origin.is_some_and(|origin| !origin.prepare()) {
        return Err(IrqError::NoMemory);
    }
    LINES.claim(message(entry.function, entry.entry), cpu::id(), |place| {
        let message = Message { entry, vector: vectors::IRQ + place as u8, origin };
        message.set_masked(true);
        Source::Message(message)
    })
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
    claim(gsi, trigger)
}

/// Takes the line that functions of PCI signal by, masked.
pub fn claim_line(line: PciLine) -> Result<IrqLine, IrqError> {
    claim(line.gsi, Trigger { active_low: line.active_low, level: line.level })
}

fn claim(gsi: u32, trigger: Trigger) -> Result<IrqLine, IrqError> {
    let pin = io::pin(gsi).ok_or(IrqError::NotFound)?;
    LINES.claim(gsi, cpu::id(), |place| Source::Line(pin.routed(trigger, vectors::IRQ + place as u8)))
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

/// Whether line `gsi` is claimed, and all that it goes through is as it was told: for audits.
pub fn is_as_told(gsi: u32) -> bool {
    LINES.is_as_told(gsi)
}

/// A line fired: masks it and says which. `None` when it was released meanwhile.
pub(super) fn on_interrupt(vector: u8) -> Option<IrqLine> {
    LINES.fired(usize::from(vector.checked_sub(vectors::IRQ)?))
}
