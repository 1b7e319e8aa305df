//! A disk of which only the sectors are kept that are not zero.

use crate::bytes::checksum;
use crate::{ARRAY_MAX, READS_MAX, Reader, Refusal, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::vec;
use std::vec::Vec;

#[derive(Clone)]
pub struct Disk {
    pub bytes: u32,
    pub sectors: u64,
    pub written: BTreeMap<u64, Vec<u8>>,
    unreadable: BTreeSet<u64>,
}

impl Disk {
    pub fn new(sectors: u64, bytes: u32) -> Disk {
        Disk { bytes, sectors, written: BTreeMap::new(), unreadable: BTreeSet::new() }
    }

    /// Sectors with their numbers before them, as the fixtures have them.
    pub fn of(fixture: &[u8], sectors: u64, bytes: u32) -> Disk {
        let mut disk = Disk::new(sectors, bytes);
        for piece in fixture.chunks_exact(8 + bytes as usize) {
            let (number, sector) = piece.split_first_chunk().unwrap();
            disk.written.insert(u64::from_le_bytes(*number), sector.to_vec());
        }
        disk
    }

    pub fn sector(&mut self, number: u64) -> &mut Vec<u8> {
        self.written.entry(number).or_insert_with(|| vec![0; self.bytes as usize])
    }

    pub fn make_unreadable(&mut self, sector: u64) {
        self.unreadable.insert(sector);
    }

    fn read(&self, first: u64, sectors: u32) -> Option<Vec<u8>> {
        let all = first..first + u64::from(sectors);
        assert!(all.end <= self.sectors, "{all:?} is not of the disk");
        if self.unreadable.range(all.clone()).next().is_some() {
            return None;
        }
        let zeros = vec![0; self.bytes as usize];
        Some(all.flat_map(|it| self.written.get(&it).unwrap_or(&zeros).clone()).collect())
    }

    pub fn table(&self) -> Result<Table, Refusal> {
        let mut reader = Reader::new(self.sectors, self.bytes)?;
        for _ in 0..READS_MAX {
            let Some(wanted) = reader.wants() else { break };
            assert!(wanted.sectors > 0 && wanted.sectors * self.bytes <= ARRAY_MAX);
            reader.give(self.read(wanted.first, wanted.sectors).as_deref());
        }
        assert_eq!(reader.wants(), None);
        reader.finish()
    }

    /// Changes a header and makes its checksum right.
    pub fn rewrite(&mut self, place: u64, change: impl FnOnce(&mut [u8])) {
        let header = self.sector(place);
        change(header);
        let size = u32::from_le_bytes(*header[12..].first_chunk().unwrap()) as usize;
        header[16..20].fill(0);
        let sum = checksum(&[&header[..size]]);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
    }

    /// Changes the entries of a header, all of them in one sector, and makes both checksums right.
    pub fn rewrite_entries(&mut self, place: u64, change: impl FnOnce(&mut [u8])) {
        let header = self.sector(place).clone();
        let number = |at: usize| u64::from_le_bytes(*header[at..].first_chunk().unwrap());
        let (first, shape) = (number(72), number(80));
        let bytes = (shape as u32) * (shape >> 32) as u32;
        change(self.sector(first));
        let array = self.read(first, bytes.div_ceil(self.bytes)).unwrap();
        let sum = checksum(&[&array[..bytes as usize]]);
        self.rewrite(place, |header| header[88..92].copy_from_slice(&sum.to_le_bytes()));
    }
}
