//! What files are built on: a tree of records in the order of their keys, blocks of data, and commits (capos-store).

use crate::error::VolumeError;

/// Bytes of a block.
pub const BLOCK: usize = 4096;

/// Where a block of data is, in the volume's own terms.
pub type Pointer = [u8; 24];

/// Where nothing was written.
pub const HOLE: Pointer = [0; 24];

/// A record that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Length of its key.
    pub key: usize,
    /// Length of its value.
    pub value: usize,
}

/// What becomes of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edit<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its value from now on; without one it goes, if it is there.
    pub value: Option<&'a [u8]>,
}

/// A state of a volume that can be looked at: what is there now, or a snapshot.
#[allow(async_fn_in_trait, reason = "whoever runs these has one thread")]
pub trait View {
    /// The value of a key, whose length it tells.
    async fn get(&self, key: &[u8], value: &mut [u8]) -> Result<Option<usize>, VolumeError>;

    /// The first record whose key is not before `from`.
    async fn next(&self, from: &[u8], key: &mut [u8], value: &mut [u8])
    -> Result<Option<Found>, VolumeError>;

    /// Blocks of data; zeros for a hole.
    async fn read_data(&self, pointers: &[Pointer], data: &mut [u8]) -> Result<(), VolumeError>;
}

/// A volume that can be changed. Nothing is durable before `commit`, and then all that was done before.
///
/// Nobody calls these while another of them is under way, and nobody looks while `apply` is; both may go on during the others.
#[allow(async_fn_in_trait, reason = "whoever runs these has one thread")]
pub trait Volume: View {
    /// Does all of this, or nothing. With `removal` it may use the room that is kept for what makes room.
    async fn apply(&self, edits: &[Edit<'_>], removal: bool) -> Result<(), VolumeError>;

    /// Writes blocks of data where nothing is, or nothing.
    async fn write_data(&self, data: &[u8], pointers: &mut [Pointer]) -> Result<(), VolumeError>;

    /// The room of a block may be used again, once it is durable that nothing points there.
    fn free(&self, pointer: &Pointer);

    /// Makes everything durable.
    async fn commit(&self) -> Result<(), VolumeError>;

    /// Whether there is so much that is not durable that a commit is due.
    fn is_due(&self) -> bool;

    /// How many blocks there are.
    fn blocks(&self) -> u64;
}
