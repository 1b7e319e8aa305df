//! What is in front of a frame (5.1.6), and what the adapter does about it.

use super::features;

/// A header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// 1: a checksum is to be filled in, or was left out; 2: it is right.
    pub flags: u8,
    /// 0: one segment; 1: TCP over IPv4; 4: TCP over IPv6.
    pub kind: u8,
    /// Bytes of all headers.
    pub headers: u16,
    /// Bytes of a segment.
    pub size: u16,
    /// Where what is summed begins.
    pub start: u16,
    /// From there on, where the sum goes.
    pub offset: u16,
    /// Buffers that it is in.
    pub buffers: u16,
}

/// A frame as it leaves the adapter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// With its checksum.
    pub bytes: Vec<u8>,
    /// Kind, size and length of headers of the segments that it is cut into.
    pub segments: Option<(u8, u16, u16)>,
}

impl Header {
    /// From the 10 or 12 bytes that it is.
    pub fn of(bytes: &[u8]) -> Header {
        let word = |at: usize| bytes.get(at..at + 2).map_or(0, |it| u16::from_le_bytes([it[0], it[1]]));
        let [flags, kind] = word(0).to_le_bytes();
        let (headers, size, start, offset, buffers) = (word(2), word(4), word(6), word(8), word(10));
        Header { flags, kind, headers, size, start, offset, buffers }
    }

    /// The longer form.
    pub fn bytes(&self) -> [u8; 12] {
        let Header { flags, kind, headers, size, start, offset, buffers } = *self;
        let words = [u16::from_le_bytes([flags, kind]), headers, size, start, offset, buffers];
        let mut bytes = [0; 12];
        bytes.chunks_mut(2).zip(words).for_each(|(place, word)| place.copy_from_slice(&word.to_le_bytes()));
        bytes
    }

    /// What a frame with this header becomes; nothing, if the header is wrong.
    pub fn apply(&self, frame: &[u8], agreed: u64) -> Option<Sent> {
        let has = |feature| agreed & feature != 0;
        let mut bytes = frame.to_vec();
        let may_sum = match self.flags {
            0 => self.start == 0 && self.offset == 0,
            1 => has(features::CSUM),
            _ => false,
        };
        let may_cut = match self.kind {
            0 => self.size == 0 && self.headers == 0,
            1 => has(features::HOST_TSO4) && self.flags == 1,
            4 => has(features::HOST_TSO6) && self.flags == 1,
            _ => false,
        };
        if !may_sum || !may_cut || self.buffers != 0 {
            return None;
        }
        if self.flags == 1 {
            let start = usize::from(self.start);
            let sum = checksum(bytes.get(start..)?);
            let at = start + usize::from(self.offset);
            bytes.get_mut(at..at + 2)?.copy_from_slice(&sum.to_be_bytes());
        }
        let headers = usize::from(self.headers);
        if self.kind != 0 && (self.size == 0 || headers <= usize::from(self.start) || headers >= frame.len())
        {
            return None;
        }
        Some(Sent { bytes, segments: (self.kind != 0).then_some((self.kind, self.size, self.headers)) })
    }
}

/// The internet checksum of some bytes, with whatever is in the checksum's place already.
pub fn checksum(bytes: &[u8]) -> u16 {
    let pair = |it: &[u8]| u32::from(it[0]) << 8 | it.get(1).map_or(0, |low| u32::from(*low));
    let mut sum: u32 = bytes.chunks(2).map(pair).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}
