//! Tables of partitions: whatever the sectors say, what comes out lies within the disk and apart, and reading ends.
//!
//! Input: flags, the disk's size (a small one in one byte, or eight more), then sectors, each by its number and what it has. Bit 0 of the flags
//! says that they have 4,096 bytes, bit 1 that checksums are made right, so that what they protect is reached.
#![no_main]

use capos_gpt::{ARRAY_MAX, Copy, Guid, READS_MAX, Reader, Wanted};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[flags, small, ref size @ ..], rest)) = bytes.split_first_chunk::<10>() else { return };
    let sector_bytes = if flags & 1 == 0 { 512 } else { 4096 };
    let sectors = if small < 128 { 6 + u64::from(small) } else { u64::from_le_bytes(*size).max(1) };
    let disk =
        Disk { sectors, sector_bytes, repair: flags & 2 != 0, written: written(rest, sectors, sector_bytes) };
    let Ok(mut reader) = Reader::new(sectors, sector_bytes as u32) else { return };
    let mut reads = 0;
    while let Some(wanted) = reader.wants() {
        reads += 1;
        assert!(reads <= READS_MAX);
        reader.give(disk.read(wanted).as_deref());
    }
    let Ok(table) = reader.finish() else { return };
    assert_eq!(table.copy == Copy::Backup, table.primary.is_some());
    // The older table has neither a second copy nor a name, and one sector of its own.
    let is_older = table.disk == Guid::ZERO && table.partitions.iter().all(|it| it.id == Guid::ZERO);
    let (first, end) = if is_older { (1, sectors) } else { (3, sectors - 1) };
    let mut partitions = table.partitions;
    assert!(partitions.iter().zip(partitions.iter().skip(1)).all(|(one, next)| one.number < next.number));
    partitions.sort_by_key(|it| it.first);
    let mut free = first;
    for partition in partitions {
        assert!(partition.first >= free && partition.last >= partition.first);
        assert!(partition.last < end);
        assert!(!partition.name.to_string().contains(char::is_control));
        free = partition.last + 1;
    }
});

struct Disk {
    sectors: u64,
    sector_bytes: usize,
    repair: bool,
    written: BTreeMap<u64, Vec<u8>>,
}

/// From the beginning by 0 to 63, from the end by 128 to 191; others can not be read.
fn written(mut bytes: &[u8], sectors: u64, sector_bytes: usize) -> BTreeMap<u64, Vec<u8>> {
    let mut all = BTreeMap::new();
    while let [place, length, rest @ ..] = bytes {
        let length = (usize::from(*length) * 4).min(rest.len());
        let (text, rest) = rest.split_at(length);
        bytes = rest;
        let from = u64::from(place & 63);
        let number = if *place < 128 { from } else { (sectors - 1).saturating_sub(from) };
        let mut sector = text.to_vec();
        sector.resize(if place & 64 == 0 { sector_bytes } else { 0 }, 0);
        all.insert(number, sector);
    }
    all
}

impl Disk {
    fn read(&self, wanted: Wanted) -> Option<Vec<u8>> {
        assert!(wanted.sectors > 0 && wanted.sectors as usize * self.sector_bytes <= ARRAY_MAX as usize);
        assert!(wanted.first < self.sectors && u64::from(wanted.sectors) <= self.sectors - wanted.first);
        let mut all = self.raw(wanted)?;
        if self.repair && all.starts_with(b"EFI PART") {
            self.make_right(&mut all);
        }
        Some(all)
    }

    fn raw(&self, wanted: Wanted) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        for number in wanted.first..wanted.first + u64::from(wanted.sectors) {
            match self.written.get(&number) {
                Some(sector) if sector.is_empty() => return None,
                Some(sector) => all.extend(sector),
                None => all.resize(all.len() + self.sector_bytes, 0),
            }
        }
        Some(all)
    }

    /// Checksums of the array and then of the header, with the length that it says.
    fn make_right(&self, header: &mut [u8]) {
        let number = |at: usize| u64::from_le_bytes(*header[at..].first_chunk().unwrap());
        let (first, entries) = (number(72), number(80));
        let bytes = (entries & 0xffff_ffff) * (entries >> 32);
        let sectors = bytes.div_ceil(self.sector_bytes as u64);
        let is_there = first.checked_add(sectors).is_some_and(|end| end <= self.sectors);
        if bytes > 0 && bytes <= ARRAY_MAX.into() && is_there {
            let array = self.raw(Wanted { first, sectors: sectors as u32 }).unwrap_or_default();
            if let Some(array) = array.get(..bytes as usize) {
                header[88..92].copy_from_slice(&crc32(array).to_le_bytes());
            }
        }
        header[16..20].fill(0);
        let length = u32::from_le_bytes(*header[12..].first_chunk().unwrap()) as usize;
        if let Some(covered) = header.get(..length) {
            let sum = crc32(covered);
            header[16..20].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

/// As the standard has it, bit by bit: another one than the crate's.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 0 { sum >> 1 } else { sum >> 1 ^ 0xedb8_8320 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}
