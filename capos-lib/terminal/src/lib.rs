//! One terminal shared by many clients.
//!
//! The state behind a `Console` server, without its IO: whole writes with line ends as terminals want them, a bounded input
//! queue, and one client at a time that holds the input. The console service drives it with the serial line, the shell with
//! what it lends to the program in the foreground.
//!
//! The input belongs to the first client that reads, until that client is gone; others wait in the order they asked. What is
//! typed while the queue is full is not taken: whoever brings it keeps it until there is room, so that nothing is lost.
//!
//! The holder's unfinished line, a prompt with what was typed behind it, stays at the bottom: what others write goes above it.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;

mod focus;
mod output;
mod shown;

pub use focus::Focus;
pub use output::Output;
pub use shown::Shown;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_line::{Editor, History, Keys, MAX_LINE, Outcome};

/// Typed bytes that nobody has read yet; more are not taken.
pub const INPUT_ROOM: usize = 1024;

/// Columns and rows when the terminal does not say.
pub const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// How a line ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LineEnd {
    /// With Return.
    Line(String),
    /// With Ctrl-D on an empty line.
    End,
}

/// The state.
#[derive(Default)]
pub struct Terminal {
    input: VecDeque<u8>,
    focus: Focus,
    output: Output,
    /// The unfinished line of each client that has one.
    shown: BTreeMap<u64, Shown>,
    /// The holder is gone and its unfinished line still stands there.
    dangling: bool,
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

    /// The person typed. Gives how many bytes were taken; the rest must be offered again when something was read.
    #[must_use = "what is not taken must be kept"]
    pub fn typed(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(INPUT_ROOM.saturating_sub(self.input.len()));
        self.input.extend(bytes.iter().take(count));
        count
    }

    /// Whether anything typed waits to be read.
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Asks for the input; true when `client` has it now.
    pub fn ask_for_input(&mut self, client: u64) -> bool {
        self.focus.request(client)
    }

    /// Whether `client` has the input.
    pub fn holds_input(&self, client: u64) -> bool {
        self.focus.holds(client)
    }

    /// What must be sent for `client`'s text. The line of the client that is being typed to moves out of the way.
    pub fn write(&mut self, client: u64, text: &str) -> Vec<u8> {
        let mut whole = self.past_dangling();
        let holder = self.focus.holder().filter(|holder| *holder != client);
        let below = holder.and_then(|holder| self.shown.get(&holder)).filter(|shown| !shown.is_empty());
        match below {
            Some(shown) => {
                shown.hide(usize::from(DEFAULT_SIZE.0), &mut whole);
                whole.push_str(text);
                if !text.ends_with('\n') {
                    whole.push('\n');
                }
                shown.show(&mut whole);
            }
            None => whole.push_str(text),
        }
        self.note(client, text);
        let mut out = Vec::with_capacity(whole.len() + 8);
        self.output.translate(&whole, &mut out);
        out
    }

    /// The input went to a client that has prompted already, above the line of the one before it: what must be sent so that
    /// its prompt is at the bottom.
    pub fn handover(&mut self) -> Vec<u8> {
        let mut whole = self.past_dangling();
        if let Some(shown) = self.focus.holder().and_then(|holder| self.shown.get(&holder)) {
            shown.show(&mut whole);
        }
        let mut out = Vec::new();
        self.output.translate(&whole, &mut out);
        out
    }

    /// Ends a line whose client is gone.
    fn past_dangling(&mut self) -> String {
        String::from(if core::mem::take(&mut self.dangling) { "\n" } else { "" })
    }

    fn note(&mut self, client: u64, text: &str) {
        let shown = self.shown.entry(client).or_default();
        shown.wrote(text);
        if shown.is_empty() {
            self.shown.remove(&client);
        }
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
        let mut said = String::new();
        let end = self.edit(prompt, columns, &mut said);
        self.note(client, &said);
        out.push_str(&said);
        end
    }

    fn edit(&mut self, prompt: &str, columns: usize, out: &mut String) -> Option<LineEnd> {
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
                Outcome::TooLong => {
                    out.push_str(&format!("more than {MAX_LINE} characters; the whole line was dropped\r\n"));
                    editor.redraw(out);
                }
                Outcome::Interrupted => editor.redraw(out),
                Outcome::End => {
                    out.push_str("\r\n");
                    return Some(LineEnd::End);
                }
            }
        }
        self.editor = Some(editor);
        None
    }

    /// The last capability of `client` is gone: the input goes to who asked next. True when it went to somebody, who must be
    /// shown; see [`Terminal::handover`].
    pub fn gone(&mut self, client: u64) -> bool {
        let held = self.focus.holds(client);
        self.focus.gone(client);
        let shown = self.shown.remove(&client);
        if held {
            self.editor = None;
            self.dangling |= shown.is_some();
        }
        held && self.focus.holder().is_some()
    }
}

#[cfg(test)]
mod tests;
