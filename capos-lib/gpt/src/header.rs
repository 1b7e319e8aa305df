//! The header of a copy (UEFI 2.10, 5.3.2).

use crate::ARRAY_MAX;
use crate::bytes::{array, checksum, guid, u32, u64};
use crate::fault::Fault;
use uguid::Guid;

const SIGNATURE: [u8; 8] = *b"EFI PART";
const REVISION: u32 = 0x0001_0000;
/// Bytes of the header of that revision.
const BYTES: u32 = 92;
const CHECKSUM: usize = 16;
const ENTRY_BYTES: u32 = 128;
const ENTRY_BYTES_MAX: u32 = 4096;

/// The disk, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    pub last: u64,
    pub sector_bytes: u32,
}

/// What a sound header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Where it is, and the other one.
    pub place: u64,
    pub alternate: u64,
    /// Sectors for partitions, both included.
    pub first_usable: u64,
    pub last_usable: u64,
    pub disk: Guid,
    /// First sector of the entries.
    pub array: u64,
    pub entries: u32,
    pub entry_bytes: u32,
    pub array_checksum: u32,
}

impl Header {
    /// Of the sector at `place`. What makes it damaged is looked for before what makes it nonsense.
    pub fn parse(sector: &[u8], place: u64, shape: Shape) -> Result<Header, Fault> {
        let header = Header::undamaged(sector, place)?;
        header.check(shape)?;
        Ok(header)
    }

    fn undamaged(sector: &[u8], place: u64) -> Result<Header, Fault> {
        if array(sector, 0) != Some(SIGNATURE) {
            return Err(Fault::Signature);
        }
        let size = u32(sector, 12).unwrap_or(0);
        let whole = sector.get(..size as usize).filter(|_| size >= BYTES).ok_or(Fault::HeaderSize(size))?;
        // It is computed with zeros where it is.
        let (before, after) = whole.split_at_checked(CHECKSUM).ok_or(Fault::HeaderSize(size))?;
        let rest = after.get(4..).unwrap_or(&[]);
        if u32(after, 0) != Some(checksum(&[before, &[0; 4], rest])) {
            return Err(Fault::HeaderChecksum);
        }
        let header = Header::fields(whole).ok_or(Fault::HeaderSize(size))?;
        if header.place != place {
            return Err(Fault::Place(header.place));
        }
        match u32(whole, 8) {
            Some(REVISION) => Ok(header),
            revision => Err(Fault::Revision(revision.unwrap_or(0))),
        }
    }

    fn fields(bytes: &[u8]) -> Option<Header> {
        Some(Header {
            place: u64(bytes, 24)?,
            alternate: u64(bytes, 32)?,
            first_usable: u64(bytes, 40)?,
            last_usable: u64(bytes, 48)?,
            disk: guid(bytes, 56)?,
            array: u64(bytes, 72)?,
            entries: u32(bytes, 80)?,
            entry_bytes: u32(bytes, 84)?,
            array_checksum: u32(bytes, 88)?,
        })
    }

    fn check(&self, shape: Shape) -> Result<(), Fault> {
        let scaled = self.entry_bytes / ENTRY_BYTES;
        let is_size = self.entry_bytes.is_multiple_of(ENTRY_BYTES) && scaled.is_power_of_two();
        if !is_size || self.entry_bytes > ENTRY_BYTES_MAX {
            return Err(Fault::EntrySize(self.entry_bytes));
        }
        if self.entries == 0 || self.entries > ARRAY_MAX / self.entry_bytes {
            return Err(Fault::Count(self.entries));
        }
        // Before the partitions are the first sector, a header and an array, after them an array and a header.
        if self.first_usable < 3 || self.last_usable < self.first_usable || self.last_usable >= shape.last {
            return Err(Fault::Usable);
        }
        let after = |sector: u64| sector > self.last_usable && sector <= shape.last;
        let (room, other) = match self.is_primary() {
            true => (2..self.first_usable, after(self.alternate)),
            false => (self.last_usable + 1..self.place, self.alternate == 1),
        };
        if !other {
            return Err(Fault::Alternate(self.alternate));
        }
        let end = self.array.checked_add(self.array_sectors(shape).into());
        if self.array < room.start || end.is_none_or(|end| end > room.end) {
            return Err(Fault::ArrayPlace);
        }
        Ok(())
    }

    pub fn is_primary(&self) -> bool {
        self.place == 1
    }

    /// Bytes of all entries.
    pub fn array_bytes(&self) -> u32 {
        self.entries.saturating_mul(self.entry_bytes)
    }

    /// Sectors that have them.
    pub fn array_sectors(&self, shape: Shape) -> u32 {
        self.array_bytes().div_ceil(shape.sector_bytes)
    }

    /// Whether the other copy says the same.
    pub fn agrees(&self, other: &Header) -> bool {
        let said = |header: &Header| {
            let usable = (header.first_usable, header.last_usable);
            (header.disk, usable, header.entries, header.entry_bytes, header.array_checksum)
        };
        said(self) == said(other) && self.alternate == other.place
    }
}
