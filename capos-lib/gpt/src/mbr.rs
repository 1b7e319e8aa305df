//! The first sector: a record that keeps tools which know nothing of GPT from taking the disk for empty (UEFI 2.10, 5.2.3), or the older table of
//! four partitions (5.2.1), one of which may be a chain of more tables.
//!
//! No standard says how such a chain is built. It is read as Linux does (`block/partitions/msdos.c`) and checked on top of that.

use crate::bytes::{array, u32};
use crate::fault::{Fault, Refusal};
use crate::partition::Partition;
use crate::table::are_apart;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

const RECORDS: usize = 446;
const RECORD_BYTES: usize = 16;
const SIGNATURE: usize = 510;
/// Offsets in a record.
const KIND: usize = 4;
const FIRST: usize = 8;
const SECTORS: usize = 12;
/// What a record is that protects a table, and those that lead to a chain.
const PROTECTIVE: u8 = 0xee;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// Tables in a chain at most: as many as util-linux makes partitions.
pub const TABLES_MAX: usize = 60;

/// One of four in a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    kind: u8,
    first: u32,
    sectors: u32,
}

/// What the first sector is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum First {
    /// It protects a table.
    Protects,
    /// It divides the disk.
    Divides([Option<Record>; 4]),
    /// It does both, or speaks of a table and does not protect it.
    Refused(Refusal),
    /// Nothing of that.
    Nothing,
}

/// The records of a sector: those that are used. `None` when there are none, or what looks like them is somebody's program.
fn records(sector: &[u8]) -> Option<[Option<Record>; 4]> {
    if array(sector, SIGNATURE) != Some([0x55, 0xaa]) {
        return None;
    }
    let mut records = [None; 4];
    for (place, at) in records.iter_mut().zip((RECORDS..).step_by(RECORD_BYTES)) {
        let bytes: [u8; RECORD_BYTES] = array(sector, at)?;
        // Whether it is started from is a bit with nothing beside it.
        if bytes.first().is_none_or(|status| status & 0x7f != 0) {
            return None;
        }
        let (kind, first, sectors) = (*bytes.get(KIND)?, u32(&bytes, FIRST)?, u32(&bytes, SECTORS)?);
        *place = (kind != 0).then_some(Record { kind, first, sectors });
    }
    Some(records)
}

impl First {
    /// What it is. How long it says that the disk is does not matter where it protects a table: images grow.
    pub fn parse(sector: &[u8]) -> First {
        let Some(records) = records(sector) else { return First::Nothing };
        let used = || records.iter().flatten();
        let protective = used().filter(|it| (it.kind, it.first) == (PROTECTIVE, 1)).count();
        match (protective, used().count()) {
            (1, 1) => First::Protects,
            (0, 0) => First::Nothing,
            (0, _) if used().any(|it| it.kind == PROTECTIVE) => First::Refused(Refusal::Unprotected),
            // Images of discs that can be on a stick, too, have one record for all of it, this sector included.
            (0, _) if used().any(|it| it.first == 0) => First::Nothing,
            // What has no sectors is none, for others too.
            (0, _) if used().all(|it| it.sectors == 0) => First::Nothing,
            (0, _) => First::Divides(records),
            _ => First::Refused(Refusal::Hybrid),
        }
    }
}

/// The partitions, as far as they are known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    partitions: Vec<Partition>,
    /// Sectors that a logical partition is among, and where the next table is.
    extended: RangeInclusive<u64>,
    next: Option<u64>,
    /// Where the tables are, each with the number of the partition that it is for.
    tables: Vec<(u64, u32)>,
}

impl Chain {
    /// Of the records in the first sector of a disk whose last sector is `last`.
    pub fn new(records: &[Option<Record>; 4], last: u64) -> Result<Chain, Fault> {
        let (partitions, tables) = (Vec::new(), Vec::new());
        let mut chain = Chain { partitions, tables, extended: 0..=0, next: None };
        // The one with the chain counts when it is seen whether they overlap, and is no partition.
        let mut all = Vec::new();
        for (number, record) in (1..).zip(records) {
            let Some(record) = record.filter(|it| it.sectors != 0) else { continue };
            let partition = within(number, &record, 0, &(1..=last))?;
            all.push(partition);
            if !EXTENDED.contains(&record.kind) {
                chain.partitions.push(partition);
            } else if chain.next.replace(partition.first).is_none() {
                chain.extended = partition.first..=partition.last;
            } else {
                return Err(Fault::Extended(number));
            }
        }
        are_apart(all.iter().map(|it| (it.first, it.last, it.number)).collect())?;
        Ok(chain)
    }

    /// Which sector is to be read next.
    pub fn wants(&self) -> Option<u64> {
        self.next
    }

    /// This is in it.
    pub fn give(&mut self, sector: &[u8]) -> Result<(), Fault> {
        let Some(place) = self.next.take() else { return Ok(()) };
        let number = self.partitions.iter().map(|it| it.number).max().map_or(5, |most| most.max(4) + 1);
        self.tables.push((place, number));
        let records = records(sector).ok_or(Fault::Table(place))?;
        let (links, logical): (Vec<_>, Vec<_>) =
            records.iter().flatten().filter(|it| it.sectors != 0).partition(|it| EXTENDED.contains(&it.kind));
        match logical.as_slice() {
            [] => {}
            // It counts from its own table on.
            [record] => self.partitions.push(within(number, record, place, &self.extended)?),
            _ => return Err(Fault::Table(place)),
        }
        self.next = match links.as_slice() {
            [] => None,
            // A link counts from the first table on.
            [link] => Some(self.table_at(place, link)?),
            _ => return Err(Fault::Table(place)),
        };
        Ok(())
    }

    fn table_at(&self, place: u64, link: &Record) -> Result<u64, Fault> {
        let next = self.extended.start().saturating_add(link.first.into());
        if !self.extended.contains(&next) {
            return Err(Fault::Table(place));
        }
        if self.tables.iter().any(|(seen, _)| *seen == next) {
            return Err(Fault::Loop(next));
        }
        if self.tables.len() >= TABLES_MAX {
            return Err(Fault::Count(TABLES_MAX as u32 + 1));
        }
        Ok(next)
    }

    /// All partitions, when nothing is wanted any more: apart from each other and from the tables.
    pub fn finish(self) -> Result<Vec<Partition>, Fault> {
        let logical = self.partitions.iter().filter(|it| it.number > 4);
        let mut parts: Vec<_> = logical.map(|it| (it.first, it.last, it.number)).collect();
        parts.extend(self.tables.iter().map(|(place, number)| (*place, *place, *number)));
        are_apart(parts)?;
        Ok(self.partitions)
    }
}

/// The partition of a record that counts from `origin` on.
fn within(number: u32, record: &Record, origin: u64, room: &RangeInclusive<u64>) -> Result<Partition, Fault> {
    let first = origin.saturating_add(record.first.into());
    let last = first.saturating_add(u64::from(record.sectors) - 1);
    if !room.contains(&first) || !room.contains(&last) {
        return Err(Fault::Outside(number));
    }
    Ok(Partition::without_name(number, first, last))
}
