//! Children that are killed, and one child that many wait for.

use crate::Setup;
use crate::exits::Tally;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Limits;
use probe::mutate::Rng;
use rt::CallError;
use rt::generated::ProcessHandleClient;
use rt::schema::process_handle::ExitReason;

/// Threads that wait for one child.
const WAITERS: usize = 3;
/// Longest life of a child that is to be killed.
const LIFE_NS: u32 = 2_000_000;

fn spinner(setup: &Setup) -> Result<ProcessHandleClient, CallError> {
    let program = setup.nursery.program("probe-many")?;
    // Below us, or a machine with one processor would never come back to kill it.
    let limits = Limits { priority: 1, ..Limits::SMALL };
    setup.nursery.child(&program, &limits, "spin")?.arg("--role=spin").start()
}

/// Starts `count` children that never end and kills each at some moment.
pub fn kill(setup: &Setup, count: u64, at_once: u64, seed: u64) -> Result<Tally, CallError> {
    let mut rng = Rng::new(seed);
    let mut tally = Tally::default();
    let mut running = Vec::with_capacity(at_once as usize);
    while tally.spawned < count {
        for _ in 0..at_once.min(count - tally.spawned) {
            running.push(spinner(setup)?);
            tally.spawned += 1;
        }
        for handle in running.drain(..) {
            setup.audit.pause(u64::from(rng.below(LIFE_NS)) / at_once);
            handle.kill_blocking()?;
            let end = handle.wait_blocking()?;
            tally.reaped += 1;
            tally.wrong += u64::from(end.reason != ExitReason::Killed);
        }
    }
    Ok(tally)
}

/// Several threads wait for the same child; gives how many of them saw it killed.
pub fn wait_from_threads(setup: &Setup) -> Result<u64, CallError> {
    let handle = Arc::new(spinner(setup)?);
    let seen = Arc::new(AtomicU64::new(0));
    let mut waiters = Vec::with_capacity(WAITERS);
    for _ in 0..WAITERS {
        let (handle, seen) = (handle.clone(), seen.clone());
        waiters.push(rt::threads::spawn(10, move || {
            if handle.wait_blocking().is_ok_and(|end| end.reason == ExitReason::Killed) {
                seen.fetch_add(1, Ordering::Relaxed);
            }
        })?);
    }
    setup.audit.pause(1_000_000);
    handle.kill_blocking()?;
    waiters.into_iter().try_for_each(rt::threads::JoinHandle::join)?;
    Ok(seen.load(Ordering::Relaxed))
}
