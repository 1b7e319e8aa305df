//! PCI as the kernel has it: which functions there are, and their configuration space.

use crate::types::Width;
use alloc::vec::Vec;
use capos_pci::{Address, Config, Function, walk};

#[cfg(not(target_os = "none"))]
use crate::fake::pci as machine;
#[cfg(target_os = "none")]
use crate::x86::pci as machine;

pub use machine::{arrive, count, depart, function, function_at_or_after, line};

/// The function at `address` (bus << 8 | device << 3 | function).
pub fn find(address: u32) -> Option<Function> {
    function_at_or_after(address).filter(|function| function.address.number() == address)
}

/// Reads configuration space. `None` for what no register is.
pub fn read(address: u32, register: u16, width: Width) -> Option<u32> {
    Access.read(Address::new(address)?, register, width.bytes())
}

/// Writes configuration space, unless that would move the function or what the platform depends on. `None` if it was not written.
pub fn write(address: u32, register: u16, width: Width, value: u32) -> Option<()> {
    let (at, bytes) = (Address::new(address)?, width.bytes());
    may_write(at, register, bytes as u16).then(|| Access.write(at, register, bytes, value))?
}

/// Whether something answers in the slot of a port.
pub fn answers(port: u32) -> bool {
    bus_behind(port).is_some_and(|bus| Access.read16(Address::device_of(bus, 0), 0) != u16::MAX)
}

/// The bus directly behind a bridge.
pub(crate) fn bus_behind(port: u32) -> Option<u8> {
    Some(find(port)?.header.buses?.secondary)
}

/// Has the base address registers of a function say what they said when it was found: a reset makes it forget.
pub fn restore_bars(address: u32) {
    if let Some(function) = find(address) {
        function.restore_bars(&machine::Raw);
    }
}

/// Every function, in the order of their addresses; `open` is shown each address before it is read. `taken` tells the memory, by first and last
/// byte, that no device may have.
pub(crate) fn survey(
    config: &impl Config,
    open: impl Fn(Address),
    taken: impl Fn(&mut dyn FnMut(u64, u64)),
) -> Vec<Function> {
    let mut found = Vec::new();
    walk(config, |at, _| {
        open(at);
        if let Some(function) = Function::read(config, at)
            && found.try_reserve(1).is_ok()
        {
            found.push(function);
        }
    });
    keep_apart(&mut found, taken);
    found.sort_unstable_by_key(|function| function.address);
    found
}

/// Whoever gets the registers of a device must get nothing else: neither memory nor what the kernel or another device has there.
fn keep_apart(functions: &mut [Function], taken: impl Fn(&mut dyn FnMut(u64, u64))) {
    for function in functions.iter_mut() {
        taken(&mut |first, last| function.keep_off(first, last));
    }
    for index in 1..functions.len() {
        let (before, rest) = functions.split_at_mut(index);
        let Some(function) = rest.first_mut() else { return };
        for other in before {
            function.keep_off_function(other);
            other.keep_off_function(function);
        }
    }
}

/// Configuration space, of which nothing can be written that would move a function, or what the platform depends on.
pub struct Access;

fn may_write(at: Address, register: u16, bytes: u16) -> bool {
    find(at.number()).is_some_and(|function| function.header.may_write(register, bytes))
}

impl Config for Access {
    fn read32(&self, at: Address, register: u16) -> u32 {
        machine::Raw.read32(at, register)
    }

    fn write32(&self, at: Address, register: u16, value: u32) {
        if may_write(at, register, 4) {
            machine::Raw.write32(at, register, value);
        }
    }

    fn write16(&self, at: Address, register: u16, value: u16) {
        if may_write(at, register, 2) {
            machine::Raw.write16(at, register, value);
        }
    }

    fn write8(&self, at: Address, register: u16, value: u8) {
        if may_write(at, register, 1) {
            machine::Raw.write8(at, register, value);
        }
    }
}
