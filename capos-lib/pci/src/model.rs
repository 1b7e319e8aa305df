//! Configuration space made of ordinary memory, for tests here and elsewhere: functions as their specification has them, or not.

use crate::address::Address;
use crate::config::Config;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

const CONVENTIONAL: usize = 0x100;
const EXTENDED: usize = 0x1000;

/// A function's configuration space: what it says, and which bits can be written.
#[derive(Clone, Debug)]
pub struct Device {
    bytes: Vec<u8>,
    writable: Vec<u8>,
    /// Bits that writing a one clears.
    clearable: Vec<u8>,
    /// Where the next capability's pointer goes, and where the next capability.
    link: usize,
    end: usize,
}

impl Device {
    /// An endpoint without anything, of conventional PCI.
    pub fn new(vendor: u16, device: u16, class: u32) -> Self {
        let mut made = Device::of(std::vec![0; CONVENTIONAL]);
        made.put(0x00, &vendor.to_le_bytes());
        made.put(0x02, &device.to_le_bytes());
        made.put(0x08, &(class << 8).to_le_bytes());
        made.allow(0x04, &0x0547u16.to_le_bytes());
        made.allow(0x3c, &[0xff]);
        made.clear_by_writing(0x06, &0xf900u16.to_le_bytes());
        made
    }

    /// These bytes, of which none can be written.
    pub fn of(bytes: Vec<u8>) -> Self {
        let zeros = std::vec![0; bytes.len()];
        Device { bytes, writable: zeros.clone(), clearable: zeros, link: 0x34, end: 0x40 }
    }

    /// Sets bytes, from outside.
    pub fn put(&mut self, register: usize, bytes: &[u8]) {
        overlay(&mut self.bytes, register, bytes);
    }

    /// Lets bits be written.
    pub fn allow(&mut self, register: usize, mask: &[u8]) {
        overlay(&mut self.writable, register, mask);
    }

    /// Lets bits be cleared by writing ones.
    pub fn clear_by_writing(&mut self, register: usize, mask: &[u8]) {
        overlay(&mut self.clearable, register, mask);
    }

    /// What a register says, from outside.
    pub fn get(&self, register: usize) -> u32 {
        let byte = |at: usize| self.bytes.get(at).copied().unwrap_or(0xff);
        u32::from_le_bytes([byte(register), byte(register + 1), byte(register + 2), byte(register + 3)])
    }

    /// It has more functions than this one.
    #[must_use]
    pub fn multifunction(mut self) -> Self {
        self.put(0x0e, &[0x80]);
        self
    }

    /// It is a bridge to these buses.
    #[must_use]
    pub fn bridge(mut self, secondary: u8, subordinate: u8) -> Self {
        self.put(0x0e, &[self.bytes.get(0x0e).copied().unwrap_or(0) | 1]);
        self.put(0x18, &[0, secondary, subordinate]);
        self
    }

    /// It uses a line of the device, of which firmware wrote this down.
    #[must_use]
    pub fn line(mut self, pin: u8, line: u8) -> Self {
        self.put(0x3c, &[line, pin]);
        self
    }

    /// A base address register: `flags` are its low bits.
    #[must_use]
    pub fn bar(mut self, index: usize, base: u64, size: u64, flags: u8) -> Self {
        let register = 0x10 + 4 * index;
        let (width, mask) =
            if flags & 0b111 == 0b100 { (8, size.wrapping_neg()) } else { (4, size.wrapping_neg()) };
        let value = (base | u64::from(flags)).to_le_bytes();
        self.put(register, value.get(..width).unwrap_or_default());
        self.allow(register, mask.to_le_bytes().get(..width).unwrap_or_default());
        self
    }

    /// A capability: what comes behind its id and the pointer to the next one, of which all can be written.
    #[must_use]
    pub fn capability(mut self, id: u8, body: &[u8]) -> Self {
        let at = self.end;
        self.put(0x06, &[0x10]);
        self.put(self.link, &[at as u8]);
        self.put(at, &[id, 0]);
        self.put(at + 2, body);
        self.allow(at + 2, &std::vec![0xff; body.len()]);
        self.link = at + 1;
        self.end = (at + 2 + body.len()).next_multiple_of(4);
        self
    }

    /// It has extended configuration space, with this at its beginning.
    #[must_use]
    pub fn extended(mut self, bytes: &[u8]) -> Self {
        for space in [&mut self.bytes, &mut self.writable, &mut self.clearable] {
            space.resize(EXTENDED, 0);
        }
        self.put(CONVENTIONAL, bytes);
        self
    }

    fn write(&mut self, register: usize, value: &[u8]) {
        for (at, value) in (register..).zip(value) {
            let (Some(byte), Some(writable), Some(clearable)) =
                (self.bytes.get_mut(at), self.writable.get(at), self.clearable.get(at))
            else {
                continue;
            };
            *byte = (*byte & !writable | value & writable) & !(value & clearable);
        }
    }
}

fn overlay(space: &mut [u8], register: usize, bytes: &[u8]) {
    for (place, byte) in space.iter_mut().skip(register).zip(bytes) {
        *place = *byte;
    }
}

/// Functions, and what was written to them.
#[derive(Default, Debug)]
pub struct Machine {
    functions: Mutex<BTreeMap<u32, Device>>,
    writes: Mutex<Vec<(Address, u16, u32)>>,
}

impl Machine {
    /// Without any function.
    pub const fn new() -> Self {
        Machine { functions: Mutex::new(BTreeMap::new()), writes: Mutex::new(Vec::new()) }
    }

    /// Plugs a function in; one that was there is gone.
    pub fn plug(&self, address: u32, device: Device) {
        held(&self.functions).insert(address, device);
    }

    /// Takes a function out.
    pub fn unplug(&self, address: u32) {
        held(&self.functions).remove(&address);
    }

    /// Takes everything out.
    pub fn clear(&self) {
        held(&self.functions).clear();
        held(&self.writes).clear();
    }

    /// Has `work` done with a function.
    pub fn with<R>(&self, address: u32, work: impl FnOnce(&mut Device) -> R) -> Option<R> {
        held(&self.functions).get_mut(&address).map(work)
    }

    /// What was written since the last time somebody asked.
    pub fn writes(&self) -> Vec<(Address, u16, u32)> {
        core::mem::take(&mut held(&self.writes))
    }

    fn write(&self, at: Address, register: u16, value: &[u8]) {
        let mut word = [0; 4];
        overlay(&mut word, 0, value);
        held(&self.writes).push((at, register, u32::from_le_bytes(word)));
        self.with(at.number(), |device| device.write(usize::from(register), value));
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Config for Machine {
    fn read32(&self, at: Address, register: u16) -> u32 {
        self.with(at.number(), |device| device.get(usize::from(register))).unwrap_or(u32::MAX)
    }

    fn write32(&self, at: Address, register: u16, value: u32) {
        self.write(at, register, &value.to_le_bytes());
    }

    fn write16(&self, at: Address, register: u16, value: u16) {
        self.write(at, register, &value.to_le_bytes());
    }

    fn write8(&self, at: Address, register: u16, value: u8) {
        self.write(at, register, &[value]);
    }
}
