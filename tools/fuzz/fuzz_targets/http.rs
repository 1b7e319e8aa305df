//! Connections of HTTP: what is asked does not depend on how the bytes were cut, every answer is one, and nobody takes up more than the limits.
//! Input: a byte that says how it is cut, then what the peer sends.
#![no_main]

use capos_web::{Body, Connection, Guard, Limits, Media, Request, Response, Status, Token};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    target: 200,
    head: 1000,
    body: 500,
    requests: 5,
    idle_ns: 60,
    head_ns: 10,
    body_ns: 20,
    answer_ns: 60,
    linger_ns: 2,
};

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let whole = talk(bytes, bytes.len().max(1));
    let pieces = talk(bytes, usize::from(*cut).max(1));
    assert_eq!(whole.0, pieces.0, "what is asked");
    assert_eq!(finals(&whole.1), finals(&pieces.1), "what is answered");
});

/// What was asked, and all that was said.
fn talk(bytes: &[u8], piece: usize) -> (Vec<Request>, Vec<u8>) {
    let token = Token::new("0123456789abcdef").expect("long enough");
    let guard = Guard::new(vec!["h".to_owned()], Some(token));
    let mut connection = Connection::new(LIMITS, 0);
    let (mut asked, mut said) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        let mut rest = piece;
        loop {
            assert!(connection.room() <= LIMITS.head + 1, "what is kept is bounded");
            let taken = connection.receive(rest);
            rest = &rest[taken..];
            let before = (asked.len(), said.len());
            turn(&mut connection, &guard, &mut asked, &mut said);
            if rest.is_empty() || taken == 0 && before == (asked.len(), said.len()) {
                break;
            }
        }
    }
    connection.end();
    turn(&mut connection, &guard, &mut asked, &mut said);
    assert!(connection.is_over(), "who has ended is not kept");
    (asked, said)
}

fn turn(connection: &mut Connection, guard: &Guard, asked: &mut Vec<Request>, said: &mut Vec<u8>) {
    loop {
        let request = connection.request(0);
        if let Some(request) = &request {
            assert!(request.body.len() <= LIMITS.body);
            let answer = match guard.acting(&request.head) {
                Ok(()) => Response::new(Status::Ok, Media::Text, Body::Made(request.body.clone())),
                Err(refusal) => refusal.answer(),
            };
            connection.respond(answer, 0);
        }
        let quiet = request.is_none() && connection.output().is_empty();
        asked.extend(request);
        while !connection.output().is_empty() {
            said.extend_from_slice(connection.output());
            connection.sent(connection.output().len(), 0);
        }
        if quiet {
            return;
        }
    }
}

/// All that was said but leave to go on, which depends on how bytes come.
fn finals(said: &[u8]) -> String {
    let text = std::str::from_utf8(said).map_or_else(|_| String::from_utf8_lossy(said).into_owned(), str::to_owned);
    text.replace("HTTP/1.1 100 Continue\r\n\r\n", "")
}
