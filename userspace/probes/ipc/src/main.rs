//! Checks the clauses of the ABI on submissions, calls, receives and answers (the book's ABI chapter; capos_abi::ring).
//!
//! Most of them run on one bare ring that plays both client and server, so that every step is in our hands; what needs the death
//! of a peer has a second process.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod bindings;
mod birth;
mod calls;
mod deadlines;
mod endings;
mod lines;
mod notifications;
mod parking;
mod peers;
mod queues;
mod revocations;
mod submissions;

use probe::{Audit, Nursery, Report, bare, options};
use rt::generated::{InterruptClient, IoPortClient};
use rt::{CallError, CapId, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
    /// COM1 and its line.
    ports: IoPortClient,
    line: InterruptClient,
}

fn run(mut env: Env) -> i64 {
    match options::text(&env, "role") {
        Some("server") => peers::serve(env),
        Some("client") => peers::call_forever(env),
        Some("lent") => revocations::call_once(env),
        _ => match setup(&mut env) {
            Ok(setup) => {
                let done = all(&setup);
                if let Err(error) = &done {
                    setup.report.check("ipc", false, error);
                }
                setup.report.finish(u8::from(done.is_err()))
            }
            Err(_) => 2,
        },
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup {
        report: Report::new(env)?,
        nursery: Nursery::new(env)?,
        audit: Audit::new(env)?,
        ports: env.client("ports")?,
        line: env.client("irq")?,
    })
}

fn all(setup: &Setup) -> Result<(), CallError> {
    let timer = setup.audit.timer().cap().id();
    clauses(setup, timer)?;
    peers::all(setup)?;
    revocations::between(setup)?;
    // The first time was to warm up: the second must leave nothing behind.
    let before = setup.audit.counts()?;
    let clauses = clauses(setup, timer)?
        + peers::all(setup)?
        + revocations::between(setup)?
        + birth::all(setup)
        + lines::all(setup, &setup.ports, &setup.line)?;
    setup.report.event("ipc.done", probe::Fields::new().value("clauses", clauses));
    setup.audit.report(&setup.report, before);
    Ok(())
}

fn clauses(setup: &Setup, timer: CapId) -> Result<usize, CallError> {
    let report = &setup.report;
    Ok(bare::run(report, 10, move |ring, notes| submissions::all(ring, notes, timer))?
        + bare::run(report, 10, move |ring, notes| queues::all(ring, notes, timer))?
        + bare::run(report, 10, calls::all)?
        + bare::run(report, 10, move |ring, notes| endings::all(ring, notes, timer))?
        + bare::run(report, 10, notifications::all)?
        + bare::run(report, 10, move |ring, notes| bindings::all(ring, notes, timer))?
        + bare::run(report, 10, move |ring, notes| deadlines::all(ring, notes, timer))?
        + bare::run(report, 10, parking::all)?
        + bare::run(report, 10, move |ring, notes| revocations::all(ring, notes, timer))?)
}
