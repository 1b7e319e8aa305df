//! A disk in memory, and one with a volume that has some of everything.

use capos_store::{BLOCK, Disk, DiskError, Limits, Pointer, Slots, Volume, checksum, format};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs what never waits.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("an image waits for nothing"),
    }
}

type Block = [u8; BLOCK];

/// A disk in memory.
#[derive(Clone)]
pub struct Image {
    blocks: RefCell<Vec<Block>>,
    /// Where each block's checksum stands: in which block, at which byte.
    references: BTreeMap<usize, Vec<(usize, usize)>>,
    used: Vec<usize>,
}

impl Image {
    fn new(blocks: usize) -> Image {
        Image {
            blocks: RefCell::new(vec![[0; BLOCK]; blocks]),
            references: BTreeMap::new(),
            used: Vec::new(),
        }
    }

    /// The blocks that the volume needs.
    pub fn used(&self) -> &[usize] {
        &self.used
    }

    /// Finds out which blocks the volume needs, beginning with its superblocks, and where their checksums stand.
    fn refer(&mut self) {
        let blocks = self.blocks.borrow();
        let sums: BTreeMap<u64, usize> = blocks.iter().map(|block| checksum(block)).zip(0..).collect();
        let mut left: Vec<usize> =
            Slots::of(blocks.len() as u64).filter_map(|slot| slot.try_into().ok()).collect();
        while let Some(block) = left.pop() {
            let Some(bytes) = blocks.get(block).filter(|_| !self.used.contains(&block)) else { continue };
            self.used.push(block);
            for (at, window) in bytes.windows(8).enumerate() {
                let word = u64::from_le_bytes(window.try_into().unwrap_or_default());
                if let Some(child) = sums.get(&word) {
                    self.references.entry(*child).or_default().push((block, at));
                    left.push(*child);
                }
            }
        }
    }

    /// Changes a byte, if there is such a block.
    pub fn spoil(&self, block: usize, at: usize, byte: u8) {
        if let Some(place) = self.blocks.borrow_mut().get_mut(block).and_then(|bytes| bytes.get_mut(at)) {
            *place = byte;
        }
    }

    /// Makes all checksums right that lead to a block, and those that lead to where they stand.
    pub fn reseal(&self, block: usize) {
        let mut changed = vec![block];
        // Nothing leads round in a circle, but a block that was written twice may look so.
        for _ in 0..64 {
            let Some(block) = changed.pop() else { return };
            if Slots::ALL.contains(&(block as u64)) {
                self.reseal_slot(block);
                continue;
            }
            let mut blocks = self.blocks.borrow_mut();
            let sum = blocks.get(block).map_or(0, |bytes| checksum(bytes)).to_le_bytes();
            for (parent, at) in self.references.get(&block).into_iter().flatten() {
                if let Some(place) = blocks.get_mut(*parent).and_then(|bytes| bytes.get_mut(*at..at + 8)) {
                    place.copy_from_slice(&sum);
                    changed.push(*parent);
                }
            }
        }
    }

    /// Makes the checksum of a superblock right, whatever it holds.
    fn reseal_slot(&self, slot: usize) {
        let mut blocks = self.blocks.borrow_mut();
        let Some((head, rest)) = blocks.get_mut(slot).and_then(|bytes| bytes.split_first_chunk_mut::<16>())
        else {
            return;
        };
        let length = rest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let summed = rest.get(..usize::try_from(length).unwrap_or(usize::MAX).saturating_add(8));
        if let (Some(summed), Some(sum)) = (summed, head.last_chunk_mut()) {
            *sum = checksum(summed).to_le_bytes();
        }
    }

    /// Writes a record to a slot, with a checksum that is right.
    pub fn set_record(&self, slot: usize, record: &[u8]) {
        if let Some((head, rest)) =
            self.blocks.borrow_mut().get_mut(slot).and_then(|bytes| bytes.split_first_chunk_mut::<24>())
        {
            let length = record.len().min(rest.len());
            head[16..].copy_from_slice(&(length as u64).to_le_bytes());
            rest.iter_mut().zip(record).for_each(|(to, from)| *to = *from);
        }
        self.reseal_slot(slot);
    }

    /// The record of a slot.
    pub fn record(&self, slot: usize) -> Vec<u8> {
        let blocks = self.blocks.borrow();
        let found = blocks.get(slot).and_then(|bytes| bytes.split_first_chunk::<24>());
        let record = found.and_then(|(head, rest)| {
            let length = u64::from_le_bytes(*head.last_chunk()?);
            rest.get(..usize::try_from(length).ok()?)
        });
        record.unwrap_or_default().to_vec()
    }
}

impl Disk for Image {
    fn blocks(&self) -> u64 {
        self.blocks.borrow().len() as u64
    }

    async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let blocks = self.blocks.borrow();
        let from = usize::try_from(first).ok().and_then(|first| blocks.get(first..));
        let from = from.and_then(|from| from.get(..into.len() / BLOCK)).ok_or(DiskError::OutOfRange)?;
        into.copy_from_slice(from.as_flattened());
        Ok(())
    }

    async fn write(&self, first: u64, pieces: &[&[u8]]) -> Result<(), DiskError> {
        let bytes = pieces.concat();
        let mut blocks = self.blocks.borrow_mut();
        let to = usize::try_from(first).ok().and_then(|first| blocks.get_mut(first..));
        let to = to.and_then(|to| to.get_mut(..bytes.len() / BLOCK)).ok_or(DiskError::OutOfRange)?;
        to.as_flattened_mut().copy_from_slice(&bytes);
        Ok(())
    }

    async fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }

    async fn discard(&self, _first: u64, _count: u64) -> Result<(), DiskError> {
        Ok(())
    }
}

/// An image with a sound volume: a tree of two levels, data, snapshots, what died since, and written maps.
pub fn sound() -> Image {
    let image = Image::new(300);
    now(format(&image, 1, None)).expect("it is large enough");
    let (volume, _) =
        now(Volume::mount(image, Limits { nodes: 16, data: 4, dirty: 64 })).expect("it is sound");
    let put = |n: u16, length: usize| {
        now(volume.put(&n.to_be_bytes(), &[7; 1536][..length])).expect("there is space");
        now(volume.commit()).expect("it is sound");
    };
    (0..60).for_each(|n| put(n * 37, 200 + usize::from(n)));
    now(volume.snapshot(b"first")).expect("there is space");
    (0..500).for_each(|n| put(n % 40 * 37, 100 + usize::from(n % 90)));
    let mut pointers = [Pointer::NONE; 3];
    now(volume.write_data(&[9; 3 * BLOCK], &mut pointers)).expect("there is space");
    let record: Vec<u8> = pointers.iter().flat_map(|pointer| pointer.to_bytes()).collect();
    now(volume.put(b"data", &record)).expect("there is space");
    now(volume.snapshot(b"second")).expect("there is space");
    put(38, 1000);
    let mut image = volume.disk().clone();
    image.refer();
    image
}
