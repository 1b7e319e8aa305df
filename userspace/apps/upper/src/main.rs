//! Text filter: `stdin` to `stdout`, or to `console` when there is no `stdout`, in upper case.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

use rt::generated::ByteStreamClient;
use rt::text::Sink;
use rt::{Env, ExceptionCode};

rt::main!(run);

/// Exit codes: 0 all done, 1 reading or writing failed, 2 nothing to read from or to write to.
fn run(mut env: Env) -> i64 {
    let (Ok(input), Ok(output)) = (env.client::<ByteStreamClient>("stdin"), Sink::find(&mut env)) else {
        return 2;
    };
    loop {
        match input.read_blocking(1024) {
            Ok(mut bytes) => {
                bytes.make_ascii_uppercase();
                if output.write(&bytes).is_err() {
                    return 1;
                }
            }
            Err(error) => return i64::from(error.exception() != Some(ExceptionCode::EndOfStream)),
        }
    }
}
