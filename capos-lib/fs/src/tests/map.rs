//! A volume in memory, which fails when it is told to, and knows which blocks are used.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use crate::key::{self, Part};
use crate::record::Stretch;
use crate::{BLOCK, Edit, Found, Pointer, View, Volume, VolumeError};

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Contents {
    pub records: BTreeMap<Vec<u8>, Vec<u8>>,
    pub blocks: BTreeMap<Pointer, Vec<u8>>,
}

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
    /// Blocks that cannot be read.
    pub lost: RefCell<BTreeSet<Pointer>>,
}

impl Map {
    pub fn new(size: u64) -> Map {
        Map { size, ..Map::default() }
    }

    pub fn crash(self) -> Map {
        let now = self.committed.clone();
        Map { size: self.size, now, committed: self.committed, next: self.next, ..Map::default() }
    }

    fn may_fail(&self) -> Result<(), VolumeError> {
        match self.fails_in.get() {
            0 => Ok(()),
            1 => {
                self.fails_in.set(0);
                Err(VolumeError::Full)
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
                used.extend(Stretch::decode(value).unwrap().stored().copied());
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
    async fn get(&self, key: &[u8], value: &mut [u8]) -> Result<Option<usize>, VolumeError> {
        let now = self.now.borrow();
        let Some(found) = now.records.get(key) else { return Ok(None) };
        value[..found.len()].copy_from_slice(found);
        Ok(Some(found.len()))
    }

    async fn next(
        &self,
        from: &[u8],
        key: &mut [u8],
        value: &mut [u8],
    ) -> Result<Option<Found>, VolumeError> {
        let now = self.now.borrow();
        let Some((found, with)) = now.records.range(from.to_vec()..).next() else { return Ok(None) };
        key[..found.len()].copy_from_slice(found);
        value[..with.len()].copy_from_slice(with);
        Ok(Some(Found { key: found.len(), value: with.len() }))
    }

    async fn read_data(&self, pointers: &[Pointer], data: &mut [u8]) -> Result<(), VolumeError> {
        assert_eq!(pointers.len() * BLOCK, data.len());
        let now = self.now.borrow();
        for (pointer, to) in pointers.iter().zip(data.chunks_mut(BLOCK)) {
            if self.lost.borrow().contains(pointer) {
                return Err(VolumeError::Media);
            }
            match *pointer == crate::HOLE {
                true => to.fill(0),
                false => to.copy_from_slice(&now.blocks[pointer]),
            }
        }
        Ok(())
    }
}

impl Volume for Map {
    async fn apply(&self, edits: &[Edit<'_>], _: bool) -> Result<(), VolumeError> {
        self.may_fail()?;
        let keys: BTreeSet<_> = edits.iter().map(|edit| edit.key).collect();
        assert_eq!(keys.len(), edits.len(), "a key is changed twice");
        edits.iter().for_each(|edit| self.set(edit.key, edit.value));
        Ok(())
    }

    async fn write_data(&self, data: &[u8], pointers: &mut [Pointer]) -> Result<(), VolumeError> {
        assert_eq!(pointers.len() * BLOCK, data.len());
        self.may_fail()?;
        for (pointer, from) in pointers.iter_mut().zip(data.chunks(BLOCK)) {
            self.next.set(self.next.get() + 1);
            pointer[..8].copy_from_slice(&self.next.get().to_be_bytes());
            self.now.borrow_mut().blocks.insert(*pointer, from.to_vec());
        }
        Ok(())
    }

    fn free(&self, pointer: &Pointer) {
        assert!(self.now.borrow_mut().blocks.remove(pointer).is_some(), "given back twice");
    }

    async fn commit(&self) -> Result<(), VolumeError> {
        self.may_fail()?;
        self.commits.set(self.commits.get() + 1);
        self.committed.replace(self.now.borrow().clone());
        self.due.set(false);
        Ok(())
    }

    fn is_due(&self) -> bool {
        self.due.get()
    }

    fn blocks(&self) -> u64 {
        self.size
    }
}
