//! `Alarm`: a time that ends in a notification.

use super::binding::Binding;
use super::{Call, Object, Outcome};
use crate::task::timers;
use capos_abi::ExceptionCode;
use capos_schema::alarm::{CancelResults, SetParams};
use capos_schema::timer::AlarmResults;
use kernel_hal::label::Label;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Lock, OutOfMemory, Ref};
use kernel_hal::time;

struct State {
    /// Where it waits while it is set.
    set: Option<timers::Alarm>,
    /// Tells one setting from the next, so that one that goes off just when it is changed finds nothing.
    turn: u64,
}

/// What an alarm and the queue of deadlines share.
pub(crate) struct Bell {
    state: Lock<State>,
    binding: Binding,
    label: Label,
}

impl Bell {
    /// The time of setting number `turn` has come.
    pub fn ring(&self, turn: u64) {
        let current = {
            let mut state = self.state.lock();
            let current = state.turn == turn && state.set.is_some();
            if current {
                state.set = None;
            }
            current
        };
        if current {
            self.binding.signal();
        }
    }

    /// Takes back what was set. True when it was, and has not gone off.
    fn silence(&self) -> bool {
        let set = {
            let mut state = self.state.lock();
            state.turn += 1;
            state.set.take()
        };
        set.map(timers::disarm).is_some()
    }
}

/// The right to set it; when the last holder is gone it goes off no more.
pub(crate) struct Owner {
    bell: Ref<Bell>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.bell.silence();
    }
}

/// One alarm.
#[derive(Clone)]
pub(crate) struct Alarm {
    owner: Ref<Owner>,
}

impl Alarm {
    /// Answers `Timer.alarm` with a new one, which is not set.
    pub(super) fn create(call: &mut Call<'_>) -> Outcome {
        let (binding, slot) = match Binding::of(call) {
            Ok(bound) => bound,
            Err(outcome) => return outcome,
        };
        let Ok(alarm) = Self::of(binding) else {
            return Outcome::exception(ExceptionCode::OutOfMemory);
        };
        if let Err(outcome) = call.give(Object::Alarm(alarm)) {
            return outcome;
        }
        call.consume(slot);
        call.reply(&AlarmResults)
    }

    fn of(binding: Binding) -> Result<Self, OutOfMemory> {
        let bell = Ref::try_new(Bell {
            state: Lock::new(LockRank::Meeting, State { set: None, turn: 0 }),
            binding,
            label: Label::new(),
        })?;
        Ok(Alarm { owner: Ref::try_new(Owner { bell })? })
    }

    /// What tells it from other alarms.
    pub fn label(&self) -> u64 {
        self.owner.bell.label.number()
    }

    pub(super) fn set(&self, call: &mut Call<'_>, params: SetParams) -> Outcome {
        let bell = &self.owner.bell;
        bell.silence();
        if params.ns <= time::now_ns() {
            bell.binding.signal();
            return Outcome::EMPTY;
        }
        let mut state = bell.state.lock();
        // Another thread may have set it between the two locks: the last one counts.
        let before = state.set.take();
        state.turn += 1;
        let armed = timers::arm_bell(bell, state.turn, call.thread(), params.ns);
        state.set = armed.as_ref().ok().copied();
        drop(state);
        if let Some(before) = before {
            timers::disarm(before);
        }
        match armed {
            Ok(_) => Outcome::EMPTY,
            Err(OutOfMemory) => Outcome::exception(ExceptionCode::OutOfMemory),
        }
    }

    pub(super) fn cancel(&self, call: &mut Call<'_>) -> Outcome {
        let was_set = self.owner.bell.silence();
        call.reply(&CancelResults { was_set })
    }
}
