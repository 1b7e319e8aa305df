//! Priorities along chains of calls: who is waited for runs at least at the priority of who waits.
//!
//! A thread that receives a call of a more urgent caller is lent its priority until the call is over. A call that has to queue lends its priority
//! to all that work on the calls before it, and where those wait for an answer themselves, to those who are to give it, and so on.

use crate::cap::long::{self, Job};
use crate::ipc::endpoint::Endpoint;
use crate::task::slice::{self, STEP};
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

/// Lends the priority of `caller` to everybody who works on a call at `endpoint`, and further along their own calls: the first slice of that
/// at once, the rest before the caller sleeps.
#[cold]
pub(crate) fn lend_at(caller: &Ref<Thread>, endpoint: &Ref<Endpoint>) {
    let mut lending = Lending::new(endpoint, caller.priority());
    if !lending.go_on(&mut { STEP }) {
        long::leave(caller, Job::Lend(lending));
    }
}

/// A priority on its way along chains of calls.
pub(crate) struct Lending {
    priority: Priority,
    /// Endpoints in the order in which they were found, up to `known`.
    links: [Option<Ref<Endpoint>>; LINKS_MAX],
    known: usize,
    /// Where to go on: which of them, and the slot there.
    at: usize,
    from: u32,
}

impl Lending {
    fn new(first: &Ref<Endpoint>, priority: Priority) -> Self {
        let mut links = [const { None }; LINKS_MAX];
        links[0] = Some(first.clone());
        Lending { priority, links, known: 1, at: 0, from: 0 }
    }

    /// Lends to as many as `left` allows for. False when there are more.
    pub fn go_on(&mut self, left: &mut u32) -> bool {
        while let Some(endpoint) = self.links.get(self.at).cloned().flatten() {
            while slice::take(left) {
                let next = endpoint.lock().calls.lend_next(self.from, self.priority);
                let Some((slot, server, before)) = next else {
                    (self.at, self.from) = (self.at + 1, 0);
                    break;
                };
                slice::look_through(left, (slot - self.from) as usize);
                self.from = slot + 1;
                exchange(&server, before, self.priority);
                if let (Some(place), Some(link)) = (self.links.get_mut(self.known), server.calls_at()) {
                    *place = Some(link);
                    self.known += 1;
                }
            }
            if *left == 0 {
                return false;
            }
            slice::look_through(left, endpoint.depth());
        }
        true
    }
}

fn exchange(server: &Thread, before: Option<Priority>, priority: Priority) {
    let mut state = server.state.lock();
    state.lend(server, priority);
    if let Some(before) = before {
        state.give_back(server, before);
    }
}
