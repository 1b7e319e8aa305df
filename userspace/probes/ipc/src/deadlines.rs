//! Deadlines (T1 to T3).

use crate::notifications::{create, event_sqe};
use crate::queues::{now, sleep};
use crate::submissions::code;
use probe::bare::{Bare, Notes, answer, recv};
use probe::echo;
use rt::abi::ring::sqe_flags;
use rt::abi::{Op, Sqe};
use rt::schema::{Empty, notification, timer};
use rt::{CapId, TransportError};

const MS: u64 = 1_000_000;
const TIMED_OUT: i32 = TransportError::TimedOut.code();

fn until(at: u64, sqe: Sqe) -> Sqe {
    Sqe { flags: sqe.flags | sqe_flags::DEADLINE, aux: at, ..sqe }
}

pub fn all(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    every_kind(bare, notes, timer);
    calls(bare, notes, timer);
    let strange = until(u64::MAX, Sqe { op: Op::Nop as u8, ..Sqe::default() });
    let refused = code(&bare.run(&strange));
    notes.note("T1 what never waits has no deadline", refused, TransportError::InvalidArgument.code());
    let late = until(1, bare.call((timer, timer::INTERFACE_ID), timer::NOW, &Empty, &[], 0));
    notes.note("T2 what can be done at once is done", code(&bare.run(&late)), 16);
}

/// One operation of each kind that waits, and nobody who ends it.
fn every_kind(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    let event = create(bare);
    let right = bare.endpoint(2);
    let far = now(bare, timer) + 3_600_000 * MS;
    let wait = Sqe { op: Op::Wait as u8, cap: event.raw(), ..Sqe::default() };
    let park = Sqe { op: Op::Park as u8, cap: 1 << 63, ..Sqe::default() };
    let kinds = [
        ("T1 a receive", recv(right, 0)),
        ("T1 a WAIT", wait),
        ("T1 a PARK", park),
        ("T1 a call of a notification", event_sqe(bare, event, notification::WAIT)),
        ("T1 a sleep", sleep(bare, timer, far)),
    ];
    for (name, sqe) in kinds {
        // A call's message lies where the next one's will.
        let sqe = if sqe.msg_len > 0 { sleep(bare, timer, far) } else { sqe };
        let at = now(bare, timer) + 2 * MS;
        let found = bare.run(&until(at, sqe));
        notes.note(name, code(&found), TIMED_OUT);
        notes.note("T1 and not before its time", i64::from(now(bare, timer) >= at), 1);
    }
    bare.release(right);
    bare.release(event);
}

fn calls(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    let right = bare.endpoint(2);
    let facet = bare.mint(right, 1);
    let call = |bare: &Bare<'_>| bare.call((facet, echo::INTERFACE), 0, &Empty, &[], 0);
    let at = now(bare, timer) + 2 * MS;
    let queued = until(at, call(bare));
    notes.note("T1 a call that nobody receives", code(&bare.run(&queued)), TIMED_OUT);

    let at = now(bare, timer) + 2 * MS;
    let timed = until(at, call(bare));
    let number = bare.start(&timed);
    let got = bare.run(&recv(right, 0));
    notes.note("T3 a call that is received", i64::from(got.result >= 0), 1);
    notes.note("T3 times out all the same", code(&bare.wait(number)), TIMED_OUT);
    let late = bare.run(&answer(right, got.token, 0));
    notes.note("T3 its answer is stale", code(&late), TransportError::StaleToken.code());

    let at = now(bare, timer) + 500 * MS;
    let timed = until(at, call(bare));
    let number = bare.start(&timed);
    let got = bare.run(&recv(right, 0));
    bare.run(&answer(right, got.token, 0));
    notes.note("T3 an answer in time counts", code(&bare.wait(number)), 0);

    let timed = until(u64::MAX, call(bare));
    let number = bare.start(&timed);
    let cancel = Sqe { op: Op::Cancel as u8, aux: number, ..Sqe::default() };
    notes.note("T3 it can be cancelled before", code(&bare.run(&cancel)), 0);
    notes.note("T3 and is cancelled then", code(&bare.wait(number)), TransportError::Canceled.code());
    bare.release(facet);
    bare.release(right);
}
