//! Input and output ports, and the two old devices that the loader must silence or read: the 8259 pair and the CMOS clock.

use core::arch::asm;

use loader::clock::Registers;

/// Reads a byte from a port.
pub fn read(port: u16) -> u8 {
    let value: u8;
    // SAFETY: the loader owns the machine; the ports used here have no effect on memory.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes a byte to a port.
pub fn write(port: u16, value: u8) {
    // SAFETY: as for `read`.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags)) };
}

/// Masks every line of both interrupt controllers ("legacy PIC IRQs are all masked", PROTOCOL.md).
pub fn mask_pic() {
    write(0x21, 0xff);
    write(0xa1, 0xff);
}

/// About `microseconds`, counted in accesses to a port that nothing answers: the old bus takes one each.
pub fn delay(microseconds: u32) {
    for _ in 0..microseconds {
        read(0x80);
    }
}

/// The CMOS clock, read until two readings agree so that no update tears them; nothing if they never do.
pub fn clock() -> Option<Registers> {
    const TRIES: u32 = 1000;
    let mut last = None;
    for _ in 0..TRIES {
        if cmos(0x0a) & 0x80 != 0 {
            continue;
        }
        let now = Registers { fields: [0, 2, 4, 7, 8, 9].map(cmos), status_b: cmos(0x0b) };
        if last == Some(now) {
            return Some(now);
        }
        last = Some(now);
    }
    None
}

fn cmos(register: u8) -> u8 {
    // Bit 7 keeps non-maskable interrupts off while the index stands.
    write(0x70, 0x80 | register);
    read(0x71)
}
