//! A function as a whole, as it was when it was read.

use crate::address::Address;
use crate::bar::{self, Bar, Bars, Space};
use crate::capability::{self, Extended, extended_id, id};
use crate::config::{Config, change_command, command};
use crate::express::{Express, Slot};
use crate::fault::Fault;
use crate::header::Header;
use crate::message::{Msi, MsiX};
use crate::power::PowerManagement;
use crate::virtio;

/// What is known about a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function {
    /// Where it is.
    pub address: Address,
    /// What it says it is.
    pub header: Header,
    /// Where it answers.
    pub bars: Bars,
    /// Messages by configuration space.
    pub msi: Option<Msi>,
    /// Messages by a table.
    pub msix: Option<MsiX>,
    /// PCI Express.
    pub express: Option<Express>,
    /// Power management.
    pub power: Option<PowerManagement>,
    /// Where its registers of address translation services are.
    pub ats: Option<u16>,
    /// Where it says how many virtual functions it has.
    pub virtual_functions: Option<u16>,
    /// Where it is told which requests go past the root.
    pub access_control: Option<u16>,
    /// The first thing that is wrong with it. Nobody should drive it.
    pub fault: Option<Fault>,
}

impl Function {
    /// Reads everything about the function at `address`. `None` if there is none.
    pub fn read(config: &impl Config, address: Address) -> Option<Function> {
        let header = Header::read(config, address)?;
        let bars = bar::read(config, address, &header);
        let mut function = Function {
            address,
            header,
            bars: bars.unwrap_or_default(),
            msi: None,
            msix: None,
            express: None,
            power: None,
            ats: None,
            virtual_functions: None,
            access_control: None,
            fault: bars.err(),
        };
        for found in capability::list(config, address) {
            let result = function.read_capability(config, found);
            function.fault = function.fault.or(result.err());
        }
        if function.express.is_some() {
            capability::extended(config, address).for_each(|found| function.note_extended(found));
        }
        Some(function)
    }

    /// Of several with one id the first counts.
    fn note_extended(&mut self, found: Extended) {
        let place = match found.id {
            extended_id::ATS => &mut self.ats,
            extended_id::VIRTUAL_FUNCTIONS => &mut self.virtual_functions,
            extended_id::ACCESS_CONTROL => &mut self.access_control,
            _ => return,
        };
        if place.is_none() && found.fits(CONTROLS) {
            *place = Some(found.register);
        }
    }

    /// The slot behind it, if things come and go there while the machine runs.
    pub fn hot_slot(&self) -> Option<Slot> {
        let slot = self.express?.slot?;
        (slot.hot_plug && self.header.buses.is_some()).then_some(slot)
    }

    /// Writes down what is wrong if one of its base address registers reaches into memory from `first` to `last`.
    pub fn keep_off(&mut self, first: u64, last: u64) {
        let reaches =
            |bar: &&Bar| bar.is_memory() && bar.is_placed() && bar.base <= last && first <= bar.last();
        let taken = self.bars.iter().flatten().find(reaches).map(|bar| Fault::Taken(bar.index));
        self.fault = self.fault.or(taken);
    }

    /// Writes down what is wrong if one of its base address registers overlaps one of `other`.
    pub fn keep_off_function(&mut self, other: &Function) {
        let meets = |bar: &&Bar| other.bars.iter().flatten().any(|theirs| theirs.overlaps(bar));
        let taken = self.bars.iter().flatten().find(meets).map(|bar| Fault::Taken(bar.index));
        self.fault = self.fault.or(taken);
    }

    /// Has its base address registers say what they said when it was read: a reset makes it forget.
    pub fn restore_bars(&self, config: &impl Config) {
        for bar in self.bars.iter().flatten() {
            let register = bar::FIRST + 4 * u16::from(bar.index);
            config.write32(self.address, register, bar.base as u32);
            if matches!(bar.space, Space::Memory { wide: true, .. }) {
                config.write32(self.address, register + 4, (bar.base >> 32) as u32);
            }
        }
    }

    /// Of several capabilities with one id the first counts.
    fn read_capability(&mut self, config: &impl Config, found: capability::Capability) -> Result<(), Fault> {
        let at = self.address;
        match found.id {
            id::POWER if self.power.is_none() => self.power = Some(PowerManagement::read(config, at, found)?),
            id::MSI if self.msi.is_none() => self.msi = Some(Msi::read(config, at, found)?),
            id::MSIX if self.msix.is_none() => self.msix = Some(MsiX::read(config, at, found, &self.bars)?),
            id::EXPRESS if self.express.is_none() => self.express = Some(Express::read(config, at, found)?),
            id::ENHANCED => return Err(Fault::Elsewhere),
            id::VENDOR if self.header.vendor == virtio::VENDOR => {
                virtio::read(config, at, found, &self.bars)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes from a device what it can do by itself, whatever firmware left: transfers, its interrupt line, translating addresses
    /// by itself, and virtual functions. Not from what the platform depends on; and a bridge is to let pass what devices behind it will be
    /// allowed. Requests are to go by the root, where an IOMMU sees them, as far as a device or a bridge can be told so.
    pub fn quiet(&self, config: &impl Config) {
        if self.header.buses.is_some() {
            change_command(config, self.address, 0, command::BUS_MASTER);
        }
        if self.header.buses.is_some() || !self.header.is_platform() {
            self.send_by_root(config);
        }
        if self.header.is_platform() {
            return;
        }
        change_command(config, self.address, command::BUS_MASTER, command::NO_LINE);
        if let Some(register) = self.ats {
            let control = config.read16(self.address, register + ATS_CONTROL);
            config.write16(self.address, register + ATS_CONTROL, control & !ATS_ENABLE);
        }
        if let Some(register) = self.virtual_functions {
            let control = config.read16(self.address, register + VIRTUAL_CONTROL);
            config.write16(self.address, register + VIRTUAL_CONTROL, control & !VIRTUAL_ENABLE);
        }
    }

    fn send_by_root(&self, config: &impl Config) {
        if let Some(register) = self.access_control {
            let can = config.read16(self.address, register + ACCESS_CAPABILITY);
            let control = config.read16(self.address, register + ACCESS_CONTROL);
            config.write16(self.address, register + ACCESS_CONTROL, control & !PAST_ROOT | can & BY_ROOT);
        }
    }
}

/// Bytes of an extended capability within which what is written here lies.
const CONTROLS: u16 = 12;

/// Registers of address translation services (PCI Express 5.0, 10.5.1).
const ATS_CONTROL: u16 = 6;
const ATS_ENABLE: u16 = 1 << 15;
/// Registers of virtual functions (9.3.3): that they are there, and that they answer.
const VIRTUAL_CONTROL: u16 = 8;
const VIRTUAL_ENABLE: u16 = 1 | 1 << 3;
/// Registers of access control (7.7.8).
const ACCESS_CAPABILITY: u16 = 4;
const ACCESS_CONTROL: u16 = 6;
/// Who sends is who it says it is; what is said to be translated is not let through; requests to others, and answers, go up to the root.
const BY_ROOT: u16 = 0b1_1111;
/// Some requests do not.
const PAST_ROOT: u16 = 1 << 5 | 1 << 6;
