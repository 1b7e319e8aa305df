//! Who is told when translations change: processors that have the space loaded, and no others.

use crate::Setup;
use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use probe::mutate::Rng;
use probe::{Audit, Fields, Limits, Report};
use rt::abi::PAGE_SIZE;
use rt::region::Region;
use rt::schema::process_handle::ExitReason;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, threads};

const PAGE: u64 = PAGE_SIZE as u64;
/// Pages taken out while it is counted who hears of it.
const ROUNDS: u64 = 64;
/// Children of one run that lose a page which another thread uses.
const CHILDREN: u64 = 12;
/// Longest time, in turns of a loop, before the page goes.
const DELAY: u32 = 20_000;

pub fn all(setup: &Setup) -> Result<(), CallError> {
    alone(&setup.report, &setup.audit)?;
    together(&setup.report, &setup.audit)
}

/// How often processors were made to forget, all together, and how many there are.
fn shootdowns(audit: &Audit) -> Result<(u64, u32), CallError> {
    let cpus = audit.system().system_blocking()?.cpus;
    let mut sum = 0;
    for cpu in 0..cpus {
        sum += audit.system().cpu_blocking(cpu)?.shootdowns;
    }
    Ok((sum, cpus))
}

fn map_and_unmap(rounds: u64) -> Result<(), CallError> {
    for _ in 0..rounds {
        let region = Region::reserve(PAGE)?;
        region.commit(0, PAGE, Protection::ReadWrite)?;
        region.store(0, 1);
        region.protect(0, PAGE, Protection::Read)?;
    }
    Ok(())
}

fn alone(report: &Report, audit: &Audit) -> Result<(), CallError> {
    let (before, _) = shootdowns(audit)?;
    map_and_unmap(ROUNDS)?;
    let (after, _) = shootdowns(audit)?;
    report.equal("M11 a process of one thread disturbs no other processor", after - before, 0);
    Ok(())
}

fn together(report: &Report, audit: &Audit) -> Result<(), CallError> {
    let busy = Arc::new((AtomicBool::new(false), AtomicBool::new(false)));
    let theirs = busy.clone();
    let spinner = threads::spawn(10, move || {
        theirs.0.store(true, Ordering::Relaxed);
        while !theirs.1.load(Ordering::Relaxed) {
            core::hint::spin_loop();
        }
    })?;
    while !busy.0.load(Ordering::Relaxed) {
        threads::yield_now();
    }
    let (before, cpus) = shootdowns(audit)?;
    map_and_unmap(ROUNDS)?;
    let (after, _) = shootdowns(audit)?;
    busy.1.store(true, Ordering::Relaxed);
    spinner.join()?;
    report.equal("M11 another processor that runs the process is told", after > before, cpus > 1);
    Ok(())
}

/// The ways in which a page is lost that another thread uses.
pub const WAYS: [&str; 4] = ["stale-protect", "stale-unmap", "stale-forbid", "stale-large"];

/// A child whose second thread writes to a page without a pause, so that its processor knows the translation; the first takes the page
/// away after `delay` turns.
pub fn lose_a_page_in_use(way: &str, delay: u64) -> Result<(), CallError> {
    let size = if way == "stale-large" { 512 * PAGE } else { PAGE };
    let region = Arc::new(Region::reserve(size)?);
    region.commit(0, size, Protection::ReadWrite)?;
    let theirs = region.clone();
    let last = size - PAGE;
    // Never joined: it ends with the process.
    threads::spawn(10, move || {
        loop {
            let count = theirs.load(last).unwrap_or(0);
            theirs.store(last, count + 1);
        }
    })?;
    while region.load(last).unwrap_or(0) < 1000 {
        threads::yield_now();
    }
    (0..delay).for_each(|_| core::hint::spin_loop());
    let address = region.address() + last;
    match way {
        "stale-protect" => region.protect(last, PAGE, Protection::Read),
        "stale-forbid" => region.protect(last, PAGE, Protection::None),
        _ => threads::memory().unmap_blocking(address, PAGE),
    }
}

/// Children that lose pages at random moments. Each must die of it.
pub fn many(setup: &Setup, seed: u64) -> Result<(), CallError> {
    let program = setup.nursery.program("probe-memory")?;
    let mut random = Rng::new(seed);
    let limits = Limits { memory_pages: 1400, ..Limits::threads(2) };
    let mut killed = 0;
    for n in 0..CHILDREN {
        let way = WAYS[n as usize % WAYS.len()];
        let args = [format!("--role={way}"), format!("--delay={}", random.below(DELAY))];
        let [role, delay] = &args;
        let child = setup.nursery.child(&program, &limits, way)?.arg(role).arg(delay).start()?;
        let end = child.wait_blocking()?;
        killed += u64::from(end.reason == ExitReason::Faulted && end.code == 14);
    }
    setup.report.event("stale.done", Fields::new().value("children", CHILDREN).value("killed", killed));
    Ok(())
}
