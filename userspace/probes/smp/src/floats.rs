//! Vector registers and the FS base are a thread's own: several threads compute different things in them for long, preempting each
//! other, and must come to exactly what each would come to alone.

use crate::Setup;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Fields;
use rt::{CallError, threads};

/// Steps of one computation: some hundred milliseconds, many turns of the scheduler.
const STEPS: u32 = 2_000_000;
/// Steps between two looks at whether we are still ourselves.
const CHUNK: u32 = 50_000;

/// Eight chains of multiplications, each in a register of its own.
fn chains(seed: u64, steps: u32) -> [f64; 8] {
    let mut values: [f64; 8] = core::array::from_fn(|n| 1.0 + (seed * 8 + n as u64) as f64 / 1024.0);
    for _ in 0..steps {
        for (n, value) in values.iter_mut().enumerate() {
            *value = *value * 1.000_000_1 + 0.000_001 * n as f64;
            if *value > 1.0e6 {
                *value *= 0.5e-6;
            }
        }
    }
    values
}

/// Runs the computation on all threads and alone, and says how many differ.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    let wrong = Arc::new(AtomicU64::new(0));
    let strangers = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    for seed in 0..setup.threads {
        let (wrong, strangers) = (wrong.clone(), strangers.clone());
        workers.push(threads::spawn(10, move || {
            let me = threads::current_id();
            let alone = chains(seed, CHUNK);
            for _ in 0..STEPS / CHUNK {
                let again = chains(core::hint::black_box(seed), CHUNK);
                let same = again.iter().zip(&alone).all(|(a, b)| a.to_bits() == b.to_bits());
                wrong.fetch_add(u64::from(!same), Ordering::Relaxed);
                strangers.fetch_add(u64::from(threads::current_id() != me), Ordering::Relaxed);
            }
        })?);
    }
    workers.into_iter().try_for_each(threads::JoinHandle::join)?;
    let fields = Fields::new()
        .value("threads", setup.threads)
        .value("computations", setup.threads * u64::from(STEPS / CHUNK))
        .value("wrong", wrong.load(Ordering::Relaxed))
        .value("strangers", strangers.load(Ordering::Relaxed));
    setup.report.event("smp.floats", fields);
    Ok(())
}
