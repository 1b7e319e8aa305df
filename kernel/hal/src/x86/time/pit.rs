//! The old timer as a reference clock (8254 datasheet). Channel 0 is used, because not every machine that has the timer has the
//! gate of channel 2 (QEMU's microvm does not); its interrupt stays masked.

use super::calibrate::{Reference, wait_a_little};
use x86_64::instructions::port::Port;

const CHANNEL_0: u16 = 0x40;
const COMMAND: u16 = 0x43;
/// Channel 0, both bytes, rate generator: counts down from 65,536 again and again.
const RATE_GENERATOR: u8 = 0x34;
/// Hold the count of channel 0 for reading.
const LATCH_0: u8 = 0x00;
/// One tick at 1,193,182 Hz.
const FEMTOSECONDS: u64 = 838_095_110;

fn out(port: u16, value: u8) {
    // SAFETY: the timer belongs to the kernel; nobody gets its interrupts.
    unsafe { Port::new(port).write(value) };
}

/// The counter, running, if it is there. One round takes 55 ms.
pub fn reference() -> Reference {
    out(COMMAND, RATE_GENERATOR);
    out(CHANNEL_0, 0);
    out(CHANNEL_0, 0);
    // It takes the new value with its next tick.
    wait_a_little();
    Reference { name: "pit", femtoseconds: FEMTOSECONDS, mask: 0xffff, count }
}

fn count() -> u32 {
    out(COMMAND, LATCH_0);
    let mut data = Port::<u8>::new(CHANNEL_0);
    // SAFETY: as for writing; the count comes low byte first.
    let (low, high) = unsafe { (data.read(), data.read()) };
    // It counts down.
    u32::from(u16::from_le_bytes([low, high]).wrapping_neg())
}
