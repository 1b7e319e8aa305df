//! `Timer`: monotonic time.

use super::alarm::Alarm;
use super::{Call, Outcome};
use crate::ipc::ops::{Buffers, Waiting};
use crate::task::thread::Thread;
use crate::task::timers;
use capos_abi::ExceptionCode;
use capos_schema::timer::{NowResults, SleepUntilParams};
use kernel_hal::sync::Ref;
use kernel_hal::time;

/// The clock that every holder shares.
#[derive(Clone)]
pub(crate) struct Timer;

impl Timer {
    #[inline]
    pub(super) fn now(&self, call: &mut Call<'_>) -> Outcome {
        now(call.thread(), call.buffers())
    }

    pub(super) fn alarm(&self, call: &mut Call<'_>) -> Outcome {
        alarm(call.thread(), call.buffers())
    }

    pub(super) fn sleep_until(&self, call: &mut Call<'_>, params: SleepUntilParams) -> Outcome {
        if params.ns <= time::now_ns() { Outcome::EMPTY } else { sleep(call.anew(), params.ns) }
    }
}

// Apart, so that calls that answer nothing need no room for what these need.

#[inline(never)]
fn now(thread: &Ref<Thread>, buffers: &Buffers) -> Outcome {
    Call::new(thread, buffers).reply(&NowResults { ns: time::now_ns() })
}

#[inline(never)]
fn alarm(thread: &Ref<Thread>, buffers: &Buffers) -> Outcome {
    Alarm::create(&mut Call::new(thread, buffers))
}

#[inline(never)]
fn sleep(mut call: Call<'_>, ns: u64) -> Outcome {
    let thread = call.thread();
    call.defer(Waiting::Nowhere, |ticket| {
        let id = ticket.id;
        let alarm = timers::arm_sleep(ticket, ns).map_err(|_| ExceptionCode::OutOfMemory)?;
        // The alarm has no name before it is set.
        thread.state.lock().ops.moved(id, Waiting::Time(alarm));
        Ok(())
    })
}
