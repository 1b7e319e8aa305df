//! What leads from one block to another.

use crate::disk::BLOCK;
use xxhash_rust::xxh3::xxh3_64;

/// The checksum of a block. It tells accidents, not forgeries.
pub fn checksum(block: &[u8]) -> u64 {
    xxh3_64(block)
}

/// A block, and how to tell that it is the right one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pointer {
    /// Where it is. A volume's first block is a superblock's, so 0 is none.
    pub address: u64,
    /// The number of the commit that it came with.
    pub birth: u64,
    /// Of what is in it.
    pub checksum: u64,
    /// Of a node: where it is once more since its commit was settled. Blocks of data are there once.
    pub twin: u64,
}

impl Pointer {
    /// Bytes of its form in records, where it leads to data.
    pub const BYTES: usize = 24;
    /// Bytes of its form in nodes, where it leads to a node.
    pub const NODE_BYTES: usize = 32;
    /// Leads nowhere.
    pub const NONE: Pointer = Pointer { address: 0, birth: 0, checksum: 0, twin: 0 };

    /// Whether it leads nowhere.
    pub fn is_none(&self) -> bool {
        self.address == 0
    }

    /// Its form in records.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let words = [self.address, self.birth, self.checksum];
        for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }

    /// From its form in records; `None` if these are not 24 bytes. Whether it makes sense shows when it is used.
    pub fn from_bytes(bytes: &[u8]) -> Option<Pointer> {
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        let [address, birth, checksum] = words else { return None };
        Some(Pointer {
            address: u64::from_le_bytes(*address),
            birth: u64::from_le_bytes(*birth),
            checksum: u64::from_le_bytes(*checksum),
            twin: 0,
        })
    }

    /// Its form in nodes: the same, and the twin.
    pub fn to_node(self) -> [u8; Self::NODE_BYTES] {
        let mut bytes = [0; Self::NODE_BYTES];
        if let Some((pointer, twin)) = bytes.split_first_chunk_mut() {
            *pointer = self.to_bytes();
            twin.copy_from_slice(&self.twin.to_le_bytes());
        }
        bytes
    }

    /// From its form in nodes; `None` if these are not 32 bytes.
    pub fn from_node(bytes: &[u8]) -> Option<Pointer> {
        let (pointer, twin) = bytes.split_last_chunk()?;
        Some(Pointer { twin: u64::from_le_bytes(*twin), ..Pointer::from_bytes(pointer)? })
    }

    /// The same by way of its twin.
    pub fn by_twin(self) -> Pointer {
        Pointer { address: self.twin, twin: self.address, ..self }
    }

    /// Whether it can lead to a node of a volume with so many blocks: to two places.
    pub fn is_node(&self, blocks: u64) -> bool {
        let [address, twin] = [self.address, self.twin].map(|place| (1..blocks).contains(&place));
        address && twin && self.address != self.twin
    }

    /// Whether `block` is what it leads to.
    pub fn matches(&self, block: &[u8]) -> bool {
        block.len() == BLOCK && checksum(block) == self.checksum
    }
}
