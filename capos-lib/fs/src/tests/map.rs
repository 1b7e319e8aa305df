//! A volume in memory, which fails when it is told to, and knows which blocks are used.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::Poll;

use crate::key::{self, Part};
use crate::record::Stretch;
use crate::{View, Volume};
use capos_store::{BLOCK, Change, Need, Pointer, StoreError};

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Contents {
    pub records: BTreeMap<Vec<u8>, Vec<u8>>,
    pub blocks: BTreeMap<u64, Vec<u8>>,
}

/// What it says of a block that is lost.
pub const LOST: StoreError = StoreError::Disk { block: 1, error: capos_store::DiskError::Media };

#[derive(Default)]
pub struct Map {
    size: u64,
    pub now: RefCell<Contents>,
    committed: RefCell<Contents>,
    next: Cell<u64>,
    /// Calls until one that changes something fails; none fails at 0.
    pub fails_in: Cell<u32>,
    pub commits: Cell<u32>,
    pub due: Cell<bool>,
    pub epoch: Cell<u64>,
    /// Whoever reads or changes records waits once each time.
    pub slow: Cell<bool>,
    hostile: Cell<bool>,
    /// Blocks that cannot be read.
    pub lost: RefCell<BTreeSet<u64>>,
}

impl Map {
    pub fn new(size: u64) -> Map {
        Map { size, ..Map::default() }
    }

    async fn wait(&self) {
        let mut waited = !self.slow.get();
        core::future::poll_fn(|_| match core::mem::replace(&mut waited, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    pub fn crash(self) -> Map {
        let now = self.committed.clone();
        Map { size: self.size, now, committed: self.committed, next: self.next, ..Map::default() }
    }

    /// As [`Map::crash`]; from now on records may be anything, so that blocks may be given back twice, or be missing.
    pub fn hostile(self) -> Map {
        let map = self.crash();
        map.hostile.set(true);
        map
    }

    fn may_fail(&self) -> Result<(), StoreError> {
        match self.fails_in.get() {
            0 => Ok(()),
            1 => {
                self.fails_in.set(0);
                Err(StoreError::Full)
            }
            more => {
                self.fails_in.set(more - 1);
                Ok(())
            }
        }
    }

    pub fn all_blocks_are_used(&self) {
        let now = self.now.borrow();
        let mut used = Vec::new();
        for (key, value) in &now.records {
            if key::parse(key).unwrap().1 == Part::Stretch && !key.starts_with(&[0; 8]) {
                used.extend(Stretch::decode(value).unwrap().stored().map(|pointer| pointer.address));
            }
        }
        used.sort();
        let stored: Vec<_> = now.blocks.keys().copied().collect();
        assert_eq!(used, stored);
    }

    pub fn set(&self, key: &[u8], value: Option<&[u8]>) {
        let mut now = self.now.borrow_mut();
        match value {
            Some(value) => now.records.insert(key.to_vec(), value.to_vec()),
            None => now.records.remove(key),
        };
    }
}

impl View for Map {
    async fn get(&self, key: &[u8], value: &mut [u8]) -> Result<Option<usize>, StoreError> {
        self.wait().await;
        let now = self.now.borrow();
        let Some(found) = now.records.get(key) else { return Ok(None) };
        let place = value.get_mut(..found.len()).ok_or(StoreError::Argument)?;
        place.copy_from_slice(found);
        Ok(Some(found.len()))
    }

    async fn next(
        &self,
        from: &[u8],
        key: &mut [u8],
        value: &mut [u8],
    ) -> Result<Option<(usize, usize)>, StoreError> {
        self.wait().await;
        let now = self.now.borrow();
        let Some((found, with)) = now.records.range(from.to_vec()..).next() else { return Ok(None) };
        key.get_mut(..found.len()).ok_or(StoreError::Argument)?.copy_from_slice(found);
        value.get_mut(..with.len()).ok_or(StoreError::Argument)?.copy_from_slice(with);
        Ok(Some((found.len(), with.len())))
    }

    async fn read_data(&self, pointers: &[Pointer], data: &mut [u8]) -> Result<(), StoreError> {
        assert_eq!(pointers.len() * BLOCK, data.len());
        let now = self.now.borrow();
        for (pointer, to) in pointers.iter().zip(data.chunks_mut(BLOCK)) {
            if self.lost.borrow().contains(&pointer.address) {
                return Err(LOST);
            }
            match pointer.is_none() {
                true => to.fill(0),
                false => match now.blocks.get(&pointer.address) {
                    Some(block) => to.copy_from_slice(block),
                    None if self.hostile.get() => return Err(LOST),
                    None => panic!("a block that is not there is read"),
                },
            }
        }
        Ok(())
    }
}

impl Volume for Map {
    async fn apply(&self, changes: &[Change<'_>], _: Need) -> Result<(), StoreError> {
        self.wait().await;
        self.may_fail()?;
        let keys: BTreeSet<_> = changes.iter().map(|change| change.key).collect();
        assert!(keys.len() == changes.len() || self.hostile.get(), "a key is changed twice");
        changes.iter().for_each(|change| self.set(change.key, change.value));
        Ok(())
    }

    async fn write_data(&self, data: &[u8], pointers: &mut [Pointer]) -> Result<(), StoreError> {
        assert_eq!(pointers.len() * BLOCK, data.len());
        self.may_fail()?;
        for (pointer, from) in pointers.iter_mut().zip(data.chunks(BLOCK)) {
            self.next.set(self.next.get() + 1);
            *pointer = Pointer { address: self.next.get(), birth: 1, checksum: 2, twin: 0 };
            self.now.borrow_mut().blocks.insert(pointer.address, from.to_vec());
        }
        Ok(())
    }

    fn free(&self, pointer: &Pointer) -> Result<(), StoreError> {
        let known = self.now.borrow_mut().blocks.remove(&pointer.address).is_some();
        assert!(known || self.hostile.get(), "given back twice");
        Ok(())
    }

    async fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(&self) -> Result<(), StoreError> {
        if self.may_fail().is_err() {
            // As capos-store: what was not committed is gone.
            self.now.replace(self.committed.borrow().clone());
            self.epoch.set(self.epoch.get() + 1);
            return Err(StoreError::Full);
        }
        self.commits.set(self.commits.get() + 1);
        self.committed.replace(self.now.borrow().clone());
        self.due.set(false);
        Ok(())
    }

    fn is_due(&self) -> bool {
        self.due.get()
    }

    fn epoch(&self) -> u64 {
        self.epoch.get()
    }

    fn blocks(&self) -> u64 {
        self.size
    }
}
