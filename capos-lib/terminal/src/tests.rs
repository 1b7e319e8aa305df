//! Several clients at one terminal.

extern crate std;
use super::{Focus, INPUT_ROOM, LineEnd, Output, Terminal};
use std::string::String;
use std::vec;
use std::vec::Vec;

const A: u64 = 1;
const B: u64 = 2;

fn line(terminal: &mut Terminal, client: u64) -> (Option<LineEnd>, String) {
    let mut out = String::new();
    let end = terminal.read_line(client, "? ", 80, &mut out);
    (end, out)
}

#[test]
fn line_ends_are_translated_once() {
    let (mut output, mut out) = (Output::default(), Vec::new());
    output.translate("a\nb\r\nc\r", &mut out);
    output.translate("\n\n", &mut out);
    assert_eq!(out, b"a\r\nb\r\nc\r\n\r\n");
}

#[test]
fn the_first_reader_holds_the_input() {
    let mut focus = Focus::default();
    assert!(focus.request(A));
    assert!(!focus.request(B));
    assert!(!focus.request(B));
    assert!(focus.request(A));
    focus.gone(A);
    assert!(focus.holds(B));
    assert!(!focus.request(A));
    focus.gone(B);
    assert!(focus.holds(A));
}

#[test]
fn one_that_left_the_queue_is_passed_over() {
    let mut focus = Focus::default();
    focus.request(A);
    focus.request(B);
    focus.request(3);
    focus.gone(B);
    focus.gone(A);
    assert!(focus.holds(3));
}

#[test]
fn keys_go_to_the_holder_only() {
    let mut terminal = Terminal::new();
    assert_eq!(terminal.read_keys(A, 10), None);
    terminal.typed(b"xyz");
    assert_eq!(terminal.read_keys(B, 10), None);
    assert_eq!(terminal.read_keys(A, 2), Some(vec![b'x', b'y']));
    assert_eq!(terminal.read_keys(A, 0), Some(vec![b'z']));
    assert!(!terminal.has_input());
    terminal.typed(b"1");
    terminal.gone(A);
    assert_eq!(terminal.read_keys(B, 10), Some(vec![b'1']));
}

#[test]
fn typing_ahead_is_bounded() {
    let mut terminal = Terminal::new();
    terminal.typed(&vec![b'x'; INPUT_ROOM + 3]);
    assert_eq!(terminal.lost(), 3);
    assert_eq!(terminal.read_keys(A, usize::MAX).map(|keys| keys.len()), Some(INPUT_ROOM));
}

#[test]
fn a_line_is_prompted_for_edited_and_read() {
    let mut terminal = Terminal::new();
    let (end, out) = line(&mut terminal, A);
    assert_eq!(end, None);
    assert!(out.contains("? "));
    terminal.typed(b"ab\x7f");
    assert_eq!(line(&mut terminal, A), (None, "ab\x08 \x08".into()));
    terminal.typed(b"c\rnext");
    assert_eq!(line(&mut terminal, A).0, Some(LineEnd::Line("ac".into())));
    terminal.typed(b"\r");
    assert_eq!(line(&mut terminal, A).0, Some(LineEnd::Line("next".into())));
}

#[test]
fn control_d_and_control_c_end_the_stream() {
    let mut terminal = Terminal::new();
    terminal.typed(b"\x04ab\x03");
    assert_eq!(line(&mut terminal, A).0, Some(LineEnd::End));
    assert_eq!(line(&mut terminal, A).0, Some(LineEnd::End));
}

#[test]
fn writes_of_others_move_the_edited_line() {
    let mut terminal = Terminal::new();
    line(&mut terminal, A);
    terminal.typed(b"half");
    line(&mut terminal, A);
    let text = String::from_utf8(terminal.write(B, "news\n")).unwrap();
    assert_eq!(text, "\r\x1b[Knews\r\n\r? half\x1b[K");
    assert_eq!(terminal.write(A, "own\n"), b"own\r\n");
    let text = String::from_utf8(terminal.write(B, "no end")).unwrap();
    assert_eq!(text, "\r\x1b[Kno end\r\n\r? half\x1b[K");
}

#[test]
fn a_holder_that_dies_leaves_no_half_line_to_the_next() {
    let mut terminal = Terminal::new();
    line(&mut terminal, A);
    terminal.typed(b"ha");
    line(&mut terminal, A);
    assert_eq!(line(&mut terminal, B).0, None);
    terminal.gone(A);
    terminal.typed(b"b\r");
    assert_eq!(line(&mut terminal, B).0, Some(LineEnd::Line("b".into())));
}
