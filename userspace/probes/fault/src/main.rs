//! Does one forbidden thing, by name: `probe-fault read-null`. The kernel ends it; parent and lab see the record.
//!
//! Without a name it exits with 100, with an unknown one with 101, and with 102 when nothing came of the misdeed. One name is
//! no fault but a refusal: `syscall` makes a system call that does not exist and exits with the negated answer.
#![cfg_attr(capos, no_std, no_main)]

use rt::misdeed::Misdeed;
use rt::{Env, sys};

rt::main!(run);

fn run(env: Env) -> i64 {
    let Some(name) = env.args().next() else { return 100 };
    if name == "syscall" {
        return sys::unknown(0xdead).saturating_neg();
    }
    match Misdeed::ALL.iter().find(|(known, _)| *known == name) {
        Some((_, misdeed)) => misdeed.commit(),
        None => return 101,
    }
    102
}
