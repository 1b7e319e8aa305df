//! `DmaPool`: the memory that one device may reach.

use super::dma_buffer::DmaBuffer;
use super::{Call, Object, Outcome, Sent, leases};
use crate::device::buffers::{Buffer, Offer};
use crate::device::function::Function;
use crate::device::memory::Memory;
use crate::ipc::transfer;
use capos_abi::ExceptionCode;
use capos_schema::dma_pool::{AllocateParams, AllocateResults, AttachResults, ProofResults, UsageResults};
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

    pub(super) fn attach(&self, call: &mut Call<'_>) -> Outcome {
        let (object, sent) = match call.object(0) {
            Ok(Sent { object: Object::MemoryObject(object), slot }) => (object, slot),
            Ok(_) => return Outcome::exception(ExceptionCode::InvalidArgument),
            Err(outcome) => return outcome,
        };
        if !object.writable() {
            return Outcome::exception(ExceptionCode::Denied);
        }
        let Some(memory) = object.whole().and_then(Memory::of) else {
            return Outcome::exception(ExceptionCode::Unsupported);
        };
        let lease = match leases::of_attachment(call.process(), sent.id()) {
            Ok(lease) => lease,
            Err(error) => return Outcome::error(transfer::refusal(error)),
        };
        match Buffer::of(&self.function, self.generation, Offer::attached(memory, lease)) {
            Ok(buffer) => {
                call.consume(sent);
                call.reply_with_facet(Object::DmaBuffer(DmaBuffer::new(buffer)), &AttachResults)
            }
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
