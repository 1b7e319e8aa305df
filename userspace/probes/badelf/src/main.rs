//! Offers spoilt ELF images to the process spawner: each must be refused with a typed error or give a process that can be killed.
//!
//! `--count=N --seed=N`
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod image;
mod tally;

use image::Image;
use probe::mutate::{Rng, elf};
use probe::{Audit, Fields, Limits, Nursery, Report, number};
use rt::{CallError, Env, EnvError};
use tally::Tally;

rt::main!(run);

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
    seed: u64,
}

/// Which program is spoilt.
const GOOD: &str = "probe-spawn";
/// Images until every path of the loader has been taken once.
const WARM_UP: u32 = 300;
/// Longest life of a process that came of a spoilt image.
const LIFE_NS: u64 = 200_000;

fn run(mut env: Env) -> i64 {
    match setup(&mut env) {
        Ok(setup) => {
            let done = all(&setup, number(&env, "count", 2000) as u32);
            if let Err(error) = &done {
                setup.report.check("badelf", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    let seed = number(env, "seed", 1);
    Ok(Setup { report: Report::new(env)?, nursery: Nursery::new(env)?, audit: Audit::new(env)?, seed })
}

fn all(setup: &Setup, count: u32) -> Result<(), CallError> {
    let image = Image::copy(&setup.nursery.program(GOOD)?)?;
    round(setup, &image, WARM_UP.min(count))?;
    let before = setup.audit.counts()?;
    let tally = round(setup, &image, count)?;
    let fields = Fields::new()
        .value("tried", tally.tried)
        .value("refused", tally.refused())
        .value("malformed", tally.malformed)
        .value("exhausted", tally.exhausted)
        .value("untyped", tally.untyped)
        .value("started", tally.started)
        .value("faulted", tally.faulted)
        .value("exited", tally.exited)
        .value("killed", tally.killed);
    setup.report.event("badelf.done", fields);
    setup.audit.report(&setup.report, before);
    // After all of them the good one still works.
    let code = image.offer(&setup.nursery, &elf::Patches::none(image.size()), &Limits::SMALL)?;
    code.start_blocking(&[])?;
    setup.report.equal("the good image", code.wait_blocking()?.code, 0);
    Ok(())
}

/// Offers `count` images, one after the other.
fn round(setup: &Setup, image: &Image, count: u32) -> Result<Tally, CallError> {
    let mut rng = Rng::new(setup.seed);
    let mut tally = Tally::default();
    for n in 0..count {
        let patches = elf::spoil(n, image.size(), &mut rng);
        image.apply(&patches)?;
        tally.tried += 1;
        match image.offer(&setup.nursery, &patches, &Limits::SMALL) {
            Err(error) => tally.refuse(&error),
            Ok(handle) => {
                tally.started += 1;
                // Some are killed before they run, some while they do.
                if n % 2 == 0 && handle.start_blocking(&[]).is_ok() {
                    setup.audit.pause(LIFE_NS);
                }
                handle.kill_blocking()?;
                tally.end(&handle.wait_blocking()?);
            }
        }
        image.restore(&patches)?;
    }
    Ok(tally)
}
