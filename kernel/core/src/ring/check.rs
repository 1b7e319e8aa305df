//! Checks of a submission that need nothing but the submission and the arena's size. Each word was read exactly once.

use crate::ipc::ops::Buffers;
use capos_abi::ring::sqe_flags;
use capos_abi::{CapId, MAX_CAPS, MAX_MESSAGE, TransportError};
use capos_ring::{KernelRing, Span};

const WORD: u32 = 8;

/// `CALL`: message, buffer for the answer and capability array inside the arena.
#[inline]
pub(crate) fn call(ring: &KernelRing, call: &Buffers) -> Result<(), TransportError> {
    reserved(call, 0)?;
    message(call.message)?;
    hold(ring, call.message, call.answer)?;
    caps(ring, call)
}

/// `RECV`: message buffer and capability array inside the arena.
#[inline]
pub(crate) fn recv(ring: &KernelRing, room: &Buffers) -> Result<(), TransportError> {
    reserved(room, 0)?;
    hold(ring, room.message, Span::NONE)?;
    caps(ring, room)
}

/// `RETURN`: message and capability array inside the arena.
#[inline]
pub(crate) fn answer(ring: &KernelRing, answer: &Buffers) -> Result<(), TransportError> {
    reserved(answer, sqe_flags::EXCEPTION)?;
    message(answer.message)?;
    hold(ring, answer.message, Span::NONE)?;
    caps(ring, answer)
}

/// `RETURN` and `RECV` in one: message, buffer for the next and capability array inside the arena.
#[inline]
pub(crate) fn answer_recv(ring: &KernelRing, both: &Buffers) -> Result<(), TransportError> {
    answer(ring, both)?;
    hold(ring, Span::NONE, both.answer)
}

/// A call, or an answer with the next receive, of which it is known that it has neither flags nor capabilities to send.
#[inline(always)]
pub(crate) fn bare(ring: &KernelRing, bare: &Buffers) -> bool {
    bare.caps >> 32 == 0
        && bare.message.len() as usize <= MAX_MESSAGE
        && ring.hold(bare.message, bare.answer)
        && (bare.kind.caps_recv() == 0 || caps(ring, bare).is_ok())
}

/// The same without a message.
#[inline(always)]
pub(crate) fn plain_call(ring: &KernelRing, plain: &Buffers) -> bool {
    plain.caps >> 32 == 0 && ring.hold_answer(plain.message, plain.answer)
}

/// An operation without a message, of which it is known that it has neither flags nor capabilities.
#[inline(always)]
pub(crate) fn bare_plain(bare: &Buffers) -> bool {
    bare.caps >> 32 == 0
}

/// The capability that a word of a submission names. Only an array beside a message may use the id's top byte.
#[inline]
pub(crate) fn named(word: u64) -> Result<CapId, TransportError> {
    let id = CapId::from_raw(word);
    if id.raw() == word { Ok(id) } else { Err(TransportError::InvalidCap) }
}

/// Operations without a message.
#[inline]
pub(crate) fn plain(operation: &Buffers) -> Result<(), TransportError> {
    reserved(operation, 0)
}

#[inline]
fn reserved(operation: &Buffers, flags: u8) -> Result<(), TransportError> {
    let kind = operation.kind;
    let strange = u64::from(kind.flags() & !flags) | u64::from(kind.reserved()) | operation.caps >> 32;
    if strange == 0 { Ok(()) } else { Err(TransportError::InvalidArgument) }
}

#[inline]
fn message(message: Span) -> Result<(), TransportError> {
    if message.len() as usize > MAX_MESSAGE { Err(TransportError::InvalidArgument) } else { Ok(()) }
}

#[inline]
fn hold(ring: &KernelRing, message: Span, answer: Span) -> Result<(), TransportError> {
    if ring.hold(message, answer) { Ok(()) } else { Err(TransportError::InvalidArgument) }
}

#[inline]
fn caps(ring: &KernelRing, operation: &Buffers) -> Result<(), TransportError> {
    let words = operation.kind.caps_send().max(operation.kind.caps_recv());
    if words == 0 {
        return Ok(());
    }
    if usize::from(words) > MAX_CAPS {
        return Err(TransportError::InvalidArgument);
    }
    hold(ring, Span::new(operation.caps_off(), u32::from(words) * WORD), Span::NONE)
}
