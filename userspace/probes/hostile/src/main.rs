//! Drivers that try what they must not: the hostile matrix, row by row.
//!
//! A row is a function that says in a word or two what came of it. It is as it has to be, the books are in order, and the
//! honest driver that gets the device next is served; who watches memory from outside says the rest. Buffers bear marks and carry baits for him.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod answers;
mod descriptors;
mod edu;
mod ends;
mod forge;
mod grant;
mod interrupts;
mod plain;
mod ports;
mod registers;
mod ring;
mod rings;
mod stage;
mod stale;
mod states;

use alloc::format;
use core::cell::{Cell, RefCell};
use probe::options::text;
use probe::{Fields, Keeper, Report, number};
use rt::schema::device_manager::DmaBackend;
use rt::{CallError, Env, EnvError};
use stage::Stage;

rt::main!(run);

fn run(mut env: Env) -> i64 {
    let seed = number(&env, "seed", 1);
    if let Some(part) = text(&env, "part") {
        return ends::play(part, &mut env, seed);
    }
    match set_up(&mut env, seed) {
        Ok(mut stage) => {
            let done = all(&mut stage);
            if let Err(error) = &done {
                stage.report.check("hostile", false, error);
            }
            stage.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn set_up(env: &mut Env, seed: u64) -> Result<Stage, EnvError> {
    Ok(Stage {
        report: Report::new(env)?,
        keeper: Keeper::new(env)?,
        history: env.client("history")?,
        line: env.client("line")?,
        seed,
        answers: number(env, "answers", 0) != 0,
        left_out: text(env, "leave-out").filter(|name| !name.is_empty()),
        direct: [false; 2],
        played: Cell::new(0),
        kept: RefCell::default(),
        watch: (number(env, "watched", 0) != 0).then(|| Cell::new(0)),
    })
}

/// Every row that there is for how the devices reach memory here.
fn all(stage: &mut Stage) -> Result<(), CallError> {
    // Once to warm up; then it is known how each reaches memory.
    stage.serves()?;
    drop((stage.net()?, stage.old()?, stage.another_edu()?));
    let backends = stage.backends()?;
    stage.direct = backends.map(|backend| backend == DmaBackend::Direct);
    let [edu, rng] = backends.map(|backend| format!("{backend:?}"));
    stage.report.event("hostile.begin", Fields::new().text("edu", &edu).text("rng", &rng));
    stage.at_rest()?;
    let before = stage.keeper.audit.counts()?;
    match stage.answers {
        true => answers(stage)?,
        false => drivers(stage)?,
    }
    stage.report.event("hostile.done", Fields::new().value("rows", stage.played.get()));
    stage.at_rest()?;
    stage.keeper.audit.report(&stage.report, before);
    Ok(())
}

/// What a device does that is broken.
fn answers(stage: &Stage) -> Result<(), CallError> {
    stage.under_watch(["hostile.answers.begin", "hostile.answers.end"], |stage| {
        stage.with_rings(answers::PUBLISHED, || stage.rng())?;
        stage.with_rings(answers::DRIVEN, || Ok(()))
    })
}

/// What drivers do.
fn drivers(stage: &Stage) -> Result<(), CallError> {
    stage.under_watch(["hostile.edu.begin", "hostile.edu.end"], |stage| {
        // It stays in the device from driver to driver.
        stage.edu()?.bait_device(stage.timer())?;
        stage.with_edu(descriptors::ROWS)?;
        stage.with_edu(registers::ROWS)?;
        stage.with_edu(states::WITH_EDU)?;
        stage.with_nothing(states::WITH_NOTHING)?;
        stage.with_edu(stale::ROWS)?;
        stage.with_edu(interrupts::ROWS)?;
        stage.with_edu(forge::ROWS)
    })?;
    stage.under_watch(["hostile.rings.begin", "hostile.rings.end"], |stage| {
        stage.with_rings(rings::ROWS, || Ok(()))?;
        stage.with_rings(rings::REGISTERS, || stage.rng())?;
        stage.with_ports(ports::ROWS)
    })?;
    stage.under_watch(["hostile.ends.begin", "hostile.ends.end"], |stage| {
        stage.with_nothing(ends::ROWS)?;
        stage.with_rings(ends::RINGS, || Ok(()))?;
        stage.with_nothing(if stage.direct[0] { plain::DIRECT } else { plain::ROWS })
    })
}
