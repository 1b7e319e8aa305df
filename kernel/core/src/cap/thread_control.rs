//! `ThreadControl`: the threads of one process.

use super::{Call, Outcome};
use crate::ipc::ops::Waiting;
use crate::task::create::{self, CreateError, NewThread};
use crate::task::process::Process;
use crate::task::{end, schedule};
use capos_abi::{ExceptionCode, RingShape, layout};
use capos_schema::thread_control::{CreateParams, CreateResults, JoinParams, SetFsBaseParams};
use kernel_hal::sync::Ref;

/// The threads of the process it was made for.
#[derive(Clone)]
pub(crate) struct ThreadControl {
    process: Ref<Process>,
}

impl ThreadControl {
    /// Over one process's threads.
    pub fn new(process: Ref<Process>) -> Self {
        ThreadControl { process }
    }

    pub(super) fn create(&self, call: &mut Call<'_>, params: CreateParams) -> Outcome {
        let shape = match (params.sq_entries, params.cq_entries, params.arena_pages) {
            (0, 0, 0) => RingShape::DEFAULT,
            (sq_entries, cq_entries, arena_pages) => RingShape { sq_entries, cq_entries, arena_pages },
        };
        let in_user = |address: u64| (layout::USER_MIN..layout::USER_MAX).contains(&address);
        if !in_user(params.entry) || !in_user(params.stack) || params.fs_base >= layout::USER_MAX {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        }
        if params.priority > self.process.priority {
            return Outcome::exception(ExceptionCode::Denied);
        }
        let new = NewThread {
            entry: params.entry,
            stack: params.stack,
            argument: params.argument,
            fs_base: params.fs_base,
            shape,
            priority: params.priority,
            startup: &[],
        };
        match create::thread(&self.process, &new) {
            Ok(thread) => {
                let results = CreateResults { thread: thread.id, ring: thread.ring_address };
                create::run(&thread);
                call.reply(&results)
            }
            Err(error) => Outcome::exception(error.into()),
        }
    }

    pub(super) fn set_fs_base(&self, call: &mut Call<'_>, params: SetFsBaseParams) -> Outcome {
        if params.base >= layout::USER_MAX {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        }
        call.thread().context.set_fs_base(params.base);
        Outcome::EMPTY
    }

    pub(super) fn exit(&self, call: &mut Call<'_>) -> Outcome {
        end::stop_current(call.thread().clone());
        Outcome::EMPTY
    }

    pub(super) fn join(&self, call: &mut Call<'_>, params: JoinParams) -> Outcome {
        if !Ref::ptr_eq(&self.process, call.process()) {
            return Outcome::exception(ExceptionCode::Denied);
        }
        let mut threads = self.process.threads.lock();
        if params.thread > threads.newest {
            return Outcome::exception(ExceptionCode::NotFound);
        }
        if !threads.list.iter().any(|thread| thread.id == params.thread) {
            return Outcome::EMPTY;
        }
        call.defer(Waiting::Join, |ticket| {
            threads.joiners.try_reserve(1).map_err(|_| ExceptionCode::OutOfMemory)?;
            threads.joiners.push((params.thread, ticket));
            Ok(())
        })
    }

    pub(super) fn yield_(&self, _call: &mut Call<'_>) -> Outcome {
        schedule::ask_for_rotation();
        Outcome::EMPTY
    }
}

impl From<CreateError> for ExceptionCode {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::InvalidArgument => ExceptionCode::InvalidArgument,
            CreateError::BudgetExhausted => ExceptionCode::BudgetExhausted,
            CreateError::OutOfMemory => ExceptionCode::OutOfMemory,
            CreateError::Malformed => ExceptionCode::Malformed,
            CreateError::Ended => ExceptionCode::WrongState,
        }
    }
}
