//! Symbol names for people: enough of the two manglings to read a backtrace. Generic arguments are left out or run together.

use core::fmt;

/// A symbol, displayed as its path when it is a mangled one and as it is otherwise.
pub struct Symbol<'a>(pub &'a str);

/// Length of the hash at the end of a path, with its letter.
const HASH: usize = 17;

fn next_part(rest: &str) -> Option<(&str, &str)> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (count, rest) = rest.split_at_checked(digits)?;
    let length: usize = count.parse().ok()?;
    rest.split_at_checked(length)
}

fn is_hash(part: &str) -> bool {
    part.len() == HASH && part.starts_with('h') && part.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit())
}

impl Symbol<'_> {
    /// The parts between `_ZN` and `E`.
    fn body(&self) -> Option<&str> {
        let body = self.0.strip_prefix("_ZN")?;
        let mut rest = body;
        while !rest.starts_with('E') {
            rest = next_part(rest)?.1;
        }
        Some(body)
    }
}

/// The next identifier of a `_R` symbol: whatever has its length before it. Between them stand letters that say how parts belong
/// together, and base-62 numbers that end in an underscore (after `s` and `B`).
fn next_identifier(mut rest: &str) -> Option<(&str, &str)> {
    loop {
        let mut letters = rest.chars();
        match letters.next()? {
            '0'..='9' => return next_part(rest),
            's' | 'B' => rest = rest.split_once('_')?.1,
            _ => rest = letters.as_str(),
        }
    }
}

fn write_path<'a>(
    out: &mut fmt::Formatter<'_>,
    mut rest: &'a str,
    next: fn(&'a str) -> Option<(&'a str, &'a str)>,
) -> fmt::Result {
    let mut first = true;
    while let Some((part, others)) = next(rest) {
        rest = others;
        if is_hash(part) {
            continue;
        }
        if !first {
            out.write_str("::")?;
        }
        first = false;
        out.write_str(part.strip_prefix('_').unwrap_or(part))?;
    }
    Ok(())
}

impl fmt::Display for Symbol<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(body) = self.body() {
            return write_path(out, body, next_part);
        }
        match self.0.strip_prefix("_R").filter(|body| next_identifier(body).is_some()) {
            Some(body) => write_path(out, body, next_identifier),
            None => out.write_str(self.0),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Symbol;
    use std::string::ToString;

    #[test]
    fn paths_lose_lengths_and_hash() {
        let symbol = "_ZN10kernel_hal3x864user3run17h0123456789abcdefE";
        assert_eq!(Symbol(symbol).to_string(), "kernel_hal::x86::user::run");
    }

    #[test]
    fn new_paths_lose_lengths_and_disambiguators() {
        let symbol = "_RNvNtCsg3SjgaGcPXb_4core9panicking18panic_bounds_check";
        assert_eq!(Symbol(symbol).to_string(), "core::panicking::panic_bounds_check");
        assert_eq!(Symbol("_RNvC3foo3bar").to_string(), "foo::bar");
    }

    #[test]
    fn other_names_stay() {
        for name in
            ["_start", "capos_resume", "_R", "_Rust", "_ZN", "_ZN9short", "_ZN99999999999999999999999E", ""]
        {
            assert_eq!(Symbol(name).to_string(), name);
        }
    }

    #[test]
    fn a_part_that_only_looks_like_a_hash_stays() {
        assert_eq!(Symbol("_ZN1a17hxyz456789abcdef0E").to_string(), "a::hxyz456789abcdef0");
    }
}
