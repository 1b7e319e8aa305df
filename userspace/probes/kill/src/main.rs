//! Kills the members of a busy little world at random instructions, ten thousand times over all cases, and looks for what is left.
//!
//! `--kills=N --seed=N --life=NS --books=N`, or `--services=a,b --kills=N --seed=N` for services of the system (`services`), or
//! `--fates=a,b` for the same at random instructions (`fates`).
//!
//! The world (`cast`) is servers, clients and workers, each a process of this program in a role. They do all that a process can have
//! under way: calls of all sizes with capabilities, received and unanswered ones, cancelled ones, receives, notifications, sleeps, threads,
//! mappings, shared memory, children of children. The killer is more urgent than all of them, sleeps for a random time, and kills one.
//! Where one tick of the clock is one instruction (the lab's `icount`), that hits its victim at a random instruction.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod board;
mod cast;
mod client;
mod fates;
mod killer;
mod living;
mod load;
mod server;
mod services;
mod tree;
mod worker;

use board::Member;
use probe::{Audit, Nursery, Report, options};
use rt::{Env, EnvError};

rt::main!(run);

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
}

fn run(mut env: Env) -> i64 {
    if let Some(names) = options::text(&env, "services") {
        return services::run(env, names);
    }
    if let Some(names) = options::text(&env, "fates") {
        return fates::run(env, names);
    }
    match options::text(&env, "role") {
        Some("tree") => tree::run(env),
        Some(role) => match Member::new(&mut env) {
            Ok(member) => match role {
                "server" => server::run(env, member),
                "client" => client::run(env, member),
                "memory" => worker::memory(member),
                _ => worker::threads(member),
            },
            Err(_) => NOT_SET_UP,
        },
        None => match setup(&mut env) {
            Ok(setup) => {
                let done = killer::all(&setup, &env);
                if let Err(error) = &done {
                    setup.report.check("kill", false, error);
                }
                setup.report.finish(u8::from(done.is_err()))
            }
            Err(_) => NOT_SET_UP,
        },
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup { report: Report::new(env)?, nursery: Nursery::new(env)?, audit: Audit::new(env)? })
}

/// Exit code of who lacks what it needs.
pub const NOT_SET_UP: i64 = 2;
/// Exit code of who has lost its server for good.
pub const ALONE: i64 = 0;
