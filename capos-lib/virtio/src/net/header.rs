//! What goes in front of a frame (virtio 1.2, 5.1.6).

use super::shape::{ETHERNET, Shape, features};
use crate::DeviceFault;

/// Bits of the flags.
mod flags {
    pub const NEEDS_CSUM: u8 = 1;
    pub const DATA_VALID: u8 = 2;
}

/// Kinds of segments.
mod kinds {
    pub const NONE: u8 = 0;
    pub const TCPV4: u8 = 1;
    pub const TCPV6: u8 = 4;
}

/// A frame's bytes at most: the largest packet, with two VLAN tags.
const MOST_BYTES: u32 = 65_535 + ETHERNET + 8;

/// The device is to fill in a checksum of all that is from `start` on. What is there already counts: the sum of the pseudo-header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checksum {
    /// From the frame's begin.
    pub start: u16,
    /// From there on, of the two bytes of the checksum.
    pub offset: u16,
}

/// The device is to cut a TCP stream into segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// It is over IPv6, not IPv4.
    pub is_v6: bool,
    /// Bytes of the stream that a segment has at most.
    pub size: u16,
    /// Bytes of all headers, which each segment gets.
    pub headers: u16,
}

/// A frame to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Where the device finds it.
    pub token: u64,
    /// Its bytes.
    pub length: u32,
    /// Only if the device does that.
    pub checksum: Option<Checksum>,
    /// Likewise, and with a checksum.
    pub segment: Option<Segment>,
    /// Frames of one flow are sent in their order, those of several by as many queues as there are.
    pub flow: u16,
}

/// The header of a frame to be sent, as two words; the second one is longer than the header.
pub(super) type Words = [u64; 2];

/// That of a frame, or none if it can not be sent so.
#[inline]
pub(super) fn of(frame: &Frame, shape: &Shape) -> Option<Words> {
    if !(ETHERNET..=MOST_BYTES).contains(&frame.length) {
        return None;
    }
    match (frame.checksum, frame.segment) {
        (None, None) => Some([0, 0]),
        (Some(checksum), segment) if shape.has(features::CSUM) => offloaded(frame, checksum, segment, shape),
        _ => None,
    }
}

fn offloaded(frame: &Frame, checksum: Checksum, segment: Option<Segment>, shape: &Shape) -> Option<Words> {
    let Checksum { start, offset } = checksum;
    if u32::from(start) + u32::from(offset) + 2 > frame.length {
        return None;
    }
    let mut words = [u64::from(flags::NEEDS_CSUM) | u64::from(start) << 48, offset.into()];
    let Some(Segment { is_v6, size, headers }) = segment else { return Some(words) };
    let (feature, kind) = match is_v6 {
        false => (features::HOST_TSO4, kinds::TCPV4),
        true => (features::HOST_TSO6, kinds::TCPV6),
    };
    // The headers end behind the one that has the checksum, and there is something to cut.
    let fits = headers > start && u32::from(headers) < frame.length && size > 0;
    let [first, _] = &mut words;
    *first |= u64::from(kind) << 8 | u64::from(headers) << 16 | u64::from(size) << 32;
    (fits && shape.has(feature)).then_some(words)
}

/// What the header of a received frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Received {
    /// Somebody has looked at its checksum, or it was never on a wire.
    pub is_good: bool,
    /// Buffers that it is in.
    pub buffers: u16,
}

/// Judges a header's words: flags, kind and length of headers; size of segments and begin of the checksum; its offset and the count of buffers.
#[inline]
pub(super) fn judge([first, _, last]: [u32; 3], most: u16, shape: &Shape) -> Result<Received, DeviceFault> {
    let is_good = first as u16 != 0 && is_good(first as u8, (first >> 8) as u8, shape)?;
    let buffers = if shape.merges() { (last >> 16) as u16 } else { 1 };
    // More than there are to be filled it can not have filled.
    if buffers == 0 || buffers > most {
        return Err(DeviceFault::Buffers(buffers));
    }
    Ok(Received { is_good, buffers })
}

/// What was not agreed upon the device must not ask for (5.1.6.4.1): who takes it would take a wrong frame. That a checksum is right devices say
/// unasked, which is nothing to go by then.
fn is_good(flags: u8, kind: u8, shape: &Shape) -> Result<bool, DeviceFault> {
    let sums = shape.has(features::GUEST_CSUM);
    let allowed = match kind {
        kinds::NONE => true,
        kinds::TCPV4 => shape.has(features::GUEST_TSO4),
        kinds::TCPV6 => shape.has(features::GUEST_TSO6),
        _ => false,
    };
    if !allowed || (flags & flags::NEEDS_CSUM != 0 && !sums) {
        return Err(DeviceFault::Header { flags, kind });
    }
    Ok(sums && flags & (flags::NEEDS_CSUM | flags::DATA_VALID) != 0)
}
