//! Layout of a thread's ring block: header, submission queue, completion queue, message arena.
//!
//! The block is contiguous, allocated and pinned by the kernel, mapped at [`crate::layout::RING_BASE`]-relative addresses in the
//! process. Offsets of queues and arena follow from [`RingShape`] alone; the copies in the header are for debuggers, and the
//! kernel never reads them back.

use crate::PAGE_SIZE;

/// What a submission asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Op {
    /// Completes at once with result 0.
    Nop = 0,
    /// Calls `method` of the capability `cap`.
    Call = 1,
    /// Waits for one call on the receive right `cap`; message into `msg`, capabilities into `caps`.
    Recv = 2,
    /// Answers the call named by the token in `cap`.
    Return = 3,
    /// Gives the capability `cap` up.
    Release = 4,
    /// Cancels the pending operation of this thread whose `user_data` equals `aux`.
    Cancel = 5,
    /// Waits for an unpark of this thread (reserved; refused as `UnknownOp` today).
    Park = 6,
    /// Unparks the thread `cap` (reserved; refused as `UnknownOp` today).
    Unpark = 7,
}

impl Op {
    /// Decodes the first byte of a submission.
    pub const fn from_u8(raw: u8) -> Option<Op> {
        Some(match raw {
            0 => Op::Nop,
            1 => Op::Call,
            2 => Op::Recv,
            3 => Op::Return,
            4 => Op::Release,
            5 => Op::Cancel,
            6 => Op::Park,
            7 => Op::Unpark,
            _ => return None,
        })
    }
}

/// Bits of [`Sqe::flags`]. Unknown bits are refused.
pub mod sqe_flags {
    /// `Return`: the payload is an exception; `method` carries the [`crate::ExceptionCode`].
    pub const EXCEPTION: u8 = 1 << 0;
}

/// Bits of [`Cqe::flags`].
pub mod cqe_flags {
    /// A call ended in an exception: `method` holds the [`crate::ExceptionCode`], the message (if any) its text.
    pub const EXCEPTION: u8 = 1 << 0;
    /// A receive completed because the last client capability with this `badge` is gone. No message, no token.
    pub const UNREFERENCED: u8 = 1 << 1;
}

/// Submission queue entry, 64 bytes. All offsets are relative to the arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Sqe {
    /// An [`Op`].
    pub op: u8,
    /// [`sqe_flags`].
    pub flags: u8,
    /// Method ordinal (`Call`), or exception code (`Return` with `EXCEPTION`).
    pub method: u16,
    /// Number of [`crate::TransferSlot`]s at `caps_off` to send.
    pub caps_send: u8,
    /// Room, in words at `caps_off`, for capabilities that come back (`Call`) or in (`Recv`).
    pub caps_recv: u8,
    /// Must be zero.
    pub reserved0: u16,
    /// Comes back in the completion.
    pub user_data: u64,
    /// Target: a [`crate::CapId`], or the token of a received call (`Return`).
    pub cap: u64,
    /// Interface id the caller believes `cap` to have (`Call`); checked against the capability table.
    pub interface: u64,
    /// Outgoing message (`Call`, `Return`), or buffer for the incoming one (`Recv`); offset 8-byte aligned.
    pub msg_off: u32,
    /// Its length in bytes, at most [`crate::MAX_MESSAGE`].
    pub msg_len: u32,
    /// Buffer for the answer (`Call`); offset 8-byte aligned.
    pub reply_off: u32,
    /// Its length in bytes.
    pub reply_len: u32,
    /// Capability array: `max(caps_send, caps_recv)` words; offset 8-byte aligned.
    pub caps_off: u32,
    /// Must be zero.
    pub reserved1: u32,
    /// `Cancel`: the `user_data` to look for. Otherwise zero.
    pub aux: u64,
}

/// Completion queue entry, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Cqe {
    /// From the submission.
    pub user_data: u64,
    /// Message length in bytes (`Call`, `Recv`), 0, or a negative [`crate::TransportError`].
    pub result: i32,
    /// [`cqe_flags`].
    pub flags: u8,
    /// Capabilities written to the capability array.
    pub caps: u8,
    /// `Recv`: method ordinal. Exceptions: the code.
    pub method: u16,
    /// `Recv`: names the call for `Return`.
    pub token: u64,
    /// `Recv`: the badge the server gave the facet that was called.
    pub badge: u64,
}

const _: () = assert!(size_of::<Sqe>() == SQE_SIZE && align_of::<Sqe>() == 8);
const _: () = assert!(size_of::<Cqe>() == CQE_SIZE && align_of::<Cqe>() == 8);

/// Bytes of one [`Sqe`].
pub const SQE_SIZE: usize = 64;
/// Bytes of one [`Cqe`].
pub const CQE_SIZE: usize = 32;

/// Byte offsets inside the header page. Fields the user writes and fields the kernel writes never share a cache line.
pub mod header {
    /// `u32` [`MAGIC`].
    pub const MAGIC_OFF: usize = 0x00;
    /// `u32` submission queue entries.
    pub const SQ_ENTRIES: usize = 0x04;
    /// `u32` completion queue entries.
    pub const CQ_ENTRIES: usize = 0x08;
    /// `u32` arena length, bytes.
    pub const ARENA_LEN: usize = 0x0c;
    /// `u64` id of the owning thread.
    pub const THREAD_ID: usize = 0x10;
    /// `u64` id of the owning process.
    pub const PROCESS_ID: usize = 0x18;
    /// `u32` length of the startup block that the kernel left at arena offset 0 (first thread only).
    pub const STARTUP_LEN: usize = 0x20;
    /// `u32` free-running index one past the newest submission. User writes.
    pub const SQ_TAIL: usize = 0x40;
    /// `u32` free-running index of the oldest completion not yet taken. User writes.
    pub const CQ_HEAD: usize = 0x44;
    /// `u32` free-running index of the oldest submission the kernel has not taken. Kernel writes.
    pub const SQ_HEAD: usize = 0x80;
    /// `u32` free-running index one past the newest completion. Kernel writes.
    pub const CQ_TAIL: usize = 0x84;
    /// `u32` non-zero when the kernel found corrupt indices: see [`crate::ring::fault`].
    pub const FAULT: usize = 0x88;
    /// Value of the magic field: "cRB1".
    pub const MAGIC: u32 = u32::from_le_bytes(*b"cRB1");
}

/// Values of the header's fault word.
pub mod fault {
    /// `sq_tail - sq_head` exceeds the queue.
    pub const SQ_TAIL: u32 = 1;
    /// `cq_tail - cq_head` exceeds the queue.
    pub const CQ_HEAD: u32 = 2;
}

/// Sizes of the three parts; fixed at thread creation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingShape {
    /// Submission queue entries: a power of two, 8 to 1024.
    pub sq_entries: u32,
    /// Completion queue entries: a power of two, 16 to 4096, at least twice `sq_entries`.
    pub cq_entries: u32,
    /// Arena length: whole pages, 1 to 256.
    pub arena_pages: u32,
}

impl RingShape {
    /// 64 submissions, 128 completions, 64 KiB of arena.
    pub const DEFAULT: RingShape = RingShape { sq_entries: 64, cq_entries: 128, arena_pages: 16 };

    /// Whether the shape keeps to the limits above.
    pub const fn is_valid(&self) -> bool {
        self.sq_entries.is_power_of_two()
            && self.cq_entries.is_power_of_two()
            && self.sq_entries >= 8
            && self.sq_entries <= 1024
            && self.cq_entries >= 2 * self.sq_entries
            && self.cq_entries <= 4096
            && self.arena_pages >= 1
            && self.arena_pages <= 256
    }

    /// Offset of the submission queue in the block: right behind the header page.
    pub const fn sq_off(&self) -> usize {
        PAGE_SIZE
    }

    /// Offset of the completion queue.
    pub const fn cq_off(&self) -> usize {
        PAGE_SIZE + self.sq_entries as usize * SQE_SIZE
    }

    /// Offset of the arena: the next page boundary.
    pub const fn arena_off(&self) -> usize {
        (self.cq_off() + self.cq_entries as usize * CQE_SIZE).next_multiple_of(PAGE_SIZE)
    }

    /// Length of the arena, bytes.
    pub const fn arena_len(&self) -> usize {
        self.arena_pages as usize * PAGE_SIZE
    }

    /// Pages of the whole block.
    pub const fn pages(&self) -> usize {
        self.arena_off() / PAGE_SIZE + self.arena_pages as usize
    }
}
