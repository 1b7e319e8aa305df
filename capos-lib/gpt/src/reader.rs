//! Which sectors are needed, one after the other, and what follows from them.

use crate::fault::{Fault, Refusal};
use crate::header::{Header, Shape};
use crate::mbr::{Chain, First};
use crate::partition::Partition;
use crate::table::{Copy, Table, partitions};
use alloc::vec::Vec;
use uguid::Guid;

/// Sectors to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// From this one on.
    pub first: u64,
    /// So many: at most [`ARRAY_MAX`](crate::ARRAY_MAX) bytes.
    pub sectors: u32,
}

/// What came of a copy.
type Found = Result<(Header, Vec<Partition>), Fault>;

/// Asks for sectors until it knows.
#[derive(Debug)]
pub struct Reader {
    shape: Shape,
    phase: Phase,
    mbr: Result<First, Fault>,
    /// What the first sector divides the disk into, if it is that.
    chain: Option<Result<Chain, Fault>>,
    primary: Found,
    backup: Found,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Mbr,
    Header(Copy, u64),
    Array(Copy, Header),
    Chain(u64),
    Done,
}

const PRIMARY: u64 = 1;

impl Reader {
    /// Of a disk of so many sectors of so many bytes.
    ///
    /// # Errors
    /// [`Refusal::Shape`].
    pub fn new(sectors: u64, sector_bytes: u32) -> Result<Reader, Refusal> {
        // The first sector, twice a header and an array, and one for a partition.
        if sectors < 6 || !matches!(sector_bytes, 512 | 4096) {
            return Err(Refusal::Shape);
        }
        let (shape, phase) = (Shape { last: sectors - 1, sector_bytes }, Phase::Mbr);
        let (primary, backup) = (Err(Fault::Signature), Err(Fault::Signature));
        Ok(Reader { shape, phase, mbr: Err(Fault::Unreadable(0)), chain: None, primary, backup })
    }

    /// What to read next; nothing when everything is known.
    pub fn wants(&self) -> Option<Wanted> {
        match self.phase {
            Phase::Mbr => Some(Wanted { first: 0, sectors: 1 }),
            Phase::Header(_, first) | Phase::Chain(first) => Some(Wanted { first, sectors: 1 }),
            Phase::Array(_, header) => {
                Some(Wanted { first: header.array, sectors: header.array_sectors(self.shape) })
            }
            Phase::Done => None,
        }
    }

    /// These are the bytes of what was wanted; or they can not be read.
    pub fn give(&mut self, bytes: Option<&[u8]>) {
        let Some(wanted) = self.wants() else { return };
        let length = wanted.sectors as usize * self.shape.sector_bytes as usize;
        let read = bytes.and_then(|bytes| bytes.get(..length)).ok_or(Fault::Unreadable(wanted.first));
        match self.phase {
            Phase::Mbr => {
                self.mbr = read.map(First::parse);
                self.phase = Phase::Header(Copy::Primary, PRIMARY);
            }
            Phase::Header(copy, place) => {
                match read.and_then(|sector| Header::parse(sector, place, self.shape)) {
                    Ok(header) => self.phase = Phase::Array(copy, header),
                    Err(fault) => self.found(copy, Err(fault)),
                }
            }
            Phase::Array(copy, header) => {
                let found = read.and_then(|array| partitions(&header, array));
                self.found(copy, found.map(|partitions| (header, partitions)));
            }
            Phase::Chain(_) => {
                let chain = self.chain.take();
                self.follow(chain.map(|chain| {
                    let mut chain = chain?;
                    chain.give(read?)?;
                    Ok(chain)
                }));
            }
            Phase::Done => {}
        }
    }

    /// The next table of a chain, or all is known.
    fn follow(&mut self, chain: Option<Result<Chain, Fault>>) {
        let next = chain.as_ref().and_then(|chain| chain.as_ref().ok()?.wants());
        self.phase = next.map_or(Phase::Done, Phase::Chain);
        self.chain = chain;
    }

    fn found(&mut self, copy: Copy, found: Found) {
        self.phase = match (copy, self.phase) {
            // The disk may have grown since the table was written; a header that is sound knows.
            (Copy::Primary, Phase::Array(_, header)) => Phase::Header(Copy::Backup, header.alternate),
            (Copy::Primary, _) => Phase::Header(Copy::Backup, self.shape.last),
            (Copy::Backup, _) => Phase::Done,
        };
        match copy {
            Copy::Primary => self.primary = found,
            Copy::Backup => self.backup = found,
        }
        if let (Phase::Done, Ok(First::Divides(records)), true) =
            (self.phase, self.mbr, self.is_without_gpt())
        {
            self.follow(Some(Chain::new(&records, self.shape.last)));
        }
    }

    /// Whether there is not even what looks like a copy.
    fn is_without_gpt(&self) -> bool {
        let no_header = |found: &Found| matches!(found, Err(Fault::Signature));
        no_header(&self.primary) && no_header(&self.backup)
    }

    /// What the disk is divided into, when nothing is wanted any more.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn finish(self) -> Result<Table, Refusal> {
        if let Some(chain) = self.chain {
            let partitions = chain.and_then(Chain::finish).map_err(Refusal::Wrong)?;
            let (disk, copy) = (Guid::ZERO, Copy::Primary);
            return Ok(Table { disk, copy, mbr: None, primary: None, backup: None, partitions });
        }
        let mbr = self.protection()?;
        let last = self.shape.last;
        match (self.primary, self.backup) {
            (Ok((header, partitions)), backup) => {
                let backup = match backup {
                    Ok((other, same)) if !header.agrees(&other) || same != partitions => Some(Fault::Differs),
                    Ok((other, _)) => (other.place < last).then_some(Fault::Grown),
                    Err(fault) => Some(fault),
                };
                let (disk, copy) = (header.disk, Copy::Primary);
                Ok(Table { disk, copy, mbr, primary: None, backup, partitions })
            }
            (Err(primary), _) if !primary.is_damage() => Err(Refusal::Wrong(primary)),
            (Err(primary), Ok((header, partitions))) => {
                let (disk, copy, primary) = (header.disk, Copy::Backup, Some(primary));
                Ok(Table { disk, copy, mbr, primary, backup: None, partitions })
            }
            (Err(_), Err(backup)) if !backup.is_damage() => Err(Refusal::Wrong(backup)),
            (Err(primary), Err(backup)) => Err(Refusal::Broken { primary, backup }),
        }
    }

    /// A first sector that can not be read does not say that the disk is divided in another way; the table's own checksums do for it.
    fn protection(&self) -> Result<Option<Fault>, Refusal> {
        match self.mbr {
            Err(fault) => Ok(Some(fault)),
            Ok(First::Protects) => Ok(None),
            Ok(First::Nothing) if self.is_without_gpt() => Err(Refusal::Absent),
            Ok(First::Nothing | First::Divides(_)) => Err(Refusal::Unprotected),
            Ok(First::Refused(refusal)) => Err(refusal),
        }
    }
}
