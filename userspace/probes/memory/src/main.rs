//! Checks address spaces, memory objects, and that every budget ends in a typed error and comes back whole.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod budgets;
mod faults;
mod objects;
mod space;

use probe::{Audit, Nursery, Report, options};
use rt::{CallError, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
}

fn run(mut env: Env) -> i64 {
    if let Some(role) = options::text(&env, "role") {
        return faults::die(role);
    }
    match setup(&mut env) {
        Ok(setup) => {
            let done = all(&setup);
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

fn all(setup: &Setup) -> Result<(), CallError> {
    round(setup)?;
    let before = setup.audit.counts()?;
    round(setup)?;
    setup.audit.report(&setup.report, before);
    Ok(())
}

fn round(setup: &Setup) -> Result<(), CallError> {
    space::all(&setup.report)?;
    objects::all(&setup.report)?;
    budgets::all(&setup.report)?;
    faults::all(setup)
}
