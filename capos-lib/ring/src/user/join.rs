//! An answer and the next receive as one submission.

use super::UserRing;
use crate::sync::Ordering;
use capos_abi::ring::{SQE_SIZE, header};
use capos_abi::{Op, Sqe};
use core::mem::offset_of;

/// Offsets of the words of a submission that change.
const KIND: usize = offset_of!(Sqe, op);
const USER_DATA: usize = offset_of!(Sqe, user_data);
const RIGHT: usize = offset_of!(Sqe, interface);
const REPLY: usize = offset_of!(Sqe, reply_off);
const CAPS: usize = offset_of!(Sqe, caps_off);
/// The operation and the number of capabilities to send, in the first word.
const OP: u64 = 0xff;
const CAPS_SEND: u64 = 0xff << 32;

impl UserRing {
    /// Makes the newest submission a `ReturnRecv` that receives what `receive`, a `Recv`, would, if it is a `Return` without
    /// capabilities through the same right and the kernel has not taken it. False when it is not: then nothing has changed.
    #[inline]
    pub fn join_receive(&self, receive: &Sqe) -> bool {
        let tail = self.sq_tail.get();
        // Nobody but the kernel takes submissions, and that only in a system call of this very thread.
        if self.load_header(header::SQ_HEAD, Ordering::Acquire) == tail {
            return false;
        }
        let slot = (tail.wrapping_sub(1) & self.sq_mask) as usize;
        let offset = self.shape.sq_off() + slot * SQE_SIZE;
        // SAFETY: the slot is masked, so the entry lies inside the queue, and both are 8-byte aligned.
        unsafe {
            let kind = self.block.load_u64(offset + KIND);
            let plain = kind & (OP | CAPS_SEND) == Op::Return as u64;
            if !plain || self.block.load_u64(offset + RIGHT) != receive.cap {
                return false;
            }
            let kind = kind & !OP | Op::ReturnRecv as u64 | u64::from(receive.caps_recv) << 40;
            self.block.store_u64(offset + KIND, kind);
            self.block.store_u64(offset + USER_DATA, receive.user_data);
            self.block
                .store_u64(offset + REPLY, u64::from(receive.msg_off) | u64::from(receive.msg_len) << 32);
            self.block.store_u64(offset + CAPS, u64::from(receive.caps_off));
        }
        true
    }
}
