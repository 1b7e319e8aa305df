//! PCI configuration space by the old mechanism, which every machine with PCI has (PCI 3.0, 3.2.2.3.2).

use crate::sync::Lock;
use crate::types::PciFunction;
use x86_64::instructions::port::Port;

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;
const MULTIFUNCTION: u8 = 1 << 7;
/// One past the last function.
const END: u32 = 1 << 16;

static TURN: Lock<()> = Lock::new(());

fn read(function: u32, register: u32) -> u32 {
    let _turn = TURN.lock();
    // SAFETY: reading configuration space has no side effect that matters to memory; the lock keeps the pair together.
    unsafe {
        Port::new(ADDRESS).write(ENABLE | function << 8 | register);
        Port::new(DATA).read()
    }
}

fn function(address: u32) -> Option<PciFunction> {
    let [vendor_low, vendor_high, device_low, device_high] = read(address, 0x00).to_le_bytes();
    let vendor = u16::from_le_bytes([vendor_low, vendor_high]);
    if vendor == 0xffff {
        return None;
    }
    let [_, _, header, _] = read(address, 0x0c).to_le_bytes();
    let [interrupt_line, ..] = read(address, 0x3c).to_le_bytes();
    Some(PciFunction {
        address,
        vendor,
        device: u16::from_le_bytes([device_low, device_high]),
        class: read(address, 0x08) >> 8,
        header,
        interrupt_line,
    })
}

/// Whether function 0 of the device says that there are more.
fn has_more(device: u32) -> bool {
    function(device).is_some_and(|first| first.header & MULTIFUNCTION != 0)
}

/// The first function at or after `cursor` (bus << 8 | device << 3 | function).
pub fn function_at_or_after(cursor: u32) -> Option<PciFunction> {
    let mut address = cursor;
    while address < END {
        if address & 7 != 0 && !has_more(address & !7) {
            address = (address | 7) + 1;
            continue;
        }
        match function(address) {
            Some(found) => return Some(found),
            // Without function 0 there is no device.
            None if address & 7 == 0 => address += 8,
            None => address += 1,
        }
    }
    None
}
