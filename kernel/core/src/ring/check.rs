//! Checks of a submission that need nothing but the submission and the arena's size. Each field was read exactly once.

use capos_abi::ring::sqe_flags;
use capos_abi::{CapId, MAX_CAPS, MAX_MESSAGE, Sqe, TransportError};
use capos_ring::KernelRing;

const WORD: u32 = 8;

/// `CALL`: message, buffer for the answer and capability array inside the arena.
#[inline]
pub(crate) fn call(ring: &KernelRing, sqe: &Sqe) -> Result<(), TransportError> {
    reserved(sqe, 0)?;
    message(ring, sqe.msg_off, sqe.msg_len)?;
    buffer(ring, sqe.reply_off, sqe.reply_len)?;
    caps(ring, sqe)
}

/// `RECV`: message buffer and capability array inside the arena.
#[inline]
pub(crate) fn recv(ring: &KernelRing, sqe: &Sqe) -> Result<(), TransportError> {
    reserved(sqe, 0)?;
    buffer(ring, sqe.msg_off, sqe.msg_len)?;
    caps(ring, sqe)
}

/// `RETURN`: message and capability array inside the arena.
#[inline]
pub(crate) fn answer(ring: &KernelRing, sqe: &Sqe) -> Result<(), TransportError> {
    reserved(sqe, sqe_flags::EXCEPTION)?;
    message(ring, sqe.msg_off, sqe.msg_len)?;
    caps(ring, sqe)
}

/// `RETURN` and `RECV` in one: message, buffer for the next and capability array inside the arena.
#[inline]
pub(crate) fn answer_recv(ring: &KernelRing, sqe: &Sqe) -> Result<(), TransportError> {
    answer(ring, sqe)?;
    buffer(ring, sqe.reply_off, sqe.reply_len)
}

/// The capability that a word of a submission names. Only an array beside a message may use the id's top byte.
#[inline]
pub(crate) fn named(word: u64) -> Result<CapId, TransportError> {
    let id = CapId::from_raw(word);
    if id.raw() == word { Ok(id) } else { Err(TransportError::InvalidCap) }
}

/// Operations without a message.
#[inline]
pub(crate) fn plain(sqe: &Sqe) -> Result<(), TransportError> {
    reserved(sqe, 0)
}

#[inline]
fn reserved(sqe: &Sqe, flags: u8) -> Result<(), TransportError> {
    let strange = u32::from(sqe.flags & !flags) | u32::from(sqe.reserved0) | sqe.reserved1;
    if strange == 0 { Ok(()) } else { Err(TransportError::InvalidArgument) }
}

#[inline]
fn message(ring: &KernelRing, off: u32, len: u32) -> Result<(), TransportError> {
    if len as usize > MAX_MESSAGE { Err(TransportError::InvalidArgument) } else { buffer(ring, off, len) }
}

#[inline]
fn buffer(ring: &KernelRing, off: u32, len: u32) -> Result<(), TransportError> {
    if !off.is_multiple_of(WORD) {
        return Err(TransportError::InvalidArgument);
    }
    ring.check_range(off, len).map_err(|_| TransportError::InvalidArgument)
}

#[inline]
fn caps(ring: &KernelRing, sqe: &Sqe) -> Result<(), TransportError> {
    if sqe.caps_send | sqe.caps_recv == 0 {
        return Ok(());
    }
    let words = sqe.caps_send.max(sqe.caps_recv);
    if usize::from(words) > MAX_CAPS {
        return Err(TransportError::InvalidArgument);
    }
    buffer(ring, sqe.caps_off, u32::from(words) * WORD)
}
