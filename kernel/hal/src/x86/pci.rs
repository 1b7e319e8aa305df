//! PCI configuration space by the old mechanism, which every machine with PCI has (PCI 3.0, 3.2.2.3.2).

use crate::order::LockRank;
use crate::sync::Lock;
use crate::types::PciFunction;
use spin::Once;
use x86_64::instructions::port::Port;

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;
const MULTIFUNCTION: u8 = 1 << 7;
/// Functions of one bus.
const PER_BUS: u32 = 1 << 8;
const BUSES: u32 = 256;
/// Header type, without the multifunction bit, of a bridge to another bus.
const BRIDGE: u8 = 1;

static TURN: Lock<()> = Lock::new(LockRank::Device, ());
/// One past the last function that may exist, as far as bridges lead.
static END: Once<u32> = Once::new();

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

/// Follows the bridges from bus 0 on, so that a search does not ask for thousands of devices that cannot be there.
fn find_end() -> u32 {
    let (mut bus, mut last) = (0, 0);
    while bus <= last {
        let mut cursor = bus * PER_BUS;
        while let Some(found) = search(cursor, (bus + 1) * PER_BUS) {
            if found.header & !MULTIFUNCTION == BRIDGE {
                let [_, _, subordinate, _] = read(found.address, 0x18).to_le_bytes();
                last = last.max(u32::from(subordinate));
            }
            cursor = found.address + 1;
        }
        bus += 1;
    }
    (last + 1).min(BUSES) * PER_BUS
}

/// The first function at or after `cursor` (bus << 8 | device << 3 | function).
pub fn function_at_or_after(cursor: u32) -> Option<PciFunction> {
    search(cursor, *END.call_once(find_end))
}

fn search(cursor: u32, end: u32) -> Option<PciFunction> {
    let mut address = cursor;
    while address < end {
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
