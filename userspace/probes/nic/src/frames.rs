//! Frames of the two types by which drivers are tested (tools/lab/README.md).

use alloc::vec::Vec;

/// An address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// From a number whose highest byte of six is the first.
    pub fn of(number: u64) -> Mac {
        let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
        Mac([a, b, c, d, e, f])
    }
}

/// Types of what asks, of what answers, and of what says that nothing more will come.
const ASK: [u8; 2] = [0x88, 0xb5];
const ANSWER: [u8; 2] = [0x88, 0xb6];
const END: [u8; 2] = [0x88, 0xb7];

/// Bytes of both addresses, and with the type.
const ADDRESSES: usize = 12;
pub const HEADER: usize = 14;

fn is_of(frame: &[u8], kind: [u8; 2]) -> bool {
    frame.get(ADDRESSES..HEADER) == Some(&kind)
}

/// The answer to a frame that asks.
pub fn answer_to(frame: &[u8], own: Mac) -> Option<Vec<u8>> {
    let asker = frame.get(6..ADDRESSES).filter(|_| is_of(frame, ASK))?;
    let mut answer = Vec::with_capacity(frame.len());
    answer.extend_from_slice(asker);
    answer.extend_from_slice(&own.0);
    answer.extend_from_slice(&ANSWER);
    answer.extend_from_slice(frame.get(HEADER..)?);
    Some(answer)
}

/// Whether it answers.
pub fn is_answer(frame: &[u8]) -> bool {
    is_of(frame, ANSWER)
}

/// Whether nothing more will come.
pub fn is_end(frame: &[u8]) -> bool {
    is_of(frame, END)
}

/// A frame for everybody that asks this.
pub fn ask(own: Mac, said: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER + said.len());
    frame.extend_from_slice(&[0xff; 6]);
    frame.extend_from_slice(&own.0);
    frame.extend_from_slice(&ASK);
    frame.extend_from_slice(said);
    frame
}
