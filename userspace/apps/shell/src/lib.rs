//! The shell: every command is a typed call on a capability that the shell holds.
//!
//! What it holds was granted by name; what it lacks, it can not do, and says so. Programs that it starts get exactly what is
//! granted on the command line (`run NAME with CAP`): a console lent that way is a facet that the shell itself serves, so the
//! input comes back when the program ends and Ctrl-C stays with the person.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod budget;
mod commands;
mod completion;
mod held;
mod jobs;
mod keyboard;
mod launch;
mod lend;
mod names;
mod screen;
mod session;
mod storage;
mod trouble;

use rt::{Env, block_on, log};

/// Talks with whoever is at the console until they leave; gives the exit code.
pub fn run(env: Env) -> i64 {
    match block_on(session::run(env)) {
        Ok(()) => 0,
        Err(error) => {
            log::error(format_args!("{error}"));
            if matches!(error, trouble::Trouble::NotHeld(_)) { jobs::LACKING } else { 1 }
        }
    }
}
