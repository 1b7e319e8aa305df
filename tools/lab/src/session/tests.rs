//! The session against a fake serial peer: a function from what was typed to what is answered.

use super::*;

const ZERO: Duration = Duration::ZERO;

fn steps(text: &str) -> Vec<Step> {
    #[derive(serde::Deserialize)]
    struct File {
        session: Vec<Step>,
    }
    toml::from_str::<File>(text).unwrap().session
}

fn session(text: &str) -> Session {
    Session::new(steps(text))
}

/// Lets the session talk to `peer` until it ends; a silent peer runs into the time limit.
fn talk(session: &mut Session, mut peer: impl FnMut(&str) -> String) -> Next {
    let mut now = ZERO;
    loop {
        match session.next(now) {
            Next::Send(bytes) => session.feed(peer(&String::from_utf8_lossy(&bytes)).as_bytes()),
            Next::Do(_) | Next::Look(_) | Next::Monitor(_) | Next::Canary(..) | Next::Hand(_) => {}
            Next::Wait(until) => now = until,
            end => return end,
        }
    }
}

#[test]
fn an_empty_session_is_done() {
    assert_eq!(session("session = []").next(ZERO), Next::Done);
}

#[test]
fn typing_ends_with_a_return_and_sending_does_not() {
    let mut session = session("session = [{ type = 'help' }, { send = \"\\u0003\" }]");
    assert_eq!(session.next(ZERO), Next::Send(b"help\r".to_vec()));
    assert_eq!(session.next(ZERO), Next::Send(vec![3]));
    assert_eq!(session.next(ZERO), Next::Done);
    assert!(session.is_done());
}

#[test]
fn what_was_looked_at_arrives_as_text() {
    let mut session = session("session = [{ look = 'pages' }, { match = 'writable (\\d)' }]");
    assert_eq!(session.next(ZERO), Next::Look(Look::Pages));
    assert!(matches!(session.next(ZERO), Next::Wait(_)));
    // The prompt is being drawn.
    session.feed(b"\x1b[");
    session.hear(b"writable 0");
    session.feed(b"K");
    assert_eq!(session.next(ZERO), Next::Done);
    assert_eq!(session.passed(), "writable 0");
}

#[test]
fn the_monitor_is_told_and_not_heard() {
    let mut session = session("session = [{ monitor = ['o/w 0x60 1', 'stop'] }, { expect = 'x' }]");
    assert_eq!(session.next(ZERO), Next::Monitor(vec!["o/w 0x60 1".into(), "stop".into()]));
    assert!(matches!(session.next(ZERO), Next::Wait(_)));
}

#[test]
fn memory_is_looked_at_in_order() {
    let mut session = session(
        "session = [{ canary = 'begin' }, { hand = 'bait' }, { canary = 'end', sees = 'bait' }, { expect = 'canary: 3' }]",
    );
    assert_eq!(session.next(ZERO), Next::Canary(Canary::Begin, None));
    assert_eq!(session.next(ZERO), Next::Hand(Hand::Bait));
    assert_eq!(session.next(ZERO), Next::Canary(Canary::End, Some("bait".into())));
    session.hear(b"canary: 3 pages");
    assert_eq!(session.next(ZERO), Next::Done);
}

#[test]
fn what_gdb_says_arrives_as_text() {
    let mut session = session("session = [{ gdb = ['capos ps'] }, { expect = 'process 1' }]");
    assert_eq!(session.next(ZERO), Next::Debug(vec!["capos ps".into()]));
    session.feed(b"process 1 init");
    assert_eq!(session.next(ZERO), Next::Done);
}

#[test]
fn a_conversation() {
    let mut session = session(
        "session = [{ expect = '> ' }, { type = 'add 2 3' }, { match = '= (\\d)\\n' }, { absent = 'error' }, { expect = '> ' }]",
    );
    session.feed(b"welcome\r\n> ");
    let end = talk(&mut session, |typed| {
        assert_eq!(typed, "add 2 3\r");
        "add 2 3\r\n= 5\r\n> ".into()
    });
    assert_eq!(end, Next::Done);
}

#[test]
fn text_is_matched_once() {
    let mut session = session("session = [{ expect = 'a' }, { expect = 'a' }]");
    session.feed(b"a");
    assert!(matches!(session.next(ZERO), Next::Wait(_)));
    session.feed(b"a");
    assert_eq!(session.next(ZERO), Next::Done);
}

#[test]
fn text_may_arrive_in_pieces() {
    let mut session = session("session = [{ expect = 'prompt> ' }]");
    for byte in b"\x1b[1mprom\r\x1b[0mpt> " {
        assert!(matches!(session.next(ZERO), Next::Wait(_)));
        session.feed(&[*byte]);
    }
    assert_eq!(session.next(ZERO), Next::Done);
}

#[test]
fn patience_ends() {
    let mut session = session("session = [{ expect = 'never', within = '2s' }]");
    session.feed(b"something else");
    assert_eq!(session.next(Duration::from_secs(5)), Next::Wait(Duration::from_secs(7)));
    assert!(matches!(session.next(Duration::from_secs(6)), Next::Wait(_)));
    let Next::Failed(reason) = session.next(Duration::from_secs(7)) else { panic!("must fail") };
    assert!(
        reason.contains("step 1 of 1") && reason.contains("never") && reason.contains("something else"),
        "{reason}"
    );
}

#[test]
fn each_step_has_its_own_patience() {
    let mut session = session("session = [{ expect = 'a', within = '2s' }, { expect = 'b', within = '2s' }]");
    assert_eq!(session.next(ZERO), Next::Wait(Duration::from_secs(2)));
    session.feed(b"a");
    assert_eq!(session.next(Duration::from_secs(1)), Next::Wait(Duration::from_secs(3)));
}

#[test]
fn late_text_in_time_counts() {
    let mut session = session("session = [{ expect = 'a', within = '1s' }]");
    assert!(matches!(session.next(ZERO), Next::Wait(_)));
    session.feed(b"a");
    assert_eq!(session.next(Duration::from_secs(9)), Next::Done);
}

#[test]
fn absent_text_fails_when_it_was_there() {
    let mut session = session("session = [{ expect = '> ' }, { absent = 'panic' }]");
    session.feed(b"no panic\n> ");
    let Next::Failed(reason) = session.next(ZERO) else { panic!("must fail") };
    assert!(reason.contains("panic"), "{reason}");
}

#[test]
fn absent_looks_only_at_the_last_passage() {
    let mut session = session("session = [{ expect = '1' }, { expect = '2' }, { absent = 'x' }]");
    session.feed(b"x1y2x");
    assert_eq!(session.next(ZERO), Next::Done);
}

#[test]
fn json_lines_are_read_whole() {
    let mut session = session("session = [{ json = { command = 'mem', free = { at_least = 5 } } }]");
    session.feed(b"mem --json\r\n{\"command\":\"cpu\"}\r\n{\"command\":\"mem\",\"fr");
    assert!(matches!(session.next(ZERO), Next::Wait(_)));
    session.feed(b"ee\":7}");
    assert!(matches!(session.next(ZERO), Next::Wait(_)), "the line is not complete");
    session.feed(b"\r\n");
    assert_eq!(session.next(ZERO), Next::Done);
}

#[test]
fn broken_json_never_matches() {
    let mut session = session("session = [{ json = { a = 1 }, within = '1s' }]");
    session.feed(b"{\"a\":1\n{'a':1}\n[{\"a\":1}]\n");
    assert!(matches!(session.next(ZERO), Next::Wait(_)));
    assert!(matches!(session.next(Duration::from_secs(1)), Next::Failed(_)));
}

#[test]
fn actions_come_in_order() {
    let mut session = session("session = [{ do = 'reset' }, { expect = 'again' }]");
    assert_eq!(session.next(ZERO), Next::Do(Action::Reset));
    session.feed(b"again");
    assert_eq!(session.next(ZERO), Next::Done);
}

#[test]
fn a_silent_peer_fails_the_session() {
    let mut session = session("session = [{ type = 'x' }, { expect = 'y' }]");
    assert!(matches!(talk(&mut session, |_| String::new()), Next::Failed(_)));
}

#[test]
fn quiet_begins_again_with_every_byte() {
    let mut session = session("session = [{ quiet = '2s' }]");
    let at = Duration::from_secs;
    assert_eq!(session.next(at(0)), Next::Wait(at(2)));
    session.feed(b"x");
    assert_eq!(session.next(at(1)), Next::Wait(at(3)));
    assert_eq!(session.next(at(2)), Next::Wait(at(3)));
    assert_eq!(session.next(at(3)), Next::Done);
}

#[test]
fn quotes_are_cut_at_characters() {
    let text = "\u{fc}".repeat(QUOTE);
    assert!(quote(&text).len() <= QUOTE && quote(&text).chars().all(|c| c == '\u{fc}'));
    assert_eq!(quote("short"), "short");
}

#[test]
fn an_event_is_waited_for_and_may_have_come_before() {
    let mut session = session("session = [{ event = 'b' }, { send = 'x' }, { event = 'a' }, { send = 'y' }]");
    session.note("a");
    assert!(matches!(session.next(Duration::ZERO), Next::Wait(_)));
    session.note("b");
    assert!(matches!(session.next(Duration::ZERO), Next::Send(bytes) if bytes == b"x"));
    assert!(matches!(session.next(Duration::ZERO), Next::Send(bytes) if bytes == b"y"));
    assert!(session.is_done());
}
