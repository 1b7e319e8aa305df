//! The processor's own clock, for measurements.

/// Ticks of the time stamp counter. Under the lab's `-icount shift=0` one tick is one instruction of the guest.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: RDTSC has no preconditions; the kernel leaves it to user mode.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// What a mark says to a host that counts (tools/cap/plugin/count.c).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// A region that is counted starts.
    Start,
    /// It stops.
    Stop,
    /// There are no more regions of this series.
    Series,
    /// A region starts with the next interrupt.
    Interrupt,
}

/// Executes one instruction that exchanges a register with itself and that a counting host recognises. Nobody else notices.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn mark(mark: Mark) {
    // SAFETY: each writes to a register what was in it.
    unsafe {
        match mark {
            Mark::Start => core::arch::asm!("xchg bx, bx", options(preserves_flags)),
            Mark::Stop => core::arch::asm!("xchg cx, cx", options(preserves_flags)),
            Mark::Series => core::arch::asm!("xchg dx, dx", options(preserves_flags)),
            Mark::Interrupt => core::arch::asm!("xchg si, si", options(preserves_flags)),
        }
    }
}
