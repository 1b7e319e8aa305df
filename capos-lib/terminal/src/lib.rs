//! One terminal shared by many clients.
//!
//! The state behind a `Console` server, without its IO: whole writes with line ends as terminals want them, a bounded input
//! queue, and one client at a time that holds the input. The console service drives it with the serial line, the shell with
//! what it lends to the program in the foreground.
//!
//! The input belongs to the first client that reads, until that client is gone; others wait in the order they asked.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;

mod focus;
mod output;

pub use focus::Focus;
pub use output::Output;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use capos_line::{Editor, History, Keys, Outcome};

/// Typed bytes that nobody has read yet; what is typed beyond that is lost and counted.
pub const INPUT_ROOM: usize = 1024;

/// Columns and rows when the terminal does not say.
pub const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// How a line ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LineEnd {
    /// With Return.
    Line(String),
    /// With Ctrl-D on an empty line, or Ctrl-C.
    End,
}

/// The state.
#[derive(Default)]
pub struct Terminal {
    input: VecDeque<u8>,
    lost: u64,
    focus: Focus,
    output: Output,
    keys: Keys,
    history: History,
    /// The line that the holder of the input is editing.
    editor: Option<Editor>,
}

impl Terminal {
    /// Nobody there, nothing typed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The person typed.
    pub fn typed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.input.len() < INPUT_ROOM {
                self.input.push_back(*byte);
            } else {
                self.lost += 1;
            }
        }
    }

    /// Whether anything typed waits to be read.
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Bytes that were typed while the queue was full.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// What must be sent for `client`'s text. A line that another client is editing moves out of the way.
    pub fn write(&mut self, client: u64, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 8);
        let disturbed = self.editor.as_ref().filter(|_| !self.focus.holds(client));
        if disturbed.is_some() {
            out.extend_from_slice(b"\r\x1b[K");
        }
        self.output.translate(text, &mut out);
        if let Some(editor) = disturbed {
            if !text.ends_with('\n') {
                out.extend_from_slice(b"\r\n");
            }
            let mut line = String::new();
            editor.redraw(&mut line);
            out.extend_from_slice(line.as_bytes());
        }
        out
    }

    /// Gives `client` what was typed, raw, when it has the input and there is something; else it must ask again later.
    pub fn read_keys(&mut self, client: u64, max: usize) -> Option<Vec<u8>> {
        if !self.focus.request(client) || self.input.is_empty() {
            return None;
        }
        let count = self.input.len().min(max.max(1));
        Some(self.input.drain(..count).collect())
    }

    /// Lets `client` read a line. Appends to `out` what the terminal must be sent; `None` means: ask again when more was typed.
    pub fn read_line(
        &mut self,
        client: u64,
        prompt: &str,
        columns: usize,
        out: &mut String,
    ) -> Option<LineEnd> {
        if !self.focus.request(client) {
            return None;
        }
        let mut editor = match self.editor.take() {
            Some(editor) => editor,
            None => {
                let editor = Editor::new(prompt, columns);
                editor.redraw(out);
                editor
            }
        };
        while let Some(byte) = self.input.pop_front() {
            let Some(key) = self.keys.feed(byte) else { continue };
            match editor.key(key, &mut self.history, out) {
                Outcome::Editing | Outcome::Complete => {}
                Outcome::Line(line) => return Some(LineEnd::Line(line)),
                Outcome::Interrupted => return Some(LineEnd::End),
                Outcome::End => {
                    out.push_str("\r\n");
                    return Some(LineEnd::End);
                }
            }
        }
        self.editor = Some(editor);
        None
    }

    /// The last capability of `client` is gone: the input goes to who asked next.
    pub fn gone(&mut self, client: u64) {
        if self.focus.holds(client) {
            self.editor = None;
        }
        self.focus.gone(client);
    }
}

#[cfg(test)]
mod tests;
