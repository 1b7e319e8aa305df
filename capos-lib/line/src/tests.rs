//! Keys, lines and what a terminal shows: the screen is checked by a small terminal that understands what the editor sends.

extern crate std;
use super::{Editor, History, Key, Keys, MAX_LINE, Outcome};
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Keys::new();
    bytes.iter().filter_map(|byte| keys.feed(*byte)).collect()
}

/// One line of a terminal.
#[derive(Default)]
struct Terminal {
    line: Vec<char>,
    column: usize,
}

impl Terminal {
    fn show(&mut self, out: &str) {
        let mut chars = out.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => self.line.clear(),
                '\x08' => self.column = self.column.saturating_sub(1),
                '\x07' => {}
                '\x1b' => {
                    assert_eq!(chars.next(), Some('['));
                    let mut number = 0;
                    loop {
                        match chars.next() {
                            Some(digit) if digit.is_ascii_digit() => {
                                number = number * 10 + digit as usize - 48
                            }
                            Some('C') => break self.column += number,
                            Some('D') => break self.column = self.column.saturating_sub(number),
                            Some('K') => break self.line.truncate(self.column),
                            Some('J') => break self.line.clear(),
                            Some('H') => break self.column = 0,
                            other => panic!("unknown sequence {other:?}"),
                        }
                    }
                }
                c => {
                    if self.column < self.line.len() {
                        self.line[self.column] = c;
                    } else {
                        assert_eq!(self.column, self.line.len());
                        self.line.push(c);
                    }
                    self.column += 1;
                }
            }
        }
    }

    fn text(&self) -> String {
        self.line.iter().collect::<String>().trim_end().to_string()
    }
}

struct Session {
    editor: Editor,
    history: History,
    keys: Keys,
    terminal: Terminal,
    last: Outcome,
}

impl Session {
    fn new(columns: usize) -> Self {
        let editor = Editor::new("> ", columns);
        let mut terminal = Terminal::default();
        let mut out = String::new();
        editor.redraw(&mut out);
        terminal.show(&out);
        Session { editor, history: History::new(), keys: Keys::new(), terminal, last: Outcome::Editing }
    }

    fn send(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            if let Some(key) = self.keys.feed(*byte) {
                let mut out = String::new();
                self.last = self.editor.key(key, &mut self.history, &mut out);
                self.terminal.show(&out);
            }
        }
        self
    }

    /// The line, with the terminal agreeing about text and cursor.
    fn check(&self, line: &str, cursor: usize) {
        assert_eq!(self.editor.line(), line);
        assert_eq!(self.editor.before_cursor().chars().count(), cursor);
        assert_eq!(self.terminal.text(), std::format!("> {line}").trim_end());
        assert_eq!(self.terminal.column, cursor + 2);
    }
}

#[test]
fn plain_characters_and_controls() {
    assert_eq!(keys(b"aZ~"), [Key::Char('a'), Key::Char('Z'), Key::Char('~')]);
    assert_eq!(keys(b"\x01\x0c\x1a"), [Key::Control('a'), Key::Control('l'), Key::Control('z')]);
    assert_eq!(keys(b"\t\x7f\x08"), [Key::Tab, Key::Backspace, Key::Backspace]);
    assert_eq!(keys(b"\x00\x1f"), [Key::Unknown, Key::Unknown]);
}

#[test]
fn every_end_of_line_is_one_enter() {
    assert_eq!(keys(b"\r"), [Key::Enter]);
    assert_eq!(keys(b"\n"), [Key::Enter]);
    assert_eq!(keys(b"\r\n"), [Key::Enter]);
    assert_eq!(keys(b"\n\n\r\r\n"), [Key::Enter; 4]);
    assert_eq!(keys(b"\ra\n"), [Key::Enter, Key::Char('a'), Key::Enter]);
}

#[test]
fn arrows_and_their_relatives() {
    assert_eq!(keys(b"\x1b[A\x1b[B\x1b[C\x1b[D"), [Key::Up, Key::Down, Key::Right, Key::Left]);
    assert_eq!(keys(b"\x1bOA\x1bOH\x1bOF"), [Key::Up, Key::Home, Key::End]);
    assert_eq!(
        keys(b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[3~"),
        [Key::Home, Key::End, Key::Home, Key::End, Key::Delete]
    );
    assert_eq!(keys(b"\x1bb\x1bF"), [Key::Alt('b'), Key::Alt('f')]);
}

#[test]
fn strange_sequences_do_not_spill_into_the_line() {
    assert_eq!(keys(b"\x1b[15~x"), [Key::Unknown, Key::Char('x')]);
    assert_eq!(keys(b"\x1b[1;5Cx"), [Key::Right, Key::Char('x')]);
    assert_eq!(keys(b"\x1b[99999999999~x"), [Key::Unknown, Key::Char('x')]);
    assert_eq!(keys(b"\x1b[\x01x"), [Key::Unknown, Key::Char('x')]);
    assert_eq!(keys(b"\x1b\x1b[A"), [Key::Up]);
    assert_eq!(keys(b"\x1b?x"), [Key::Unknown, Key::Char('x')]);
}

#[test]
fn utf8_and_what_only_looks_like_it() {
    assert_eq!(keys("aé→𝄞".as_bytes()), [Key::Char('a'), Key::Char('é'), Key::Char('→'), Key::Char('𝄞')]);
    assert_eq!(keys(b"\xffa"), [Key::Unknown, Key::Char('a')]);
    assert_eq!(keys(b"\xc3a"), [Key::Char('a')]);
    assert_eq!(keys(b"\xed\xa0\x80"), [Key::Unknown]);
    assert_eq!(keys(b"\x80\xbf"), [Key::Unknown; 2]);
}

#[test]
fn all_byte_pairs_are_survived() {
    // Miri takes minutes for all of them; a few of each kind will do there.
    let step = if cfg!(miri) { 15 } else { 1 };
    for first in (0..=255u8).step_by(step) {
        for second in (0..=255u8).step_by(step) {
            assert!(keys(&[first, second, b'~', b'x']).len() <= 4);
        }
    }
}

#[test]
fn typing_appends_and_enter_gives_the_line() {
    let mut session = Session::new(80);
    session.send(b"help").check("help", 4);
    session.send(b"\r");
    assert_eq!(session.last, Outcome::Line("help".into()));
    assert_eq!(session.editor.line(), "");
}

#[test]
fn typing_at_the_end_echoes_just_the_character() {
    let (mut editor, mut history, mut out) = (Editor::new("> ", 80), History::new(), String::new());
    editor.key(Key::Char('x'), &mut history, &mut out);
    assert_eq!(out, "x");
}

#[test]
fn editing_in_the_middle() {
    let mut session = Session::new(80);
    session.send(b"hlp\x1b[D\x1b[De").check("help", 2);
    session.send(b"\x7f").check("hlp", 1);
    session.send(b"\x1b[3~").check("hp", 1);
    session.send(b"\x05!").check("hp!", 3);
    session.send(b"\x01?").check("?hp!", 1);
}

#[test]
fn nothing_happens_at_the_edges() {
    let mut session = Session::new(80);
    session.send(b"\x7f\x1b[3~\x1b[D\x1b[C\x0b\x15\x17").check("", 0);
    session.send(b"a\x1b[C\x1b[C").check("a", 1);
}

#[test]
fn cutting_and_pasting() {
    let mut session = Session::new(80);
    session.send(b"run hello now\x17").check("run hello ", 10);
    session.send(b"\x15").check("", 0);
    session.send(b"\x19\x19").check("run hello run hello ", 20);
    session.send(b"\x01\x0b").check("", 0);
}

#[test]
fn word_movements() {
    let mut session = Session::new(80);
    session.send(b"one  two").send(b"\x1bb").check("one  two", 5);
    session.send(b"\x1bb").check("one  two", 0);
    session.send(b"\x1bf").check("one  two", 3);
    session.send(b"\x1bf").check("one  two", 8);
    session.send(b"  \x17").check("one  ", 5);
}

#[test]
fn control_d_ends_or_deletes() {
    let mut session = Session::new(80);
    session.send(b"ab\x01\x04").check("b", 0);
    session.send(b"\x04").check("", 0);
    session.send(b"\x04");
    assert_eq!(session.last, Outcome::End);
}

#[test]
fn control_c_throws_the_line_away() {
    let mut session = Session::new(80);
    session.send(b"oops\x03");
    assert_eq!((session.last.clone(), session.editor.line()), (Outcome::Interrupted, String::new()));
}

#[test]
fn history_goes_back_and_forth_and_keeps_the_draft() {
    let mut session = Session::new(80);
    session.send(b"first\rsecond\r");
    session.editor.redraw(&mut String::new());
    let mut out = String::new();
    session.editor.redraw(&mut out);
    session.terminal.show(&out);
    session.send(b"dra\x1b[A").check("second", 6);
    session.send(b"\x1b[A").check("first", 5);
    session.send(b"\x1b[A").check("first", 5);
    session.send(b"\x1b[B\x1b[B").check("dra", 3);
    session.send(b"\x1b[B").check("dra", 3);
}

#[test]
fn history_skips_repeats_and_blanks_and_is_bounded() {
    let mut history = History::new();
    for line in ["a", "a", " ", "", "b"] {
        history.add(line);
    }
    assert_eq!(history.lines().collect::<Vec<_>>(), ["a", "b"]);
    for number in 0..500 {
        history.add(&number.to_string());
    }
    assert_eq!(history.lines().count(), 100);
    assert_eq!(history.lines().next(), Some("400"));
}

#[test]
fn long_lines_scroll_and_never_wrap() {
    let mut session = Session::new(20);
    session.send(&[b'x'; 50]);
    assert!(session.terminal.line.len() < 20);
    session.send(b"\x01");
    assert_eq!(session.terminal.column, 2);
    assert!(session.terminal.line.len() < 20);
    session.send(b"\x05\x7f\x7f");
    assert_eq!(session.editor.line().len(), 48);
    assert!(session.terminal.line.len() < 20);
}

#[test]
fn a_long_line_that_comes_at_once_is_drawn_once() {
    let (mut editor, mut history) = (Editor::new("> ", 20), History::new());
    let mut out = String::from("kept\r\n");
    for _ in 0..50 {
        editor.key(Key::Char('x'), &mut history, &mut out);
    }
    assert_eq!(out, std::format!("kept\r\n\r> {}\x1b[K", "x".repeat(17)));
    editor.key(Key::Control('l'), &mut history, &mut out);
    editor.key(Key::Left, &mut history, &mut out);
    assert!(out.contains("\x1b[2J"), "{out:?}");
}

#[test]
fn a_line_that_is_too_long_is_refused_whole() {
    let mut session = Session::new(80);
    session.send(&vec![b'x'; MAX_LINE]);
    let mut out = String::new();
    session.editor.key(Key::Char('y'), &mut session.history, &mut out);
    assert_eq!((out.as_str(), session.editor.line().len()), ("\x07", MAX_LINE));
    session.send(b"\r");
    assert_eq!((session.last.clone(), session.editor.line()), (Outcome::TooLong, String::new()));
    assert_eq!(session.history.lines().count(), 0);
    session.send(b"next\r");
    assert_eq!(session.last, Outcome::Line("next".into()));
}

#[test]
fn a_long_line_that_was_shortened_is_taken() {
    let mut session = Session::new(80);
    session.send(&vec![b'x'; MAX_LINE + 5]).send(b"\x7f\r");
    assert_eq!(session.last, Outcome::Line("x".repeat(MAX_LINE - 1)));
}

#[test]
fn clearing_the_screen_keeps_the_line() {
    let mut session = Session::new(80);
    session.send(b"stay\x0c").check("stay", 4);
}

#[test]
fn tab_asks_the_caller_who_may_insert() {
    let mut session = Session::new(80);
    session.send(b"he\t");
    assert_eq!(session.last, Outcome::Complete);
    let mut out = String::new();
    session.editor.insert("lp ", &mut out);
    session.terminal.show(&out);
    session.check("help ", 5);
}

#[test]
fn coloured_prompts_take_only_their_visible_width() {
    let (mut editor, mut history, mut out) =
        (Editor::new("\x1b[1mcapos\x1b[0m> ", 20), History::new(), String::new());
    for _ in 0..8 {
        editor.key(Key::Char('x'), &mut history, &mut out);
    }
    assert_eq!(out, "xxxxxxxx");
}
