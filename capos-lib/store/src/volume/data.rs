//! Blocks of data. Each gets its place at once, and counts when a record that has its pointer does. A few of them stay in memory and are
//! written with the commit, in one go with its nodes; many are written at once.

use super::Volume;
use super::core::Need;
use crate::disk::{BLOCK, Disk};
use crate::error::{Fault, StoreError};
use crate::node::Page;
use crate::pointer::{Pointer, checksum};
use crate::space::Span;
use crate::tree::{Dirty, Tree};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Reads and writes of more blocks than this are not kept in memory: who does such wants each only once, and they are large enough by themselves.
const KEPT_RUN: usize = 8;

impl<D: Disk> Volume<D> {
    /// Writes whole blocks, one behind the other where there is space for that, and gives the pointer to each. Who does not make a
    /// record of them frees them again.
    pub async fn write_data(&self, data: &[u8], pointers: &mut [Pointer]) -> Result<(), StoreError> {
        let _turn = self.turn()?;
        if data.len() != pointers.len() * BLOCK {
            return Err(StoreError::Argument);
        }
        let count = pointers.len() as u64;
        if self.room(Need::Ordinary) < count {
            return Err(StoreError::Full);
        }
        self.look_for(count).await?;
        let spans = self.take(count)?;
        match self.write_spans(&spans, data, pointers).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let mut state = self.state.borrow_mut();
                spans.iter().for_each(|span| state.space.give_back(*span));
                Err(error)
            }
        }
    }

    /// Takes blocks that were looked for, in as few spans as can be.
    pub(super) fn take(&self, count: u64) -> Result<Vec<Span>, StoreError> {
        let mut state = self.state.borrow_mut();
        let (mut spans, mut left) = (Vec::new(), count);
        while left > 0 {
            let span = state.space.take(left).ok_or(StoreError::Full)?;
            left -= span.count;
            spans.push(span);
        }
        Ok(spans)
    }

    async fn write_spans(
        &self,
        spans: &[Span],
        data: &[u8],
        pointers: &mut [Pointer],
    ) -> Result<(), StoreError> {
        let birth = self.state.borrow().number();
        let addresses = spans.iter().flat_map(|span| span.start..span.end());
        for ((pointer, address), block) in pointers.iter_mut().zip(addresses).zip(data.chunks(BLOCK)) {
            *pointer = Pointer { address, birth, checksum: checksum(block), twin: 0 };
        }
        if pointers.len() <= KEPT_RUN && !self.is_due() {
            pointers
                .iter()
                .zip(data.as_chunks().0)
                .for_each(|(pointer, block)| self.begin_block(pointer, block));
            return Ok(());
        }
        // What the last commit gave back is written over from now on, so a mount must not pass over it for the one before.
        self.make_sure().await?;
        self.settle_once().await?;
        self.state.borrow_mut().is_loose = true;
        let mut rest = data;
        for span in spans {
            let bytes = usize::try_from(span.count).unwrap_or(usize::MAX).saturating_mul(BLOCK);
            let (piece, after) = rest.split_at_checked(bytes).unwrap_or((rest, &[]));
            self.disk.write(span.start, &[piece]).await.map_err(StoreError::disk(span.start))?;
            rest = after;
        }
        Ok(())
    }

    /// A block that is to be written with the commit.
    fn begin_block(&self, pointer: &Pointer, block: &[u8; BLOCK]) {
        let page = Rc::new(Page(*block));
        let mut state = self.state.borrow_mut();
        state.fresh.insert(pointer.address, (*pointer, Rc::clone(&page)));
        state.data.insert(*pointer, page);
    }

    /// Reads blocks; those of no pointer are zeros.
    ///
    /// A pointer is good as long as the record that it is from, and for as long as the transaction is open that changed the record.
    pub async fn read_data(&self, pointers: &[Pointer], into: &mut [u8]) -> Result<(), StoreError> {
        if into.len() != pointers.len() * BLOCK {
            return Err(StoreError::Argument);
        }
        let (mut pointers, mut into) = (pointers, into);
        while let Some(first) = pointers.first() {
            let run = self.run(pointers);
            let (these, others) = pointers.split_at_checked(run).unwrap_or((pointers, &[]));
            let (place, rest) = into.split_at_mut_checked(run * BLOCK).ok_or(StoreError::Argument)?;
            if !self.copy_kept(first, place) {
                self.read_run(these, place).await?;
            }
            (pointers, into) = (others, rest);
        }
        Ok(())
    }

    /// How many blocks from the first one on are read at once: one if it is here or none, else all that follow it on the disk.
    fn run(&self, pointers: &[Pointer]) -> usize {
        let state = self.state.borrow();
        let away = |pointer: &Pointer| !pointer.is_none() && state.block(pointer).is_none();
        let Some(first) = pointers.first().filter(|first| away(first)) else { return 1 };
        let follows = |(pointer, n): &(&Pointer, u64)| {
            pointer.address == first.address.wrapping_add(*n) && away(pointer)
        };
        pointers.iter().zip(0..).take_while(follows).count()
    }

    /// A hole, or a block that is here.
    fn copy_kept(&self, pointer: &Pointer, into: &mut [u8]) -> bool {
        if pointer.is_none() {
            into.fill(0);
            return true;
        }
        let state = self.state.borrow();
        let page = state.block(pointer).filter(|_| into.len() == BLOCK);
        page.map(|page| into.copy_from_slice(&page.0)).is_some()
    }

    /// Looks at a block that is in memory.
    pub fn here<T>(&self, pointer: &Pointer, look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let state = self.state.borrow();
        state.block(pointer).map(|page| look(&page.0))
    }

    async fn read_run(&self, pointers: &[Pointer], into: &mut [u8]) -> Result<(), StoreError> {
        self.fetch(pointers, into).await?;
        if pointers.len() <= KEPT_RUN {
            let mut state = self.state.borrow_mut();
            for (pointer, block) in pointers.iter().zip(into.as_chunks().0) {
                state.data.insert(*pointer, Rc::new(Page(*block)));
            }
        }
        Ok(())
    }

    /// Reads blocks that lie together from the disk, whatever is in memory.
    pub(crate) async fn fetch(&self, pointers: &[Pointer], into: &mut [u8]) -> Result<(), StoreError> {
        let block = pointers.first().map_or(0, |first| first.address);
        let blocks = self.state.borrow().space.layout.blocks();
        if pointers.iter().any(|pointer| pointer.address >= blocks || Dirty::tree(pointer).is_some()) {
            return Err(StoreError::Corrupt { block, fault: Fault::Address });
        }
        self.disk.read(block, into).await.map_err(StoreError::disk(block))?;
        for (pointer, block) in pointers.iter().zip(into.chunks(BLOCK)) {
            if !pointer.matches(block) {
                return Err(StoreError::Corrupt { block: pointer.address, fault: Fault::Checksum });
            }
        }
        Ok(())
    }

    /// Gives a block of data back; no record has its pointer any more. Nothing happens for one that is none.
    pub fn free(&self, pointer: &Pointer) -> Result<(), StoreError> {
        let _turn = self.turn()?;
        let mut state = self.state.borrow_mut();
        if pointer.is_none() {
            return Ok(());
        }
        let layout = state.space.layout;
        if pointer.address >= layout.blocks()
            || layout.is_fixed(pointer.address)
            || pointer.birth > state.number()
        {
            return Err(StoreError::Corrupt { block: pointer.address, fault: Fault::Address });
        }
        state.data.take(pointer);
        if pointer.birth == state.number() {
            state.fresh.remove(&pointer.address);
        }
        state.release(Tree::Records, pointer);
        Ok(())
    }
}
