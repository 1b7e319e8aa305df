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

    /// Has it go to the CPU with controller `target`. It is masked.
    pub fn set_target(&self, target: u32) {
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

    /// Nobody has it any more. It is masked.
    pub fn withdraw(&self) {
        if let Some(origin) = self.origin {
            origin.clear(self.vector);
        }
    }
}
