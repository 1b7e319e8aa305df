//! Checks capability tables, process handles and the small kernel objects: what each says, and what each refuses.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod clocks;
mod handles;
mod logs;
mod tables;

use probe::{Audit, Nursery, Report, options};
use rt::generated::{
    EntropySinkClient, EntropySourceClient, LogReaderClient, LogSinkClient, WallClockClient,
};
use rt::{CallError, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
    log: LogSinkClient,
    log_reader: LogReaderClient,
    wall_clock: WallClockClient,
    entropy: EntropySourceClient,
    sink: EntropySinkClient,
}

fn run(mut env: Env) -> i64 {
    if options::text(&env, "role") == Some("held") {
        return tables::held(&env);
    }
    match setup(&mut env) {
        Ok(setup) => {
            let done = all(&setup);
            if let Err(error) = &done {
                setup.report.check("caps", false, error);
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
        log: env.client("log")?,
        log_reader: env.client("log_reader")?,
        wall_clock: env.client("wall_clock")?,
        entropy: env.client("entropy")?,
        sink: env.client("entropy_sink")?,
    })
}

fn all(setup: &Setup) -> Result<(), CallError> {
    round(setup)?;
    let before = setup.audit.counts()?;
    round(setup)?;
    setup.audit.report(&setup.report, before);
    Ok(())
}

fn round(setup: &Setup) -> Result<(), CallError> {
    tables::all(setup)?;
    handles::all(setup)?;
    clocks::all(setup)?;
    logs::all(setup)
}
