//! Makes processes, gives them capabilities, has them pass those on, give them up and take them back, and looks each time whether the
//! inspector tells exactly that.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod facts;
mod game;
mod hand;
mod hostile;
mod look;
mod seats;
mod watcher;

use look::Look;
use probe::{Audit, Fields, Nursery, Report, number, options};
use rt::{CallError, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
    look: Look,
}

fn run(mut env: Env) -> i64 {
    match options::text(&env, "role") {
        Some("hand") => return hand::obey(&mut env),
        Some("blind") => return hostile::blind(),
        Some("watcher") => return watcher::watch(&mut env),
        _ => {}
    }
    let (steps, seed) = (number(&env, "steps", 300), number(&env, "seed", 1));
    match setup(&mut env) {
        Ok(setup) => {
            let done = all(&setup, steps, seed);
            if let Err(error) = &done {
                setup.report.check("inspect", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup {
        report: Report::new(env)?,
        nursery: Nursery::new(env)?,
        audit: Audit::new(env)?,
        look: Look::new(env.client("inspector")?),
    })
}

fn all(setup: &Setup, steps: u64, seed: u64) -> Result<(), CallError> {
    round(setup, steps, seed)?;
    // The first time was to warm up, with all the memory that it takes to remember so much: the second must leave nothing behind.
    let before = setup.audit.counts()?;
    let tally = round(setup, steps, seed)?;
    let fields = Fields::new()
        .value("steps", tally.steps)
        .value("looks", tally.looks)
        .value("compared", tally.compared)
        .value("wrong", tally.wrong);
    setup.report.event("inspect.done", fields);
    setup.audit.report(&setup.report, before);
    Ok(())
}

fn round(setup: &Setup, steps: u64, seed: u64) -> Result<game::Tally, CallError> {
    facts::all(setup)?;
    hostile::all(setup, seed)?;
    let watcher = watcher::Watcher::start(setup)?;
    let tally = game::play(setup, steps, seed)?;
    watcher.end(setup)?;
    Ok(tally)
}
