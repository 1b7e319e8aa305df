//! One request, as it lies in the queue.

use crate::{Status, WORDS};

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Operation {
    /// The next frame that comes is for this buffer.
    Receive = 0,
    /// The frame in this buffer is to be sent.
    Send = 1,
}

/// A checksum that the device is to fill in: over the bytes from `start` to the end of the frame. The sum of the pseudo header is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checksum {
    /// Where in the frame the sum begins.
    pub start: u16,
    /// Where it goes, counted from there.
    pub offset: u16,
}

/// The device is to make several TCP segments of the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segments {
    /// Most bytes behind the headers of each; not 0.
    pub size: u16,
    /// Bytes of the headers that each of them has.
    pub headers: u16,
    /// They are of IPv6.
    pub is_v6: bool,
}

/// One request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// The client's; comes back with the completion.
    pub id: u32,
    /// What is asked.
    pub operation: Operation,
    /// Which of the session's buffers.
    pub buffer: u16,
    /// Where in it, bytes.
    pub offset: u32,
    /// How many bytes: of the frame, or of the room for one.
    pub length: u32,
    /// Of a frame to be sent.
    pub checksum: Option<Checksum>,
    /// The same; only with a checksum.
    pub segments: Option<Segments>,
}

const CHECKSUM: u64 = 1 << 0;
const SEGMENTS: u64 = 1 << 1;
const V6: u64 = 1 << 2;

impl Request {
    /// As an entry: id 32, operation 8, flags 8, buffer 16; offset 32, length 32; start 16, offset 16, size 16, headers 16; the rest zero.
    #[inline]
    pub const fn encode(&self) -> [u64; WORDS] {
        let (mut flags, mut offload) = (0, 0);
        if let Some(Checksum { start, offset }) = self.checksum {
            flags |= CHECKSUM;
            offload |= start as u64 | (offset as u64) << 16;
        }
        if let Some(Segments { size, headers, is_v6 }) = self.segments {
            flags |= if is_v6 { SEGMENTS | V6 } else { SEGMENTS };
            offload |= (size as u64) << 32 | (headers as u64) << 48;
        }
        let head = self.id as u64 | (self.operation as u64) << 32 | flags << 40 | (self.buffer as u64) << 48;
        [head, self.offset as u64 | (self.length as u64) << 32, offload, 0, 0, 0, 0, 0]
    }

    /// From an entry, whatever is in it.
    ///
    /// # Errors
    /// The id, and [`Status::Unsupported`] for operations and flags that there are not: its author is to hear of it.
    #[inline]
    pub fn decode(entry: &[u64; WORDS]) -> Result<Request, (u32, Status)> {
        let [head, place, offload, ..] = *entry;
        let (id, flags) = (head as u32, head >> 40 & 0xff);
        let operation = match (head >> 32 & 0xff, flags) {
            (0, 0) => Operation::Receive,
            // Segments have checksums, and only they are of a version.
            (1, 0 | CHECKSUM | 3 | 7) => Operation::Send,
            _ => return Err((id, Status::Unsupported)),
        };
        let checksum = Checksum { start: offload as u16, offset: (offload >> 16) as u16 };
        let segments = Segments {
            size: (offload >> 32) as u16,
            headers: (offload >> 48) as u16,
            is_v6: flags & V6 != 0,
        };
        Ok(Request {
            id,
            operation,
            buffer: (head >> 48) as u16,
            offset: place as u32,
            length: (place >> 32) as u32,
            checksum: (flags & CHECKSUM != 0).then_some(checksum),
            segments: (flags & SEGMENTS != 0).then_some(segments),
        })
    }
}
