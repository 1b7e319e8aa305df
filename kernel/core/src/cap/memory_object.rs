//! `MemoryObject`: pages that can be shared by mapping.

use super::{Call, Object, Outcome};
use crate::task::process::whole_pages;
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_schema::memory_object::{
    InfoResults, PartParams, PartResults, ReadOnlyResults, ReadParams, ReadResults, WriteParams,
};
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;

/// Most bytes that one `read` copies.
const READ_MAX: usize = 4000;

/// Which pages of some memory, and whether they may be written: in one word, as every capability has room for as much as this one.
#[derive(Clone, Copy)]
struct Extent(u64);

impl Extent {
    /// Of the first 8 TiB, which is more than there is.
    fn new(first: usize, pages: usize, writable: bool) -> Self {
        Extent((first as u64) << 33 | (pages as u64 & 0xffff_ffff) << 1 | u64::from(writable))
    }

    fn first(self) -> usize {
        (self.0 >> 33) as usize
    }

    fn pages(self) -> usize {
        (self.0 >> 1 & 0xffff_ffff) as usize
    }

    fn writable(self) -> bool {
        self.0 & 1 != 0
    }
}

/// One facet of some memory.
#[derive(Clone)]
pub(crate) struct MemoryObject {
    frames: Ref<Frames>,
    extent: Extent,
}

impl MemoryObject {
    /// A facet that may write, unless the memory itself does not allow it.
    pub fn new(frames: Ref<Frames>) -> Self {
        let writable = !frames.is_read_only();
        MemoryObject { extent: Extent::new(0, frames.pages(), writable), frames }
    }

    /// A facet that may only read.
    pub fn read_only_of(frames: Ref<Frames>) -> Self {
        MemoryObject { extent: Extent::new(0, frames.pages(), false), frames }
    }

    /// A facet of so many pages from the first on.
    pub fn part_of(frames: Ref<Frames>, pages: usize) -> Self {
        MemoryObject { extent: Extent::new(0, pages, true), frames }
    }

    /// A facet of some of the pages that may only read.
    pub fn read_only_part(frames: Ref<Frames>, first: usize, pages: usize) -> Self {
        MemoryObject { extent: Extent::new(first, pages, false), frames }
    }

    /// The memory of which this shows a part, and where in it `pages` pages of the part lie from its page `first` on; `None` when they are
    /// not all in the part.
    pub fn locate(&self, first: usize, pages: usize) -> Option<(&Ref<Frames>, usize)> {
        let end = first.checked_add(pages)?;
        (end <= self.extent.pages()).then(|| (&self.frames, self.extent.first() + first))
    }

    /// All of the memory, if this facet shows all of it.
    pub fn whole(&self) -> Option<&Ref<Frames>> {
        (self.extent.pages() == self.frames.pages()).then_some(&self.frames)
    }

    /// The memory, if this was the last there was of it.
    pub fn into_memory(self) -> Option<Frames> {
        self.frames.into_inner()
    }

    /// What tells the memory of which this shows a part from other memory.
    pub fn label(&self) -> u64 {
        self.frames.label()
    }

    /// How many pages it shows.
    pub fn pages(&self) -> usize {
        self.extent.pages()
    }

    /// Whether this facet may write.
    pub fn writable(&self) -> bool {
        self.extent.writable()
    }

    fn size(&self) -> usize {
        self.extent.pages() * PAGE_SIZE
    }

    /// Where byte `offset` lies in the memory; `None` when less than `len` bytes follow.
    fn byte(&self, offset: u64, len: usize) -> Option<usize> {
        let offset = usize::try_from(offset).ok()?;
        let inside = offset.checked_add(len)? <= self.size();
        inside.then(|| self.extent.first() * PAGE_SIZE + offset)
    }

    pub(super) fn info(&self, call: &mut Call<'_>) -> Outcome {
        call.reply(&InfoResults { size: self.size() as u64, writable: self.writable() })
    }

    pub(super) fn read(&self, call: &mut Call<'_>, params: ReadParams) -> Outcome {
        let offset = usize::try_from(params.offset).unwrap_or(usize::MAX);
        let len = (params.length as usize).min(READ_MAX).min(self.size().saturating_sub(offset));
        let mut buffer = [0; READ_MAX];
        let data = buffer.get_mut(..len).unwrap_or_default();
        let read = match self.byte(params.offset, len) {
            Some(at) if len > 0 => self.frames.read(at, data).is_ok(),
            _ => len == 0,
        };
        if !read {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        }
        call.reply_large(&ReadResults { data })
    }

    pub(super) fn write(&self, _call: &mut Call<'_>, params: WriteParams<'_>) -> Outcome {
        if !self.writable() {
            return Outcome::exception(ExceptionCode::Denied);
        }
        let written =
            self.byte(params.offset, params.data.len()).map(|at| self.frames.write(at, params.data));
        match written {
            Some(Ok(())) => Outcome::EMPTY,
            _ => Outcome::exception(ExceptionCode::InvalidArgument),
        }
    }

    pub(super) fn read_only(&self, call: &mut Call<'_>) -> Outcome {
        let extent = Extent::new(self.extent.first(), self.extent.pages(), false);
        match call.give_facet(Object::MemoryObject(MemoryObject { frames: self.frames.clone(), extent })) {
            Ok(()) => call.reply(&ReadOnlyResults),
            Err(outcome) => outcome,
        }
    }

    pub(super) fn part(&self, call: &mut Call<'_>, params: PartParams) -> Outcome {
        let first = if params.offset == 0 { Some(0) } else { whole_pages(params.offset) };
        let placed = first.zip(whole_pages(params.size)).and_then(|(first, pages)| {
            let (frames, first) = self.locate(first, pages)?;
            Some(MemoryObject { frames: frames.clone(), extent: Extent::new(first, pages, self.writable()) })
        });
        let Some(part) = placed else { return Outcome::exception(ExceptionCode::InvalidArgument) };
        call.reply_with_facet(Object::MemoryObject(part), &PartResults)
    }
}
