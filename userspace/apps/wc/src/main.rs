//! Text filter: counts lines, words and bytes of `stdin`, for `stdout` or `console`.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

use alloc::format;
use rt::generated::ByteStreamClient;
use rt::text::Sink;
use rt::{Env, ExceptionCode};

rt::main!(run);

/// What was counted.
#[derive(Default)]
struct Counts {
    lines: u64,
    words: u64,
    bytes: u64,
    in_word: bool,
}

impl Counts {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.bytes += 1;
            self.lines += u64::from(*byte == b'\n');
            let space = byte.is_ascii_whitespace();
            self.words += u64::from(!space && !self.in_word);
            self.in_word = !space;
        }
    }
}

/// Exit codes: 0 counted, 1 reading or writing failed, 2 nothing to read from or to write to.
fn run(mut env: Env) -> i64 {
    let (Ok(input), Ok(output)) = (env.client::<ByteStreamClient>("stdin"), Sink::find(&mut env)) else {
        return 2;
    };
    let mut counts = Counts::default();
    loop {
        match input.read_blocking(3072) {
            Ok(bytes) => counts.add(&bytes),
            Err(error) if error.exception() == Some(ExceptionCode::EndOfStream) => break,
            Err(_) => return 1,
        }
    }
    let text = format!("{} lines, {} words, {} bytes\n", counts.lines, counts.words, counts.bytes);
    i64::from(output.write(text.as_bytes()).is_err())
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn words_may_span_reads() {
        let mut counts = Counts::default();
        for part in ["one tw", "o\n", "", " three"] {
            counts.add(part.as_bytes());
        }
        assert_eq!((counts.lines, counts.words, counts.bytes), (1, 3, 14));
    }
}
