//! What became of a request.

use crate::WORDS;
use core::fmt;

/// How a request ended, and whose doing that was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Status {
    /// The device has read the frame, or filled the buffer.
    Done = 0,
    /// The client's fault: no such buffer, not within it, or no frame.
    Invalid = 1,
    /// The client's fault: the device does not know how, or nobody does.
    Unsupported = 2,
    /// Nobody's fault: the device was reset meanwhile, and the frame may have been sent or not.
    Lost = 3,
    /// The device failed, or answered what can not be.
    Device = 4,
}

impl Status {
    /// All of them, by their numbers.
    pub const ALL: [Status; 5] =
        [Status::Done, Status::Invalid, Status::Unsupported, Status::Lost, Status::Device];
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Done => "done",
            Status::Invalid => "the request is not one",
            Status::Unsupported => "the device can not do that",
            Status::Lost => "the device was reset",
            Status::Device => "the device failed",
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
    /// The device found the checksum of what is above IP right, or knows that it is.
    pub is_checked: bool,
    /// The frame goes on in the buffer of the next completion of a `Receive`.
    pub goes_on: bool,
    /// Where the frame begins, behind where the buffer was to be filled.
    pub skip: u16,
    /// Bytes of the frame in the buffer.
    pub length: u32,
}

const CHECKED: u64 = 1 << 0;
const GOES_ON: u64 = 1 << 1;

impl Completion {
    /// Of a request that brought no bytes.
    #[inline]
    pub const fn of(id: u32, status: Status) -> Completion {
        Completion { id, status, is_checked: false, goes_on: false, skip: 0, length: 0 }
    }

    /// As an entry: id 32, status 8, flags 8, skip 16; length 32; the rest zero.
    #[inline]
    pub const fn encode(&self) -> [u64; WORDS] {
        let checked = if self.is_checked { CHECKED } else { 0 };
        let goes_on = if self.goes_on { GOES_ON } else { 0 };
        let flags = (checked | goes_on) << 40;
        let head = self.id as u64 | (self.status as u64) << 32 | flags | (self.skip as u64) << 48;
        [head, self.length as u64, 0, 0, 0, 0, 0, 0]
    }

    /// From an entry, whatever is in it. A status that there is not is the server's failure.
    #[inline]
    pub fn decode(entry: &[u64; WORDS]) -> Completion {
        let [head, length, ..] = *entry;
        let status = Status::ALL.get((head >> 32 & 0xff) as usize).copied().unwrap_or(Status::Device);
        let flags = head >> 40;
        Completion {
            id: head as u32,
            status,
            is_checked: flags & CHECKED != 0,
            goes_on: flags & GOES_ON != 0,
            skip: (head >> 48) as u16,
            length: length as u32,
        }
    }
}
