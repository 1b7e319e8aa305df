//! How far a client's time goes along a chain of calls: to whoever works on what it waits for.
//!
//! A server that is called directly works in its client's time, and so does the next one that it calls. On the way back the processor goes from
//! a server to another one, neither of which pays: then it is the client's time still if the client waits for the other one, call by call.
//! That is looked up when it is needed, so that calls need not write down who pays.

use crate::task::cpu::Cpu;
use crate::task::thread::Thread;
use kernel_hal::sync::Ref;

/// Servers of one chain that are looked at; those behind them go on in their own time.
const LINKS_MAX: u32 = 8;
/// Threads of a client of which each may be the one that waits.
const THREADS_MAX: usize = 8;

/// Whether the process in whose time this processor runs waits for `server`. Waits for no lock, and says no when one is taken.
#[cold]
#[inline(never)]
pub(crate) fn reaches(cpu: &Cpu, server: &Ref<Thread>) -> bool {
    let Some(payer) = cpu.payer.take() else { return false };
    let waits = payer.threads.try_lock::<true>().is_some_and(|threads| {
        threads.list.iter().take(THREADS_MAX).any(|thread| waits_for(thread, server, LINKS_MAX))
    });
    // Nobody else puts anything there.
    drop(cpu.payer.put(payer));
    waits
}

/// Whether `thread` sleeps until its one call is answered, and works on that call is `server`, or somebody who waits for it in turn. All by
/// reference, under the locks of the whole chain: locks of others are held here, so nothing may be let go of.
fn waits_for(thread: &Ref<Thread>, server: &Ref<Thread>, links: u32) -> bool {
    let Some(state) = thread.state.try_lock::<true>() else { return false };
    let Some(endpoint) = state.ops.sole.called() else { return false };
    let Some(meeting) = endpoint.try_lock::<true>() else { return false };
    let Some(next) = meeting.calls.server_of(thread) else { return false };
    Ref::ptr_eq(next, server) || links > 1 && waits_for(next, server, links - 1)
}
