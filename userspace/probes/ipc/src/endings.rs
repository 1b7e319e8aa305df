//! Calls that are not answered: cancelled, refused, cut off.

use crate::calls::{call, received};
use crate::notifications::{bits, create, event_sqe};
use crate::queues::now;
use crate::submissions::code;
use probe::bare::{Bare, Notes, answer, recv};
use probe::echo;
use rt::abi::ring::{cqe_flags, sqe_flags};
use rt::abi::{Op, Sqe, TransferSlot};
use rt::schema::{Empty, endpoint, notification};
use rt::{CapId, TransportError};

pub fn all(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    cancellation(bare, notes);
    twins(bare, notes);
    moves(bare, notes, timer);
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

/// Two operations with the same `user_data`.
fn twins(bare: &mut Bare<'_>, notes: &Notes) {
    let right = bare.endpoint(4);
    let number = bare.number();
    let twin = Sqe { user_data: number, ..recv(right, 0) };
    bare.submit_all([twin, twin].into_iter());
    bare.flush();
    notes.note("O8 cancel of two with one user_data", cancel(bare, number), 0);
    notes.note("O8 ends one of them", code(&bare.wait(number)), TransportError::Canceled.code());
    notes.note("O8 and the other goes on", i64::from(bare.poll(number).is_some()), 0);
    notes.note("O8 until it is cancelled, too", cancel(bare, number), 0);
    notes.note("O8 which ends it", code(&bare.wait(number)), TransportError::Canceled.code());
    notes.note("O8 then there is none", cancel(bare, number), TransportError::InvalidArgument.code());
    bare.release(right);
}

/// Calls that are to move a capability and are never received.
fn moves(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    let right = bare.endpoint(1);
    let facet = bare.mint(right, 1);
    let gift = create(bare);
    let moving =
        |bare: &Bare<'_>| bare.call((facet, echo::INTERFACE), 0, &Empty, &[TransferSlot::moved(gift)], 0);
    let stays = |bare: &mut Bare<'_>, name| {
        let poll = event_sqe(bare, gift, notification::POLL);
        let found = bare.run(&poll);
        notes.note(name, bits(bare, &found), 0);
    };

    let sqe = moving(bare);
    let number = bare.start(&sqe);
    cancel(bare, number);
    notes.note(
        "O13 a call that moves is cancelled",
        code(&bare.wait(number)),
        TransportError::Canceled.code(),
    );
    stays(bare, "O13 what it was to move stays");

    let aux = now(bare, timer) + 2_000_000;
    let timed = Sqe { flags: sqe_flags::DEADLINE, aux, ..moving(bare) };
    notes.note("O13 or times out", code(&bare.run(&timed)), TransportError::TimedOut.code());
    stays(bare, "O13 what that was to move stays");

    let waiting = wait_for_room(bare, notes, right, moving(bare));
    stays(bare, "O13 what a receiver has no room for stays");
    bare.run(&answer(right, waiting, 0));

    let plain = call(bare, facet, &[]);
    let queued = bare.start(&plain);
    let sqe = moving(bare);
    notes.note("O13 or finds the queue full", code(&bare.run(&sqe)), TransportError::QueueFull.code());
    stays(bare, "O13 what did not get into the queue stays");
    cancel(bare, queued);
    bare.wait(queued);

    let sqe = moving(bare);
    let number = bare.start(&sqe);
    bare.run(&Sqe { op: Op::Revoke as u8, cap: right.raw(), ..Sqe::default() });
    notes.note("O13 or is revoked", code(&bare.wait(number)), TransportError::Revoked.code());
    stays(bare, "O13 what went through a revoked facet stays");
    bare.release(gift);
    bare.release(right);
}

/// A receiver without room for the capability of `moving`, before and behind it. Gives the token of the plain call that it then gets.
fn wait_for_room(bare: &mut Bare<'_>, notes: &Notes, right: CapId, moving: Sqe) -> u64 {
    let no_room = TransportError::PeerBudgetExhausted.code();
    let wait = bare.start(&recv(right, 0));
    bare.flush();
    notes.note("O3 a capability without room at the receiver", code(&bare.run(&moving)), no_room);
    notes.note("O3 for which it waits on", i64::from(bare.poll(wait).is_some()), 0);
    cancel(bare, wait);
    bare.wait(wait);
    let number = bare.start(&moving);
    let wait = bare.start(&recv(right, 0));
    notes.note("O3 the same from the queue", code(&bare.wait(number)), no_room);
    notes.note("O3 the receiver then waits", i64::from(bare.poll(wait).is_some()), 0);
    bare.start(&Sqe { caps_send: 0, ..moving });
    let arrival = bare.wait(wait);
    notes.note("O3 for one without capabilities", i64::from(arrival.caps), 0);
    arrival.token
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
    let params = endpoint::MintParams { badge: 70, interface: echo::INTERFACE };
    let nowhere = bare.call((right, endpoint::INTERFACE_ID), endpoint::MINT, &params, &[], 0);
    let no_room = TransportError::BudgetExhausted.code();
    notes.note("O6 no room for what a kernel object gives", code(&bare.run(&nowhere)), no_room);
    let wait = bare.start(&recv(right, 0));
    bare.flush();
    notes.note("O10 nothing is heard of a facet that nobody got", i64::from(bare.poll(wait).is_some()), 0);
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
