//! Drivers as processes: each is given its device and nothing else, does its work, is killed at any point of it, and the next one finds a
//! device that works. Nothing may be left behind, in the ledger or anywhere else.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod edu;
mod rng;

use probe::{Fields, Keeper, Report, number};
use rt::{CallError, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    keeper: Keeper,
    kills: u64,
    seed: u64,
}

fn run(mut env: Env) -> i64 {
    match setup(&mut env) {
        Ok(setup) => {
            let done = all(&setup);
            if let Err(error) = &done {
                setup.report.check("drivers", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup {
        report: Report::new(env)?,
        keeper: Keeper::new(env)?,
        kills: number(env, "kills", 20),
        seed: number(env, "seed", 1),
    })
}

fn all(setup: &Setup) -> Result<(), CallError> {
    let Setup { report, keeper, kills, seed } = setup;
    let audit = &keeper.audit;
    rng::works(report, keeper)?;
    edu::works(report, keeper)?;
    // Once to warm up.
    rng::kill(keeper, 0)?;
    edu::kill(keeper, 0)?;
    at_rest(keeper)?;
    let before = audit.counts()?;
    let some = |n: u64| (seed.wrapping_mul(0x9e37_79b9).wrapping_add(n * 7919) >> 3) % 40_000_000;
    for n in 0..*kills {
        rng::kill(keeper, some(n))?;
        edu::kill(keeper, some(n) * 8)?;
    }
    at_rest(keeper)?;
    let wrong = keeper.wrong()?;
    report.equal("the ledger agrees with the machine", wrong.as_str(), "");
    report.event("drivers.done", Fields::new().value("kills", 2 * kills));
    audit.report(report, before);
    Ok(())
}

fn at_rest(keeper: &Keeper) -> Result<(), CallError> {
    keeper.rest(rng::IDS)?;
    keeper.rest(edu::IDS)
}
