//! Messages by which functions of PCI signal.

use super::iommu::Origin;
use crate::device::Registers;
use crate::pci;
use crate::types::{MessageEntry, MessagePlace, Width};
use capos_iommu::Interrupt;
use capos_pci::Address;

/// One message of a function.
pub struct Message {
    pub entry: MessageEntry,
    pub vector: u8,
    /// Who the function is to an IOMMU, if its interrupts go through one.
    pub origin: Option<Origin>,
}

impl Message {
    const ADDRESS: u64 = 0;
    const ADDRESS_HIGH: u64 = 4;
    const DATA: u64 = 8;
    const CONTROL: u64 = 12;
    const MASKED: u64 = 1;
    /// Where messages to processors go (Intel SDM vol. 3, 10.11.1); fixed delivery to one, by physical id.
    const PROCESSORS: u32 = 0xfee0_0000;

    /// Masks or unmasks it.
    pub fn set_masked(&self, masked: bool) {
        match &self.entry.place {
            MessagePlace::Table(table) => {
                self.write(table, Self::CONTROL, if masked { Self::MASKED as u32 } else { 0 });
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
        // Outside of the table there is no such entry, and nothing to tell.
        let _ = table.write(register + u64::from(self.entry.entry) * 16, Width::Four, u64::from(value));
    }

    /// Has it go to the CPU with controller `target`. It is masked.
    pub fn set_target(&self, target: u32) {
        if let Some(origin) = self.origin {
            origin.set(self.interrupt(target));
        }
        let (address, data) = self.content(target);
        match &self.entry.place {
            MessagePlace::Table(table) => {
                self.write(table, Self::ADDRESS, address);
                self.write(table, Self::ADDRESS_HIGH, 0);
                self.write(table, Self::DATA, data);
            }
            MessagePlace::Configuration(msi) => {
                if let Some(at) = Address::new(self.entry.function) {
                    msi.set(&pci::Access, at, u64::from(address), data as u16);
                }
            }
        }
    }

    /// What it raises at the CPU with controller `target`.
    fn interrupt(&self, target: u32) -> Interrupt {
        Interrupt { vector: self.vector, destination: target, level: false }
    }

    /// Address and data by which it does.
    fn content(&self, target: u32) -> (u32, u32) {
        match self.origin {
            None => (Self::PROCESSORS | target << 12, u32::from(self.vector)),
            Some(origin) => {
                let message = origin.message(self.vector);
                (message.address, message.data)
            }
        }
    }

    /// Whether the device has it as it was told, and the unit that it goes through: for audits.
    pub fn is_as_told(&self, target: u32, masked: bool) -> bool {
        let (address, data) = self.content(target);
        let device = match &self.entry.place {
            MessagePlace::Table(table) => {
                let at = u64::from(self.entry.entry) * 16;
                let read = |register| table.read(at + register, Width::Four).ok();
                let told = [(Self::ADDRESS, address), (Self::ADDRESS_HIGH, 0), (Self::DATA, data)];
                told.iter().all(|(register, value)| read(*register) == Some(u64::from(*value)))
                    && read(Self::CONTROL).is_some_and(|word| (word & Self::MASKED != 0) == masked)
            }
            MessagePlace::Configuration(msi) => Address::new(self.entry.function).is_some_and(|at| {
                msi.content(&pci::Access, at) == (u64::from(address), data as u16)
                    && msi.sends(&pci::Access, at) != masked
            }),
        };
        device && self.origin.is_none_or(|origin| origin.has(self.interrupt(target)))
    }

    /// Nobody has it any more. It is masked.
    pub fn withdraw(&self) {
        if let Some(origin) = self.origin {
            origin.clear(self.vector);
        }
    }
}
