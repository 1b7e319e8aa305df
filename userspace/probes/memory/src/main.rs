//! Checks address spaces, memory objects, and that every budget ends in a typed error and comes back whole.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod budgets;
mod faults;
mod large;
mod objects;
mod space;
mod translations;

use probe::{Audit, Nursery, Report, number, options};
use rt::{CallError, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
}

fn run(mut env: Env) -> i64 {
    if let Some(role) = options::text(&env, "role") {
        return faults::die(role, number(&env, "delay", 0));
    }
    match setup(&mut env) {
        Ok(setup) => {
            let seed = number(&env, "stale", 0);
            let done = if seed > 0 { translations::many(&setup, seed) } else { all(&setup) };
            if let Err(error) = &done {
                setup.report.check("memory", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup { report: Report::new(env)?, nursery: Nursery::new(env)?, audit: Audit::new(env)? })
}

/// One part: what it checks, from outside.
type Part = fn(&Setup) -> Result<(), CallError>;

const PARTS: [Part; 6] = [
    |setup| space::all(&setup.report),
    |setup| objects::all(&setup.report),
    |setup| budgets::all(&setup.report),
    |setup| large::all(&setup.report),
    translations::all,
    faults::all,
];

/// Everything twice: the first time to warm up, the second time with an audit of each part.
fn all(setup: &Setup) -> Result<(), CallError> {
    PARTS.iter().try_for_each(|part| part(setup))?;
    PARTS.iter().try_for_each(|part| {
        let before = setup.audit.counts()?;
        part(setup)?;
        setup.audit.report(&setup.report, before);
        Ok(())
    })
}
