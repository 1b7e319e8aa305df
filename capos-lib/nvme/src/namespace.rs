//! A namespace (5.15.2.1), as far as it is a disk.

use crate::PAGE;
use crate::identify::{Answer, Identity};
use crate::memory::Memory;
use crate::status::Status;
use capos_block::Geometry;
use core::fmt;

/// Namespaces of one controller that are driven at most: of so many the kernel remembers what their sectors are.
pub const MOST: usize = 16;

/// Sectors that are in reach of 512 and of 4096 bytes.
const SECTOR_SHIFTS: core::ops::RangeInclusive<u8> = 9..=12;

/// Bytes that one command moves at most: so many pages its list has, and the first of them may begin anywhere.
const MOST_BYTES: u64 = capos_dma::nvme::LIST as u64 * PAGE as u64;

/// One that is a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Namespace {
    /// Its number, from 1 on.
    pub id: u32,
    /// What it is like.
    pub geometry: Geometry,
}

/// Why one is no disk to us. The others may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unusable {
    /// Its commands are of another set (5.15.2.3: 1 are keys and values, 2 zones).
    CommandSet(u8),
    /// Its sectors have so many bytes of metadata.
    Metadata(u16),
    /// Its data is protected by metadata.
    Protected,
    /// Its sectors have so many bytes, as a binary logarithm.
    SectorSize(u8),
    /// It has a format that it does not describe.
    Format(u8),
    /// It has no sectors.
    Empty,
    /// It has more bytes than can be counted.
    TooLarge,
    /// The controller does not tell about it: what it says instead.
    Refused(u16),
    /// There are too many before it.
    OneTooMany,
}

/// What the list of a namespace's descriptors tells of its commands (5.15.2.3); none when it does not.
pub fn command_set<M: Memory>(answer: &Answer<'_, M>) -> Option<u8> {
    const COMMAND_SET: u8 = 4;
    const HEADER: u32 = 4;
    let mut at = 0;
    while at + HEADER < PAGE {
        let (kind, length) = (answer.read8(at), answer.read8(at + 1));
        match (kind, length) {
            (_, 0) => return None,
            (COMMAND_SET, _) => return Some(answer.read8(at + HEADER)),
            _ => at += HEADER + u32::from(length),
        }
    }
    None
}

impl Namespace {
    /// From the answer about it.
    ///
    /// # Errors
    /// Why it is no disk to us.
    pub fn read<M: Memory>(answer: &Answer<'_, M>, id: u32, identity: &Identity) -> Result<Self, Unusable> {
        let sectors = answer.read64(0);
        if sectors == 0 {
            return Err(Unusable::Empty);
        }
        let formatted = answer.read8(26);
        // Version 2 has more than 16 formats, and the kernel uses none of those.
        if formatted & 0x60 != 0 || formatted & 15 > answer.read8(25) {
            return Err(Unusable::Format(formatted));
        }
        let format = answer.read32(128 + 4 * u32::from(formatted & 15));
        let (metadata, shift) = (format as u16, (format >> 16) as u8);
        if metadata != 0 {
            return Err(Unusable::Metadata(metadata));
        }
        if answer.read8(29) & 7 != 0 {
            return Err(Unusable::Protected);
        }
        if !SECTOR_SHIFTS.contains(&shift) {
            return Err(Unusable::SectorSize(shift));
        }
        if sectors.leading_zeros() < u32::from(shift) {
            return Err(Unusable::TooLarge);
        }
        let most = identity.most.unwrap_or(MOST_BYTES).min(MOST_BYTES) >> shift;
        let geometry = Geometry {
            sectors,
            sector_shift: shift,
            most: most as u32, // At most 1024, and at least one: a page is no less than a sector.
            read_only: answer.read8(99) & 1 != 0,
            cache: identity.cache,
            discard: identity.dataset,
            zero: identity.zeroes,
        };
        Ok(Namespace { id, geometry })
    }
}

impl From<Status> for Unusable {
    fn from(status: Status) -> Self {
        Unusable::Refused(status.0)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::CommandSet(2) => f.write_str("it has zones"),
            Unusable::CommandSet(set) => write!(f, "it has command set {set}"),
            Unusable::Metadata(bytes) => write!(f, "its sectors have {bytes} bytes of metadata"),
            Unusable::Protected => f.write_str("its data is protected by metadata"),
            Unusable::SectorSize(shift) => write!(f, "its sectors have 1 << {shift} bytes"),
            Unusable::Format(format) => write!(f, "it has format {format:#x}, which is not described"),
            Unusable::Empty => f.write_str("it has no sectors"),
            Unusable::TooLarge => f.write_str("it has more bytes than can be counted"),
            Unusable::Refused(status) => write!(f, "the device tells nothing of it: {status:#x}"),
            Unusable::OneTooMany => write!(f, "there are {MOST} others before it"),
        }
    }
}
