//! `VirtualMemory`: the address space of one process.

use super::memory_object::MemoryObject;
use super::{Call, Object, Outcome, Sent, leases, long};
use crate::device::memory::Memory;
use crate::ipc::transfer;
use crate::task::process::whole_pages;
use capos_abi::{ExceptionCode, TransportError};
use capos_schema::virtual_memory::{
    self as schema, CommitParams, CreateDmaObjectParams, CreateDmaObjectResults, CreateObjectParams,
    CreateObjectResults, MapParams, MapResults, ProtectParams, ReserveParams, ReserveResults, UnmapParams,
    UsageResults,
};
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;
use kernel_hal::vm::{AddressSpace, Work};
use kernel_hal::{MemError, Protection, SpaceUsage, VmError};

/// The memory of the process it was made for, whoever holds it.
#[derive(Clone)]
pub(crate) struct VirtualMemory {
    space: Ref<AddressSpace>,
    account: Ref<Account>,
}

impl VirtualMemory {
    /// Over one process's space and budget.
    pub fn new(space: Ref<AddressSpace>, account: Ref<Account>) -> Self {
        VirtualMemory { space, account }
    }

    pub(super) fn reserve(&self, call: &mut Call<'_>, params: ReserveParams) -> Outcome {
        let Some(pages) = whole_pages(params.size) else { return INVALID };
        match self.space.reserve(pages) {
            Ok(address) => call.reply(&ReserveResults { address }),
            Err(error) => refuse(error),
        }
    }

    pub(super) fn commit(&self, call: &mut Call<'_>, params: CommitParams) -> Outcome {
        let Some(pages) = whole_pages(params.size) else { return INVALID };
        let (at, protection) = (params.address, protection(params.protection));
        let work = Work::commit(&self.space, at, pages, protection);
        at_once_or(call, work, || self.space.commit(at, pages, protection))
    }

    pub(super) fn protect(&self, call: &mut Call<'_>, params: ProtectParams) -> Outcome {
        let Some(pages) = whole_pages(params.size) else { return INVALID };
        let (at, protection) = (params.address, protection(params.protection));
        let work = Work::protect(&self.space, at, pages, protection);
        at_once_or(call, work, || self.space.protect(at, pages, protection))
    }

    pub(super) fn unmap(&self, call: &mut Call<'_>, params: UnmapParams) -> Outcome {
        let Some(pages) = whole_pages(params.size) else { return INVALID };
        let work = Work::unmap(&self.space, params.address, pages);
        at_once_or(call, work, || self.space.unmap(params.address, pages))
    }

    pub(super) fn create_object(&self, call: &mut Call<'_>, params: CreateObjectParams) -> Outcome {
        let Some(pages) = whole_pages(params.size) else { return INVALID };
        match Work::object(pages, &self.account) {
            Ok(None) => {}
            Ok(Some(work)) => return long::begin(call, work),
            Err(error) => return refuse(error),
        }
        let frames = match Frames::zeroed(pages, &self.account) {
            Ok(frames) => frames,
            Err(MemError::OutOfMemory) => return Outcome::exception(ExceptionCode::OutOfMemory),
            Err(MemError::BudgetExhausted) => return Outcome::exception(ExceptionCode::BudgetExhausted),
        };
        match call.give(Object::MemoryObject(MemoryObject::new(frames))) {
            Ok(()) => call.reply(&CreateObjectResults),
            Err(outcome) => outcome,
        }
    }

    pub(super) fn create_dma_object(&self, call: &mut Call<'_>, params: CreateDmaObjectParams) -> Outcome {
        let pages = whole_pages(params.size).filter(|pages| *pages <= DMA_PAGES_MAX);
        let Some(pages) = pages else { return INVALID };
        match Memory::new(pages, params.address_bits.into(), &self.account) {
            Ok(memory) => {
                let object = MemoryObject::new(memory.frames().clone());
                call.reply_with_facet(Object::MemoryObject(object), &CreateDmaObjectResults)
            }
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn map(&self, call: &mut Call<'_>, params: MapParams) -> Outcome {
        let (object, sent) = match call.object(0) {
            Ok(Sent { object: Object::MemoryObject(object), slot }) => (object, slot),
            Ok(_) => return INVALID,
            Err(outcome) => return outcome,
        };
        let protection = protection(params.protection);
        let first = if params.offset == 0 { Some(0) } else { whole_pages(params.offset) };
        let (Some(pages), Some(first)) = (whole_pages(params.size), first) else { return INVALID };
        let Some((frames, first)) = object.locate(first, pages) else { return INVALID };
        let lease = match leases::of_mapping(call.process(), sent.id()) {
            Ok(lease) => lease,
            Err(error) => return Outcome::error(transfer::refusal(error)),
        };
        // What is not writable is refused there, and the mapping remembers it: else `protect` could widen it.
        match self.space.map(frames, first, pages, protection, object.writable(), lease.clone()) {
            Ok(address) => {
                if lease.is_some_and(|lease| leases::is_revoked(&lease)) {
                    // It came in the middle: as if it had come too late.
                    let _ = self.space.unmap(address, pages);
                    return Outcome::error(TransportError::Revoked);
                }
                call.consume(sent);
                call.reply(&MapResults { address })
            }
            Err(error) => refuse(error),
        }
    }
}

impl VirtualMemory {
    pub(super) fn usage(&self, call: &mut Call<'_>) -> Outcome {
        let SpaceUsage { reserved, backed, large, tables } = self.space.usage();
        call.reply(&UsageResults { reserved, backed, large, tables })
    }
}

/// Pages of 2 MiB: the largest buffer that there is, and little enough to clear that nobody waits long.
const DMA_PAGES_MAX: usize = 512;

const INVALID: Outcome = Outcome::exception(ExceptionCode::InvalidArgument);

fn protection(wire: schema::Protection) -> Protection {
    match wire {
        schema::Protection::None => Protection::None,
        schema::Protection::Read => Protection::Read,
        schema::Protection::ReadWrite => Protection::ReadWrite,
        schema::Protection::ReadExecute => Protection::ReadExecute,
    }
}

/// Carries a change out now, unless there is `work` of several steps for it.
#[inline]
fn at_once_or(
    call: &Call<'_>,
    work: Result<Option<Work>, VmError>,
    change: impl FnOnce() -> Result<(), VmError>,
) -> Outcome {
    match work {
        Ok(None) => change().map_or_else(refuse, |()| Outcome::EMPTY),
        Ok(Some(work)) => long::begin(call, work),
        Err(error) => refuse(error),
    }
}

pub(super) fn refuse(error: VmError) -> Outcome {
    Outcome::exception(exception(error))
}

/// The exception that an error of an address space is.
pub(crate) fn exception(error: VmError) -> ExceptionCode {
    match error {
        VmError::InvalidArgument => ExceptionCode::InvalidArgument,
        VmError::Exists => ExceptionCode::Exists,
        VmError::NotFound => ExceptionCode::NotFound,
        VmError::Denied => ExceptionCode::Denied,
        VmError::Withdrawn => ExceptionCode::Disconnected,
        VmError::OutOfMemory => ExceptionCode::OutOfMemory,
        VmError::BudgetExhausted => ExceptionCode::BudgetExhausted,
    }
}
