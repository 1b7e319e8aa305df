//! The lists of capabilities (PCI 3.0, 6.7; PCI Express 5.0, 7.6). A device may have made them lead anywhere.

use crate::address::Address;
use crate::config::Config;

const STATUS: u16 = 0x06;
const HAS_LIST: u16 = 1 << 4;
const POINTER: u16 = 0x34;
/// Where the first list may begin, and both end.
pub(crate) const FIRST: u16 = 0x40;
const END: u16 = 0x100;
/// The second list is behind the first.
pub(crate) const EXTENDED_FIRST: u16 = END;
const EXTENDED_END: u16 = 0x1000;

/// Ids of the first list.
pub mod id {
    /// Power management.
    pub const POWER: u8 = 0x01;
    /// Messages as interrupts.
    pub const MSI: u8 = 0x05;
    /// What the vendor wants; register blocks of virtio devices.
    pub const VENDOR: u8 = 0x09;
    /// PCI Express.
    pub const EXPRESS: u8 = 0x10;
    /// Messages as interrupts, with a table in memory.
    pub const MSIX: u8 = 0x11;
    /// Places that are fixed, and told here instead of in base address registers.
    pub const ENHANCED: u8 = 0x14;
}

/// Ids of the second list, which begins at 0x100.
pub mod extended_id {
    /// What went wrong.
    pub const ERRORS: u16 = 0x0001;
    /// The device's serial number.
    pub const SERIAL: u16 = 0x0003;
    /// Who may send requests where, past the root.
    pub const ACCESS_CONTROL: u16 = 0x000d;
    /// Functions without devices.
    pub const ROUTING: u16 = 0x000e;
    /// Address translation services: a device that has translated by itself.
    pub const ATS: u16 = 0x000f;
    /// Virtual functions of this one.
    pub const VIRTUAL_FUNCTIONS: u16 = 0x0010;
    /// Base address registers that can be larger.
    pub const RESIZABLE: u16 = 0x0015;
    /// How long the device can wait.
    pub const LATENCY: u16 = 0x0018;
}

/// Something that a function can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// What.
    pub id: u8,
    /// Where its registers begin.
    pub register: u16,
}

impl Capability {
    /// Whether so many bytes of it are in configuration space.
    pub(crate) fn fits(&self, length: u16) -> bool {
        self.register + length <= END
    }
}

/// Something that a function of PCI Express can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extended {
    /// What.
    pub id: u16,
    /// Version of its registers.
    pub version: u8,
    /// Where its registers begin.
    pub register: u16,
}

impl Extended {
    /// Whether so many bytes of it are in configuration space: what is behind is another function's.
    pub(crate) fn fits(&self, length: u16) -> bool {
        self.register + length <= EXTENDED_END
    }
}

/// Registers that were come to already: a list that leads back to itself ends there.
#[derive(Default)]
struct Seen([u64; 16]);

impl Seen {
    /// Whether this is the first time.
    fn first(&mut self, register: u16) -> bool {
        let (word, bit) = (usize::from(register / 4 / 64), 1 << (register / 4 % 64));
        match self.0.get_mut(word) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }
}

/// The capabilities in order. A list that leaves its part of configuration space ends there.
pub fn list(config: &impl Config, at: Address) -> impl Iterator<Item = Capability> {
    let has_list = config.read16(at, STATUS) & HAS_LIST != 0;
    let mut next = if has_list { u16::from(config.read8(at, POINTER)) } else { 0 };
    let mut seen = Seen::default();
    core::iter::from_fn(move || {
        let register = next & !3;
        if register < FIRST || !seen.first(register) {
            return None;
        }
        let [id, pointer, ..] = config.read32(at, register).to_le_bytes();
        next = u16::from(pointer);
        // What is gone answers with ones; a capability that was given up has id 0 and still leads on.
        (id != 0xff).then_some(Capability { id, register })
    })
}

/// The capabilities in extended configuration space, in order.
pub fn extended(config: &impl Config, at: Address) -> impl Iterator<Item = Extended> {
    let mut next = END;
    let mut seen = Seen::default();
    core::iter::from_fn(move || {
        let register = next & !3;
        if !(END..EXTENDED_END).contains(&register) || !seen.first(register) {
            return None;
        }
        let word = config.read32(at, register);
        next = (word >> 20) as u16;
        let found = Extended { id: word as u16, version: (word >> 16) as u8 & 0xf, register };
        (word != 0 && word != u32::MAX).then_some(found)
    })
}
