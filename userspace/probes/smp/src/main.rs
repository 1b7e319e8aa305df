//! Checks threads: counting together, preemption of one that never stops, registers that survive both.
//!
//! `--threads=N --rounds=N`
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod counting;
mod floats;
mod spinning;

use probe::{Audit, Report, number};
use rt::{CallError, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    audit: Audit,
    threads: u64,
    rounds: u64,
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
    Ok(Setup { report: Report::new(env)?, audit: Audit::new(env)?, threads, rounds })
}

fn all(setup: &Setup) -> Result<(), CallError> {
    counting::all(setup)?;
    spinning::all(setup)?;
    floats::all(setup)?;
    let before = setup.audit.counts()?;
    counting::all(setup)?;
    setup.audit.report(&setup.report, before);
    Ok(())
}
