//! One JSON object on one line.

use alloc::string::String;
use core::fmt::{Display, Write};

/// An object in the making. Fields appear in the order they are added; the caller keeps names unique.
pub struct Object {
    text: String,
}

impl Default for Object {
    fn default() -> Self {
        Self::new()
    }
}

impl Object {
    /// Without fields.
    pub fn new() -> Self {
        Object { text: String::from("{") }
    }

    /// A text field.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        quote(&mut self.text, value);
        self
    }

    /// A number.
    pub fn number(mut self, name: &str, value: impl Into<i128>) -> Self {
        self.name(name);
        self.put(value.into());
        self
    }

    /// True or false.
    pub fn flag(mut self, name: &str, value: bool) -> Self {
        self.name(name);
        self.put(value);
        self
    }

    /// A field whose value is JSON already.
    pub fn raw(mut self, name: &str, json: &str) -> Self {
        self.name(name);
        self.text.push_str(json);
        self
    }

    /// The whole line, without its end.
    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        quote(&mut self.text, name);
        self.text.push(':');
    }

    fn put(&mut self, value: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.text, "{value}");
    }
}

/// A JSON string. Control characters and DEL are escaped, so that the line stays one line on any terminal.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' || c == '\x7f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
