//! `MemoryObject`: pages that can be shared by mapping.

use super::{Call, Object, Outcome};
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_schema::memory_object::{InfoResults, ReadOnlyResults, ReadParams, ReadResults, WriteParams};
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;

/// Most bytes that one `read` copies.
const READ_MAX: usize = 4000;

/// One facet of some memory.
#[derive(Clone)]
pub(crate) struct MemoryObject {
    frames: Ref<Frames>,
    writable: bool,
}

impl MemoryObject {
    /// A facet that may write, unless the memory itself does not allow it.
    pub fn new(frames: Ref<Frames>) -> Self {
        let writable = !frames.is_read_only();
        MemoryObject { frames, writable }
    }

    /// A facet that may only read.
    pub fn read_only_of(frames: Ref<Frames>) -> Self {
        MemoryObject { frames, writable: false }
    }

    /// The memory itself.
    pub fn frames(&self) -> &Ref<Frames> {
        &self.frames
    }

    /// The memory, if this was the last there was of it.
    pub fn into_memory(self) -> Option<Frames> {
        self.frames.into_inner()
    }

    /// Whether this facet may write.
    pub fn writable(&self) -> bool {
        self.writable
    }

    fn size(&self) -> usize {
        self.frames.pages() * PAGE_SIZE
    }

    pub(super) fn info(&self, call: &mut Call<'_>) -> Outcome {
        call.reply(&InfoResults { size: self.size() as u64, writable: self.writable })
    }

    pub(super) fn read(&self, call: &mut Call<'_>, params: ReadParams) -> Outcome {
        let offset = usize::try_from(params.offset).unwrap_or(usize::MAX);
        let len = (params.length as usize).min(READ_MAX).min(self.size().saturating_sub(offset));
        let mut buffer = [0; READ_MAX];
        let data = buffer.get_mut(..len).unwrap_or_default();
        if !data.is_empty() && self.frames.read(offset, data).is_err() {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        }
        call.reply_large(&ReadResults { data })
    }

    pub(super) fn write(&self, _call: &mut Call<'_>, params: WriteParams<'_>) -> Outcome {
        if !self.writable {
            return Outcome::exception(ExceptionCode::Denied);
        }
        let offset = usize::try_from(params.offset).unwrap_or(usize::MAX);
        match self.frames.write(offset, params.data) {
            Ok(()) => Outcome::EMPTY,
            Err(_) => Outcome::exception(ExceptionCode::InvalidArgument),
        }
    }

    pub(super) fn read_only(&self, call: &mut Call<'_>) -> Outcome {
        match call.give_facet(Object::MemoryObject(MemoryObject::read_only_of(self.frames.clone()))) {
            Ok(()) => call.reply(&ReadOnlyResults),
            Err(outcome) => outcome,
        }
    }
}
