//! Says hello on what it was given: `stdout` (a byte stream), else `console`. Shows how small a program is.
#![cfg_attr(capos, no_std, no_main)]

use rt::Env;
use rt::text::Sink;

rt::main!(run);

/// What it says.
const TEXT: &[u8] = b"Hello from a process that holds nothing but what it was given.\n";

/// Exit codes: 0 said, 1 the capability refused, 2 nothing to say it on.
fn run(mut env: Env) -> i64 {
    match Sink::find(&mut env) {
        Ok(sink) => i64::from(sink.write(TEXT).is_err()),
        Err(_) => 2,
    }
}
