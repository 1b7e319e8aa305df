//! Drivers as processes: each is given its device and nothing else, does its work, is killed at any point of it, and the next one finds a
//! device that works. Nothing may be left behind, in the ledger or anywhere else.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod deaths;
mod edu;
mod rng;
mod served;

use alloc::rc::Rc;
use alloc::vec::Vec;
use deaths::{Deaths, Path};
use probe::{Fields, Keeper, Report, number};
use rt::generated::{ByteStreamClient, EduClient};
use rt::{CallError, Env, EnvError, ExceptionCode, block_on};

rt::main!(run);

struct Setup {
    report: Rc<Report>,
    keeper: Rc<Keeper>,
    /// Instructions of each driver before which one dies; otherwise they are killed so often.
    points: usize,
    kills: u64,
    seed: u64,
}

fn run(mut env: Env) -> i64 {
    match setup(&mut env) {
        Ok(setup) => {
            let done = if setup.points > 0 { die(&setup) } else { all(&setup) };
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
        report: Rc::new(Report::new(env)?),
        keeper: Rc::new(Keeper::new(env)?),
        points: number(env, "points", 0) as usize,
        kills: number(env, "kills", 20),
        seed: number(env, "seed", 1),
    })
}

fn all(setup: &Setup) -> Result<(), CallError> {
    let Setup { report, keeper, kills, seed, .. } = setup;
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

/// Deaths before so many instructions of each driver, while somebody watches memory from outside.
fn die(setup: &Setup) -> Result<(), CallError> {
    let Setup { report, keeper, points, .. } = setup;
    let (rngs, edus) = (addresses(keeper, rng::IDS)?, addresses(keeper, edu::IDS)?);
    let [rng, edu] = [&rngs, &edus].map(|found| found.first().copied().unwrap_or(0));
    let rng_path = Path::of::<ByteStreamClient>(keeper, rng)?;
    let edu_path = Path::of::<EduClient>(keeper, edu)?;
    let deaths = |count| {
        let rng = Deaths::begin::<ByteStreamClient>((report, keeper), &rngs, &rng_path, count);
        let edu = Deaths::begin::<EduClient>((report, keeper), &edus, &edu_path, count);
        block_on(async {
            rng.end("rng", keeper.backend(rng::IDS)?).await?;
            edu.end("edu", keeper.backend(edu::IDS)?).await
        })
    };
    // Once to warm up, at each device.
    deaths(edus.len())?;
    let rest = || rngs.iter().chain(&edus).try_for_each(|&device| keeper.rest_at(device));
    rest()?;
    let before = keeper.audit.counts()?;
    keeper.await_watcher(report, "deaths.begin", edu, 1)?;
    deaths(*points)?;
    rest()?;
    keeper.await_watcher(report, "deaths.end", edu, 2)?;
    rest()?;
    let wrong = keeper.wrong()?;
    report.equal("the ledger agrees with the machine", wrong.as_str(), "");
    keeper.audit.report(report, before);
    Ok(())
}

/// Of all functions of this vendor and device.
fn addresses(keeper: &Keeper, wanted: (u16, u16)) -> Result<Vec<u32>, CallError> {
    let mut found = Vec::new();
    loop {
        match keeper.find_after(wanted, found.last().map_or(0, |last| last + 1)) {
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(found),
            address => found.push(address?),
        }
    }
}

fn at_rest(keeper: &Keeper) -> Result<(), CallError> {
    keeper.rest(rng::IDS)?;
    keeper.rest(edu::IDS)
}
