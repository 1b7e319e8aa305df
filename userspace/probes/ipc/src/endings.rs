//! Calls that are not answered: cancelled, refused, cut off.

use crate::calls::{call, received};
use crate::submissions::code;
use probe::bare::{Bare, Notes, answer, recv};
use rt::TransportError;
use rt::abi::ring::cqe_flags;
use rt::abi::{Op, Sqe};

pub fn all(bare: &mut Bare<'_>, notes: &Notes) {
    cancellation(bare, notes);
    full_queue(bare, notes);
    closed(bare, notes);
    unreferenced(bare, notes);
}

fn cancel(bare: &mut Bare<'_>, number: u64) -> i32 {
    code(&bare.run(&Sqe { op: Op::Cancel as u8, aux: number, ..Sqe::default() }))
}

fn cancellation(bare: &mut Bare<'_>, notes: &Notes) {
    let canceled = TransportError::Canceled.code();
    let right = bare.endpoint(4);
    let facet = bare.mint(right, 1);

    let sqe = call(bare, facet, &[1]);
    let number = bare.start(&sqe);
    notes.note("O8 cancel of a queued call", cancel(bare, number), 0);
    notes.note("O8 which ends as cancelled", code(&bare.wait(number)), canceled);

    let number = bare.start(&recv(right, 0));
    bare.flush();
    notes.note("O8 cancel of a receive", cancel(bare, number), 0);
    notes.note("O8 which ends as cancelled, too", code(&bare.wait(number)), canceled);

    let sqe = call(bare, facet, &[2]);
    let number = bare.start(&sqe);
    let arrival = received(bare, right);
    notes.note("O8 the cancelled call was not received", code(&arrival), 8);
    notes.note("O8 cancel of a received call", cancel(bare, number), 0);
    notes.note("O8 its caller is free at once", code(&bare.wait(number)), canceled);
    let late = code(&bare.run(&answer(right, arrival.token, 0)));
    notes.note("O5 and the answer comes too late", late, TransportError::StaleToken.code());
    bare.release(facet);
    bare.release(right);
}

fn full_queue(bare: &mut Bare<'_>, notes: &Notes) {
    let right = bare.endpoint(2);
    let facet = bare.mint(right, 1);
    let sqe = call(bare, facet, &[]);
    let first = bare.start(&sqe);
    let second = bare.start(&sqe);
    bare.flush();
    let full = TransportError::QueueFull.code();
    notes.note("O2 a call too many for the queue", code(&bare.run(&sqe)), full);
    let arrival = received(bare, right);
    notes.note("O2 a received call still counts", code(&bare.run(&sqe)), full);
    bare.run(&answer(right, arrival.token, 0));
    notes.note("O12 the oldest comes first", code(&bare.wait(first)), 0);
    let third = bare.start(&sqe);
    bare.flush();
    for number in [second, third] {
        let arrival = received(bare, right);
        bare.run(&answer(right, arrival.token, 0));
        notes.note("O2 then there is room again", code(&bare.wait(number)), 0);
    }
    bare.release(facet);
    bare.release(right);
}

fn closed(bare: &mut Bare<'_>, notes: &Notes) {
    let gone = TransportError::Disconnected.code();
    let right = bare.endpoint(4);
    let facet = bare.mint(right, 1);
    let sqe = call(bare, facet, &[]);
    let queued = bare.start(&sqe);
    bare.flush();
    notes.note("O7 release of the receive right", code(&bare.release(right)), 0);
    notes.note("O9 ends queued calls", code(&bare.wait(queued)), gone);
    notes.note("O9 and refuses new ones", code(&bare.run(&sqe)), gone);
    let stale = code(&bare.run(&recv(right, 0)));
    notes.note("O7 its id is stale", stale, TransportError::InvalidCap.code());
    bare.release(facet);
}

fn unreferenced(bare: &mut Bare<'_>, notes: &Notes) {
    let right = bare.endpoint(4);
    let (one, other) = (bare.mint(right, 71), bare.mint(right, 72));
    let wait = bare.start(&recv(right, 0));
    bare.flush();
    notes.note("O10 nothing is heard while facets live", i64::from(bare.poll(wait).is_some()), 0);
    bare.release(one);
    let news = bare.wait(wait);
    notes.note("O10 the last facet of a badge is gone: flag", news.flags, cqe_flags::UNREFERENCED);
    notes.note("O10 the last facet of a badge is gone: badge", news.badge.cast_signed(), 71);
    bare.release(other);
    let news = bare.run(&recv(right, 0));
    notes.note("O10 news waits for its receiver", news.badge.cast_signed(), 72);
    bare.release(right);
}
