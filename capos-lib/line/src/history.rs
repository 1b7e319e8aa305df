//! Lines entered before, newest last.

use alloc::collections::VecDeque;
use alloc::string::String;

/// Lines that are remembered.
const ROOM: usize = 100;

/// The lines, and where in them the arrow keys are.
#[derive(Default)]
pub struct History {
    lines: VecDeque<String>,
    /// Lines back from the newest; 0 is the line being typed.
    back: usize,
    /// The line being typed while an older one is shown.
    draft: String,
}

impl History {
    /// With nothing in it.
    pub const fn new() -> Self {
        History { lines: VecDeque::new(), back: 0, draft: String::new() }
    }

    /// Remembers a line; not when it is empty or the same as the last one.
    pub fn add(&mut self, line: &str) {
        self.back = 0;
        self.draft.clear();
        if line.trim().is_empty() || self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() >= ROOM {
            self.lines.pop_front();
        }
        self.lines.push_back(String::from(line));
    }

    /// All lines, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The line before the one that is shown; `shown` is kept when it is the one being typed.
    pub fn older(&mut self, shown: &str) -> Option<&str> {
        if self.back >= self.lines.len() {
            return None;
        }
        if self.back == 0 {
            self.draft = String::from(shown);
        }
        self.back += 1;
        self.lines.get(self.lines.len() - self.back).map(String::as_str)
    }

    /// The line after the one that is shown; at last the one that was being typed.
    pub fn newer(&mut self) -> Option<&str> {
        match self.back {
            0 => None,
            1 => {
                self.back = 0;
                Some(&self.draft)
            }
            _ => {
                self.back -= 1;
                self.lines.get(self.lines.len() - self.back).map(String::as_str)
            }
        }
    }
}
