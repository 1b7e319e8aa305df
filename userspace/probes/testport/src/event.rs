//! One event as one line.

use alloc::string::String;
use capos_text::Object;

/// `{"seq":..,"who":..,"event":..` and the fields of the caller's object, flat. `None` when those are not an object on one line;
/// the lab's parser sees to the rest.
pub fn line(sequence: u64, who: &str, name: &str, fields: &str) -> Option<String> {
    let fields = fields.trim();
    let inner = match fields {
        "" => "",
        _ => fields.strip_prefix('{')?.strip_suffix('}')?.trim(),
    };
    if inner.chars().any(char::is_control) {
        return None;
    }
    let mut line = Object::new().number("seq", sequence).text("who", who).text("event", name).finish();
    if !inner.is_empty() {
        line.pop();
        line.push(',');
        line.push_str(inner);
        line.push('}');
    }
    line.push('\n');
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn fields_are_flat() {
        let expected = "{\"seq\":1,\"who\":\"probe\",\"event\":\"done\",\"n\":2}\n";
        assert_eq!(line(1, "probe", "done", "{\"n\":2}").as_deref(), Some(expected));
        assert_eq!(line(1, "probe", "done", " { \"n\":2 } ").as_deref(), Some(expected));
        let bare = "{\"seq\":2,\"who\":\"a\\\"b\",\"event\":\"x\"}\n";
        assert_eq!(line(2, "a\"b", "x", "{}").as_deref(), Some(bare));
        assert_eq!(line(2, "a\"b", "x", "").as_deref(), Some(bare));
    }

    #[test]
    fn what_would_break_the_line_is_refused() {
        assert_eq!(line(1, "p", "x", "{\"a\":1}\n{\"b\":2}"), None);
        assert_eq!(line(1, "p", "x", "[1]"), None);
        assert_eq!(line(1, "p", "x", "{"), None);
    }
}
