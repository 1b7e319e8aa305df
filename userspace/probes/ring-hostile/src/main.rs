//! Submits millions of random and spoilt ring entries beside a witness whose work must not suffer.
//!
//! Four processes of this program: `control` starts and judges; `hostile` does what it can through several rings at once; `server`
//! answers both it and `witness`, which checks every answer, the clock and its own memory. A hostile process that ends itself is
//! started again with another seed until enough entries were taken.
//!
//! `--entries=N --threads=N --seed=N --warm-up=N`
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod batch;
mod control;
mod corrupt;
mod hostile;
mod stats;
mod witness;

use probe::options;
use rt::Env;

rt::main!(run);

fn run(env: Env) -> i64 {
    match options::text(&env, "role") {
        Some("hostile") => hostile::run(env),
        Some("server") => witness::serve(env),
        Some("witness") => witness::run(env),
        _ => control::run(env),
    }
}

/// Methods that `control` answers; all answer with 1 when it is time to end, else 0.
mod to_control {
    /// From the hostile process: entries taken since the last time, and the completions by kind.
    pub const PROGRESS: u16 = 0;
    /// From the witness: rounds, wrong answers, failed calls, damaged memory, since it began.
    pub const WITNESSED: u16 = 1;
}

/// Methods of the server.
mod to_server {
    /// Answers each word with its image under `witness::image`.
    pub const IMAGES: u16 = 0;
    /// How many calls others than the witness made.
    pub const STRANGERS: u16 = 1;
}
