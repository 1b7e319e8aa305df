//! The two old interrupt controllers: moved out of the way of the exceptions and masked for good.

use crate::x86::traps::vectors;
use x86_64::instructions::port::Port;

const COMMAND: [u16; 2] = [0x20, 0xa0];
const DATA: [u16; 2] = [0x21, 0xa1];

/// Initialises and masks both. On machines without them the writes go nowhere.
pub(super) fn disable() {
    let out = |port: u16, value: u8| {
        // SAFETY: the controllers belong to the kernel; afterwards they interrupt nobody.
        unsafe { Port::new(port).write(value) };
    };
    for (n, base) in [vectors::PIC, vectors::PIC + 8].into_iter().enumerate() {
        out(COMMAND[n], 0x11);
        out(DATA[n], base);
        out(DATA[n], if n == 0 { 4 } else { 2 });
        out(DATA[n], 0x01);
        out(DATA[n], 0xff);
    }
}
