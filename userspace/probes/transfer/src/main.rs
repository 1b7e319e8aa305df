//! Capability transfers that fail at each step. After every one both tables must hold exactly what the model says, which is checked
//! by using every capability: each is a memory object with a number of its own in its first word.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod answers;
mod between;
mod failures;
mod world;

use probe::{Audit, Fields, Nursery, Report, bare, options};
use rt::{CallError, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
}

fn run(mut env: Env) -> i64 {
    match options::text(&env, "role") {
        Some("receiver") => between::receive(env),
        Some("deaf") => between::never_receive(),
        _ => match setup(&mut env) {
            Ok(setup) => {
                let done = all(&setup);
                if let Err(error) = &done {
                    setup.report.check("transfer", false, error);
                }
                setup.report.finish(u8::from(done.is_err()))
            }
            Err(_) => 2,
        },
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup { report: Report::new(env)?, nursery: Nursery::new(env)?, audit: Audit::new(env)? })
}

fn all(setup: &Setup) -> Result<(), CallError> {
    round(setup)?;
    let before = setup.audit.counts()?;
    let checks = round(setup)?;
    setup.report.event("transfer.done", Fields::new().value("checks", checks));
    setup.audit.report(&setup.report, before);
    Ok(())
}

fn round(setup: &Setup) -> Result<usize, CallError> {
    let system = setup.audit.system().cap().id();
    let process = rt::threads::process_id();
    let report = &setup.report;
    let within = bare::run(report, 10, move |bare, notes| failures::all(bare, notes, (system, process)))?;
    let back = bare::run(report, 10, move |bare, notes| answers::all(bare, notes, (system, process)))?;
    Ok(within + back + between::all(setup)?)
}
