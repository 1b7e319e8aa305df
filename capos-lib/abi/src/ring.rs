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
    /// Answers the call that the token in `cap` names at the endpoint of the receive right `interface`.
    Return = 3,
    /// Gives the capability `cap` up.
    Release = 4,
    /// Cancels the pending operation of this thread whose `user_data` equals `aux`.
    Cancel = 5,
    /// Waits for any permit of this thread among the bits of `cap`; the completion tells which in its `badge`, and they are used up.
    Park = 6,
    /// Gives the permits in the bits of `interface` to thread number `cap` of the own process.
    Unpark = 7,
    /// `Return`, and then `Recv` on the same right: the next message comes into `reply`, its capabilities into the array. Completes once,
    /// with the next message, or with the error of either half.
    ReturnRecv = 8,
    /// Waits for bits of the notification `cap`, after the signaller `interface` (null for none) has signalled; the completion tells
    /// which bits in its `badge`.
    Wait = 9,
    /// Takes away whatever was derived from the capability `cap`, which itself stays.
    Revoke = 10,
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
            8 => Op::ReturnRecv,
            9 => Op::Wait,
            10 => Op::Revoke,
            _ => return None,
        })
    }
}

/// Bits of [`Sqe::flags`]. Unknown bits are refused.
pub mod sqe_flags {
    /// `Return`, `ReturnRecv`: the payload is an exception; `method` carries the [`crate::ExceptionCode`].
    pub const EXCEPTION: u8 = 1 << 0;
    /// `Call`, `Recv`, `ReturnRecv`, `Wait`, `Park`: if the operation still pends at the time `aux`, nanoseconds since boot, it completes
    /// with [`crate::TransportError::TimedOut`].
    pub const DEADLINE: u8 = 1 << 1;
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
    /// Method ordinal (`Call`), or exception code (`Return`, `ReturnRecv` with `EXCEPTION`).
    pub method: u16,
    /// Number of [`crate::TransferSlot`]s at `caps_off` to send.
    pub caps_send: u8,
    /// Room, in words at `caps_off`, for capabilities that come back (`Call`) or in (`Recv`, `ReturnRecv`).
    pub caps_recv: u8,
    /// Must be zero.
    pub reserved0: u16,
    /// Comes back in the completion.
    pub user_data: u64,
    /// Target: a [`crate::CapId`], or the token of a received call (`Return`, `ReturnRecv`).
    pub cap: u64,
    /// Interface id the caller believes `cap` to have (`Call`), checked against the capability table; or the [`crate::CapId`] of the
    /// receive right through which the call came (`Return`, `ReturnRecv`).
    pub interface: u64,
    /// Outgoing message (`Call`, `Return`, `ReturnRecv`), or buffer for the incoming one (`Recv`); offset 8-byte aligned.
    pub msg_off: u32,
    /// Its length in bytes, at most [`crate::MAX_MESSAGE`].
    pub msg_len: u32,
    /// Buffer for the answer (`Call`) or for the next message (`ReturnRecv`); offset 8-byte aligned.
    pub reply_off: u32,
    /// Its length in bytes.
    pub reply_len: u32,
    /// Capability array: `max(caps_send, caps_recv)` words; offset 8-byte aligned.
    pub caps_off: u32,
    /// Must be zero.
    pub reserved1: u32,
    /// `Cancel`: the `user_data` to look for. With `DEADLINE`: the time. Otherwise not looked at.
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
    /// `Recv`: the badge the server gave the facet that was called. `Wait`, `Park`: the bits.
    pub badge: u64,
}

impl Cqe {
    /// How it went, as one word: [`Cqe::result`] in the low half, then flags, capabilities and method. Below 2^31 it is a plain
    /// success: its length and nothing else.
    #[inline]
    pub const fn outcome(&self) -> u64 {
        self.result.cast_unsigned() as u64
            | (self.flags as u64) << 32
            | (self.caps as u64) << 40
            | (self.method as u64) << 48
    }

    /// The completion of a call with such an outcome.
    #[inline]
    pub const fn of_outcome(user_data: u64, outcome: u64) -> Cqe {
        Cqe {
            user_data,
            result: (outcome as u32).cast_signed(),
            flags: (outcome >> 32) as u8,
            caps: (outcome >> 40) as u8,
            method: (outcome >> 48) as u16,
            token: 0,
            badge: 0,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::{CQE_SIZE, Cqe, Op, RingShape, SQE_SIZE, Sqe, header};
    use crate::PAGE_SIZE;
    use crate::layout::RING_STRIDE;
    use core::mem::offset_of;

    const LARGEST: RingShape = RingShape { sq_entries: 1024, cq_entries: 4096, arena_pages: 256 };

    #[test]
    fn operations_have_the_numbers_of_their_first_byte() {
        for raw in 0..=255 {
            assert_eq!(Op::from_u8(raw).map(|op| op as u8), (raw < 11).then_some(raw));
        }
    }

    #[test]
    fn fields_of_a_submission_lie_where_the_book_says() {
        let head = [
            offset_of!(Sqe, op),
            offset_of!(Sqe, flags),
            offset_of!(Sqe, method),
            offset_of!(Sqe, caps_send),
        ];
        assert_eq!(head, [0, 1, 2, 4]);
        assert_eq!([offset_of!(Sqe, caps_recv), offset_of!(Sqe, reserved0)], [5, 6]);
        let words = [
            offset_of!(Sqe, user_data),
            offset_of!(Sqe, cap),
            offset_of!(Sqe, interface),
            offset_of!(Sqe, aux),
        ];
        assert_eq!(words, [8, 16, 24, 56]);
        let arena = [offset_of!(Sqe, msg_off), offset_of!(Sqe, msg_len), offset_of!(Sqe, reply_off)];
        assert_eq!(arena, [32, 36, 40]);
        let rest = [offset_of!(Sqe, reply_len), offset_of!(Sqe, caps_off), offset_of!(Sqe, reserved1)];
        assert_eq!(rest, [44, 48, 52]);
    }

    #[test]
    fn fields_of_a_completion_lie_where_the_book_says() {
        let head = [
            offset_of!(Cqe, user_data),
            offset_of!(Cqe, result),
            offset_of!(Cqe, flags),
            offset_of!(Cqe, caps),
        ];
        assert_eq!(head, [0, 8, 12, 13]);
        assert_eq!([offset_of!(Cqe, method), offset_of!(Cqe, token), offset_of!(Cqe, badge)], [14, 16, 24]);
    }

    #[test]
    fn an_outcome_is_the_second_word_of_a_completion() {
        let cqe = Cqe { user_data: 7, result: -3, flags: 2, caps: 5, method: 0x1234, ..Cqe::default() };
        assert_eq!(cqe.outcome(), 0x1234_0502_ffff_fffd);
        assert_eq!(Cqe::of_outcome(7, cqe.outcome()), cqe);
        assert_eq!(Cqe { result: i32::MAX, ..Cqe::default() }.outcome(), 0x7fff_ffff);
    }

    #[test]
    fn user_and_kernel_write_to_different_cache_lines_of_the_header() {
        let line = |offset: usize| offset / 64;
        assert_eq!(line(header::SQ_TAIL), line(header::CQ_HEAD));
        for kernels in [header::SQ_HEAD, header::CQ_TAIL, header::FAULT] {
            assert_eq!(line(kernels), line(header::SQ_HEAD));
            assert_ne!(line(kernels), line(header::SQ_TAIL));
        }
        assert_eq!(line(header::STARTUP_LEN), 0, "what is written once comes first");
    }

    #[test]
    fn the_parts_of_a_block_follow_each_other_without_overlap() {
        for shape in
            [RingShape::DEFAULT, LARGEST, RingShape { sq_entries: 8, cq_entries: 16, arena_pages: 1 }]
        {
            assert!(shape.is_valid());
            assert_eq!(shape.sq_off(), PAGE_SIZE);
            assert_eq!(shape.cq_off(), shape.sq_off() + shape.sq_entries as usize * SQE_SIZE);
            assert!(shape.arena_off() >= shape.cq_off() + shape.cq_entries as usize * CQE_SIZE);
            assert!(shape.arena_off().is_multiple_of(PAGE_SIZE));
            assert_eq!(shape.pages() * PAGE_SIZE, shape.arena_off() + shape.arena_len());
        }
    }

    #[test]
    fn the_default_block_takes_nineteen_pages() {
        assert_eq!(RingShape::DEFAULT.pages(), 1 + 1 + 1 + 16);
    }

    #[test]
    fn the_largest_block_and_a_guard_page_fit_their_stride() {
        assert!(((LARGEST.pages() + 1) * PAGE_SIZE) as u64 <= RING_STRIDE);
    }

    #[test]
    fn shapes_beyond_the_limits_are_invalid() {
        let good = RingShape::DEFAULT;
        for sq_entries in [0, 4, 63, 2048, u32::MAX] {
            assert!(!RingShape { sq_entries, cq_entries: 4096, ..good }.is_valid(), "{sq_entries}");
        }
        for cq_entries in [0, 64, 127, 8192, u32::MAX] {
            assert!(!RingShape { cq_entries, ..good }.is_valid(), "{cq_entries}");
        }
        for arena_pages in [0, 257, u32::MAX] {
            assert!(!RingShape { arena_pages, ..good }.is_valid(), "{arena_pages}");
        }
    }
}
