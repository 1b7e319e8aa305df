//! What files are built on: a tree of records in the order of their keys, blocks of data, and commits (capos-store).

use capos_store::{Change, Disk, Need, Pointer, StoreError};

/// A state of a volume that can be looked at: what is there now, or a snapshot.
#[allow(async_fn_in_trait, reason = "whoever runs these has one thread")]
pub trait View {
    /// The value of a key, whose length it tells.
    async fn get(&self, key: &[u8], value: &mut [u8]) -> Result<Option<usize>, StoreError>;

    /// The first record whose key is not before `from`: the lengths of its key and value.
    async fn next(
        &self,
        from: &[u8],
        key: &mut [u8],
        value: &mut [u8],
    ) -> Result<Option<(usize, usize)>, StoreError>;

    /// Blocks of data; zeros for a hole.
    async fn read_data(&self, pointers: &[Pointer], data: &mut [u8]) -> Result<(), StoreError>;
}

/// A volume that can be changed. Nothing is durable before `commit`, and then all that was done before.
///
/// Nobody calls these while another of them is under way, and nobody looks while `apply` is; both may go on during the others.
#[allow(async_fn_in_trait, reason = "whoever runs these has one thread")]
pub trait Volume: View {
    /// Does all of this, or nothing.
    async fn apply(&self, changes: &[Change<'_>], need: Need) -> Result<(), StoreError>;

    /// Writes blocks of data where nothing is, or nothing.
    async fn write_data(&self, data: &[u8], pointers: &mut [Pointer]) -> Result<(), StoreError>;

    /// The room of a block may be used again, once it is durable that nothing points there.
    fn free(&self, pointer: &Pointer) -> Result<(), StoreError>;

    /// Makes everything durable.
    async fn commit(&self) -> Result<(), StoreError>;

    /// Has the last commit count whatever block is spoiled later.
    async fn settle(&self) -> Result<(), StoreError>;

    /// Whether there is so much that is not durable that a commit is due.
    fn is_due(&self) -> bool;

    /// How often what was not committed was dropped, as a commit failed.
    fn epoch(&self) -> u64;

    /// How many blocks there are.
    fn blocks(&self) -> u64;
}

impl<D: Disk> View for capos_store::Volume<D> {
    async fn get(&self, key: &[u8], value: &mut [u8]) -> Result<Option<usize>, StoreError> {
        self.get(key, value).await
    }

    async fn next(
        &self,
        from: &[u8],
        key: &mut [u8],
        value: &mut [u8],
    ) -> Result<Option<(usize, usize)>, StoreError> {
        self.next(from, key, value).await
    }

    async fn read_data(&self, pointers: &[Pointer], data: &mut [u8]) -> Result<(), StoreError> {
        self.read_data(pointers, data).await
    }
}

impl<D: Disk> View for capos_store::View<'_, D> {
    async fn get(&self, key: &[u8], value: &mut [u8]) -> Result<Option<usize>, StoreError> {
        self.get(key, value).await
    }

    async fn next(
        &self,
        from: &[u8],
        key: &mut [u8],
        value: &mut [u8],
    ) -> Result<Option<(usize, usize)>, StoreError> {
        self.next(from, key, value).await
    }

    async fn read_data(&self, pointers: &[Pointer], data: &mut [u8]) -> Result<(), StoreError> {
        self.read_data(pointers, data).await
    }
}

impl<D: Disk> Volume for capos_store::Volume<D> {
    async fn apply(&self, changes: &[Change<'_>], need: Need) -> Result<(), StoreError> {
        self.apply(changes, need).await
    }

    async fn write_data(&self, data: &[u8], pointers: &mut [Pointer]) -> Result<(), StoreError> {
        self.write_data(data, pointers).await
    }

    fn free(&self, pointer: &Pointer) -> Result<(), StoreError> {
        self.free(pointer)
    }

    async fn commit(&self) -> Result<(), StoreError> {
        self.commit().await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.settle().await
    }

    fn is_due(&self) -> bool {
        self.is_due()
    }

    fn epoch(&self) -> u64 {
        self.epoch()
    }

    fn blocks(&self) -> u64 {
        self.space().blocks
    }
}
