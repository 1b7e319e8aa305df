//! Checks threads: counting together, preemption of one that never stops, registers that survive both; and that nobody waits for
//! another's long batch; locks that make threads wait for each other.
//!
//! `--threads=N --rounds=N --seed=N --batch=PAGES --long=PAGES`
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod batches;
mod counting;
mod floats;
mod locks;
mod longs;
mod spinning;

use probe::{Audit, Report, number};
use rt::{CallError, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    audit: Audit,
    threads: u64,
    rounds: u64,
    /// Of when threads let others run.
    seed: u64,
    /// Pages that each operation of the long batch concerns; none: no such batch.
    batch: u64,
    /// Pages that are made at once while somebody sleeps; none: no such thing.
    long: u64,
}

fn run(mut env: Env) -> i64 {
    match setup(&mut env) {
        Ok(setup) => {
            let done = all(&setup);
            if let Err(error) = &done {
                setup.report.check("smp", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    let (threads, rounds) = (number(env, "threads", 4), number(env, "rounds", 100_000));
    let seed = number(env, "seed", 1);
    let batch = number(env, "batch", 0);
    let long = number(env, "long", 0);
    Ok(Setup { report: Report::new(env)?, audit: Audit::new(env)?, threads, rounds, seed, batch, long })
}

fn all(setup: &Setup) -> Result<(), CallError> {
    if setup.long > 0 {
        return longs::all(setup);
    }
    if setup.batch > 0 {
        return batches::all(setup);
    }
    counting::all(setup)?;
    locks::all(setup)?;
    spinning::all(setup)?;
    floats::all(setup)?;
    let before = setup.audit.counts()?;
    counting::all(setup)?;
    locks::all(setup)?;
    setup.audit.report(&setup.report, before);
    Ok(())
}
