//! How far a client's time goes along a chain of calls: to whoever works on what it waits for.
//!
//! A server that is called directly works in its client's time, and so does the next one that it calls. On the way back the processor goes from
//! a server to another one, neither of which pays: then it is the client's time still if the client waits for the other one, call by call.
//! That is looked up when it is needed, so that calls need not write down who pays.
//!
//! It is looked up under locks and on the way back of a call, so it is short: it ends when so many threads and calls have been looked at. Who is not found
//! by then goes on in its own time, as everybody does whose answer does not come directly: nothing goes wrong, and the client pays less.

use crate::task::cpu::Cpu;
use crate::task::slice::{self, LOOKED_AT};
use crate::task::thread::Thread;
use kernel_hal::sync::Ref;

/// Servers of one chain that are looked at: so many locks are held.
const LINKS_MAX: u32 = 8;
/// Threads of the client, and places for calls at all endpoints together, that are looked at: as many members as make one unit of a slice.
const LOOKS_MAX: u32 = LOOKED_AT as u32;

/// Whether the process in whose time this processor runs waits for `server`. Waits for no lock, and says no when one is taken.
#[cold]
#[inline(never)]
pub(crate) fn reaches(cpu: &Cpu, server: &Ref<Thread>) -> bool {
    let Some(payer) = cpu.payer.take() else { return false };
    let mut looks = LOOKS_MAX;
    let waits = payer.threads.try_lock::<true>().is_some_and(|threads| {
        let mut some = threads.list.iter().take(LOOKED_AT);
        some.any(|thread| slice::take(&mut looks) && waits_for(thread, server, LINKS_MAX, &mut looks))
    });
    // Nobody else puts anything there.
    drop(cpu.payer.put(payer));
    waits
}

/// Whether `thread` sleeps until its one call is answered, and works on that call is `server`, or somebody who waits for it in turn. All by
/// reference, under the locks of the whole chain: locks of others are held here, so nothing may be let go of.
fn waits_for(thread: &Ref<Thread>, server: &Ref<Thread>, links: u32, looks: &mut u32) -> bool {
    let Some(state) = thread.state.try_lock::<true>() else { return false };
    let Some(endpoint) = state.ops.sole.called() else { return false };
    let Some(meeting) = endpoint.try_lock::<true>() else { return false };
    let Some(next) = meeting.calls.server_of(thread, looks) else { return false };
    Ref::ptr_eq(next, server) || links > 1 && waits_for(next, server, links - 1, looks)
}
