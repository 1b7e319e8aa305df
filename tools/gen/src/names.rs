//! Names: `sleepUntil` of the schema becomes `sleep_until`, `SLEEP_UNTIL` and `SleepUntil` of Rust.

/// Words that are no names in Rust (edition 2024).
const KEYWORDS: [&str; 53] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "union", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield", "Self",
];

/// `sleepUntil` to `sleep_until`, `IoPort` to `io_port`.
pub fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        before = c;
    }
    out
}

/// `sleepUntil` to `sleep_until`, and `yield` to `yield_`: what can be a function or a field.
pub fn identifier(name: &str) -> String {
    let mut name = snake(name);
    if KEYWORDS.contains(&name.as_str()) {
        name.push('_');
    }
    name
}

/// `sleepUntil` to `SLEEP_UNTIL`.
pub fn upper(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// `sleepUntil` to `SleepUntil`.
pub fn pascal(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::{identifier, pascal, snake, upper};

    #[test]
    fn camel_case_becomes_snake_case() {
        assert_eq!(snake("sleepUntil"), "sleep_until");
        assert_eq!(snake("IoPort"), "io_port");
        assert_eq!(snake("read8"), "read8");
        assert_eq!(snake("write16Bytes"), "write16_bytes");
        assert_eq!(snake("timeNs"), "time_ns");
    }

    #[test]
    fn keywords_get_a_tail() {
        assert_eq!(identifier("yield"), "yield_");
        assert_eq!(identifier("gen"), "gen_");
        assert_eq!(identifier("yieldNow"), "yield_now");
    }

    #[test]
    fn constants_and_types() {
        assert_eq!(upper("sleepUntil"), "SLEEP_UNTIL");
        assert_eq!(pascal("sleepUntil"), "SleepUntil");
        assert_eq!(pascal(""), "");
    }
}
