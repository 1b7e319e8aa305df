//! A process with a lot of everything is killed, and somebody of higher priority is on time all the same.

use crate::Setup;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use probe::{Fields, Limits, factory, number};
use rt::abi::PAGE_SIZE;
use rt::generated::{ProcessHandleClient, SystemInfoClient, TimerClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::{self, memory};
use rt::{CallError, Env, sys};

const PAGE: u64 = PAGE_SIZE as u64;
/// Pages that are committed one by one, in two places by turns, so that no two lie together.
const SCATTERED: u64 = 2000;
/// Memory objects.
const OBJECTS: u32 = 1500;
/// Threads that do nothing.
const THREADS: u32 = 40;
/// How long the other one sleeps at a time.
const NAP_NS: u64 = 100_000;
/// Time between two looks at what it has come to.
const LOOK_NS: u64 = 5_000_000;

/// The process: takes what it can, and then waits for its end.
pub fn be_rich(env: &Env) -> i64 {
    let kept = take(number(env, "pages", 0));
    if kept.is_err() {
        return 1;
    }
    loop {
        sys::cap_enter(u64::from(u32::MAX), sys::FOREVER);
    }
}

fn take(pages: u64) -> Result<(), CallError> {
    let write = Protection::ReadWrite;
    let places = [
        Region::reserve(SCATTERED * PAGE)?,
        Region::reserve(SCATTERED * PAGE)?,
        Region::reserve(pages * PAGE)?,
    ];
    for n in 0..SCATTERED / 2 {
        for place in places.iter().take(2) {
            place.commit(2 * n * PAGE, PAGE, write)?;
        }
    }
    if let Some(large) = places.get(2) {
        large.commit(0, pages * PAGE, write)?;
    }
    Box::leak(Box::new(places));
    for _ in 0..THREADS {
        // Never joined: it ends with the process.
        threads::spawn(1, || {
            loop {
                sys::cap_enter(u64::from(u32::MAX), sys::FOREVER);
            }
        })?;
    }
    for _ in 0..OBJECTS / 2 {
        core::mem::forget(memory().create_object_blocking(PAGE)?);
        core::mem::forget(factory().create_blocking(1)?);
    }
    Ok(())
}

/// Kills one that has `pages` pages at once and the rest beside, while somebody naps. Says how late the sleeper was at worst.
pub fn kill(setup: &Arc<Setup>, pages: u64) -> Result<(), CallError> {
    // Once to warm up, with fewer pages.
    once(setup, 1)?;
    let before = setup.audit.counts()?;
    let (killed, naps, latest) = once(setup, pages)?;
    let fields = Fields::new().value("killed", killed).value("naps", naps).value("latest_ns", latest);
    setup.report.event("many.rich", fields);
    setup.audit.report(&setup.report, before);
    Ok(())
}

/// Whether it was killed, how often somebody napped meanwhile, and how late that one woke up at worst.
fn once(setup: &Arc<Setup>, pages: u64) -> Result<(u64, u64, u64), CallError> {
    let child = start(setup, pages)?;
    let id = child.info_blocking()?.id;
    let done = Arc::new(AtomicBool::new(false));
    let (theirs, system) = (done.clone(), setup.clone());
    let killed = Arc::new(AtomicU64::new(0));
    let count = killed.clone();
    let killer = threads::spawn(5, move || {
        let ended = wait_for(&system, id).and_then(|()| child.kill_blocking());
        count.store(u64::from(ended.is_ok()), Ordering::Relaxed);
        theirs.store(true, Ordering::Relaxed);
    })?;
    let (naps, latest) = setup.audit.nap_until(&done, NAP_NS, u64::MAX)?;
    killer.join()?;
    Ok((killed.load(Ordering::Relaxed), naps, latest))
}

fn start(setup: &Setup, pages: u64) -> Result<ProcessHandleClient, CallError> {
    let program = setup.nursery.program("probe-many")?;
    let limits = Limits {
        memory_pages: pages as u32 + 3 * SCATTERED as u32 + 2 * OBJECTS,
        cap_slots: OBJECTS + 64,
        endpoint_entries: OBJECTS,
        priority: 1,
        ..Limits::threads(THREADS + 1)
    };
    setup
        .nursery
        .child(&program, &limits, "rich")?
        .arg("--role=rich")
        .arg(&alloc::format!("--pages={pages}"))
        .start()
}

/// Until it has all.
fn wait_for(setup: &Setup, id: u64) -> Result<(), CallError> {
    loop {
        let (system, timer): (&SystemInfoClient, &TimerClient) = (setup.audit.system(), setup.audit.timer());
        let rich = system.process_blocking(id)?;
        if rich.id != id || rich.slots >= OBJECTS {
            return Ok(());
        }
        timer.sleep_until_blocking(timer.now_blocking()? + LOOK_NS)?;
    }
}
