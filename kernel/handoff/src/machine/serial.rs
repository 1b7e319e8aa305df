//! COM1, for the one line that says why a machine is not booted.

use core::fmt::{self, Write};

use super::port;

const BASE: u16 = 0x3f8;
const TRANSMITTER_EMPTY: u8 = 0x20;
/// A missing port never becomes ready; after this many looks the byte is dropped.
const PATIENCE: u32 = 100_000;

/// Sets 115,200 baud, 8N1, no interrupts.
pub fn open() {
    for (register, value) in [(1, 0), (3, 0x80), (0, 1), (1, 0), (3, 3), (2, 0xc7), (4, 3)] {
        port::write(BASE + register, value);
    }
}

/// Prints a line.
pub fn say(what: fmt::Arguments<'_>) {
    // Port never fails.
    let _ = writeln!(Port, "handoff: {what}");
}

struct Port;

impl Write for Port {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                put(b'\r');
            }
            put(byte);
        }
        Ok(())
    }
}

fn put(byte: u8) {
    for _ in 0..PATIENCE {
        if port::read(BASE + 5) & TRANSMITTER_EMPTY != 0 {
            break;
        }
    }
    port::write(BASE, byte);
}
