//! Vector registers, control words and the FS base are a thread's own: several threads compute different things in them for long,
//! preempting each other, and must come to exactly what each would come to alone.

use crate::Setup;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Fields;
use rt::fpu::{self, ControlWords};
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

/// Rounds of work under control words of one's own: several turns of the scheduler in all.
const HELD_ROUNDS: u64 = 2_000_000;

/// Control words that differ from thread to thread: rounding and precision, all exceptions masked.
fn control_words(seed: u64) -> ControlWords {
    let rounding = (seed % 4) as u32;
    let precision = [0, 2, 3][seed as usize % 3];
    ControlWords { x87: 0x7f | precision << 8 | (rounding as u16) << 10, mxcsr: 0x1f80 | rounding << 13 }
}

/// Runs the computation on all threads and alone, and says how many differ.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    let wrong = Arc::new(AtomicU64::new(0));
    let strangers = Arc::new(AtomicU64::new(0));
    let control_lost = Arc::new(AtomicU64::new(0));
    let leftovers = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    for seed in 0..setup.threads {
        let (wrong, strangers, lost) = (wrong.clone(), strangers.clone(), control_lost.clone());
        let found_bits = leftovers.clone();
        workers.push(threads::spawn(10, move || {
            let me = threads::current_id();
            let alone = chains(seed, CHUNK);
            for _ in 0..STEPS / CHUNK {
                let again = chains(core::hint::black_box(seed), CHUNK);
                let same = again.iter().zip(&alone).all(|(a, b)| a.to_bits() == b.to_bits());
                wrong.fetch_add(u64::from(!same), Ordering::Relaxed);
                strangers.fetch_add(u64::from(threads::current_id() != me), Ordering::Relaxed);
            }
            for turn in 0..10 {
                // Not all at the same time: there must be somebody whose registers could be left over.
                if (turn + seed) % 2 == 0 {
                    found_bits.fetch_or(fpu::leftovers(1_000_000), Ordering::Relaxed);
                    continue;
                }
                let words = control_words(seed);
                let found = fpu::hold(words, HELD_ROUNDS, 1_000_000);
                lost.fetch_add(u64::from(found != words), Ordering::Relaxed);
            }
        })?);
    }
    workers.into_iter().try_for_each(threads::JoinHandle::join)?;
    let fields = Fields::new()
        .value("threads", setup.threads)
        .value("computations", setup.threads * u64::from(STEPS / CHUNK))
        .value("wrong", wrong.load(Ordering::Relaxed))
        .value("strangers", strangers.load(Ordering::Relaxed))
        .value("control_lost", control_lost.load(Ordering::Relaxed))
        .value("leftovers", leftovers.load(Ordering::Relaxed));
    setup.report.event("smp.floats", fields);
    Ok(())
}
