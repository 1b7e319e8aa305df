//! The fixed description table (5.2.9): where the power management registers are.

use crate::bytes::{u8_at, u16_at, u32_at, u64_at};
use crate::error::AcpiError;
use crate::gas::GenericAddress;
use crate::table::Table;

const RESET_SUPPORTED: u32 = 1 << 10;
const HARDWARE_REDUCED: u32 = 1 << 20;

/// Shortest one of ACPI 1.0, in which flags are the last field.
const LENGTH_MIN: usize = 116;

/// A run of I/O ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortBlock {
    /// The first port.
    pub base: u16,
    /// How many there are, at least 1.
    pub length: u16,
}

/// The fixed description table.
#[derive(Clone, Copy, Debug)]
pub struct Fadt<'m> {
    bytes: &'m [u8],
}

impl<'m> Fadt<'m> {
    /// Views `table` as one.
    pub fn parse(table: Table<'m>) -> Result<Self, AcpiError> {
        let table = table.named(b"FACP")?;
        match table.bytes().len() {
            len if len >= LENGTH_MIN => Ok(Fadt { bytes: table.bytes() }),
            len => Err(table.bad_entry(len)),
        }
    }

    /// Physical address of the DSDT; the 64-bit field goes first where there is one.
    pub fn dsdt(&self) -> Option<u64> {
        let wide = u64_at(self.bytes, 140).filter(|address| *address != 0);
        wide.or_else(|| u32_at(self.bytes, 40).map(u64::from)).filter(|address| *address != 0)
    }

    fn flags(&self) -> u32 {
        u32_at(self.bytes, 112).unwrap_or(0)
    }

    /// Whether the machine has none of the fixed registers of old (4.1).
    pub fn is_hardware_reduced(&self) -> bool {
        self.flags() & HARDWARE_REDUCED != 0
    }

    /// The interrupt line by which ACPI itself reports.
    pub fn sci_interrupt(&self) -> Option<u16> {
        u16_at(self.bytes, 46).filter(|line| *line != 0 && !self.is_hardware_reduced())
    }

    /// Control registers of power management: the first, and the second where there is one (4.8.3.2).
    pub fn pm1_control(&self) -> [Option<GenericAddress>; 2] {
        if self.is_hardware_reduced() {
            return [None; 2];
        }
        let bits = u8_at(self.bytes, 89).unwrap_or(2).saturating_mul(8);
        let register = |wide: usize, old: usize| {
            let old = u32_at(self.bytes, old).and_then(|base| GenericAddress::ports(base, bits));
            GenericAddress::at(self.bytes, wide).or(old)
        };
        [register(172, 64), register(184, 68)]
    }

    /// The register that resets the machine and the value to write, where that is supported (4.8.3.6).
    pub fn reset(&self) -> Option<(GenericAddress, u8)> {
        let register = GenericAddress::at(self.bytes, 116).filter(|_| self.flags() & RESET_SUPPORTED != 0)?;
        Some((register, u8_at(self.bytes, 128)?))
    }

    /// The sleep control register of hardware-reduced machines (4.8.3.7).
    pub fn sleep_control(&self) -> Option<GenericAddress> {
        GenericAddress::at(self.bytes, 244)
    }

    /// The sleep status register of hardware-reduced machines.
    pub fn sleep_status(&self) -> Option<GenericAddress> {
        GenericAddress::at(self.bytes, 256)
    }

    /// Index of the century in the real-time clock's memory, where it keeps one.
    pub fn century_register(&self) -> Option<u8> {
        u8_at(self.bytes, 108).filter(|index| *index != 0)
    }

    /// The port that switches the machine to ACPI mode and the value to write; `None` when it is always in it (4.8.1).
    pub fn enable(&self) -> Option<(u16, u8)> {
        let port =
            u32_at(self.bytes, 48).and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)?;
        let value = u8_at(self.bytes, 52).filter(|value| *value != 0)?;
        (!self.is_hardware_reduced()).then_some((port, value))
    }

    /// Every run of I/O ports that belongs to power management and must not be given away.
    pub fn ports(&self) -> impl Iterator<Item = PortBlock> + 'm {
        // Offset of the base, offset of the length (0: one port).
        const BLOCKS: [(usize, usize); 9] =
            [(48, 0), (56, 88), (60, 88), (64, 89), (68, 89), (72, 90), (76, 91), (80, 92), (84, 93)];
        let (bytes, reduced) = (self.bytes, self.is_hardware_reduced());
        let old = BLOCKS.into_iter().filter(move |_| !reduced).filter_map(move |(base, length)| {
            let length = if length == 0 { 1 } else { u16::from(u8_at(bytes, length)?) };
            block(u32_at(bytes, base)?, length)
        });
        let reset = self.reset().and_then(|(register, _)| register.port());
        let sleep = [self.sleep_control(), self.sleep_status()];
        let single = sleep.into_iter().flatten().filter_map(|register| register.port()).chain(reset);
        old.chain(single.map(|base| PortBlock { base, length: 1 }))
    }
}

fn block(base: u32, length: u16) -> Option<PortBlock> {
    let base = u16::try_from(base).ok().filter(|base| *base != 0)?;
    (length != 0).then_some(PortBlock { base, length })
}
