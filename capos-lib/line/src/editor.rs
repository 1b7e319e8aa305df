//! The edited line.

use crate::history::History;
use crate::keys::Key;
use crate::screen;
use alloc::string::String;
use alloc::vec::Vec;

/// Longest line, in characters. More is refused with a bell, and so is the line when it is entered as it then is.
pub const MAX_LINE: usize = 1000;

/// What a key led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Editing goes on.
    Editing,
    /// The line is done; the editor is empty again.
    Line(String),
    /// The line was longer than [`MAX_LINE`] and is thrown away: half of what was meant must not be run.
    TooLong,
    /// Ctrl-D on an empty line.
    End,
    /// Ctrl-C; the line is thrown away.
    Interrupted,
    /// Tab: the caller may have something to insert. See [`Editor::insert`].
    Complete,
}

/// A line and its cursor. Give it the terminal's width and a prompt, then key after key.
pub struct Editor {
    prompt: String,
    columns: usize,
    text: Vec<char>,
    cursor: usize,
    /// What Ctrl-K, Ctrl-U and Ctrl-W removed last, for Ctrl-Y.
    cut: Vec<char>,
    /// Characters were refused, and the line was not changed since by somebody who saw that.
    refused: bool,
}

impl Editor {
    /// An empty line on a terminal that is `columns` wide.
    pub fn new(prompt: &str, columns: usize) -> Editor {
        Editor {
            prompt: String::from(prompt),
            columns,
            text: Vec::new(),
            cursor: 0,
            cut: Vec::new(),
            refused: false,
        }
    }

    /// The whole line.
    pub fn line(&self) -> String {
        self.text.iter().collect()
    }

    /// The part of the line before the cursor: what completion looks at.
    pub fn before_cursor(&self) -> String {
        self.text.iter().take(self.cursor).collect()
    }

    /// Shows prompt and line anew.
    pub fn redraw(&self, out: &mut String) {
        screen::redraw(out, &self.prompt, &self.text, self.cursor, self.columns);
    }

    /// Takes one key, appends to `out` what the terminal must be sent.
    pub fn key(&mut self, key: Key, history: &mut History, out: &mut String) -> Outcome {
        match key {
            Key::Enter => return self.finish(history, out),
            Key::Tab => return Outcome::Complete,
            Key::Control('c') => return self.interrupt(out),
            Key::Control('d') if self.text.is_empty() => return Outcome::End,
            Key::Char(c) => self.insert_char(c, out),
            Key::Backspace | Key::Control('h') => {
                self.remove(self.cursor.saturating_sub(1), self.cursor, out)
            }
            Key::Delete | Key::Control('d') => self.remove(self.cursor, self.cursor + 1, out),
            Key::Left | Key::Control('b') => self.move_to(self.cursor.saturating_sub(1), out),
            Key::Right | Key::Control('f') => self.move_to(self.cursor + 1, out),
            Key::Home | Key::Control('a') => self.move_to(0, out),
            Key::End | Key::Control('e') => self.move_to(self.text.len(), out),
            Key::Alt('b') => self.move_to(self.word_start(), out),
            Key::Alt('f') => self.move_to(self.word_end(), out),
            Key::Control('k') => self.cut(self.cursor, self.text.len(), out),
            Key::Control('u') => self.cut(0, self.cursor, out),
            Key::Control('w') => self.cut(self.word_start(), self.cursor, out),
            Key::Control('y') => self.paste(out),
            Key::Control('l') => {
                out.push_str("\x1b[H\x1b[2J");
                self.redraw(out);
            }
            Key::Up | Key::Control('p') => self.recall(history.older(&self.line()).map(String::from), out),
            Key::Down | Key::Control('n') => self.recall(history.newer().map(String::from), out),
            Key::Control(_) | Key::Alt(_) | Key::Unknown => {}
        }
        Outcome::Editing
    }

    /// Inserts text at the cursor, as completion does.
    pub fn insert(&mut self, text: &str, out: &mut String) {
        for c in text.chars() {
            self.insert_char(c, out);
        }
    }

    fn insert_char(&mut self, c: char, out: &mut String) {
        if self.text.len() >= MAX_LINE {
            self.refused = true;
            out.push('\x07');
            return;
        }
        let at_end = self.cursor == self.text.len();
        self.text.insert(self.cursor, c);
        self.cursor += 1;
        if at_end && screen::fits(&self.prompt, self.text.len(), self.columns) {
            out.push(c);
        } else {
            self.redraw(out);
        }
    }

    /// Removes the characters `from..to`, as far as they exist.
    fn remove(&mut self, from: usize, to: usize, out: &mut String) {
        let to = to.min(self.text.len());
        if from >= to {
            return;
        }
        let last = to == self.text.len() && self.cursor == to && to - from == 1;
        let whole = screen::fits(&self.prompt, self.text.len(), self.columns);
        self.text.drain(from..to);
        self.cursor = from;
        self.refused = false;
        if last && whole {
            out.push_str("\x08 \x08");
        } else {
            self.redraw(out);
        }
    }

    fn cut(&mut self, from: usize, to: usize, out: &mut String) {
        if let Some(removed) = self.text.get(from..to)
            && !removed.is_empty()
        {
            self.cut = Vec::from(removed);
            self.remove(from, to, out);
        }
    }

    fn paste(&mut self, out: &mut String) {
        let text: String = self.cut.iter().collect();
        self.insert(&text, out);
    }

    fn move_to(&mut self, cursor: usize, out: &mut String) {
        let cursor = cursor.min(self.text.len());
        let from = core::mem::replace(&mut self.cursor, cursor);
        if screen::fits(&self.prompt, self.text.len(), self.columns) {
            screen::left(out, from.saturating_sub(cursor));
            screen::right(out, cursor.saturating_sub(from));
        } else if cursor != from {
            self.redraw(out);
        }
    }

    fn recall(&mut self, line: Option<String>, out: &mut String) {
        let Some(line) = line else { return };
        self.text = line.chars().collect();
        self.refused = false;
        self.cursor = self.text.len();
        self.redraw(out);
    }

    fn finish(&mut self, history: &mut History, out: &mut String) -> Outcome {
        if self.refused {
            self.clear();
            out.push_str("\r\n");
            return Outcome::TooLong;
        }
        let line = self.line();
        history.add(&line);
        self.clear();
        out.push_str("\r\n");
        Outcome::Line(line)
    }

    fn interrupt(&mut self, out: &mut String) -> Outcome {
        self.clear();
        out.push_str("^C\r\n");
        Outcome::Interrupted
    }

    fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
        self.refused = false;
    }

    /// Where the word before the cursor begins.
    fn word_start(&self) -> usize {
        let before = self.text.get(..self.cursor).unwrap_or(&[]);
        let word_end = before.iter().rposition(|c| !c.is_whitespace()).map_or(0, |last| last + 1);
        before.iter().take(word_end).rposition(|c| c.is_whitespace()).map_or(0, |space| space + 1)
    }

    /// Where the word behind the cursor ends.
    fn word_end(&self) -> usize {
        let behind = self.text.get(self.cursor..).unwrap_or(&[]);
        let word = behind.iter().position(|c| !c.is_whitespace()).unwrap_or(behind.len());
        let length = behind.iter().skip(word).position(|c| c.is_whitespace()).unwrap_or(behind.len() - word);
        self.cursor + word + length
    }
}
