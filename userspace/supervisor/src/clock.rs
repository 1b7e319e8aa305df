//! Wakes the machine when a deadline has come. One timer serves all of them.

use crate::state::State;
use alloc::rc::Rc;
use rt::select;

/// Ticks whenever there is something to do, for ever.
pub async fn tick(state: Rc<State>) {
    loop {
        let seen = state.changed.epoch();
        let deadline = state.look(|machine| machine.deadline());
        if deadline.is_some_and(|at| at <= state.now()) {
            state.event(|machine, now| machine.tick(now));
            continue;
        }
        let at = deadline.unwrap_or(u64::MAX);
        select(state.timer.sleep_until(at), state.changed.since(seen)).await;
    }
}
