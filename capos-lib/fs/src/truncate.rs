//! Files made shorter or longer, and holes made in them.

use core::ops::Range;

use crate::change::Change;
use crate::clean::{STEP, remove_stretches};
use crate::error::Error;
use crate::fs::Fs;
use crate::key::{self, ObjectId};
use crate::look::{self, BLOCK_BYTES, STRETCH_SIZE};
use crate::record::{Kind, Object, Orphan, STRETCH_BLOCKS, Stretch};
use crate::time::Stamp;
use crate::volume::Volume;
use capos_store::{BLOCK, Pointer};

impl<V: Volume> Fs<V> {
    /// Makes a file that long: shorter, or longer by zeros that take no room.
    ///
    /// # Errors
    /// `Kind` when it is no file, `Range`, and what the volume says.
    pub async fn truncate(&self, file: ObjectId, size: u64, now: Stamp) -> Result<(), Error> {
        let turn = self.begin().await?;
        let object = self.file(file).await?;
        if size.div_ceil(BLOCK_BYTES) > self.view.volume.blocks() {
            return Err(Error::Range);
        }
        let resized = Object { size, modified: now, ..object };
        if size >= object.size {
            let mut change = Change::default();
            change.put(&key::object(file), &resized.encode());
            return self.apply(change).await;
        }
        self.shorten(file, resized).await?;
        drop(turn);
        self.clean(file).await;
        Ok(())
    }

    /// Makes zeros of `length` bytes at `offset`, and gives their room back. The size stays. Up to 1 MiB goes as a whole.
    ///
    /// # Errors
    /// See [`Fs::truncate`].
    pub async fn clear(&self, file: ObjectId, offset: u64, length: u64, now: Stamp) -> Result<(), Error> {
        let mut from = offset;
        let end = offset.saturating_add(length);
        if from == end {
            return self.must_be_file(file).await;
        }
        while from < end {
            let _turn = self.begin().await?;
            let object = self.file(file).await?;
            // What is behind the end is zeros already.
            let end = if end >= object.size { u64::MAX } else { end };
            let Some(next) = self.clear_step(file, object, from..end, now).await? else { break };
            from = next;
        }
        Ok(())
    }

    /// Where nothing is to be done, it is said all the same of what it could not be done to.
    pub(crate) async fn must_be_file(&self, id: ObjectId) -> Result<(), Error> {
        match self.stat(id).await?.kind {
            Kind::File => Ok(()),
            _ => Err(Error::Kind),
        }
    }

    /// A file in which nothing is left to be removed.
    async fn file(&self, id: ObjectId) -> Result<Object, Error> {
        self.settle(id).await?;
        let object = look::object(&self.view, id).await?;
        if object.kind == Kind::File { Ok(object) } else { Err(Error::Kind) }
    }

    /// The record in which the file ends from now on is cut, and those behind it go, now or in steps.
    async fn shorten(&self, id: ObjectId, object: Object) -> Result<(), Error> {
        let number = object.size / STRETCH_SIZE;
        let behind = number.saturating_add(1);
        let rest = self.stretches(id, behind).await?;
        let is_long = rest.len() == STEP;
        let mut change =
            if is_long { Change::of(object.domain, 0, 0) } else { remove_stretches(id, &object, &rest) };
        change.removal = true;
        if is_long {
            change.put(&key::orphan(id), &Orphan::From(behind).encode());
        }
        let stretch = look::stretch(&self.view, id, number).await?;
        self.cut_into(&mut change, id, (number, stretch), object.size..u64::MAX).await?;
        self.resize(change, id, object).await?;
        if is_long {
            self.state.borrow_mut().orphans.insert(id, Orphan::From(behind));
        }
        Ok(())
    }

    /// Cuts some records; tells from where to go on.
    async fn clear_step(
        &self,
        id: ObjectId,
        object: Object,
        range: Range<u64>,
        now: Stamp,
    ) -> Result<Option<u64>, Error> {
        let stretches = self.stretches(id, range.start / STRETCH_SIZE).await?;
        let mut change = Change::of(object.domain, 0, 0);
        let mut next = None;
        for (number, stretch) in stretches {
            let start = number.saturating_mul(STRETCH_SIZE);
            if start >= range.end {
                next = None;
                break;
            }
            self.cut_into(&mut change, id, (number, stretch), range.clone()).await?;
            next = Some(start.saturating_add(STRETCH_SIZE));
        }
        self.resize(change, id, Object { modified: now, ..object }).await?;
        Ok(next)
    }

    async fn resize(&self, mut change: Change, id: ObjectId, object: Object) -> Result<(), Error> {
        let blocks = object.blocks.saturating_add_signed(change.charge.blocks);
        change.put(&key::object(id), &Object { blocks, ..object }.encode());
        self.apply(change).await
    }

    /// Makes a hole of the bytes of one record that are in `range`. What was written for that is given back if it fails.
    async fn cut_into(
        &self,
        change: &mut Change,
        id: ObjectId,
        (number, stretch): (u64, Stretch),
        range: Range<u64>,
    ) -> Result<(), Error> {
        let mut cut = stretch;
        let done = self.cut_blocks(change, number, &mut cut, range).await;
        if done.is_err() {
            self.give_back(&change.fresh);
            change.fresh.clear();
        }
        let key = key::stretch(id, number);
        match cut.encode().bytes() {
            _ if cut == stretch => {}
            [] => change.remove(&key),
            value => change.put(&key, value),
        }
        done
    }

    async fn cut_blocks(
        &self,
        change: &mut Change,
        number: u64,
        stretch: &mut Stretch,
        range: Range<u64>,
    ) -> Result<(), Error> {
        for (block, slot) in (number.saturating_mul(STRETCH_BLOCKS)..).zip(&mut stretch.0) {
            let start = block.saturating_mul(BLOCK_BYTES);
            let end = start.saturating_add(BLOCK_BYTES);
            let (from, to) = (range.start.max(start), range.end.min(end));
            if *slot == Pointer::NONE || from >= to {
                continue;
            }
            let old = core::mem::replace(slot, Pointer::NONE);
            if (from, to) == (start, end) {
                change.charge.blocks = change.charge.blocks.saturating_sub(1);
            } else {
                let zeros = [0; BLOCK];
                let zeros = zeros.get(..to.saturating_sub(from) as usize).unwrap_or_default();
                let mut pointer: [Pointer; 1] = [Pointer::NONE];
                self.write_piece(old, from.saturating_sub(start) as usize, zeros, &mut pointer).await?;
                [*slot] = pointer;
                change.fresh.push(*slot);
            }
            change.freed.push(old);
        }
        Ok(())
    }
}
