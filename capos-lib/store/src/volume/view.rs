//! Reading a snapshot.

use super::Volume;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::pointer::Pointer;
use crate::tree::Root;

/// What a snapshot kept. Answers until the snapshot is deleted: who reads while it is may find what others have there by now, and is told that there
/// is no such snapshot.
pub struct View<'v, D> {
    volume: &'v Volume<D>,
    id: u64,
    root: Root,
}

impl<D: Disk> Volume<D> {
    /// Opens a snapshot for reading.
    pub fn view(&self, id: u64) -> Result<View<'_, D>, StoreError> {
        let state = self.state.borrow();
        let found = state.durable_snapshots.iter().find(|snapshot| snapshot.id == id && !snapshot.deleting);
        let root = found.ok_or(StoreError::NoSnapshot)?.root;
        Ok(View { volume: self, id, root })
    }
}

impl<D: Disk> View<'_, D> {
    /// As [`Volume::get`].
    pub async fn get(&self, key: &[u8], into: &mut [u8]) -> Result<Option<usize>, StoreError> {
        let found = self.volume.get_from(&self.root, key, into).await;
        self.volume.view(self.id).and(found)
    }

    /// As [`Volume::next`].
    pub async fn next(
        &self,
        from: &[u8],
        key: &mut [u8],
        value: &mut [u8],
    ) -> Result<Option<(usize, usize)>, StoreError> {
        let found = self.volume.next_from(&self.root, from, key, value).await;
        self.volume.view(self.id).and(found)
    }

    /// As [`Volume::read_data`].
    pub async fn read_data(&self, pointers: &[Pointer], into: &mut [u8]) -> Result<(), StoreError> {
        let read = self.volume.read_data(pointers, into).await;
        self.volume.view(self.id).and(read)
    }
}
