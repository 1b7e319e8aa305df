//! The local timer as a bare counter; what its ticks mean is settled in time/.

use super::{MASKED, read, register, write};
use crate::x86::traps::vectors;
use x86_64::registers::model_specific::Msr;

/// Divide configuration: by 16, so that 32 bits last a second even at 50 GHz.
const BY_16: u32 = 0b0011;
const TSC_DEADLINE_MODE: u32 = 0b10 << 17;
const TSC_DEADLINE: u32 = 0x6e0;

/// One-shot counting, not interrupting.
pub fn stop() {
    write(register::INITIAL_COUNT, 0);
}

/// Sets this CPU's timer to one-shot mode.
pub fn use_count() {
    write(register::DIVIDE, BY_16);
    write(register::TIMER, u32::from(vectors::TIMER));
}

/// Sets this CPU's timer to TSC-deadline mode.
pub fn use_deadline() {
    write(register::TIMER, TSC_DEADLINE_MODE | u32::from(vectors::TIMER));
    // The mode change and the first deadline must not be reordered (SDM vol. 3, 10.5.4.1).
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
}

/// Interrupts after `ticks`, at least one.
pub fn count_down(ticks: u32) {
    write(register::INITIAL_COUNT, ticks.max(1));
}

/// Interrupts when the TSC reaches `tsc`; 0 disarms.
pub fn deadline(tsc: u64) {
    // SAFETY: CPUID reported the mode, and `use_deadline` chose it.
    unsafe { Msr::new(TSC_DEADLINE).write(tsc) };
}

/// Starts counting from the largest value without interrupting, for calibration.
pub fn measure_start() {
    write(register::DIVIDE, BY_16);
    write(register::TIMER, MASKED);
    write(register::INITIAL_COUNT, u32::MAX);
}

/// Ticks since [`measure_start`].
pub fn measured() -> u32 {
    u32::MAX - read(register::CURRENT_COUNT)
}
