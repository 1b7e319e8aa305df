//! The processor's own clock, for measurements.

/// Ticks of the time stamp counter. Under the lab's `-icount shift=0` one tick is one instruction of the guest.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: RDTSC has no preconditions; the kernel leaves it to user mode.
    unsafe { core::arch::x86_64::_rdtsc() }
}
