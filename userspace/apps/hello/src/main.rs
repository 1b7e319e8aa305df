//! Says hello on what it was given: `stdout` (a byte stream), else `console`. Shows how small a program is.
#![cfg_attr(capos, no_std, no_main)]

use rt::generated::{ByteStreamClient, ConsoleClient};
use rt::{Env, EnvError};

rt::main!(run);

/// What it says.
const TEXT: &str = "Hello from a process that holds nothing but what it was given.\n";

/// Exit codes: 0 said, 1 the capability refused, 2 nothing to say it on.
fn run(mut env: Env) -> i64 {
    let said = match env.client::<ByteStreamClient>("stdout") {
        Ok(stdout) => stdout.write_blocking(TEXT.as_bytes()),
        Err(EnvError::Missing(_)) => match env.client::<ConsoleClient>("console") {
            Ok(console) => console.write_blocking(TEXT),
            Err(_) => return 2,
        },
        Err(_) => return 2,
    };
    i64::from(said.is_err())
}
