//! Images of which most sectors are zeros.

use capos_media::{Source, SourceError};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Bytes of a sector.
const SECTOR: usize = 512;

/// An image, and how much of it was read.
#[derive(Clone)]
pub struct Image {
    bytes: u64,
    written: BTreeMap<u64, [u8; SECTOR]>,
    /// Sectors that can not be read.
    pub unreadable: Vec<u64>,
    read: Cell<u64>,
}

/// What `capos-lib/media/fixtures/make` made, by the names that it has there.
pub fn samples() -> [(&'static str, Image); 8] {
    [
        ("fat12", include_bytes!("../../../../capos-lib/media/fixtures/fat12.sectors").as_slice()),
        ("fat16", include_bytes!("../../../../capos-lib/media/fixtures/fat16.sectors")),
        ("fat32", include_bytes!("../../../../capos-lib/media/fixtures/fat32.sectors")),
        ("fat32-4k", include_bytes!("../../../../capos-lib/media/fixtures/fat32-4k.sectors")),
        ("iso-rock-ridge", include_bytes!("../../../../capos-lib/media/fixtures/iso-rock-ridge.sectors")),
        ("iso-relocated", include_bytes!("../../../../capos-lib/media/fixtures/iso-relocated.sectors")),
        ("iso-joliet", include_bytes!("../../../../capos-lib/media/fixtures/iso-joliet.sectors")),
        ("iso-plain", include_bytes!("../../../../capos-lib/media/fixtures/iso-plain.sectors")),
    ]
    .map(|(name, fixture)| (name, Image::of(fixture)))
}

impl Image {
    /// Of zeros.
    pub fn blank(bytes: u64) -> Image {
        Image { bytes, written: BTreeMap::new(), unreadable: Vec::new(), read: Cell::new(0) }
    }

    fn of(fixture: &[u8]) -> Image {
        let (sectors, mut rest) = fixture.split_first_chunk().expect("it begins with its size");
        let mut image = Image::blank(u64::from_le_bytes(*sectors) * SECTOR as u64);
        while let Some((number, more)) = rest.split_first_chunk() {
            let (sector, more) = more.split_first_chunk().expect("a number has its sector");
            image.written.insert(u64::from_le_bytes(*number), *sector);
            rest = more;
        }
        image
    }

    /// Sectors that are not all zeros.
    pub fn used(&self) -> impl Iterator<Item = u64> {
        self.written.keys().copied()
    }

    /// Makes it end there.
    pub fn truncate(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// Puts bytes in place of what is there.
    pub fn put(&mut self, at: u64, bytes: &[u8]) {
        for (at, byte) in (at..).zip(bytes) {
            let sector = self.written.entry(at / SECTOR as u64).or_insert([0; SECTOR]);
            sector[(at % SECTOR as u64) as usize] = *byte;
        }
    }

    /// What is there.
    pub fn get(&self, at: u64, length: u64) -> Vec<u8> {
        let byte = |at: u64| {
            self.written.get(&(at / SECTOR as u64)).map_or(0, |sector| sector[(at % SECTOR as u64) as usize])
        };
        (at..at + length).map(byte).collect()
    }

    /// Where some bytes are, in each sector that has them the first time.
    pub fn places(&self, wanted: &[u8]) -> Vec<u64> {
        let inside = |sector: &[u8; SECTOR]| sector.windows(wanted.len()).position(|window| window == wanted);
        let places = self
            .written
            .iter()
            .filter_map(|(number, sector)| Some(number * SECTOR as u64 + inside(sector)? as u64));
        places.collect()
    }

    /// How many bytes were read.
    pub fn read_bytes(&self) -> u64 {
        self.read.get()
    }
}

impl Source for &Image {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    async fn read(&self, at: u64, into: &mut [u8]) -> Result<(), SourceError> {
        let end = at + into.len() as u64;
        assert!(end <= self.bytes, "{at}..{end} is not inside");
        self.read.set(self.read.get() + into.len() as u64);
        let sectors = at / SECTOR as u64..end.div_ceil(SECTOR as u64);
        if self.unreadable.iter().any(|number| sectors.contains(number)) {
            return Err(SourceError::Unreadable);
        }
        into.fill(0);
        for (number, sector) in self.written.range(sectors) {
            let start = number * SECTOR as u64;
            let (from, to) = (start.max(at), (start + SECTOR as u64).min(end));
            let piece = &sector[(from - start) as usize..(to - start) as usize];
            into[(from - at) as usize..(to - at) as usize].copy_from_slice(piece);
        }
        Ok(())
    }
}
