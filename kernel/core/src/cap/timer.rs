//! `Timer`: monotonic time.

use super::{Call, Outcome};
use crate::ipc::ops::Waiting;
use crate::task::timers;
use capos_abi::ExceptionCode;
use capos_schema::timer::{NowResults, SleepUntilParams};
use kernel_hal::time;

/// The clock that every holder shares.
#[derive(Clone)]
pub(crate) struct Timer;

impl Timer {
    #[inline]
    pub(super) fn now(&self, call: &mut Call<'_>) -> Outcome {
        call.reply(&NowResults { ns: time::now_ns() })
    }

    pub(super) fn sleep_until(&self, call: &mut Call<'_>, params: SleepUntilParams) -> Outcome {
        if params.ns <= time::now_ns() { Outcome::EMPTY } else { sleep(call.anew(), params.ns) }
    }
}

#[inline(never)]
fn sleep(mut call: Call<'_>, ns: u64) -> Outcome {
    // Parked by `arm_sleep`, as the alarm has no name before it is set.
    call.defer(Waiting::Claimed, |ticket| {
        let parked = ticket.clone();
        let armed = timers::arm_sleep(ticket, ns, |alarm| parked.park(Waiting::Time(alarm)));
        armed.map_err(|_| ExceptionCode::OutOfMemory)
    })
}
