//! What became of a request.

use crate::WORDS;
use core::fmt;

/// How a request ended, and whose doing that was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Status {
    /// It was done.
    Done = 0,
    /// The client's fault: no sectors, more than one request may have, or not within the buffer.
    Invalid = 1,
    /// The client's fault: sectors beyond the end.
    OutOfRange = 2,
    /// The client's fault: it may only read.
    ReadOnly = 3,
    /// The client's fault: the device does not know how, or nobody does.
    Unsupported = 4,
    /// The device can not read what is there, or not write it.
    Media = 5,
    /// The device has no room for it, though it has such sectors.
    Full = 6,
    /// The device failed, and did so again when it was asked again.
    Device = 7,
    /// Nobody's fault: the device was taken away, or the session ended.
    Gone = 8,
    /// Nobody's fault: of what a flush was to make durable some was lost with the device's power.
    Lost = 9,
}

impl Status {
    /// All of them, by their numbers.
    pub const ALL: [Status; 10] = [
        Status::Done,
        Status::Invalid,
        Status::OutOfRange,
        Status::ReadOnly,
        Status::Unsupported,
        Status::Media,
        Status::Full,
        Status::Device,
        Status::Gone,
        Status::Lost,
    ];
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Done => "done",
            Status::Invalid => "the request is not one",
            Status::OutOfRange => "beyond the end of the device",
            Status::ReadOnly => "the device may only be read",
            Status::Unsupported => "the device can not do that",
            Status::Media => "the medium is damaged there",
            Status::Full => "the device has no room",
            Status::Device => "the device failed",
            Status::Gone => "the device is gone",
            Status::Lost => "the device was without power, and what was not flushed may be lost",
        })
    }
}

/// The answer to one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completion {
    /// The request's.
    pub id: u32,
    /// How it ended.
    pub status: Status,
    /// What the device said, in its own numbers: for logs.
    pub detail: u32,
}

impl Completion {
    /// As an entry: id 32, status 8; detail; the rest zero.
    #[inline]
    pub const fn encode(&self) -> [u64; WORDS] {
        [self.id as u64 | (self.status as u64) << 32, self.detail as u64, 0, 0, 0, 0, 0, 0]
    }

    /// From an entry, whatever is in it. A status that there is not is the server's failure.
    #[inline]
    pub fn decode(entry: &[u64; WORDS]) -> Completion {
        let [head, detail, ..] = *entry;
        let status = Status::ALL.get((head >> 32 & 0xff) as usize).copied().unwrap_or(Status::Device);
        Completion { id: head as u32, status, detail: detail as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::{Completion, Status};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(id: u32, status in 0usize..10, detail: u32) {
            let completion = Completion { id, status: Status::ALL[status], detail };
            prop_assert_eq!(Completion::decode(&completion.encode()), completion);
        }

        #[test]
        fn nonsense_is_never_done(number in 10u64..256) {
            prop_assert_eq!(Completion::decode(&[number << 32, 0, 0, 0, 0, 0, 0, 0]).status, Status::Device);
        }
    }
}
