//! What a network device is like, as far as requests depend on it.

use crate::{Checksum, ETHERNET, Operation, Request, Status};

/// What it does of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offloads {
    /// It fills in checksums of TCP and UDP.
    pub checksum: bool,
    /// It makes TCP segments over IPv4, and over IPv6.
    pub segments_v4: bool,
    /// The same over IPv6.
    pub segments_v6: bool,
    /// It looks at checksums of what comes.
    pub checked: bool,
    /// Frames that come may be longer than one buffer, and than the MTU.
    pub merged: bool,
}

/// What it is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Card {
    /// Most bytes behind the Ethernet header of a frame.
    pub mtu: u16,
    /// Least room of a buffer that is armed.
    pub least: u32,
    /// The last byte of a frame at which a checksum that it fills in may begin, or lie.
    pub furthest: u16,
    /// What it does of its own.
    pub offloads: Offloads,
}

/// Where in memory buffers for frames begin: devices write words there.
pub const ALIGN: u32 = 16;

/// A VLAN's tag (IEEE 802.1Q).
const TAG: u32 = 4;

/// Most bytes of what is sent as one to become segments: an IP packet has no more.
const LONGEST: u32 = 65_535 + ETHERNET + TAG;

impl Card {
    /// Whether it may be asked that.
    ///
    /// # Errors
    /// Why not.
    #[inline]
    pub fn check(&self, request: &Request) -> Result<(), Status> {
        match request.operation {
            Operation::Receive if request.length >= self.least && request.offset.is_multiple_of(ALIGN) => {
                Ok(())
            }
            Operation::Receive => Err(Status::Invalid),
            Operation::Send => self.check_frame(request),
        }
    }

    #[inline]
    fn check_frame(&self, request: &Request) -> Result<(), Status> {
        let most = match request.segments {
            None => u32::from(self.mtu) + ETHERNET + TAG,
            Some(_) => LONGEST,
        };
        if request.length < ETHERNET || request.length > most {
            return Err(Status::Invalid);
        }
        match request.checksum {
            Some(_) if !self.offloads.checksum => Err(Status::Unsupported),
            Some(checksum) if !lies_within(checksum, request.length) => Err(Status::Invalid),
            Some(Checksum { start, offset }) if start.saturating_add(offset) > self.furthest => {
                Err(Status::Unsupported)
            }
            _ => self.check_segments(request),
        }
    }

    #[inline]
    fn check_segments(&self, request: &Request) -> Result<(), Status> {
        let Some(segments) = request.segments else { return Ok(()) };
        let offered = if segments.is_v6 { self.offloads.segments_v6 } else { self.offloads.segments_v4 };
        if !offered {
            return Err(Status::Unsupported);
        }
        let headers = u32::from(segments.headers);
        let is_one = headers.saturating_add(segments.size.into()) <= u32::from(self.mtu) + ETHERNET + TAG;
        // What is summed is the last of the headers, and what is behind them.
        let is_summed = request.checksum.is_some_and(|sum| headers > sum.start.into());
        let is_sound =
            segments.size > 0 && headers > ETHERNET && headers < request.length && is_one && is_summed;
        if is_sound { Ok(()) } else { Err(Status::Invalid) }
    }
}

/// Whether both bytes of the sum are in the frame.
#[inline]
fn lies_within(checksum: Checksum, length: u32) -> bool {
    u32::from(checksum.start) + u32::from(checksum.offset) + 2 <= length
}
