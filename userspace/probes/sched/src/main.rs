//! Checks who gets how much of the processors: shares, turns, yielding, and that processors without work, or with one thread only, are left in
//! peace.
//!
//! `--shares=20,30,0` starts one process for each number, with that share (0: none of its own), that only counts, for `--for-ms=N`; `--priorities=9,9,5`
//! says at which priority. `--family` has this process, which must have a share, give part of it away. `--quiet-ms=N` counts interrupts.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod clauses;
mod counters;
mod family;
mod quiet;
mod shares;

use probe::{Audit, Nursery, Report, number, options};
use rt::{CallError, Env, EnvError};

rt::main!(run);

/// What the parts need.
pub struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
}

fn run(mut env: Env) -> i64 {
    if options::text(&env, "role").is_some() {
        return counters::count(env);
    }
    match setup(&mut env) {
        Ok(setup) => {
            let done = all(&env, &setup);
            if let Err(error) = &done {
                setup.report.check("sched", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup { report: Report::new(env)?, nursery: Nursery::new(env)?, audit: Audit::new(env)? })
}

fn all(env: &Env, setup: &Setup) -> Result<(), CallError> {
    let ns = number(env, "for-ms", 1000) * 1_000_000;
    if let Some(shares) = options::text(env, "shares") {
        return shares::all(setup, shares, options::text(env, "priorities").unwrap_or(""), ns);
    }
    if env.args().any(|arg| arg == "--family") {
        return family::all(setup, ns);
    }
    match number(env, "quiet-ms", 0) {
        0 => clauses::all(setup),
        ms => quiet::all(setup, ms * 1_000_000),
    }
}
