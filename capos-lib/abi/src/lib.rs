//! The contract between the kernel and userspace, and nothing else.
//!
//! Everything here is plain data with a fixed layout: numbers, offsets, sizes. Behaviour lives in `capos-ring` (the ring
//! protocol), `capos-cap` (capability tables) and in the kernel. A change in this crate is a change of the ABI and needs an ADR.
#![no_std]

#[cfg(test)]
mod book;
pub mod cap;
pub mod error;
pub mod layout;
pub mod ring;
pub mod startup;

pub use cap::{CapId, TransferMode, TransferSlot};
pub use error::{Blame, ExceptionCode, TransportError};
pub use ring::{Cqe, Op, RingShape, Sqe};

/// System call numbers, passed in `rax`.
///
/// Arguments travel in `rdi` and `rsi`, the result in `rax`. A system call preserves `rbx rbp rsp r12..r15`, the flags' user
/// bits and the MXCSR and x87 control words. It clobbers every other general register (they come back as zero, so that nothing
/// of the kernel leaks) and all vector registers: the same set that a C function call may clobber, so the kernel need not carry
/// them across a hand-off.
pub mod syscall {
    /// `cap_enter(min_complete, timeout_ns) -> completions waiting, or a negative [`crate::TransportError`]`.
    ///
    /// Takes every submitted entry from the submission queue, then waits until at least `min_complete` completions are in the
    /// completion queue or `timeout_ns` nanoseconds have passed. 0 polls, [`FOREVER`] never times out.
    pub const CAP_ENTER: u64 = 0;
    /// `exit(code)`: ends the whole process. Never returns.
    pub const EXIT: u64 = 1;
    /// The timeout that never expires.
    pub const FOREVER: u64 = u64::MAX;
}

/// Page size in bytes; the unit of every memory budget.
pub const PAGE_SIZE: usize = 4096;

/// Largest message carried inline by the arena, bytes. More goes through a shared `MemoryObject`.
pub const MAX_MESSAGE: usize = 4096;

/// Most capabilities beside one message.
pub const MAX_CAPS: usize = 16;

/// Most capability slots that one process may ever have.
pub const MAX_CAP_SLOTS: usize = 1 << 16;

/// Thread priorities are `0..PRIORITIES`; larger runs first.
pub const PRIORITIES: usize = 32;
