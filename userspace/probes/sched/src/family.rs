//! A process with a share that gives part of it to a child: both have what was said, and together never more.

use crate::Setup;
use crate::counters::Counters;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use probe::Fields;
use rt::{CallError, ExceptionCode, threads};

/// What the child gets.
const CHILD: u16 = 40;

/// Gives `CHILD` hundredths away and uses the rest.
pub fn all(setup: &Setup, ns: u64) -> Result<(), CallError> {
    // The page table for the counters stays.
    drop(Counters::new()?);
    let before = setup.audit.counts()?;
    let system = setup.audit.system();
    let own = || system.process_blocking(threads::process_id());
    let all = own()?.cpu_percent;
    let mut counters = Counters::new()?;
    let refused = counters.start(setup, 9, u16::try_from(all).unwrap_or(u16::MAX));
    setup.report.fails("S5 all of a share to one child", refused, ExceptionCode::BudgetExhausted);
    counters.start(setup, 9, CHILD)?;
    setup.report.equal("S5 what is left", own()?.cpu_percent, all - u32::from(CHILD));
    let stop = Arc::new(AtomicBool::new(false));
    let theirs = stop.clone();
    let spinner = threads::spawn(9, move || while !theirs.load(Ordering::Relaxed) {})?;
    setup.audit.pause(ns / 10);
    let (start, first, mine) = (setup.audit.timer().now_blocking()?, counters.look(setup)?, own()?.cpu_ns);
    setup.audit.pause(ns);
    let (end, last, mine_then) = (setup.audit.timer().now_blocking()?, counters.look(setup)?, own()?.cpu_ns);
    stop.store(true, Ordering::Relaxed);
    spinner.join()?;
    counters.stop()?;
    let child: u64 = first.iter().zip(&last).map(|(first, last)| last.cpu_ns - first.cpu_ns).sum();
    let fields = Fields::new()
        .value("parent_permille", (mine_then - mine) * 1000 / (end - start))
        .value("child_permille", child * 1000 / (end - start));
    setup.report.event("sched.family", fields);
    setup.report.equal("S5 what came back", own()?.cpu_percent, all);
    setup.audit.report(&setup.report, before);
    Ok(())
}
