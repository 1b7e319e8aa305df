//! More threads than processors, none of which ever enters the kernel by itself: the others run all the same.

use crate::Setup;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use probe::Fields;
use rt::{CallError, threads};

/// How long they spin.
const SPIN_NS: u64 = 300_000_000;

/// Lets a thread more than there are processors spin, and says how far each came and whether we still were on time.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    let cpus = setup.audit.system().system_blocking()?.cpus;
    let stop = Arc::new(AtomicBool::new(false));
    let turns: Arc<[AtomicU64]> = (0..=cpus).map(|_| AtomicU64::new(0)).collect();
    let mut spinners = Vec::with_capacity(turns.len());
    for index in 0..turns.len() {
        let (stop, turns) = (stop.clone(), turns.clone());
        // Below us, so that we can stop them on time; of one priority among themselves.
        spinners.push(threads::spawn(5, move || {
            while !stop.load(Ordering::Relaxed) {
                if let Some(turn) = turns.get(index) {
                    turn.fetch_add(1, Ordering::Relaxed);
                }
            }
        })?);
    }
    let start = setup.audit.timer().now_blocking()?;
    setup.audit.pause(SPIN_NS);
    let woken = setup.audit.timer().now_blocking()?;
    stop.store(true, Ordering::Relaxed);
    spinners.into_iter().try_for_each(threads::JoinHandle::join)?;
    let counts = || turns.iter().map(|turn| turn.load(Ordering::Relaxed));
    let fields = Fields::new()
        .value("spinners", turns.len())
        .value("starved", counts().filter(|turns| *turns == 0).count())
        .value("least_turns", counts().min().unwrap_or(0))
        .value("late_ns", (woken - start).saturating_sub(SPIN_NS));
    setup.report.event("smp.preempted", fields);
    Ok(())
}
