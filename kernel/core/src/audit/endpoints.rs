//! The endpoints that a process may receive from: whose calls and receives lie there.

use super::{Fault, Findings, next_right};
use crate::ipc::endpoint::Endpoint;
use crate::ipc::ops::{OpId, Waiting};
use crate::task::process::Process;
use crate::task::thread::Thread;
use kernel_hal::sync::Ref;

/// Looks at all of them.
pub(super) fn look_at(process: &Ref<Process>, found: &mut Findings) {
    let mut from = 0;
    while let Some((next, endpoint)) = next_right(process, from) {
        from = next;
        look_at_one(&endpoint, found);
    }
}

fn look_at_one(endpoint: &Ref<Endpoint>, found: &mut Findings) {
    found.fault_unless(endpoint.lock().calls.is_linked(), Fault::Links);
    let mut from = 0;
    loop {
        let call = {
            let state = endpoint.lock();
            let call = state.calls.at_or_after(from);
            call.map(|(at, call)| {
                let server = call.server().cloned();
                (at, call.caller.thread.clone(), call.caller.id, server)
            })
        };
        let Some((at, caller, id, server)) = call else { break };
        from = at + 1;
        found.calls += 1;
        let waits = waits_for(endpoint, &caller, id, |waiting| match waiting {
            Waiting::Call(endpoint) => Some(endpoint),
            _ => None,
        });
        found.fault_unless(waits, Fault::Stranger);
        let ends = || endpoint.lock().is_ending();
        let answered = server.is_none_or(|server| can_answer(&server, endpoint) || ends());
        found.fault_unless(answered, Fault::Abandoned);
    }
    look_at_receives(endpoint, found);
}

fn look_at_receives(endpoint: &Ref<Endpoint>, found: &mut Findings) {
    for n in 0.. {
        let receiver = endpoint.lock().receivers.get(n).map(|it| (it.thread.clone(), it.id));
        let Some((thread, id)) = receiver else { return };
        found.receives += 1;
        let waits = waits_for(endpoint, &thread, id, |waiting| match waiting {
            Waiting::Message(endpoint) => Some(endpoint),
            _ => None,
        });
        found.fault_unless(waits, Fault::Stranger);
    }
}

/// Whether operation `id` of a thread, which may be dead and have it still, waits at `endpoint`, in the way that `at` looks for.
fn waits_for(
    endpoint: &Ref<Endpoint>,
    thread: &Ref<Thread>,
    id: OpId,
    at: impl Fn(Waiting) -> Option<Ref<Endpoint>>,
) -> bool {
    let state = thread.state.lock();
    state.ops.waiting(id).and_then(at).is_some_and(|other| Ref::ptr_eq(&other, endpoint))
}

/// Whether the process of a thread that has received a call there may still answer.
fn can_answer(server: &Ref<Thread>, endpoint: &Ref<Endpoint>) -> bool {
    let mut from = 0;
    while let Some((next, right)) = next_right(&server.process, from) {
        if Ref::ptr_eq(&right, endpoint) {
            return true;
        }
        from = next;
    }
    false
}
