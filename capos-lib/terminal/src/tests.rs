//! Several clients at one terminal.

extern crate std;
use super::{Focus, INPUT_ROOM, LineEnd, Output, Terminal};
use std::string::String;
use std::vec;
use std::vec::Vec;

const A: u64 = 1;
const B: u64 = 2;

fn typed(terminal: &mut Terminal, bytes: &[u8]) {
    assert_eq!(terminal.typed(bytes), bytes.len());
}

fn sent(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

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
    typed(&mut terminal, b"xyz");
    assert_eq!(terminal.read_keys(B, 10), None);
    assert_eq!(terminal.read_keys(A, 2), Some(vec![b'x', b'y']));
    assert_eq!(terminal.read_keys(A, 0), Some(vec![b'z']));
    assert!(!terminal.has_input());
    typed(&mut terminal, b"1");
    assert!(terminal.gone(A));
    assert_eq!(terminal.read_keys(B, 10), Some(vec![b'1']));
}

#[test]
fn what_does_not_fit_is_left_to_whoever_brings_it() {
    let mut terminal = Terminal::new();
    assert_eq!(terminal.typed(&vec![b'x'; INPUT_ROOM + 3]), INPUT_ROOM);
    assert_eq!(terminal.typed(b"more"), 0);
    assert_eq!(terminal.read_keys(A, 2).map(|keys| keys.len()), Some(2));
    assert_eq!(terminal.typed(b"more"), 2);
    assert_eq!(terminal.read_keys(A, usize::MAX).map(|keys| keys.len()), Some(INPUT_ROOM));
}

#[test]
fn a_line_is_prompted_for_edited_and_read() {
    let mut terminal = Terminal::new();
    let (end, out) = line(&mut terminal, A);
    assert_eq!(end, None);
    assert!(out.contains("? "));
    typed(&mut terminal, b"ab\x7f");
    assert_eq!(line(&mut terminal, A), (None, "ab\x08 \x08".into()));
    typed(&mut terminal, b"c\rnext");
    assert_eq!(line(&mut terminal, A).0, Some(LineEnd::Line("ac".into())));
    typed(&mut terminal, b"\r");
    assert_eq!(line(&mut terminal, A).0, Some(LineEnd::Line("next".into())));
}

#[test]
fn a_line_that_is_too_long_is_asked_for_again() {
    let mut terminal = Terminal::new();
    for _ in 0..20 {
        typed(&mut terminal, &[b'x'; 100]);
        assert_eq!(line(&mut terminal, A).0, None);
    }
    typed(&mut terminal, b"\r");
    let (end, out) = line(&mut terminal, A);
    assert_eq!(end, None);
    assert!(out.contains("the whole line was dropped\r\n\r? "), "{out}");
    typed(&mut terminal, b"b\r");
    assert_eq!(line(&mut terminal, A).0, Some(LineEnd::Line("b".into())));
}

#[test]
fn control_d_ends_the_stream() {
    let mut terminal = Terminal::new();
    typed(&mut terminal, b"\x04");
    assert_eq!(line(&mut terminal, A).0, Some(LineEnd::End));
}

#[test]
fn control_c_throws_the_line_away_and_asks_again() {
    let mut terminal = Terminal::new();
    typed(&mut terminal, b"ab\x03");
    let (end, out) = line(&mut terminal, A);
    assert_eq!(end, None);
    assert!(out.ends_with("ab^C\r\n\r? \x1b[K"), "{out:?}");
    typed(&mut terminal, b"c\r");
    assert_eq!(line(&mut terminal, A).0, Some(LineEnd::Line("c".into())));
}

#[test]
fn writes_of_others_move_the_edited_line() {
    let mut terminal = Terminal::new();
    line(&mut terminal, A);
    typed(&mut terminal, b"half");
    line(&mut terminal, A);
    assert_eq!(sent(terminal.write(B, "news\n")), "\r\x1b[Knews\r\n\r? \x1b[Khalf");
    assert_eq!(sent(terminal.write(B, "no end")), "\r\x1b[Kno end\r\n\r? \x1b[Khalf");
    assert_eq!(sent(terminal.write(A, "own\n")), "own\r\n");
    assert_eq!(sent(terminal.write(B, "news\n")), "news\r\n");
}

#[test]
fn a_line_that_the_holder_edits_itself_moves_too() {
    let mut terminal = Terminal::new();
    assert_eq!(terminal.read_keys(A, 10), None);
    terminal.write(A, "done\n\rcapos> \x1b[K");
    terminal.write(A, "he");
    assert_eq!(sent(terminal.write(B, "news\n")), "\r\x1b[Knews\r\n\rcapos> \x1b[Khe");
}

#[test]
fn whoever_gets_the_input_gets_its_prompt_back() {
    let mut terminal = Terminal::new();
    line(&mut terminal, A);
    assert_eq!(terminal.read_keys(B, 10), None);
    assert_eq!(sent(terminal.write(B, "b> ")), "\r\x1b[Kb> \r\n\r? \x1b[K");
    assert!(terminal.gone(A));
    assert_eq!(sent(terminal.handover()), "\r\nb> ");
    assert!(!terminal.gone(B));
    assert_eq!(sent(terminal.write(A, "next\n")), "\r\nnext\r\n");
}

#[test]
fn a_holder_that_dies_leaves_no_half_line_to_the_next() {
    let mut terminal = Terminal::new();
    line(&mut terminal, A);
    typed(&mut terminal, b"ha");
    line(&mut terminal, A);
    assert_eq!(line(&mut terminal, B).0, None);
    assert!(terminal.gone(A));
    typed(&mut terminal, b"b\r");
    assert_eq!(line(&mut terminal, B).0, Some(LineEnd::Line("b".into())));
}
