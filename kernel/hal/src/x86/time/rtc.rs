//! The clock chip's date, read once at boot.

use crate::pure::cmos::Reading;
use x86_64::instructions::port::Port;

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;
/// Keep NMIs off while an index is chosen, as firmware does.
const NMI_OFF: u8 = 0x80;
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
const UPDATING: u8 = 1 << 7;
const TRIES: u32 = 8;

fn read(register: u8) -> u8 {
    // SAFETY: the clock chip belongs to the kernel. Only the boot CPU comes here, once.
    unsafe {
        Port::<u8>::new(INDEX).write(register | NMI_OFF);
        Port::<u8>::new(DATA).read()
    }
}

fn read_all() -> Reading {
    Reading {
        second: read(0),
        minute: read(2),
        hour: read(4),
        day: read(7),
        month: read(8),
        year: read(9),
        status_b: read(STATUS_B),
    }
}

/// Seconds since 1970. `None` without a chip, or when it does not hold still or says nonsense.
pub fn unix_seconds() -> Option<u64> {
    // Two equal readings outside of an update are one date; without a chip all registers read as 0xff.
    let steady = (0..TRIES).find_map(|_| {
        let first = read_all();
        let same = read(STATUS_A) & UPDATING == 0 && read_all() == first;
        same.then_some(first)
    });
    // SAFETY: as in `read`; lets NMIs through again.
    unsafe { Port::<u8>::new(INDEX).write(STATUS_A) };
    steady?.unix_seconds()
}
