//! Bytes written to files. New data goes where nothing is, then the records change as a whole: a write is there or it is not.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::change::Change;
use crate::error::Error;
use crate::fs::Fs;
use crate::key::{self, ObjectId};
use crate::look::{self, BLOCK_BYTES};
use crate::record::{Kind, Object, STRETCH_BLOCKS, Stretch};
use crate::time::Stamp;
use crate::volume::Volume;
use capos_store::{BLOCK, Pointer};

/// Most bytes that are written as a whole.
pub const MOST_AT_ONCE: usize = 1 << 20;

/// Where bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Offset(u64),
    End,
}

/// What a write touches: whole blocks, and the records that tell of them.
struct Span {
    /// Numbers of the first block and of the one behind the last.
    first: u64,
    end: u64,
    stretches: Vec<(u64, Stretch)>,
}

impl Span {
    /// Slots of the blocks in it, in order, with their numbers.
    fn slots(&mut self) -> impl Iterator<Item = &mut Pointer> {
        let (first, end) = (self.first, self.end);
        let all = self.stretches.iter_mut().flat_map(|(number, stretch)| {
            (number.saturating_mul(STRETCH_BLOCKS)..).zip(stretch.0.iter_mut())
        });
        all.filter(move |(block, _)| (first..end).contains(block)).map(|(_, pointer)| pointer)
    }

    fn slot(&self, block: u64) -> Pointer {
        let number = block / STRETCH_BLOCKS;
        let at = self.stretches.iter().find(|(other, _)| *other == number);
        let pointer = at.and_then(|(_, stretch)| stretch.0.get((block % STRETCH_BLOCKS) as usize));
        pointer.copied().unwrap_or(Pointer::NONE)
    }
}

impl<V: Volume> Fs<V> {
    /// Writes to a file, which becomes longer where it ends before. Up to 1 MiB is written as a whole.
    ///
    /// # Errors
    /// `Kind` when it is no file, `Range`, `Quota`, and what the volume says. Of what is more than 1 MiB the begin may have been written.
    pub async fn write(&self, file: ObjectId, offset: u64, data: &[u8], now: Stamp) -> Result<(), Error> {
        if data.is_empty() {
            return self.must_be_file(file).await;
        }
        let mut offset = offset;
        for part in data.chunks(MOST_AT_ONCE) {
            let _turn = self.begin().await?;
            self.write_part(file, Kind::File, At::Offset(offset), part, now).await?;
            offset = offset.saturating_add(part.len() as u64);
        }
        Ok(())
    }

    /// Writes at the end of a file, and tells where that was. See [`Fs::write`].
    ///
    /// # Errors
    /// See [`Fs::write`].
    pub async fn append(&self, file: ObjectId, data: &[u8], now: Stamp) -> Result<u64, Error> {
        let _turn = self.begin().await?;
        let mut begin = None;
        for part in data.chunks(MOST_AT_ONCE) {
            let at = self.write_part(file, Kind::File, At::End, part, now).await?;
            begin.get_or_insert(at);
        }
        match begin {
            Some(begin) => Ok(begin),
            None => Ok(look::bytes(&self.view, file).await?.size),
        }
    }

    /// The next bytes of a blob in the making.
    pub(crate) async fn extend_blob(&self, blob: ObjectId, data: &[u8], now: Stamp) -> Result<(), Error> {
        for part in data.chunks(MOST_AT_ONCE) {
            let _turn = self.begin().await?;
            self.write_part(blob, Kind::Blob, At::End, part, now).await?;
        }
        Ok(())
    }

    async fn write_part(
        &self,
        id: ObjectId,
        kind: Kind,
        at: At,
        data: &[u8],
        now: Stamp,
    ) -> Result<u64, Error> {
        self.settle(id).await?;
        let object = look::bytes(&self.view, id).await?;
        if object.kind != kind {
            return Err(Error::Kind);
        }
        let offset = match at {
            At::Offset(offset) => offset,
            At::End => object.size,
        };
        let mut change = Change::of(object.domain, 0, 0);
        let object = self.store(&mut change, id, object, offset, data).await?;
        change.put(&key::object(id), &Object { modified: now, ..object }.encode());
        self.apply(change).await?;
        Ok(offset)
    }

    /// Writes data, and collects what that does to the records; the object's own, which it answers with, is the caller's to put.
    pub(crate) async fn store(
        &self,
        change: &mut Change,
        id: ObjectId,
        object: Object,
        offset: u64,
        data: &[u8],
    ) -> Result<Object, Error> {
        let end = offset.checked_add(data.len() as u64).ok_or(Error::Range)?;
        if end.div_ceil(BLOCK_BYTES) > self.view.volume.blocks() {
            return Err(Error::Range);
        }
        let mut span = self.span(id, offset, end).await?;
        let holes = span.slots().filter(|pointer| **pointer == Pointer::NONE).count();
        change.charge.blocks = holes as i64;
        self.room(change.charge).await?;
        change.fresh = self.write_blocks(&span, offset, data).await?;
        for (slot, pointer) in span.slots().zip(&change.fresh) {
            let old = core::mem::replace(slot, *pointer);
            if old != Pointer::NONE {
                change.freed.push(old);
            }
        }
        for (number, stretch) in &span.stretches {
            change.put(&key::stretch(id, *number), stretch.encode().bytes());
        }
        Ok(Object {
            size: object.size.max(end),
            blocks: object.blocks.saturating_add(holes as u64),
            ..object
        })
    }

    /// What bytes from `offset` to `end` are in.
    async fn span(&self, id: ObjectId, offset: u64, end: u64) -> Result<Span, Error> {
        let (first, end) = (offset / BLOCK_BYTES, end.div_ceil(BLOCK_BYTES));
        let numbers = first / STRETCH_BLOCKS..end.div_ceil(STRETCH_BLOCKS);
        let mut stretches = Vec::with_capacity(numbers.clone().count());
        for number in numbers {
            stretches.push((number, look::stretch(&self.view, id, number).await?));
        }
        Ok(Span { first, end, stretches })
    }

    /// Writes data to new blocks; those at the ends keep what is beside it.
    async fn write_blocks(&self, span: &Span, offset: u64, data: &[u8]) -> Result<Vec<Pointer>, Error> {
        let count = usize::try_from(span.end.saturating_sub(span.first)).map_err(|_| Error::Range)?;
        let mut pointers = Vec::from_iter(core::iter::repeat_n(Pointer::NONE, count));
        let written = self.write_ends(span, offset, data, &mut pointers).await;
        if written.is_err() {
            self.give_back(&pointers);
        }
        written.map(|()| pointers)
    }

    async fn write_ends(
        &self,
        span: &Span,
        offset: u64,
        mut data: &[u8],
        mut pointers: &mut [Pointer],
    ) -> Result<(), Error> {
        let within = (offset % BLOCK_BYTES) as usize;
        if within > 0 {
            let (head, rest) = data.split_at(data.len().min(BLOCK.saturating_sub(within)));
            let Some((pointer, behind)) = pointers.split_at_mut_checked(1) else { return Ok(()) };
            self.write_piece(span.slot(span.first), within, head, pointer).await?;
            (data, pointers) = (rest, behind);
        }
        let (blocks, tail) = data.as_chunks::<BLOCK>();
        let Some((whole, last)) = pointers.split_at_mut_checked(blocks.len()) else { return Ok(()) };
        if !blocks.is_empty() {
            self.write_whole(blocks.as_flattened(), whole).await?;
        }
        if !tail.is_empty() {
            self.write_piece(span.slot(span.end.saturating_sub(1)), 0, tail, last).await?;
        }
        Ok(())
    }

    /// Writes a block of which only a part is new.
    pub(crate) async fn write_piece(
        &self,
        old: Pointer,
        within: usize,
        data: &[u8],
        pointer: &mut [Pointer],
    ) -> Result<(), Error> {
        let mut block = Box::new([0; BLOCK]);
        if old != Pointer::NONE {
            self.view.volume.read_data(&[old], &mut *block).await?;
        }
        if let Some(part) = block.get_mut(within..).and_then(|rest| rest.get_mut(..data.len())) {
            part.copy_from_slice(data);
        }
        self.write_whole(&*block, pointer).await
    }

    /// Writes whole blocks. There are pointers to all of them or none.
    async fn write_whole(&self, data: &[u8], pointers: &mut [Pointer]) -> Result<(), Error> {
        let written = self.view.volume.write_data(data, pointers).await;
        if written.is_err() {
            pointers.fill(Pointer::NONE);
        }
        Ok(written?)
    }
}
