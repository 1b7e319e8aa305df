//! The unfinished line at the bottom of the screen.

use alloc::string::String;

/// Bytes remembered; a line of more escape sequences than that is not put back.
const ROOM: usize = 4096;

/// What one client has written since its last line end: a prompt and what was typed behind it, say. Another client's text goes
/// above it: [`Shown::hide`], the text, [`Shown::show`].
#[derive(Default)]
pub struct Shown {
    line: String,
    /// There was no room for all of it.
    cut: bool,
}

impl Shown {
    /// Takes note of text that was written.
    pub fn wrote(&mut self, text: &str) {
        let rest = match text.rfind('\n') {
            Some(end) => {
                self.forget();
                text.get(end + 1..).unwrap_or("")
            }
            None => text,
        };
        // Whoever goes back to the beginning of the line writes it anew; only that is needed to show it again.
        let rest = match rest.rfind('\r') {
            Some(start) => {
                self.forget();
                rest.get(start..).unwrap_or("")
            }
            None => rest,
        };
        if self.line.len() + rest.len() <= ROOM {
            self.line.push_str(rest);
        } else {
            self.cut = true;
        }
    }

    /// Whether the client's last line is finished.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty() && !self.cut
    }

    /// Takes the line from a screen of so many columns. A line that may have wrapped stays where it is.
    pub fn hide(&self, columns: usize, out: &mut String) {
        if self.is_empty() {
            return;
        }
        out.push_str(if self.cut || self.width() >= columns { "\r\n" } else { "\r\x1b[K" });
    }

    /// Puts the line back, at the beginning of an empty one.
    pub fn show(&self, out: &mut String) {
        if !self.cut {
            out.push_str(&self.line);
        }
    }

    /// Columns that it takes: escape sequences take none, a backspace gives one back.
    fn width(&self) -> usize {
        let mut width: usize = 0;
        let mut escaped = false;
        for c in self.line.chars() {
            match c {
                '\x1b' => escaped = true,
                '[' if escaped => {}
                '\x40'..='\x7e' if escaped => escaped = false,
                _ if escaped => {}
                '\x08' => width = width.saturating_sub(1),
                c if c.is_control() => {}
                _ => width += 1,
            }
        }
        width
    }

    fn forget(&mut self) {
        self.line.clear();
        self.cut = false;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{ROOM, Shown};
    use std::string::String;

    fn above(shown: &Shown, text: &str) -> String {
        let mut out = String::new();
        shown.hide(20, &mut out);
        out.push_str(text);
        shown.show(&mut out);
        out
    }

    #[test]
    fn only_what_follows_the_last_line_end_is_put_back() {
        let mut shown = Shown::default();
        assert_eq!(above(&shown, "x\n"), "x\n");
        shown.wrote("done\n\r> \x1b[K");
        shown.wrote("ab");
        shown.wrote("\x08 \x08");
        assert_eq!(above(&shown, "x\n"), "\r\x1b[Kx\n\r> \x1b[Kab\x08 \x08");
        shown.wrote("\r> a\x1b[K");
        assert_eq!(above(&shown, "x\n"), "\r\x1b[Kx\n\r> a\x1b[K");
        shown.wrote("c\n");
        assert!(shown.is_empty());
    }

    #[test]
    fn a_line_that_wraps_is_left_where_it_is() {
        let mut shown = Shown::default();
        shown.wrote(&"w".repeat(20));
        assert!(above(&shown, "x\n").starts_with("\r\nx\n"));
    }

    #[test]
    fn a_line_without_end_is_not_kept_for_ever() {
        let mut shown = Shown::default();
        for _ in 0..3 {
            shown.wrote(&"e".repeat(ROOM - 1));
        }
        assert_eq!(above(&shown, "x\n"), "\r\nx\n");
        shown.wrote("\n");
        assert!(shown.is_empty());
    }
}
