//! The header that every function has (PCI 3.0, 6.1 and 6.2).

use crate::address::Address;
use crate::config::Config;

const NONE: u16 = 0xffff;
const MULTIFUNCTION: u8 = 1 << 7;
/// Base address registers of an endpoint, and that of its expansion ROM.
const FIRST_BAR: u16 = 0x10;
pub(crate) const LAST_BAR: u16 = 0x28;
pub(crate) const ROM: u16 = 0x30;
/// What every layout has before its own registers.
const CAPABILITIES: u16 = 0x40;

/// What a function says it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Vendor id.
    pub vendor: u16,
    /// Device id.
    pub device: u16,
    /// class << 16 | subclass << 8 | programming interface.
    pub class: u32,
    /// Revision.
    pub revision: u8,
    /// Header type, with the bit for more functions.
    pub kind: u8,
    /// Subsystem vendor and device; of an endpoint only.
    pub subsystem: (u16, u16),
    /// Which of the four interrupt lines of the device it uses: 1 to 4, or 0 for none.
    pub pin: u8,
    /// What firmware wrote down about that line.
    pub line: u8,
    /// The buses behind it, of a bridge.
    pub buses: Option<Buses>,
}

/// The buses behind a bridge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Buses {
    /// The one directly behind it.
    pub secondary: u8,
    /// The last one behind it.
    pub subordinate: u8,
}

impl Buses {
    /// Whether a function is on one of them.
    pub fn holds(&self, at: Address) -> bool {
        (self.secondary..=self.subordinate).contains(&at.bus())
    }
}

impl Header {
    /// `None` where there is no function.
    pub fn read(config: &impl Config, at: Address) -> Option<Header> {
        let [vendor, device] = halves(config.read32(at, 0x00));
        if vendor == NONE {
            return None;
        }
        let class = config.read32(at, 0x08);
        let [line, pin, ..] = config.read32(at, 0x3c).to_le_bytes();
        let kind = config.read8(at, 0x0e);
        let layout = kind & !MULTIFUNCTION;
        let [subsystem_vendor, subsystem] =
            if layout == 0 { halves(config.read32(at, 0x2c)) } else { [0, 0] };
        let buses = (layout == 1).then(|| {
            let [_, secondary, subordinate, _] = config.read32(at, 0x18).to_le_bytes();
            Buses { secondary, subordinate }
        });
        Some(Header {
            vendor,
            device,
            class: class >> 8,
            revision: class as u8,
            kind,
            subsystem: (subsystem_vendor, subsystem),
            pin: if pin <= 4 { pin } else { 0 },
            line,
            buses: buses.filter(|buses| buses.secondary > at.bus() && buses.secondary <= buses.subordinate),
        })
    }

    /// Whether the device says that it has more functions than this one.
    pub fn is_multifunction(&self) -> bool {
        self.kind & MULTIFUNCTION != 0
    }

    /// The header's layout: 0 is an endpoint, 1 a bridge, 2 a CardBus bridge.
    pub fn layout(&self) -> u8 {
        self.kind & !MULTIFUNCTION
    }

    /// Whether the platform depends on it as firmware left it: bridges to other buses, host and ISA bridges, IOMMUs. Everything else is
    /// a device that somebody may drive, whatever it calls itself.
    pub fn is_platform(&self) -> bool {
        self.layout() != 0 || matches!(self.class >> 8, HOST_BRIDGE | ISA_BRIDGE | IOMMU)
    }

    /// Whether so many bytes from `register` on may be written without moving the function, or what the platform depends on: of a device
    /// all but its base address registers, of a bridge its capabilities, of the rest of the platform nothing.
    pub fn may_write(&self, register: u16, bytes: u16) -> bool {
        let apart = |from: u16, to: u16| register >= to || register.saturating_add(bytes) <= from;
        match self.layout() {
            0 => !self.is_platform() && apart(FIRST_BAR, LAST_BAR) && apart(ROM, ROM + 4),
            1 => register >= CAPABILITIES,
            _ => false,
        }
    }

    /// Base address registers that its layout has.
    pub(crate) fn bars(&self) -> u8 {
        match self.layout() {
            // Those of a host bridge may be what the kernel runs in.
            0 if self.class >> 8 == HOST_BRIDGE => 0,
            0 => 6,
            1 => 2,
            _ => 0,
        }
    }
}

/// Class and subclass of bridges and others that belong to the platform (PCI Code and ID Assignment 1.11, chapter 1).
pub(crate) const HOST_BRIDGE: u32 = 0x06_00;
const ISA_BRIDGE: u32 = 0x06_01;
const IOMMU: u32 = 0x08_06;

fn halves(word: u32) -> [u16; 2] {
    [word as u16, (word >> 16) as u16]
}
