//! What went on through a capability that somebody does not have any more: it ends, in slices.
//!
//! That the capability is gone counts at once. Who received calls through a right that he gave up answers none of them any more, and who
//! waits for something through a capability that was revoked hears of it; each of them is a unit, and there may be a thousand.

use crate::cap::Object;
use crate::cap::long::{self, Job};
use crate::ipc::ops::OpId;
use crate::task::end;
use crate::task::process::Process;
use crate::task::slice::{self, STEP};
use crate::task::thread::Thread;
use capos_abi::{CapId, TransportError};
use kernel_hal::sync::Ref;

/// What is to end yet.
pub(crate) struct Rest {
    process: Ref<Process>,
    /// What it had. Dropped when all is done, outside of any lock.
    object: Option<Object>,
    /// That was a right to receive, and what was received through it has ended.
    is_left: bool,
    /// Operations through this one end as revoked.
    revoked: Option<CapId>,
    /// Where to go on: the thread, and the number of its operation.
    thread: u64,
    operation: u32,
}

impl Rest {
    /// Of what `process` gave up.
    pub fn given_up(process: &Ref<Process>, object: Object) -> Rest {
        Rest::of(process, Some(object), None)
    }

    /// Of what was revoked from `process`: its capability `cap`.
    pub fn revoked(process: &Ref<Process>, object: Option<Object>, cap: CapId) -> Rest {
        Rest::of(process, object, Some(cap))
    }

    fn of(process: &Ref<Process>, object: Option<Object>, revoked: Option<CapId>) -> Rest {
        Rest { process: process.clone(), object, is_left: false, revoked, thread: 0, operation: 0 }
    }

    /// Ends as much as `left` allows for. False when there is more.
    pub fn go_on(&mut self, left: &mut u32) -> bool {
        if let Some(Object::Endpoint(right)) = &self.object
            && !self.is_left
        {
            if !right.endpoint.give_up(self.process.id, left) {
                return false;
            }
            self.is_left = true;
        }
        self.revoked.is_none_or(|cap| self.end_operations(cap, left))
    }

    fn end_operations(&mut self, cap: CapId, left: &mut u32) -> bool {
        loop {
            let next = {
                let threads = self.process.threads.lock();
                threads.list.get(threads.list.partition_point(|thread| thread.id < self.thread)).cloned()
            };
            let Some(thread) = next else { return true };
            if self.thread != thread.id {
                (self.thread, self.operation) = (thread.id, 0);
            }
            slice::look_through(left, thread.shape.sq_entries as usize);
            loop {
                if !slice::take(left) {
                    return false;
                }
                let found = thread.state.lock().ops.through(cap, self.operation);
                let Some((id, waiting)) = found else { break };
                slice::look_through(left, end::members(&thread, &waiting));
                // What somebody is completing right now is theirs to end.
                end::withdraw(&thread, id, waiting, TransportError::Revoked);
                self.operation = OpId::following(id);
            }
            self.thread = thread.id + 1;
            self.operation = 0;
        }
    }
}

/// The running thread gave a capability for `object` up: what went on through it ends, the first slice of it at once.
#[inline]
pub(crate) fn give_up(thread: &Ref<Thread>, object: Object) {
    if matches!(object, Object::Endpoint(_)) {
        begin(thread, Rest::given_up(&thread.process, object), &mut { STEP });
    }
}

/// Takes the first slice of what the running thread set off; the rest comes with its system call, which it makes anew.
#[cold]
pub(crate) fn begin(thread: &Ref<Thread>, mut rest: Rest, left: &mut u32) {
    if !rest.go_on(left) {
        long::leave(thread, Job::Rest(rest));
    }
    // Of what is submitted behind it each may be as long.
    if *left < STEP / 2 {
        long::pause(thread);
    }
}
