//! `Signaller`: the right to set some bits of a notification.

use super::notification::Event;
use super::{Call, Outcome};
use capos_abi::ExceptionCode;
use kernel_hal::sync::Ref;

/// Sets its bits, and nothing else.
#[derive(Clone)]
pub(crate) struct Signaller {
    event: Ref<Event>,
    bits: u64,
}

impl Signaller {
    /// For those bits of that event.
    pub fn new(event: Ref<Event>, bits: u64) -> Self {
        Signaller { event, bits }
    }

    #[inline]
    pub(super) fn signal(&self, _call: &mut Call<'_>) -> Outcome {
        if self.event.signal(self.bits) {
            Outcome::EMPTY
        } else {
            Outcome::exception(ExceptionCode::Disconnected)
        }
    }
}
