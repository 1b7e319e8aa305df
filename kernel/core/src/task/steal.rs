//! Work for a CPU that has none: ready threads that wait for other CPUs.
//!
//! Each queue is looked at under its own lock, which everybody holds for a few steps only, one after the other. So who has nothing to do
//! waits for some locks, but nobody who has waits for it longer than for anybody else. Only threads in queues are taken, never one that runs: a
//! thread moves when it would have waited, and stays where it runs.

use crate::task::cpu;
use crate::task::thread::Thread;
use capos_sched::Rank;
use kernel_hal::cpu as machine;
use kernel_hal::sync::Ref;

/// How often the queues are looked through when what was found there was gone at the second look.
const ROUNDS: usize = 3;

/// The ready thread of the highest rank of another CPU; from the longest of several queues that have one, from the nearest of several as long.
pub(crate) fn any() -> Option<Ref<Thread>> {
    (0..ROUNDS).find_map(|_| {
        let victim = others().filter_map(look).max_by_key(|(found, step, _)| (*found, usize::MAX - step))?.2;
        cpu::of(victim).queue.lock().pop().map(|(_, thread)| thread)
    })
}

/// Whether anybody waits on any CPU, this one included.
pub(crate) fn somebody_waits() -> bool {
    !cpu::here().queue.lock().is_empty() || others().any(|(_, id)| !cpu::of(id).queue.lock().is_empty())
}

/// The other CPUs: how many steps away, and their numbers.
fn others() -> impl Iterator<Item = (usize, usize)> {
    let (here, cpus) = (machine::id(), machine::count());
    (1..cpus).map(move |step| (step, (here + step) % cpus))
}

/// The highest rank in a queue and its length, if anybody is there; and whose it is.
fn look((step, id): (usize, usize)) -> Option<((Rank, usize), usize, usize)> {
    let queue = cpu::of(id).queue.lock();
    Some(((queue.highest()?, queue.len()), step, id))
}
