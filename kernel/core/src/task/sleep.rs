//! How a running thread goes to sleep, and how its time is over.

use crate::task::thread::{Run, Thread};
use crate::task::{schedule, stop, timers};
use kernel_hal::sync::Ref;

/// What came of an attempt to block.
pub(crate) enum Block {
    /// That many completions are there, which is enough.
    Ready(u32),
    /// The thread sleeps; whoever wakes it sets its result.
    Blocked,
}

impl Thread {
    /// Puts the running thread to sleep until `min` completions are there or `deadline_ns` has come.
    ///
    /// From the moment this answers `Blocked` another CPU may run the thread: the caller must not touch its registers any more.
    #[inline(always)]
    pub fn block(this: &Ref<Self>, min: u32, deadline_ns: Option<u64>) -> Block {
        // Under the lock nothing can be added any more: look once again.
        let mut state = this.state.lock();
        let waiting = this.waiting().unwrap_or(u32::MAX);
        // Who marked it found it running and has kicked this CPU, which is to find it here.
        if waiting >= min || this.is_doomed() {
            return Block::Ready(waiting);
        }
        let alarm = match deadline_ns {
            None => None,
            // Without memory for an alarm the wait ends at once: shorter than asked, but never forever.
            Some(at) => match timers::arm_wait(this, state.epoch, at) {
                Ok(alarm) => Some(alarm),
                Err(_) => return Block::Ready(waiting),
            },
        };
        let rests = min - waiting == 1 && deadline_ns.is_none() && this.pending() > 0;
        if rests {
            this.context.set_return(u64::from(min));
            state.run = Run::Resting;
        } else {
            state.alarm = alarm;
            state.wanted = min;
            state.run = Run::Blocked;
        }
        drop(state);
        if this.needs_attention() {
            stop::asleep(this);
        }
        Block::Blocked
    }

    /// Puts the running thread to rest until the operation is done that it has just begun. False when it has others, or is to sleep in the
    /// ordinary way for another reason; that its completion queue is empty was seen before the operation began.
    #[inline]
    pub fn rest_alone(&self) -> bool {
        let mut state = self.state.lock();
        let rests = state.ops.is_alone(self.pending()) && !self.needs_attention();
        if rests {
            self.context.set_return(1);
            state.run = Run::Resting;
        }
        rests
    }

    /// The alarm of wait number `epoch` went off.
    pub fn time_out(this: &Ref<Self>, epoch: u64) {
        let mut state = this.state.lock();
        if state.epoch != epoch {
            return;
        }
        if state.wanted == 0 {
            return state.stop.time_out();
        }
        // The alarm itself has just gone off; there is nothing to disarm.
        state.end_wait();
        let waiting = this.waiting().unwrap_or(0);
        this.context.set_return(u64::from(waiting));
        drop(state);
        schedule::make_ready(this.clone());
    }
}
