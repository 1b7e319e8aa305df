//! Ends at once with the code it is told: the smallest child.
#![cfg_attr(capos, no_std, no_main)]

use rt::Env;

rt::main!(run);

fn run(env: Env) -> i64 {
    env.args().next().and_then(|code| code.parse().ok()).unwrap_or(0)
}
