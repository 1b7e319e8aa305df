//! `DmaPool`: the memory that one device may reach.

use super::dma_buffer::DmaBuffer;
use super::{Call, Object, Outcome};
use crate::device::buffers::Buffer;
use crate::device::function::Function;
use capos_schema::dma_pool::{AllocateParams, AllocateResults, ProofResults, UsageResults};
use kernel_hal::sync::Ref;

/// That of one generation of a function.
#[derive(Clone)]
pub(crate) struct DmaPool {
    function: Ref<Function>,
    generation: u32,
}

impl DmaPool {
    /// That of generation `generation`.
    pub fn new(function: &Ref<Function>, generation: u32) -> Self {
        DmaPool { function: function.clone(), generation }
    }

    /// Whose it is: bus << 8 | device << 3 | function.
    pub fn address(&self) -> u32 {
        self.function.address()
    }

    pub(super) fn allocate(&self, call: &mut Call<'_>, params: AllocateParams) -> Outcome {
        let account = call.process().account.clone();
        match Buffer::new(&self.function, self.generation, params.pages, &account) {
            Ok(buffer) => call.reply_with_facet(Object::DmaBuffer(DmaBuffer::new(buffer)), &AllocateResults),
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn proof(&self, call: &mut Call<'_>) -> Outcome {
        let account = call.process().account.clone();
        match self.function.proof(self.generation, &account) {
            Ok((token, size)) => call.reply(&ProofResults { token, size: size as u32 }),
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn usage(&self, call: &mut Call<'_>) -> Outcome {
        let usage = self.function.of(self.generation).map(|state| state.usage());
        match usage {
            Ok((buffers, pages, pinned)) => call.reply(&UsageResults { buffers, pages, pinned }),
            Err(refused) => Outcome::exception(refused),
        }
    }
}
