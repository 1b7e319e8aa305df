//! The submission that programs make most: a single call that carries nothing.

use super::KernelRing;
use crate::entry::{SQE_WORDS, sqe_from_words};
use crate::sync::Ordering;
use capos_abi::ring::{SQE_SIZE, header};
use capos_abi::{Op, Sqe};

/// Offset mask of a word (messages and answers begin on words).
const IN_WORD: u64 = 7;
/// The bits of a submission's first word that belong to the method.
const METHOD: u64 = 0xffff_0000;

/// A submission that waits alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lone {
    /// A call without message and capabilities, with all that [`Sqe`] demands of it: room for the answer inside the arena, reserved
    /// fields zero.
    Plain(Sqe),
    /// Anything else: it has to be looked at more closely.
    Other(Sqe),
}

impl KernelRing {
    /// A private copy of submission `head`, each word read at most once, if it waits and no other does.
    #[inline(always)]
    pub fn lone(&self, head: u32) -> Option<Lone> {
        // Acquire: the entry was written before the tail.
        if self.load_header(header::SQ_TAIL, Ordering::Acquire) != head.wrapping_add(1) {
            return None;
        }
        let offset = self.shape.sq_off() + (head & self.sq_mask) as usize * SQE_SIZE;
        let mut words = [0; SQE_WORDS];
        let load = |n: usize| {
            // SAFETY: the slot is masked, so the entry lies inside the queue; queue and entries are 8-byte aligned.
            unsafe { self.block.load_u64(offset + n * 8) }
        };
        for (n, word) in words.iter_mut().enumerate().take(SQE_WORDS - 1) {
            *word = load(n);
        }
        if self.is_plain_call(&words) {
            // The last word means nothing to a call.
            return Some(Lone::Plain(sqe_from_words(words)));
        }
        words[SQE_WORDS - 1] = load(SQE_WORDS - 1);
        Some(Lone::Other(sqe_from_words(words)))
    }

    #[inline(always)]
    fn is_plain_call(&self, words: &[u64; SQE_WORDS]) -> bool {
        let [kind, _, _, _, message, answer, caps, _] = *words;
        let arena = self.arena_len as u64;
        // The message's length is the upper half of its word: within the arena, the whole word is an offset and the length zero.
        kind & !METHOD == Op::Call as u64
            && caps >> 32 == 0
            && (message | answer) & IN_WORD == 0
            && message <= arena
            && u64::from(answer as u32) + (answer >> 32) <= arena
    }
}
