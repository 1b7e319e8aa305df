//! Queue entries as words, the unit in which they cross the block.

use capos_abi::ring::{CQE_SIZE, SQE_SIZE};
use capos_abi::{Cqe, Sqe};

pub(crate) const SQE_WORDS: usize = SQE_SIZE / 8;
pub(crate) const CQE_WORDS: usize = CQE_SIZE / 8;

#[inline]
pub(crate) fn sqe_from_words(words: [u64; SQE_WORDS]) -> Sqe {
    // SAFETY: same size (checked by the compiler), and every bit pattern is an `Sqe`: integers only.
    unsafe { core::mem::transmute(words) }
}

#[inline]
pub(crate) fn sqe_to_words(sqe: &Sqe) -> [u64; SQE_WORDS] {
    // SAFETY: same size, and an `Sqe` has no padding: its fields add up to 64 bytes.
    unsafe { core::mem::transmute(*sqe) }
}

#[inline]
pub(crate) fn cqe_from_words(words: [u64; CQE_WORDS]) -> Cqe {
    // SAFETY: same size, and every bit pattern is a `Cqe`: integers only.
    unsafe { core::mem::transmute(words) }
}

#[inline]
pub(crate) fn cqe_to_words(cqe: &Cqe) -> [u64; CQE_WORDS] {
    // SAFETY: same size, and a `Cqe` has no padding: its fields add up to 32 bytes.
    unsafe { core::mem::transmute(*cqe) }
}
