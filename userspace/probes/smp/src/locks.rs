//! Threads that share what only one may see at a time, and that wait for each other's changes.

use crate::Setup;
use alloc::sync::Arc;
use alloc::vec::Vec;
use probe::Fields;
use probe::mutate::Rng;
use rt::sync::{Condvar, Mutex};
use rt::{CallError, threads};

/// Every how many turns about a thread lets others run while it has the lock, so that they have to wait; and when it has not.
const YIELD_EVERY: u32 = 16;
/// Turns of each thread.
const TURNS: u64 = 2000;
/// Hands that the token goes through for each thread.
const HANDS: u64 = 200;

/// Two words that are equal whenever nobody has the lock.
struct Twins {
    left: u64,
    right: u64,
    torn: u64,
}

/// Counts under a lock, and hands a token around.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    let twins = Arc::new(Mutex::new(Twins { left: 0, right: 0, torn: 0 }));
    let theirs = twins.clone();
    let seed = setup.seed;
    together(setup, move |number| {
        let mut rng = Rng::new(seed << 8 | number);
        for _ in 0..TURNS {
            let mut twins = theirs.lock();
            twins.torn += u64::from(twins.left != twins.right);
            twins.left += 1;
            if rng.chance(1, YIELD_EVERY) {
                threads::yield_now();
            }
            twins.right += 1;
            drop(twins);
            if rng.chance(1, YIELD_EVERY) {
                threads::yield_now();
            }
        }
    })?;
    let token = Arc::new((Mutex::new(0), Condvar::new()));
    let (theirs, count) = (token.clone(), setup.threads);
    together(setup, move |number| {
        for hand in 0..HANDS {
            let mine = hand * count + number;
            let mut next = theirs.1.wait_while(theirs.0.lock(), |next| *next != mine);
            *next += 1;
            drop(next);
            theirs.1.notify_all();
        }
    })?;
    let twins = twins.lock();
    let fields = Fields::new()
        .value("counted", twins.left)
        .value("missing", (setup.threads * TURNS).abs_diff(twins.right))
        .value("torn", twins.torn)
        .value("not_handed", (setup.threads * HANDS).abs_diff(*token.0.lock()));
    setup.report.event("smp.locked", fields);
    Ok(())
}

/// Runs `work` on so many threads, each with its number, and waits for all of them.
fn together(setup: &Setup, work: impl Fn(u64) + Send + Sync + 'static) -> Result<(), CallError> {
    let work = Arc::new(work);
    let mut workers = Vec::with_capacity(setup.threads as usize);
    for number in 0..setup.threads {
        let work = work.clone();
        workers.push(threads::spawn(10, move || work(number))?);
    }
    workers.into_iter().try_for_each(threads::JoinHandle::join)
}
