//! The raw console: COM1, for as long as no driver owns it.
//!
//! Polled, and never in the way: without a UART, or with one that does not take bytes, output is dropped.

use crate::order::LockRank;
use crate::sync::Lock;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use x86_64::instructions::port::Port;

const COM1: u16 = 0x3f8;
/// Offsets of the 16550's registers.
const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;
const SCRATCH: u16 = 7;
/// Line status: the transmitter takes a byte.
const TRANSMITTER_EMPTY: u8 = 1 << 5;
/// Polls before a byte is given up: far longer than one byte takes at 115,200 baud.
const PATIENCE: u32 = 200_000;

struct Uart {
    present: bool,
}

static UART: Lock<Uart> = Lock::new(LockRank::Device, Uart { present: false });
static OWNED: AtomicBool = AtomicBool::new(true);

fn read(register: u16) -> u8 {
    // SAFETY: COM1 belongs to the kernel while it owns the console; reading has no effect on memory.
    unsafe { Port::new(COM1 + register).read() }
}

fn write_register(register: u16, value: u8) {
    // SAFETY: as for reading.
    unsafe { Port::new(COM1 + register).write(value) }
}

impl Uart {
    /// 115,200 baud, 8N1, FIFOs on, no interrupts; finds out whether anything is there.
    fn init(&mut self) {
        write_register(SCRATCH, 0x5a);
        self.present = read(SCRATCH) == 0x5a;
        if !self.present {
            return;
        }
        let setup = [
            (INTERRUPT_ENABLE, 0x00),
            (LINE_CONTROL, 0x80),
            (DATA, 0x01),
            (INTERRUPT_ENABLE, 0x00),
            (LINE_CONTROL, 0x03),
            (FIFO_CONTROL, 0x07),
            (MODEM_CONTROL, 0x03),
        ];
        setup.into_iter().for_each(|(register, value)| write_register(register, value));
    }

    fn send(&mut self, byte: u8) {
        if !self.present {
            return;
        }
        for _ in 0..PATIENCE {
            if read(LINE_STATUS) & TRANSMITTER_EMPTY != 0 {
                write_register(DATA, byte);
                return;
            }
        }
    }

    fn write(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.send(b'\r');
            }
            self.send(byte);
        }
    }
}

pub(super) fn init() {
    UART.lock().init();
}

/// Writes while the kernel owns the console; afterwards nothing happens.
pub fn write(text: &str) {
    if OWNED.load(Ordering::Acquire) {
        UART.lock().write(text);
    }
}

/// Leaves the console to a driver.
pub fn release() {
    OWNED.store(false, Ordering::Release);
}

/// Takes it back and sets it up again.
pub fn retake() {
    UART.lock().init();
    OWNED.store(true, Ordering::Release);
}

/// The console for a report of the panicking CPU: takes no lock, since its holder may be what was stopped.
pub(super) struct Emergency(Uart);

impl Emergency {
    /// Takes the UART from whoever had it.
    pub fn new() -> Self {
        let mut uart = Uart { present: false };
        uart.init();
        Emergency(uart)
    }
}

impl fmt::Write for Emergency {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text);
        Ok(())
    }
}
