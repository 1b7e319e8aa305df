//! `DeviceManager`: the ledger of the machine's functions.

use super::device::Device;
use super::{Call, Object, Outcome};
use crate::device::audit::{self, Findings};
use crate::device::function::Claim;
use crate::device::{demand, registry, slots};
use capos_abi::ExceptionCode;
use capos_ledger::{Backend, Item, Phase};
use capos_schema::device_manager::{
    AttendParams, AttendResults, AuditParams, AuditResults, ClaimParams, ClaimResults, DeviceState,
    DmaBackend, ListParams, ListResults, SettleParams, SettleResults,
};
use kernel_hal::pci;

/// The right to hand functions out.
#[derive(Clone)]
pub(crate) struct DeviceManager;

/// The ledger's word, as callers know it.
pub(super) fn backend(backend: Backend) -> DmaBackend {
    match backend {
        Backend::Bounce => DmaBackend::Bounce,
        Backend::Unproven => DmaBackend::Unproven,
        Backend::Direct => DmaBackend::Direct,
    }
}

/// The same of who has it.
pub(super) fn state(phase: Phase) -> DeviceState {
    match phase {
        Phase::Free => DeviceState::Free,
        Phase::Claimed => DeviceState::Claimed,
        Phase::Running => DeviceState::Running,
        Phase::Draining => DeviceState::Draining,
        Phase::Gone => DeviceState::Gone,
    }
}

impl DeviceManager {
    pub(super) fn list(&self, call: &mut Call<'_>, params: ListParams) -> Outcome {
        let Some(function) = pci::function_at_or_after(params.cursor) else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        let (address, header) = (function.address.number(), &function.header);
        let mut results = ListResults {
            address,
            vendor: header.vendor,
            device: header.device,
            class: header.class,
            state: DeviceState::Free,
            backend: DmaBackend::Bounce,
            generation: 0,
            owner: 0,
            bridge: header.is_platform(),
            next: address + 1,
            subsystem_vendor: header.subsystem.0,
            subsystem: header.subsystem.1,
        };
        if let Some(known) = registry::known(address) {
            let known = known.lock();
            results.state = state(known.record.phase());
            results.backend = backend(known.record.backend());
            results.generation = known.record.generation();
            results.owner = known.record.owner();
        }
        call.reply(&results)
    }

    pub(super) fn claim(&self, call: &mut Call<'_>, params: ClaimParams<'_>) -> Outcome {
        let function = registry::find(params.address);
        let claim = function.and_then(|function| Claim::take(&function, params.owner, params.policy));
        match claim {
            Ok(claim) => call.reply_with_facet(Object::Device(Device::new(claim)), &ClaimResults),
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn audit(&self, call: &mut Call<'_>, params: AuditParams) -> Outcome {
        let Some(Findings { address, books, kept_pages, wrong }) = audit::at_or_after(params.cursor) else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        call.reply_large(&AuditResults {
            address,
            mapped_pages: books.count(Item::MappedPages),
            vectors: books.count(Item::Vectors),
            buffers: books.count(Item::Buffers),
            queues: books.count(Item::Queues),
            kept_pages,
            next: address + 1,
            wrong,
        })
    }

    pub(super) fn settle(&self, call: &mut Call<'_>, params: SettleParams) -> Outcome {
        let Some(function) = registry::known(params.address) else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        match function.settle() {
            Ok(settled) => call.reply(&SettleResults { settled }),
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn demand_iommu(&self, _call: &mut Call<'_>) -> Outcome {
        demand::iommu();
        Outcome::EMPTY
    }

    pub(super) fn attend(&self, call: &mut Call<'_>, params: AttendParams) -> Outcome {
        let Some(port) = slots::at_or_after(params.cursor) else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        match port.step() {
            Ok(changed) => call.reply(&AttendResults { changed, next: port.address.number() + 1 }),
            Err(refused) => Outcome::exception(refused),
        }
    }
}
