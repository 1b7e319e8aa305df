//! `Signaller`: the right to set some bits of a notification.

use super::notification::{Event, Heard};
use super::{Call, Outcome};
use capos_abi::ExceptionCode;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::sync::{OutOfMemory, Ref};

/// What all copies of one share.
struct Mark {
    event: Ref<Event>,
    bits: u64,
    /// Set when the last copy goes; none while nobody has had any.
    lost: AtomicU64,
}

impl Drop for Mark {
    fn drop(&mut self) {
        let lost = *self.lost.get_mut();
        if lost != 0 {
            self.event.signal(lost);
        }
    }
}

/// Sets its bits, and nothing else.
#[derive(Clone)]
pub(crate) struct Signaller {
    mark: Ref<Mark>,
}

impl Signaller {
    /// For those bits of that event.
    pub fn new(event: Ref<Event>, bits: u64) -> Result<Self, OutOfMemory> {
        Ok(Signaller { mark: Ref::try_new(Mark { event, bits, lost: AtomicU64::new(0) })? })
    }

    /// Somebody has it: when nobody has it any more those bits are set.
    pub fn given(&self, lost: u64) {
        self.mark.lost.store(lost, Ordering::Relaxed);
    }

    /// The event.
    #[inline(always)]
    pub fn event(&self) -> &Event {
        &self.mark.event
    }

    /// Its bits.
    #[inline(always)]
    pub fn bits(&self) -> u64 {
        self.mark.bits
    }

    /// Sets them.
    #[inline]
    pub fn raise(&self) -> Heard {
        self.mark.event.signal(self.mark.bits)
    }

    #[inline]
    pub(super) fn signal(&self, _call: &mut Call<'_>) -> Outcome {
        match self.raise() {
            Heard::News | Heard::Already => Outcome::EMPTY,
            Heard::Nobody => Outcome::exception(ExceptionCode::Disconnected),
        }
    }
}
