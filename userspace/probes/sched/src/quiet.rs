//! Interrupts: none where nothing runs or one thread alone, some where threads take turns.

use crate::Setup;
use crate::counters::Counters;
use probe::Fields;
use rt::CallError;

/// Below us.
const PRIORITY: u8 = 5;
/// How long we wait until what we started or ended has settled.
const SETTLE_NS: u64 = 50_000_000;

/// Counts the interrupts of all processors together: with nobody, with one thread for each, with one more than that, and with one each again.
pub fn all(setup: &Setup, ns: u64) -> Result<(), CallError> {
    // The page table for the counters stays.
    drop(Counters::new()?);
    let before = setup.audit.counts()?;
    let cpus = setup.audit.system().system_blocking()?.cpus;
    let mut counters = Counters::new()?;
    let idle = interrupts(setup, cpus, ns)?;
    for _ in 0..cpus {
        counters.start(setup, PRIORITY, 0)?;
    }
    let alone = interrupts(setup, cpus, ns)?;
    counters.start(setup, PRIORITY, 0)?;
    let shared = interrupts(setup, cpus, ns)?;
    counters.stop_one()?;
    let again = interrupts(setup, cpus, ns)?;
    counters.stop()?;
    let fields = Fields::new()
        .value("cpus", cpus)
        .value("idle", idle)
        .value("alone", alone)
        .value("shared", shared)
        .value("again", again);
    setup.report.event("sched.quiet", fields);
    setup.audit.report(&setup.report, before);
    Ok(())
}

/// How many interrupts come while we sleep that long. The end of our sleep is one of them.
fn interrupts(setup: &Setup, cpus: u32, ns: u64) -> Result<u64, CallError> {
    setup.audit.pause(SETTLE_NS);
    let start = counted(setup, cpus)?;
    setup.audit.pause(ns);
    Ok(counted(setup, cpus)? - start)
}

fn counted(setup: &Setup, cpus: u32) -> Result<u64, CallError> {
    let mut sum = 0;
    for index in 0..cpus {
        let cpu = setup.audit.system().cpu_blocking(index)?;
        sum += cpu.interrupts + cpu.ipis;
    }
    Ok(sum)
}
