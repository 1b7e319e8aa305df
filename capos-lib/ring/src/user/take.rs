//! Taking one completion out of the middle.
//!
//! A heap grows by a call of the kernel in the middle of anything, with other completions waiting that it must not disturb.

use super::UserRing;
use crate::sync::Ordering;
use capos_abi::Cqe;
use capos_abi::ring::{CQE_SIZE, header};

impl UserRing {
    /// Looks for a waiting completion with this `user_data` and copies it out. It stays in the queue with `instead` as its
    /// `user_data`, so that `pop` comes across something its caller ignores; all others stay as they are.
    pub fn take(&self, user_data: u64, instead: u64) -> Option<Cqe> {
        let head = self.cq_head.get();
        let index = (0..self.completions())
            .map(|n| head.wrapping_add(n))
            .find(|n| self.read_cqe(*n).user_data == user_data)?;
        let cqe = self.read_cqe(index);
        let offset = (index & self.cq_mask) as usize * CQE_SIZE;
        // SAFETY: the slot is masked, so the entry lies inside the queue; `user_data` is its first word. The kernel writes an
        // entry again only after the head has passed it.
        unsafe { self.completions.store_u64(offset, instead) };
        Some(cqe)
    }

    /// Id of the thread that owns the ring.
    pub fn thread_id(&self) -> u64 {
        u64::from(self.load_header(header::THREAD_ID, Ordering::Relaxed))
            | u64::from(self.load_header(header::THREAD_ID + 4, Ordering::Relaxed)) << 32
    }

    /// Id of its process.
    pub fn process_id(&self) -> u64 {
        u64::from(self.load_header(header::PROCESS_ID, Ordering::Relaxed))
            | u64::from(self.load_header(header::PROCESS_ID + 4, Ordering::Relaxed)) << 32
    }
}
