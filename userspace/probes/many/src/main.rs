//! Starts and reaps a thousand processes, kills some at random times, waits for one from several threads, and counts what is left.
//!
//! `--count=N --at-once=N --seed=N`; or, with `--rich=PAGES`: kills a single process that has as much and a lot of everything else.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod deaths;
mod exits;
mod rich;

use alloc::sync::Arc;
use probe::{Audit, Fields, Nursery, Report, number, options};
use rt::{CallError, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
}

fn run(mut env: Env) -> i64 {
    if options::text(&env, "role") == Some("spin") {
        loop {
            core::hint::spin_loop();
        }
    }
    if options::text(&env, "role") == Some("rich") {
        return rich::be_rich(&env);
    }
    match setup(&mut env).map(Arc::new) {
        Ok(setup) => {
            let pages = number(&env, "rich", 0);
            let done = if pages > 0 { rich::kill(&setup, pages) } else { all(&setup, &env) };
            if let Err(error) = &done {
                setup.report.check("many", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup { report: Report::new(env)?, nursery: Nursery::new(env)?, audit: Audit::new(env)? })
}

fn all(setup: &Setup, env: &Env) -> Result<(), CallError> {
    let count = number(env, "count", 1000);
    let at_once = number(env, "at-once", 20).max(1);
    let seed = number(env, "seed", 1);
    // Once to warm up: the kernel's heap and ours then have the size that they need.
    exits::spawn(setup, at_once, at_once)?;
    deaths::kill(setup, at_once, at_once, seed)?;
    deaths::wait_from_threads(setup)?;
    let before = setup.audit.counts()?;
    let exits = exits::spawn(setup, count, at_once)?;
    let kills = deaths::kill(setup, count / 10, at_once, seed)?;
    let waits = deaths::wait_from_threads(setup)?;
    let fields = Fields::new()
        .value("spawned", exits.spawned)
        .value("reaped", exits.reaped)
        .value("wrong_codes", exits.wrong)
        .value("killed", kills.reaped)
        .value("not_killed", kills.wrong)
        .value("waits_of_one", waits);
    setup.report.event("many.done", fields);
    setup.audit.report(&setup.report, before);
    Ok(())
}
