//! `ProcessWatch`: knowledge of one process.

use super::process_handle;
use super::{Call, Outcome};
use crate::task::process::Process;
use kernel_hal::sync::Ref;

/// Knowledge of one process, which may have ended, and ends if it was never started and nobody has a handle any more.
#[derive(Clone)]
pub(crate) struct ProcessWatch {
    process: Ref<Process>,
}

impl ProcessWatch {
    /// Of that process.
    pub fn new(process: Ref<Process>) -> Self {
        ProcessWatch { process }
    }

    /// Of which.
    pub fn process(&self) -> &Process {
        &self.process
    }

    pub(super) fn wait(&self, call: &mut Call<'_>) -> Outcome {
        process_handle::wait_for(&self.process, call)
    }

    pub(super) fn info(&self, call: &mut Call<'_>) -> Outcome {
        process_handle::tell(&self.process, call)
    }
}
