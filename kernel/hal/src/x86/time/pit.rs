//! The old timer as a reference clock (8254 datasheet). Channel 0 is used, because not every machine that has the timer has the
//! gate of channel 2 (QEMU's microvm does not); its interrupt stays masked.

use super::calibrate::{Sample, WINDOW_NS, wait_a_little};
use super::tsc;
use crate::x86::apic::timer;
use x86_64::instructions::port::Port;

const CHANNEL_0: u16 = 0x40;
const COMMAND: u16 = 0x43;
/// Channel 0, both bytes, rate generator: counts down from 65,536 again and again.
const RATE_GENERATOR: u8 = 0x34;
/// Hold the count of channel 0 for reading.
const LATCH_0: u8 = 0x00;
const HZ: u64 = 1_193_182;
/// Looks at a counter before it is taken to stand still.
const PATIENCE: u32 = 1_000_000;

fn out(port: u16, value: u8) {
    // SAFETY: the timer belongs to the kernel; nobody gets its interrupts.
    unsafe { Port::new(port).write(value) };
}

fn count() -> u16 {
    out(COMMAND, LATCH_0);
    let mut data = Port::<u8>::new(CHANNEL_0);
    // SAFETY: as for writing; the count comes low byte first.
    let (low, high) = unsafe { (data.read(), data.read()) };
    u16::from_le_bytes([low, high])
}

/// Compares it with the other clocks for a while. `None` when it stands still or there is none.
pub fn measure() -> Option<Sample> {
    out(COMMAND, RATE_GENERATOR);
    out(CHANNEL_0, 0);
    out(CHANNEL_0, 0);
    // The window is far shorter than one round of the counter (55 ms).
    let ticks = u16::try_from(WINDOW_NS * HZ / 1_000_000_000).ok()?;
    wait_a_little();
    timer::measure_start();
    let (first, first_tsc) = (count(), tsc());
    for look in 0..PATIENCE {
        let passed = first.wrapping_sub(count());
        if passed >= ticks {
            let (tsc, counted) = (tsc().wrapping_sub(first_tsc), timer::measured());
            timer::stop();
            return Some(Sample { ns: u64::from(passed) * 1_000_000_000 / HZ, tsc, count: counted });
        }
        // A counter that still says the same after many looks is not there.
        if look > 10_000 && passed == 0 {
            return None;
        }
        wait_a_little();
    }
    None
}
