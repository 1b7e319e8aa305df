//! Runs of NOPs, which cost what the queues themselves cost.

use super::KernelRing;
use capos_abi::Sqe;
use capos_abi::ring::{CQE_SIZE, SQE_SIZE};
use core::mem::offset_of;

/// Offsets of the words of a submission that matter here.
const USER_DATA: usize = offset_of!(Sqe, user_data);
/// The word whose upper half is the reserved field.
const CAPS: usize = offset_of!(Sqe, caps_off);

impl KernelRing {
    /// Takes NOPs from submission `head` on, at most `limit`, and writes their completions from `tail` on. Gives how many.
    ///
    /// The run ends before anything but a plain NOP, one whose first word and reserved fields are zero; that is for the caller to
    /// read and judge as a whole. Nothing is published.
    #[inline]
    pub fn take_nops(&self, head: u32, tail: u32, limit: u32) -> u32 {
        let mut taken = 0;
        while taken < limit {
            let sq_slot = head.wrapping_add(taken) & self.sq_mask;
            let cq_slot = tail.wrapping_add(taken) & self.cq_mask;
            // As far as neither queue wraps.
            let ahead =
                (self.shape.sq_entries - sq_slot).min(self.shape.cq_entries - cq_slot).min(limit - taken);
            let run = self.nops_ahead(sq_slot as usize, cq_slot as usize, ahead);
            taken += run;
            if run < ahead {
                break;
            }
        }
        taken
    }

    #[inline]
    fn nops_ahead(&self, sq_slot: usize, cq_slot: usize, ahead: u32) -> u32 {
        let mut sqe = self.shape.sq_off() + sq_slot * SQE_SIZE;
        let mut cqe = cq_slot * CQE_SIZE;
        for run in 0..ahead {
            // SAFETY: both slots are masked and stay below the ends of their queues, which are 8-byte aligned, as entries are.
            unsafe {
                if self.block.load_u64(sqe) != 0 || self.block.load_u64(sqe + CAPS) >> 32 != 0 {
                    return run;
                }
                self.completions.store_u64(cqe, self.block.load_u64(sqe + USER_DATA));
                self.completions.store_u64(cqe + 8, 0);
                self.completions.store_u64(cqe + 16, 0);
                self.completions.store_u64(cqe + 24, 0);
            }
            sqe += SQE_SIZE;
            cqe += CQE_SIZE;
        }
        ahead
    }
}
