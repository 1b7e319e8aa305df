//! The contents of a disk, which are copied cheaply.

use std::cell::RefCell;
use std::rc::Rc;

use capos_store::{BLOCK, Disk, DiskError};

/// What is in one block.
pub type Block = Rc<[u8; BLOCK]>;

/// A disk in memory. It is also a disk to be mounted: what is written to it is not noted.
#[derive(Clone, Debug)]
pub struct Image {
    blocks: RefCell<Vec<Block>>,
}

impl Image {
    /// Of so many blocks, all zeros.
    pub fn new(blocks: usize) -> Image {
        let zeros = Rc::new([0; BLOCK]);
        Image { blocks: RefCell::new(vec![zeros; blocks]) }
    }

    /// With these bytes; what does not fill a block at the end is left out.
    pub fn from_bytes(bytes: &[u8]) -> Image {
        Image { blocks: RefCell::new(pieces(&[bytes])) }
    }

    /// Its bytes.
    pub fn bytes(&self) -> u64 {
        self.blocks.borrow().len() as u64 * BLOCK as u64
    }

    /// What is in a block.
    pub fn block(&self, number: u64) -> Option<Block> {
        self.blocks.borrow().get(usize::try_from(number).ok()?).cloned()
    }

    /// Puts something into a block.
    pub fn set(&self, number: u64, block: Block) {
        let mut blocks = self.blocks.borrow_mut();
        if let Some(place) = usize::try_from(number).ok().and_then(|at| blocks.get_mut(at)) {
            *place = block;
        }
    }
}

/// The blocks that some pieces are, one behind the other.
pub(crate) fn pieces(pieces: &[&[u8]]) -> Vec<Block> {
    let bytes = pieces.concat();
    bytes.as_chunks::<BLOCK>().0.iter().map(|block| Rc::new(*block)).collect()
}

impl Disk for Image {
    fn blocks(&self) -> u64 {
        self.blocks.borrow().len() as u64
    }

    async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
        for (number, to) in (first..).zip(into.chunks_mut(BLOCK)) {
            to.copy_from_slice(&*self.block(number).ok_or(DiskError::OutOfRange)?);
        }
        Ok(())
    }

    async fn write(&self, first: u64, data: &[&[u8]]) -> Result<(), DiskError> {
        (first..).zip(pieces(data)).for_each(|(number, block)| self.set(number, block));
        Ok(())
    }

    async fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }

    async fn discard(&self, _: u64, _: u64) -> Result<(), DiskError> {
        Ok(())
    }
}
