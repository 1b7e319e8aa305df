//! Processes do at random what can be done with capabilities: make, copy, move, attenuate, release, revoke, and are killed and made anew.
//! A judge with a model that is nothing but a list says what must come of each step, and looks at what every one of them holds.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod game;
mod judge;
mod player;
mod race;
mod seats;
mod spread;
mod words;

use probe::{Audit, Fields, Nursery, Report, number, options};
use rt::{CallError, Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
}

fn run(mut env: Env) -> i64 {
    let seed = number(&env, "seed", 1);
    match options::text(&env, "role") {
        Some("player") => return player::play(number(&env, "player", 0) as usize),
        Some("spread") => return spread::spread(seed),
        Some("take-back") => return spread::take_back(seed),
        _ => {}
    }
    let (steps, rounds) = (number(&env, "steps", 1000), number(&env, "rounds", 0));
    match setup(&mut env) {
        Ok(setup) => {
            let done = if rounds > 0 { race(&setup, seed, rounds) } else { all(&setup, seed, steps) };
            if let Err(error) = &done {
                setup.report.check("authority", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup { report: Report::new(env)?, nursery: Nursery::new(env)?, audit: Audit::new(env)? })
}

fn race(setup: &Setup, seed: u64, rounds: u64) -> Result<(), CallError> {
    race::run(setup, seed, 2)?;
    let before = setup.audit.counts()?;
    let seen = race::run(setup, seed, rounds)?;
    let fields = Fields::new()
        .value("rounds", seen.rounds)
        .value("killed", seen.killed)
        .value("bereft", seen.bereft)
        .value("left", seen.left)
        .value("wrong", seen.wrong);
    setup.report.event("race.done", fields);
    setup.audit.report(&setup.report, before);
    Ok(())
}

fn all(setup: &Setup, seed: u64, steps: u64) -> Result<(), CallError> {
    game::play(setup, seed, 200)?;
    // The first time was to warm up: the second must leave nothing behind.
    let before = setup.audit.counts()?;
    let tally = game::play(setup, seed, steps)?;
    let fields = Fields::new()
        .value("steps", tally.steps)
        .value("made", tally.made)
        .value("arrived", tally.arrived)
        .value("narrowed", tally.narrowed)
        .value("released", tally.released)
        .value("revoked", tally.revoked)
        .value("replaced", tally.replaced)
        .value("refused", tally.refused)
        .value("looked_at", tally.looked_at);
    setup.report.event("authority.done", fields);
    setup.audit.report(&setup.report, before);
    Ok(())
}
