//! Threads that count together, and which processors did the work.

use crate::Setup;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Fields;
use probe::mutate::Rng;
use rt::{CallError, threads};

/// Every how many rounds about a thread lets others run.
const YIELD_EVERY: u32 = 1000;

/// Counts, and says what the sum is and on how many processors it was made.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    let before = switches(setup)?;
    let sum = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::with_capacity(setup.threads as usize);
    for number in 0..setup.threads {
        let (sum, rounds) = (sum.clone(), setup.rounds);
        let mut rng = Rng::new(setup.seed << 8 | number);
        workers.push(threads::spawn(10, move || {
            for _ in 0..rounds {
                sum.fetch_add(1, Ordering::Relaxed);
                if rng.chance(1, YIELD_EVERY) {
                    threads::yield_now();
                }
            }
        })?);
    }
    workers.into_iter().try_for_each(threads::JoinHandle::join)?;
    let after = switches(setup)?;
    let used = before.iter().zip(&after).filter(|(before, after)| after > before).count();
    let fields = Fields::new()
        .value("threads", setup.threads)
        .value("counted", sum.load(Ordering::Relaxed))
        .value("missing", (setup.threads * setup.rounds).saturating_sub(sum.load(Ordering::Relaxed)))
        .value("cpus", after.len())
        .value("cpus_used", used);
    setup.report.event("smp.counted", fields);
    Ok(())
}

/// Each processor's count of switches.
fn switches(setup: &Setup) -> Result<Vec<u64>, CallError> {
    let system = setup.audit.system();
    let cpus = system.system_blocking()?.cpus;
    (0..cpus).map(|index| system.cpu_blocking(index).map(|cpu| cpu.switches)).collect()
}
