//! Ends with the code it is told: `probe-spawn 3`. Without a word it ends well, with `wait` and
//! with `spin` it never does by itself; with the latter it uses all the time that it gets.
#![cfg_attr(capos, no_std, no_main)]

use rt::{Env, sys};

rt::main!(run);

/// Exit code for a word that is no number.
const NO_NUMBER: i64 = 100;

fn run(env: Env) -> i64 {
    match env.args().next() {
        None => 0,
        Some("wait") => loop {
            sys::cap_enter(1, sys::FOREVER);
        },
        Some("spin") => loop {
            core::hint::spin_loop();
        },
        Some(word) => word.parse().unwrap_or(NO_NUMBER),
    }
}
