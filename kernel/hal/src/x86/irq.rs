//! Interrupt lines of devices: claimed one by one, masked whenever they fire until their owner has looked.

use super::acpi;
use super::apic::io::{self, Pin, Trigger};
use super::cpu;
use super::device::Registers;
use super::iommu::{self, Origin};
use super::traps::vectors;
use crate::lines::{Lines, Wire};
use crate::pci;
use crate::types::{
    IRQ_PLACES, IrqError, IrqInfo, IrqLine, MessageEntry, MessagePlace, PciLine, Width, message,
};
use capos_iommu::Interrupt;
use capos_pci::Address;

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

    fn withdraw(&self) {
        match self {
            Source::Line(pin) => pin.withdraw(),
            Source::Message(message) => {
                if let Some(origin) = message.origin {
                    origin.clear(message.vector);
                }
            }
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

struct Message {
    entry: MessageEntry,
    vector: u8,
    /// Who the function is to an IOMMU, if its interrupts go through one.
    origin: Option<Origin>,
}

impl Message {
    const ADDRESS: u64 = 0;
    const ADDRESS_HIGH: u64 = 4;
    const DATA: u64 = 8;
    const CONTROL: u64 = 12;
    const MASKED: u64 = 1;
    /// Where messages to processors go (Intel SDM vol. 3, 10.11.1); fixed delivery to one, by physical id.
    const PROCESSORS: u32 = 0xfee0_0000;

    fn set_masked(&self, masked: bool) {
        match &self.entry.place {
            MessagePlace::Table { table, offset } => {
                self.write(table, offset + Self::CONTROL, if masked { Self::MASKED as u32 } else { 0 });
            }
            // One that cannot be masked is switched off: what it would tell meanwhile is lost, so its driver looks when it is on again.
            MessagePlace::Configuration(msi) => {
                if let Some(at) = Address::new(self.entry.function)
                    && !(msi.is_enabled(&pci::Access, at) && msi.set_masked(&pci::Access, at, masked))
                {
                    msi.enable(&pci::Access, at, !masked);
                }
            }
        }
    }

    fn write(&self, table: &Registers, register: u64, value: u32) {
        // Outside of the window there is no such entry, and nothing to tell.
        let _ = table.write(register + u64::from(self.entry.entry) * 16, Width::Four, u64::from(value));
    }

    /// It is masked.
    fn set_target(&self, target: u32) {
        let interrupt = Interrupt { vector: self.vector, destination: target, level: false };
        let (address, data) = match self.origin {
            None => (Self::PROCESSORS | target << 12, u32::from(self.vector)),
            Some(origin) => {
                let message = origin.set_message(interrupt);
                (message.address, message.data)
            }
        };
        match &self.entry.place {
            MessagePlace::Table { table, offset } => {
                self.write(table, offset + Self::ADDRESS, address);
                self.write(table, offset + Self::ADDRESS_HIGH, 0);
                self.write(table, offset + Self::DATA, data);
            }
            MessagePlace::Configuration(msi) => {
                if let Some(at) = Address::new(self.entry.function) {
                    msi.set(&pci::Access, at, u64::from(address), data as u16);
                }
            }
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

/// A line fired: masks it and says which. `None` when it was released meanwhile.
pub(super) fn on_interrupt(vector: u8) -> Option<IrqLine> {
    LINES.fired(usize::from(vector.checked_sub(vectors::IRQ)?))
}
