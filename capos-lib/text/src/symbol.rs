//! Names of functions as the Rust compiler writes them into symbol tables, made readable.

use alloc::string::String;

/// How characters that a symbol cannot have are written in one.
const ESCAPES: [(&str, &str); 12] = [
    ("$LT$", "<"),
    ("$GT$", ">"),
    ("$u20$", " "),
    ("$C$", ","),
    ("$u7b$", "{"),
    ("$u7d$", "}"),
    ("$RF$", "&"),
    ("$BP$", "*"),
    ("$LP$", "("),
    ("$RP$", ")"),
    ("$u5b$", "["),
    ("$u5d$", "]"),
];

/// A symbol of the older scheme (`_ZN`, then each part of the path with its length, then `E`) as a path without its hash; any other as it is.
pub fn symbol(name: &str) -> String {
    path(name).unwrap_or_else(|| String::from(name))
}

fn path(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix("_ZN")?;
    let mut out = String::new();
    while !rest.starts_with('E') {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let length: usize = rest.get(..digits)?.parse().ok()?;
        let (part, after) = rest.get(digits..)?.split_at_checked(length)?;
        rest = after;
        if is_hash(part) && rest.starts_with('E') {
            break;
        }
        if !out.is_empty() {
            out.push_str("::");
        }
        out.push_str(&unescape(part));
    }
    Some(out).filter(|out| !out.is_empty())
}

fn is_hash(part: &str) -> bool {
    part.strip_prefix('h').is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn unescape(part: &str) -> String {
    // A part may not begin with a dollar sign, so one more character is put before it.
    let part = if part.starts_with("_$") { part.get(1..).unwrap_or(part) } else { part };
    let mut text = part.replace("..", "::");
    for (from, to) in ESCAPES {
        text = text.replace(from, to);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::symbol;

    #[test]
    fn paths_lose_lengths_and_hash() {
        assert_eq!(symbol("_ZN5shell8commands8diagnose17h504cddc60e584d64E"), "shell::commands::diagnose");
        assert_eq!(symbol("_ZN5shell3runE"), "shell::run");
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(
            symbol(
                "_ZN4core3ptr81drop_in_place$LT$shell..commands..kill..$u7b$$u7b$closure$u7d$$u7d$$GT$17hec148b93efa7b520E"
            ),
            "_ZN4core3ptr81drop_in_place$LT$shell..commands..kill..$u7b$$u7b$closure$u7d$$u7d$$GT$17hec148b93efa7b520E",
            "a length that is not true is left alone"
        );
        assert_eq!(
            symbol("_ZN29_$LT$a..B$u20$as$u20$c..D$GT$3fmt17h0694fbe455b52c55E"),
            "<a::B as c::D>::fmt"
        );
    }

    #[test]
    fn others_stay_as_they_are() {
        for name in ["memcpy", "_RNvX3foo", "_ZN", "_ZNE", "_ZN99x", "_ZN3a\u{e9}", ""] {
            assert_eq!(symbol(name), name);
        }
    }
}
