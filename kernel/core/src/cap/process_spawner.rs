//! `ProcessSpawner`: makes processes at the expense of the caller.

use super::long::{self, Job};
use super::process_handle::ProcessHandle;
use super::{Call, Object, Outcome, Sent};
use crate::task::create::{Limits, Making, Payer};
use crate::task::process::Name;
use capos_abi::{ExceptionCode, MAX_CAP_SLOTS, PRIORITIES, TransferSlot};
use capos_schema::process_spawner::{CreateParams, CreateResults};

/// The right to make processes.
#[derive(Clone)]
pub(crate) struct ProcessSpawner;

impl ProcessSpawner {
    pub(super) fn create(&self, call: &mut Call<'_>, params: CreateParams<'_>) -> Outcome {
        let (binary, sent) = match call.object(0) {
            Ok(Sent { object: Object::MemoryObject(binary), slot }) => (binary, slot),
            Ok(_) => return Outcome::exception(ExceptionCode::InvalidArgument),
            Err(outcome) => return outcome,
        };
        let (Some(name), Some(limits), Some(binary)) =
            (Name::new(params.name), limits(&params), binary.whole())
        else {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        };
        if params.priority > call.process().priority {
            return Outcome::exception(ExceptionCode::Denied);
        }
        let Some(share) = call.process().share.lock().clone() else {
            return Outcome::exception(ExceptionCode::WrongState);
        };
        let payer = Payer { account: &call.process().account, share: &share };
        match Making::begin(&payer, name, &limits, binary, params.size) {
            Ok(making) => go_on(call, making, sent),
            Err(error) => Outcome::exception(error.into()),
        }
    }
}

/// Takes the next step of making a process. The program came with the call as `sent` says.
pub(super) fn go_on(call: &mut Call<'_>, mut making: Making, sent: TransferSlot) -> Outcome {
    let process = match making.step() {
        Ok(Some(process)) => process,
        Ok(None) => return long::leave_call(call, |buffers| Job::Make { buffers, making, sent }),
        Err(error) => return Outcome::exception(error.into()),
    };
    // From here on the handle's own drop ends the process if nobody gets to hold it.
    let Ok(handle) = ProcessHandle::new(process) else {
        return Outcome::exception(ExceptionCode::OutOfMemory);
    };
    match call.give(Object::ProcessHandle(handle)) {
        Ok(()) => {
            call.consume(sent);
            call.reply(&CreateResults)
        }
        Err(outcome) => outcome,
    }
}

fn limits(params: &CreateParams<'_>) -> Option<Limits> {
    let sane = (params.cap_slots as usize) <= MAX_CAP_SLOTS && usize::from(params.priority) < PRIORITIES;
    sane.then_some(Limits {
        memory_pages: u64::from(params.memory_pages),
        cap_slots: params.cap_slots,
        threads: u64::from(params.threads),
        calls_in_flight: u64::from(params.calls_in_flight),
        endpoint_entries: u64::from(params.endpoint_entries),
        log_bytes: u64::from(params.log_bytes),
        dma_pages: u64::from(params.dma_pages),
        vectors: u64::from(params.vectors),
        priority: params.priority,
        cpu_percent: u32::from(params.cpu_percent),
    })
}
