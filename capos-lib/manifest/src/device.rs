//! Devices that a service is to have, by what they are.

use alloc::string::String;
use core::fmt;

/// What a PCI function may be like. It fits one that has everything that is said here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PciMatch {
    /// What the kernel is to know about such devices: see [`crate::POLICIES`].
    pub policy: String,
    /// Vendor id.
    pub vendor: Option<u16>,
    /// Device id.
    pub device: Option<u16>,
    /// class << 16 | subclass << 8 | programming interface.
    pub class: Option<u32>,
    /// Vendor id of the subsystem.
    pub subsystem_vendor: Option<u16>,
    /// Device id of the subsystem.
    pub subsystem: Option<u16>,
    /// bus << 8 | device << 3 | function.
    pub address: Option<u16>,
    /// Which of all that fit, by their addresses, from 0. Otherwise any of them.
    pub nth: Option<u16>,
}

/// A function, as far as it is matched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PciFunction {
    /// bus << 8 | device << 3 | function.
    pub address: u16,
    /// Vendor id.
    pub vendor: u16,
    /// Device id.
    pub device: u16,
    /// class << 16 | subclass << 8 | programming interface.
    pub class: u32,
    /// Vendor id of the subsystem.
    pub subsystem_vendor: u16,
    /// Device id of the subsystem.
    pub subsystem: u16,
}

impl PciMatch {
    /// Whether it says anything about a device.
    pub fn is_empty(&self) -> bool {
        self.numbers().into_iter().all(|(name, number)| name == "nth" || number.is_none())
            && self.address.is_none()
    }

    /// Whether a function is like this.
    pub fn fits(&self, function: &PciFunction) -> bool {
        fn fits<T: PartialEq>(wanted: Option<T>, found: T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        fits(self.vendor, function.vendor)
            && fits(self.device, function.device)
            && fits(self.class, function.class)
            && fits(self.subsystem_vendor, function.subsystem_vendor)
            && fits(self.subsystem, function.subsystem)
            && fits(self.address, function.address)
    }

    /// Its numbers, as they are called in `system.cue`.
    fn numbers(&self) -> [(&'static str, Option<u32>); 6] {
        [
            ("vendor", self.vendor.map(u32::from)),
            ("device", self.device.map(u32::from)),
            ("class", self.class),
            ("subsystemVendor", self.subsystem_vendor.map(u32::from)),
            ("subsystem", self.subsystem.map(u32::from)),
            ("nth", self.nth.map(u32::from)),
        ]
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<PciMatch> {
        let mut words = text.split(',');
        let mut found = PciMatch { policy: String::from(words.next()?), ..PciMatch::default() };
        for word in words {
            let (name, value) = word.split_once('=')?;
            if name == "address" {
                found.address = Some(parse_address(value)?);
                continue;
            }
            let number = u32::from_str_radix(value.strip_prefix("0x")?, 16).ok()?;
            let small = u16::try_from(number).ok();
            match name {
                "vendor" => found.vendor = Some(small?),
                "device" => found.device = Some(small?),
                "class" => found.class = Some(number),
                "subsystemVendor" => found.subsystem_vendor = Some(small?),
                "subsystem" => found.subsystem = Some(small?),
                "nth" => found.nth = Some(small?),
                _ => return None,
            }
        }
        Some(found)
    }
}

/// In one line, for an argument: `virtio,vendor=0x1af4,device=0x1044`.
impl fmt::Display for PciMatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.policy)?;
        for (name, number) in self.numbers() {
            if let Some(number) = number {
                write!(out, ",{name}={number:#x}")?;
            }
        }
        let Some(address) = self.address else { return Ok(()) };
        write!(out, ",address={:02x}:{:02x}.{}", address >> 8, address >> 3 & 0x1f, address & 7)
    }
}

/// Reads an address as `lspci` writes it: `00:05.0`.
pub(crate) fn parse_address(text: &str) -> Option<u16> {
    let (bus, rest) = text.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let hex = |text: &str, digits: usize, most: u16| {
        let number = u16::from_str_radix(text, 16).ok().filter(|number| *number <= most);
        number.filter(|_| text.len() == digits && !text.starts_with('+'))
    };
    Some(hex(bus, 2, 0xff)? << 8 | hex(device, 2, 0x1f)? << 3 | hex(function, 1, 7)?)
}
