//! Calls that are answered.

use crate::submissions::code;
use probe::bare::{Bare, INBOX, MESSAGE, Notes, REPLY, answer, answer_recv, recv};
use probe::echo::INTERFACE;
use rt::abi::ring::{cqe_flags, sqe_flags};
use rt::abi::{Cqe, Op, Sqe};
use rt::schema::Empty;
use rt::{CapId, ExceptionCode, TransportError};

/// Badge of the facet.
const BADGE: u64 = 0xbad6_e000_0000_0001;

pub fn all(bare: &mut Bare<'_>, notes: &Notes) {
    let right = bare.endpoint(8);
    let facet = bare.mint(right, BADGE);
    round_trip(bare, notes, right, facet);
    exceptions(bare, notes, right, facet);
    sizes(bare, notes, right, facet);
    tokens(bare, notes, right, facet);
    answer_and_next(bare, notes, right, facet);
    sides(bare, notes, right, facet);
    bare.release(facet);
    bare.release(right);
}

/// A call with `words` of payload; not yet submitted.
pub fn call(bare: &Bare<'_>, facet: CapId, words: &[u64]) -> Sqe {
    bare.put(MESSAGE, words);
    let call = bare.call((facet, INTERFACE), 7, &Empty, &[], 0);
    Sqe { msg_len: 8 * words.len() as u32, ..call }
}

/// Receives what waits.
pub fn received(bare: &mut Bare<'_>, right: CapId) -> Cqe {
    bare.run(&recv(right, 16))
}

fn round_trip(bare: &mut Bare<'_>, notes: &Notes, right: CapId, facet: CapId) {
    for receiver_first in [false, true] {
        let wait = if receiver_first { bare.start(&recv(right, 0)) } else { 0 };
        bare.flush();
        let sqe = call(bare, facet, &[11, 22, 33]);
        let number = bare.start(&sqe);
        let arrival = if receiver_first { bare.wait(wait) } else { received(bare, right) };
        notes.note("O4 call: length at the receiver", code(&arrival), 24);
        notes.note("O4 call: method at the receiver", i64::from(arrival.method), 7);
        notes.note("O4 call: badge at the receiver", arrival.badge.cast_signed(), BADGE.cast_signed());
        let sum: u64 = (0..3).map(|n| bare.ring.arena(INBOX + 8 * n)).sum();
        notes.note("O4 call: words at the receiver", sum.cast_signed(), 66);
        notes.note("O1 call: not complete before its answer", i64::from(bare.poll(number).is_some()), 0);
        bare.put(MESSAGE, &[44]);
        notes.note("O5 return completes with 0", code(&bare.run(&answer(right, arrival.token, 8))), 0);
        let reply = bare.wait(number);
        notes.note("O1 answer: length at the caller", code(&reply), 8);
        notes.note("O1 answer: word at the caller", bare.ring.arena(REPLY).cast_signed(), 44);
        notes.note("O1 answer: no flags", reply.flags, 0);
    }
}

fn exceptions(bare: &mut Bare<'_>, notes: &Notes, right: CapId, facet: CapId) {
    let sqe = call(bare, facet, &[]);
    let number = bare.start(&sqe);
    let arrival = received(bare, right);
    bare.put(MESSAGE, &[u64::from_le_bytes(*b"no such ")]);
    let refusal = answer(right, arrival.token, 8);
    let refusal = Sqe { flags: sqe_flags::EXCEPTION, method: ExceptionCode::NotFound.code(), ..refusal };
    notes.note("O5 an exception can be returned", code(&bare.run(&refusal)), 0);
    let reply = bare.wait(number);
    notes.note("O5 exception: flag at the caller", reply.flags, cqe_flags::EXCEPTION);
    notes.note(
        "O5 exception: code at the caller",
        i64::from(reply.method),
        i64::from(ExceptionCode::NotFound.code()),
    );
    notes.note("O5 exception: length of its text", code(&reply), 8);
}

fn sizes(bare: &mut Bare<'_>, notes: &Notes, right: CapId, facet: CapId) {
    let too_large = TransportError::MessageTooLarge.code();
    let small = Sqe { msg_len: 8, ..recv(right, 0) };
    let wait = bare.start(&small);
    bare.flush();
    let sqe = call(bare, facet, &[1, 2]);
    notes.note("O3 a message larger than the receiver's buffer", code(&bare.run(&sqe)), too_large);
    notes.note("O3 the receiver waits on", i64::from(bare.poll(wait).is_some()), 0);
    let sqe = call(bare, facet, &[1]);
    let number = bare.start(&sqe);
    let arrival = bare.wait(wait);
    notes.note("O3 and gets the next one", code(&arrival), 8);
    bare.run(&answer(right, arrival.token, 0));
    notes.note("O1 an answer of no bytes", code(&bare.wait(number)), 0);

    let sqe = Sqe { reply_len: 8, ..call(bare, facet, &[]) };
    let number = bare.start(&sqe);
    let arrival = received(bare, right);
    notes.note(
        "O6 a too large answer is the caller's fault",
        code(&bare.run(&answer(right, arrival.token, 16))),
        0,
    );
    notes.note("O6 who hears of it", code(&bare.wait(number)), TransportError::ReplyTooLarge.code());
}

fn tokens(bare: &mut Bare<'_>, notes: &Notes, right: CapId, facet: CapId) {
    let stale = TransportError::StaleToken.code();
    let sqe = call(bare, facet, &[]);
    let number = bare.start(&sqe);
    let arrival = received(bare, right);
    notes.note(
        "O5 a token that was never given",
        code(&bare.run(&answer(right, arrival.token ^ 1 << 40, 0))),
        stale,
    );
    notes.note("O5 token zero", code(&bare.run(&answer(right, 0, 0))), stale);
    notes.note("O5 the right token", code(&bare.run(&answer(right, arrival.token, 0))), 0);
    notes.note("O5 the same token again", code(&bare.run(&answer(right, arrival.token, 0))), stale);
    notes.note("O5 the call was answered once", code(&bare.wait(number)), 0);
}

/// Each side of an endpoint is good for its own operations only.
fn sides(bare: &mut Bare<'_>, notes: &Notes, right: CapId, facet: CapId) {
    notes.note(
        "O4 receive on a client facet",
        code(&bare.run(&recv(facet, 0))),
        TransportError::WrongKind.code(),
    );
    let sqe = call(bare, right, &[]);
    notes.note("O1 call of a receive right", code(&bare.run(&sqe)), TransportError::WrongInterface.code());
    let bad = Sqe { op: Op::Return as u8, msg_off: 4, msg_len: 8, ..Sqe::default() };
    notes.note(
        "R5 return of an unaligned message",
        code(&bare.run(&bad)),
        TransportError::InvalidArgument.code(),
    );
}

fn answer_and_next(bare: &mut Bare<'_>, notes: &Notes, right: CapId, facet: CapId) {
    let sqe = call(bare, facet, &[1]);
    let (first, second) = (bare.start(&sqe), bare.start(&sqe));
    let arrival = received(bare, right);
    let next = bare.run(&answer_recv(right, arrival.token, 8));
    notes.note("O11 return_recv: the next call is its completion", code(&next), 8);
    notes.note("O11 return_recv: the first call is answered", code(&bare.wait(first)), 8);
    notes.note("O11 return_recv: the second waits", i64::from(bare.poll(second).is_some()), 0);
    let waiting = bare.start(&answer_recv(right, next.token, 0));
    notes.note("O11 return_recv: the second is answered, too", code(&bare.wait(second)), 0);
    notes.note("O11 return_recv: and waits for the third", i64::from(bare.poll(waiting).is_some()), 0);
    let third = bare.start(&sqe);
    let arrival = bare.wait(waiting);
    notes.note("O11 return_recv: which comes", code(&arrival), 8);
    let stale = answer_recv(right, arrival.token ^ 1 << 40, 0);
    notes.note("O11 return_recv: a wrong token", code(&bare.run(&stale)), TransportError::StaleToken.code());
    let nobody = answer_recv(CapId::NULL, arrival.token, 0);
    notes.note("O11 return_recv: no right", code(&bare.run(&nobody)), TransportError::InvalidCap.code());
    let facets = answer_recv(facet, arrival.token, 0);
    notes.note(
        "O11 return_recv: a facet is no right",
        code(&bare.run(&facets)),
        TransportError::WrongKind.code(),
    );
    notes.note("O11 return_recv: refused, nothing is answered", i64::from(bare.poll(third).is_some()), 0);
    bare.run(&answer(right, arrival.token, 0));
    notes.note("O11 return_recv: and can be made good", code(&bare.wait(third)), 0);
}
