//! Whole connections.

use crate::{Body, Connection, Limits, Media, Method, Request, Response, Status};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

fn limits() -> Limits {
    Limits { target: 64, head: 512, body: 100, requests: 4, ..Limits::default() }
}

fn hello(request: &Request) -> Response {
    let text = format!("{:?} {} {}", request.head.method, request.head.target.path, request.body.len());
    Response::new(Status::Ok, Media::Text, Body::Made(text.into_bytes()))
}

/// A peer that sends everything and takes everything.
struct Peer {
    connection: Connection,
    heard: Vec<u8>,
    asked: Vec<Request>,
}

impl Peer {
    fn new() -> Peer {
        Peer { connection: Connection::new(limits(), 0), heard: Vec::new(), asked: Vec::new() }
    }

    fn say(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            let taken = self.connection.receive(rest);
            rest = &rest[taken..];
            let before = (self.heard.len(), self.asked.len());
            self.turn();
            if rest.is_empty() || (taken == 0 && before == (self.heard.len(), self.asked.len())) {
                return;
            }
        }
    }

    fn turn(&mut self) {
        loop {
            let asked = self.connection.request(0);
            if let Some(request) = &asked {
                self.connection.respond(hello(request), 0);
            }
            let quiet = asked.is_none() && self.connection.output().is_empty();
            self.asked.extend(asked);
            self.take();
            if quiet {
                return;
            }
        }
    }

    fn take(&mut self) {
        while !self.connection.output().is_empty() {
            let some = self.connection.output().len().min(7);
            self.heard.extend_from_slice(&self.connection.output()[..some]);
            self.connection.sent(some, 0);
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.heard.clone()).unwrap()
    }

    /// The numbers of all answers, and their bodies.
    fn answers(&self) -> Vec<(u16, String)> {
        let (mut answers, mut rest) = (Vec::new(), &self.heard[..]);
        let mut heads = self.asked.iter().map(|request| request.head.method == Method::Head);
        while !rest.is_empty() {
            let mut fields = [httparse::EMPTY_HEADER; 32];
            let mut response = httparse::Response::new(&mut fields);
            let head = response.parse(rest).unwrap().unwrap();
            let code = response.code.unwrap();
            let length = response.headers.iter().find(|field| field.name == "Content-Length");
            let length: usize =
                length.map_or(0, |field| core::str::from_utf8(field.value).unwrap().parse().unwrap());
            let silent = code == 100 || heads.next() == Some(true);
            let length = if silent { 0 } else { length };
            let body = String::from_utf8(rest[head..head + length].to_vec()).unwrap();
            answers.push((code, body));
            rest = &rest[head + length..];
        }
        answers
    }
}

fn exchange(text: &str) -> Peer {
    let mut peer = Peer::new();
    peer.say(text.as_bytes());
    peer
}

/// The numbers of all answers, and whether nothing more will be said.
fn codes(text: &str) -> (Vec<u16>, bool) {
    let peer = exchange(text);
    (peer.answers().iter().map(|(code, _)| *code).collect(), peer.connection.is_silent())
}

#[test]
fn requests_one_after_the_other() {
    let post = "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let head = "HEAD /c HTTP/1.1\r\nHost: h\r\n\r\n";
    let peer = exchange(&format!("{GET}{post}{head}"));
    let bodies: Vec<(u16, String)> = peer.answers();
    assert_eq!(bodies, [(200, "Get / 0".into()), (200, "Post /b 2".into()), (200, "".into())]);
    assert!(peer.text().contains("Content-Length: 9\r\n"), "of a head the length is told, too");
    assert!(!peer.connection.is_silent() && !peer.text().contains("Connection:"));
}

#[test]
fn what_is_on_every_answer() {
    for text in [GET, "rubbish\r\n\r\n"] {
        let text = exchange(text).text();
        for field in
            ["Content-Security-Policy: default-src 'none'", "nosniff", "DENY", "no-referrer", "no-store"]
        {
            assert!(text.contains(field), "{field}: {text}");
        }
        assert!(!text.contains("unsafe-inline") && !text.contains("Date:"));
    }
}

#[test]
fn faults_are_answered_and_end_it() {
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let cases = [
        ("GET\r\n\r\n".into(), 400),
        ("\x16\x03\x01\x02".into(), 400),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\nHost: h\n\n".into(), 400),
        (post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400),
        (post("Transfer-Encoding: chunked\r\n") + "nonsense", 400),
        (post(""), 411),
        (post("Content-Length: 101\r\n"), 413),
        (post("Transfer-Encoding: chunked\r\n") + "65\r\n", 413),
        (format!("GET /{} HTTP/1.1\r\n", "a".repeat(100)), 414),
        (post("Expect: tea\r\n"), 417),
        (format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(600)), 431),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n".into(), 501),
        (post("Transfer-Encoding: gzip\r\n"), 501),
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n".into(), 505),
    ];
    for (text, code) in cases {
        assert_eq!(codes(&text), (vec![code], true), "{text}");
        // What was right before is answered, what comes behind is not.
        assert_eq!(codes(&format!("{GET}{text}\r\n\r\n{GET}")), (vec![200, code], true), "{text}");
    }
}

#[test]
fn the_last_request_is_the_last() {
    let close = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let peer = exchange(&format!("{close}{GET}"));
    assert_eq!(peer.asked.len(), 1);
    assert!(peer.connection.is_silent() && peer.text().contains("Connection: close\r\n"));
    assert_eq!(codes("GET / HTTP/1.0\r\n\r\n"), (vec![200], true));
    let kept = exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(!kept.connection.is_silent() && kept.text().contains("Connection: keep-alive\r\n"));
    assert_eq!(codes(&GET.repeat(9)), (vec![200; 4], true), "so many requests, and no more");
}

#[test]
fn who_waits_for_leave_gets_it_once() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    let mut peer = exchange(head);
    assert_eq!(peer.text(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.say(b"a");
    peer.say(b"b");
    assert_eq!(peer.answers(), [(100, "".into()), (200, "Post / 2".into())]);
    let impatient = exchange(&format!("{head}ab"));
    assert_eq!(impatient.answers(), [(200, "Post / 2".into())]);
    let large = head.replace("Length: 2", "Length: 200");
    assert_eq!(codes(&large).0, [413], "what is too large is not asked for");
}

#[test]
fn leave_that_is_not_out_yet_goes_before_the_answer() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    let mut connection = Connection::new(limits(), 0);
    connection.receive(head.as_bytes());
    assert!(connection.request(0).is_none());
    connection.sent(9, 0);
    connection.receive(b"ab");
    let request = connection.request(0).unwrap();
    connection.respond(hello(&request), 0);
    assert!(connection.output().starts_with(b"100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

#[test]
fn slow_heads_and_bodies_have_an_end() {
    let mut connection = Connection::new(limits(), 0);
    assert_eq!(connection.deadline(), Some(60 * SECOND));
    // A byte a second: each is taken, and none gives it more time.
    for (second, byte) in (20..).zip(GET.bytes()) {
        if connection.deadline().is_some_and(|deadline| deadline <= second * SECOND) {
            break;
        }
        connection.receive(&[byte]);
        assert!(connection.request(second * SECOND).is_none());
        assert_eq!(connection.deadline(), Some(30 * SECOND));
    }
    connection.on_time(29 * SECOND);
    assert!(connection.output().is_empty());
    connection.on_time(30 * SECOND);
    assert!(connection.output().starts_with(b"HTTP/1.1 408 "));

    let mut connection = Connection::new(limits(), 0);
    connection.receive(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    assert!(connection.request(SECOND).is_none());
    assert_eq!(connection.deadline(), Some(21 * SECOND));
    connection.on_time(21 * SECOND);
    assert!(connection.output().starts_with(b"HTTP/1.1 408 "));
}

#[test]
fn who_says_nothing_or_takes_nothing_is_left() {
    let mut idle = Connection::new(limits(), 5);
    idle.on_time(60 * SECOND + 5);
    assert!(idle.is_over() && idle.output().is_empty());

    let mut deaf = Connection::new(limits(), 0);
    deaf.receive(GET.as_bytes());
    let request = deaf.request(0).unwrap();
    assert_eq!(deaf.deadline(), None, "it is not the peer's fault that we think");
    deaf.respond(hello(&request), SECOND);
    deaf.sent(1, 2 * SECOND);
    assert_eq!(deaf.deadline(), Some(61 * SECOND), "taking a byte gives no more time");
    deaf.on_time(61 * SECOND);
    assert!(deaf.is_over());
}

#[test]
fn the_next_request_has_its_own_time() {
    let mut connection = Connection::new(limits(), 0);
    connection.receive(format!("{GET}GET").as_bytes());
    let request = connection.request(0).unwrap();
    connection.respond(hello(&request), 0);
    let all = connection.output().len();
    connection.sent(all, 0);
    let rest = connection.output().len();
    connection.sent(rest, 7 * SECOND);
    assert!(connection.request(7 * SECOND).is_none());
    assert_eq!(connection.deadline(), Some(17 * SECOND));
}

#[test]
fn the_last_answer_is_not_taken_away() {
    let mut peer = exchange("rubbish\r\n\r\n");
    assert!(peer.connection.is_silent() && !peer.connection.is_over());
    assert_eq!(peer.connection.receive(b"more"), 4);
    peer.connection.end();
    assert!(peer.connection.is_over());

    let mut stubborn = exchange("rubbish\r\n\r\n").connection;
    let sent = (0..).take_while(|_| stubborn.receive(&[0; 512]) > 0).count();
    assert!(stubborn.is_over() && sent <= 513);

    let mut quiet = exchange("rubbish\r\n\r\n").connection;
    quiet.on_time(2 * SECOND);
    assert!(quiet.is_over());
}

#[test]
fn who_has_said_all_still_hears_the_answer() {
    let mut connection = Connection::new(limits(), 0);
    connection.receive(GET.as_bytes());
    connection.end();
    let request = connection.request(0).unwrap();
    connection.respond(hello(&request), 0);
    while !connection.output().is_empty() {
        let some = connection.output().len();
        connection.sent(some, 0);
    }
    assert!(connection.is_over());
    for cut in [&GET[..9], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na"] {
        let mut connection = Connection::new(limits(), 0);
        connection.receive(cut.as_bytes());
        connection.end();
        assert!(connection.request(0).is_none() && connection.is_over(), "{cut}");
    }
}

#[test]
fn nobody_fills_memory_by_asking_without_listening() {
    let mut connection = Connection::new(limits(), 0);
    let flood = GET.repeat(100);
    let mut taken = connection.receive(flood.as_bytes());
    let request = connection.request(0).unwrap();
    connection.respond(hello(&request), 0);
    while connection.room() > 0 {
        taken += connection.receive(flood.as_bytes());
        assert!(connection.request(0).is_none());
    }
    assert!(taken <= 600, "{taken}");
}

/// Pieces of requests, right and wrong.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        GET,
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "POST /y HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
        "3;x\r\nabc\r\n",
        "0\r\n\r\n",
        "HEAD /z HTTP/1.0\r\n\r\n",
        "GET /%41?q HTTP/1.1\r\n",
        "Host: h\r\n",
        "Expect: 100-continue\r\n",
        "Connection: close\r\n",
        "Content-Length: 2\r\n",
        "\r\n",
        "\n",
        " ",
    ]);
    let known = known.prop_map(|text| text.as_bytes().to_vec());
    let any = prop::collection::vec(any::<u8>(), 0..9);
    prop::collection::vec(prop_oneof![9 => known, 1 => any], 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn how_bytes_are_cut_makes_no_difference(input in pieces(), cuts in prop::collection::vec(1usize..50, 1..40)) {
        let mut whole = Peer::new();
        whole.say(&input);
        let mut cut = Peer::new();
        let mut rest = &input[..];
        for size in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*size).min(rest.len()));
            cut.say(now);
            rest = later;
        }
        prop_assert_eq!(&whole.asked, &cut.asked);
        prop_assert_eq!(whole.connection.is_silent(), cut.connection.is_silent());
        let final_answers = |peer: &Peer| peer.answers().into_iter().filter(|(code, _)| *code != 100).collect::<Vec<_>>();
        prop_assert_eq!(final_answers(&whole), final_answers(&cut));
    }

    #[test]
    fn what_is_asked_is_what_was_written(
        path in "/[a-z/._-]{0,30}", body in prop::collection::vec(any::<u8>(), 0..100), chunk in 1usize..40, chunked: bool
    ) {
        let mut text = format!("POST {path} HTTP/1.1\r\nHost: h\r\n").into_bytes();
        if chunked {
            text.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for piece in body.chunks(chunk) {
                text.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                text.extend_from_slice(piece);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
        } else {
            text.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            text.extend_from_slice(&body);
        }
        let mut peer = Peer::new();
        peer.say(&text);
        prop_assert_eq!(peer.asked.len(), 1);
        prop_assert_eq!(&peer.asked[0].body, &body);
        prop_assert_eq!(&peer.asked[0].head.target.path, &path);
    }
}
