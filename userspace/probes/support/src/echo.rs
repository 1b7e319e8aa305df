//! A little protocol of raw words for probes that talk to each other: no schema, so that the payload is exactly what is meant.

use rt::ipc::call_blocking;
use rt::schema::EncodeError;
use rt::{CallError, Cap, Request};

/// Interface id of the probes' own endpoints.
pub const INTERFACE: u64 = 0xe4c0_0000_0000_0001;

/// Writes words as a message.
pub fn put(out: &mut [u8], words: &[u64]) -> Result<usize, EncodeError> {
    let room = out.get_mut(..words.len() * 8).ok_or(EncodeError::NoRoom)?;
    for (bytes, word) in room.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    Ok(words.len() * 8)
}

/// Word `n` of a message; zero behind its end.
pub fn word(message: &[u8], n: usize) -> u64 {
    message.as_chunks::<8>().0.get(n).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Calls with words and gives the first words of the answer.
pub fn call<const N: usize>(cap: &Cap, method: u16, words: &[u64]) -> Result<[u64; N], CallError> {
    let reply = call_blocking(cap, INTERFACE, method, |out| put(out, words), &[], 0, N * 8)?;
    Ok(core::array::from_fn(|n| word(reply.bytes(), n)))
}

/// Answers with words.
pub fn answer(request: Request, words: &[u64]) {
    request.reply(|out| put(out, words), &[]);
}
