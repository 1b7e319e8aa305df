//! `DmaBuffer`: memory that one device may reach.

use super::memory_object::MemoryObject;
use super::{Call, Object, Outcome};
use crate::device::buffers::Buffer;
use capos_abi::PAGE_SIZE;
use capos_schema::dma_buffer::{InfoResults, MemoryResults};
use kernel_hal::sync::Ref;

/// One buffer.
#[derive(Clone)]
pub(crate) struct DmaBuffer {
    buffer: Ref<Buffer>,
}

impl DmaBuffer {
    /// Of that memory.
    pub fn new(buffer: Ref<Buffer>) -> Self {
        DmaBuffer { buffer }
    }

    /// Whose it is: bus << 8 | device << 3 | function.
    pub fn address(&self) -> u32 {
        self.buffer.function().address()
    }

    pub(super) fn info(&self, call: &mut Call<'_>) -> Outcome {
        match self.buffer.memory() {
            Ok((_, pages)) => {
                call.reply(&InfoResults { token: self.buffer.token(), size: (pages * PAGE_SIZE) as u64 })
            }
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn memory(&self, call: &mut Call<'_>) -> Outcome {
        match self.buffer.memory() {
            Ok((frames, _)) => {
                call.reply_with_facet(Object::MemoryObject(MemoryObject::new(frames)), &MemoryResults)
            }
            Err(refused) => Outcome::exception(refused),
        }
    }
}
