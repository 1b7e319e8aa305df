//! `Power`: reset and off.

use super::{Call, Outcome};
use crate::log;
use kernel_hal::power;

/// The right to end everything.
#[derive(Clone)]
pub(crate) struct Power;

impl Power {
    pub(super) fn reboot(&self, call: &mut Call<'_>) -> Outcome {
        log::info(format_args!("reboot asked for by {}", call.process().name.as_str()));
        power::reboot()
    }

    pub(super) fn halt(&self, call: &mut Call<'_>) -> Outcome {
        log::info(format_args!("halt asked for by {}", call.process().name.as_str()));
        power::halt()
    }
}
