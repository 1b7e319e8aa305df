//! The ABI's sentences about who runs, one by one.

use crate::Setup;
use crate::counters::Counters;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Fields;
use rt::{CallError, ExceptionCode, threads};
use spin::Mutex;

/// Checks all.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    // The page table for the counters stays.
    drop(Counters::new()?);
    let before = setup.audit.counts()?;
    let cpus = setup.audit.system().system_blocking()?.cpus;
    promises(setup, cpus)?;
    same_share(setup)?;
    priorities(setup)?;
    if cpus == 1 {
        turns(setup)?;
    }
    setup.report.event("sched.clauses", Fields::new().value("cpus", cpus));
    setup.audit.report(&setup.report, before);
    Ok(())
}

/// How often it is looked whether a share has come back, and the time between, nanoseconds.
const LOOKS: u32 = 100;
const LOOK_NS: u64 = 1_000_000;

/// What can be promised.
fn promises(setup: &Setup, cpus: u32) -> Result<(), CallError> {
    let all = u16::try_from(100 * cpus).unwrap_or(u16::MAX);
    let mut counters = Counters::new()?;
    let more = counters.start(setup, 5, all + 1);
    setup.report.fails("S5 more than there is", more, ExceptionCode::BudgetExhausted);
    counters.start(setup, 5, all - 10)?;
    let more = counters.start(setup, 5, 11);
    setup.report.fails("S5 more than is left", more, ExceptionCode::BudgetExhausted);
    setup.report.works("S5 what is left", counters.start(setup, 5, 10));
    counters.stop_one()?;
    // Whoever is killed on another processor has its share until that one is through with it.
    let mut again = counters.start(setup, 5, 10);
    for _ in 0..LOOKS {
        if again.is_ok() {
            break;
        }
        setup.audit.pause(LOOK_NS);
        again = counters.start(setup, 5, 10);
    }
    setup.report.works("S5 what came back", again);
    counters.stop()
}

/// Without a share of its own a child has its maker's, here: no limit.
fn same_share(setup: &Setup) -> Result<(), CallError> {
    let own = setup.audit.system().process_blocking(threads::process_id())?.cpu_percent;
    setup.report.equal("S6 no limit", own, 0);
    Ok(())
}

/// A higher priority is not kept waiting by a lower one.
fn priorities(setup: &Setup) -> Result<(), CallError> {
    let mut counters = Counters::new()?;
    let cpus = setup.audit.system().system_blocking()?.cpus;
    for _ in 0..cpus {
        counters.start(setup, 9, 0)?;
    }
    counters.start(setup, 5, 0)?;
    setup.audit.pause(50_000_000);
    let seen = counters.look(setup)?;
    let low = seen.last().map_or(0, |seen| seen.turns);
    setup.report.equal("S1 the lower one waits", low, 0);
    setup.report.check(
        "S1 the higher ones run",
        seen.iter().rev().skip(1).all(|seen| seen.turns > 0),
        seen.len(),
    );
    counters.stop()
}

/// Who yields goes behind its equals; on one processor the order can be seen.
fn turns(setup: &Setup) -> Result<(), CallError> {
    // A machine that stood still for longer than a turn has changed the order by the clock: then it is looked at anew.
    const TRIES: usize = 5;
    let mut order = take_turns()?;
    for _ in 1..TRIES {
        if out_of_turn(&order) > 0 {
            order = take_turns()?;
        }
    }
    setup.report.equal("S2 equals take turns", out_of_turn(&order) as u64, 0);
    setup.report.equal("S2 all rounds", order.len() as u64, 3 * ROUNDS);
    Ok(())
}

/// Turns of each thread.
const ROUNDS: u64 = 5;

/// Three threads that yield all the time; gives who ran when.
fn take_turns() -> Result<Vec<u64>, CallError> {
    let order = Arc::new(Mutex::new(Vec::with_capacity(64)));
    let ready = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    for me in 0..3u64 {
        let (order, ready) = (order.clone(), ready.clone());
        workers.push(threads::spawn(9, move || {
            ready.fetch_add(1, Ordering::Relaxed);
            while ready.load(Ordering::Relaxed) < 3 {
                threads::yield_now();
            }
            for _ in 0..ROUNDS {
                order.lock().push(me);
                threads::yield_now();
            }
        })?);
    }
    workers.into_iter().try_for_each(threads::JoinHandle::join)?;
    let seen = order.lock().clone();
    Ok(seen)
}

/// How often not all three ran one after the other. (The first and the last round may be cut, as they do not begin at the same moment.)
fn out_of_turn(order: &[u64]) -> usize {
    let in_turn = |three: &[u64]| three.iter().sum::<u64>() == 3 && three.first() != three.last();
    order.windows(3).filter(|three| !in_turn(three)).count()
}
