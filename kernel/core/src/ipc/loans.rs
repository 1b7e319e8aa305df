//! Priorities along chains of calls: who is waited for runs at least at the priority of who waits.
//!
//! A thread that receives a call of a more urgent caller is lent its priority until the call is over. A call that has to queue lends its priority
//! to all that work on the calls before it, and where those wait for an answer themselves, to those who are to give it, and so on.

use crate::ipc::endpoint::Endpoint;
use crate::task::thread::{State, Thread};
use capos_sched::Priority;
use kernel_hal::sync::Ref;

/// Endpoints that one queued call looks at: longer chains are lent to no further, which costs time and never order.
const LINKS_MAX: usize = 16;

/// Lends `server`, whose state is locked, the priority of `caller` if that is higher than its own.
#[inline(always)]
pub(crate) fn lend(state: &mut State, server: &Thread, caller: &Thread) -> Option<Priority> {
    // Cheaper to see, and nearly always enough: a higher priority is a higher rank.
    if caller.is_above(server) { lend_higher(state, server, caller.priority()) } else { None }
}

#[cold]
fn lend_higher(state: &mut State, server: &Thread, priority: Priority) -> Option<Priority> {
    if priority <= server.priority() {
        return None;
    }
    state.lend(server, priority);
    Some(priority)
}

/// Lends `priority` to everybody who works on a call at `endpoint`, and further along their own calls.
#[cold]
pub(crate) fn lend_at(endpoint: &Ref<Endpoint>, priority: Priority) {
    let mut links: [Option<Ref<Endpoint>>; LINKS_MAX] = [const { None }; LINKS_MAX];
    links[0] = Some(endpoint.clone());
    let mut known = 1;
    for at in 0..LINKS_MAX {
        let Some(endpoint) = links.get_mut(at).and_then(Option::take) else { return };
        let mut from = 0;
        loop {
            let next = endpoint.lock().calls.lend_next(from, priority);
            let Some((slot, server, before)) = next else { break };
            exchange(&server, before, priority);
            if let (Some(place), Some(link)) = (links.get_mut(known), server.calls_at()) {
                *place = Some(link);
                known += 1;
            }
            from = slot + 1;
        }
    }
}

fn exchange(server: &Thread, before: Option<Priority>, priority: Priority) {
    let mut state = server.state.lock();
    state.lend(server, priority);
    if let Some(before) = before {
        state.give_back(server, before);
    }
}
