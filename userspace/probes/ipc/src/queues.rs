//! Indices, room and time.

use crate::submissions::code;
use probe::bare::{Bare, Notes};
use rt::abi::ring::{fault, header};
use rt::abi::{Op, Sqe};
use rt::schema::{Empty, timer};
use rt::{CapId, TransportError};

pub fn all(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    timeouts(bare, notes, timer);
    in_flight(bare, notes, timer);
    full_completion_queue(bare, notes);
    corrupt_indices(bare, notes);
}

const MS: u64 = 1_000_000;

pub fn now(bare: &mut Bare<'_>, timer: CapId) -> u64 {
    let call = bare.call((timer, timer::INTERFACE_ID), timer::NOW, &Empty, &[], 0);
    let cqe = bare.run(&call);
    bare.decode::<timer::NowResults>(&cqe).map_or(0, |results| results.ns)
}

pub fn sleep(bare: &Bare<'_>, timer: CapId, ns: u64) -> Sqe {
    let params = timer::SleepUntilParams { ns };
    bare.call((timer, timer::INTERFACE_ID), timer::SLEEP_UNTIL, &params, &[], 0)
}

fn timeouts(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    let start = now(bare, timer);
    notes.note("A2 a poll of nothing", bare.ring.enter(1, 0), 0);
    notes.note("A1 a wait that times out", bare.ring.enter(1, 3 * MS), 0);
    let waited = now(bare, timer) - start;
    notes.note("A1 it lasted as long as asked", i64::from(waited >= 3 * MS), 1);
    let soon = now(bare, timer) + 2 * MS;
    let call = sleep(bare, timer, soon);
    let number = bare.start(&call);
    notes.note("A1 a wait that is served", bare.ring.enter(1, 1000 * MS), 1);
    notes.note("A1 by what was waited for", bare.poll(number).map_or(-1, |cqe| code(&cqe)), 0);
    let late = now(bare, timer) - start;
    notes.note("A1 and not by its time-out", i64::from(late < 900 * MS), 1);
}

/// As many operations as the submission queue has entries may be pending.
fn in_flight(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    let far = now(bare, timer) + 3_600_000 * MS;
    let entries = bare.ring.shape().sq_entries as usize;
    let mut numbers = [0; 64];
    for number in numbers.iter_mut().take(entries) {
        let call = sleep(bare, timer, far);
        *number = bare.start(&call);
    }
    bare.flush();
    let one_more = sleep(bare, timer, far);
    notes.note(
        "R3 one operation too many",
        code(&bare.run(&one_more)),
        TransportError::TooManyInFlight.code(),
    );
    let mut canceled = 0;
    for number in numbers.iter().take(entries) {
        let cancel = Sqe { op: Op::Cancel as u8, aux: *number, ..Sqe::default() };
        let confirmed = code(&bare.run(&cancel)) == 0;
        let ended = code(&bare.wait(*number)) == TransportError::Canceled.code();
        canceled += i32::from(confirmed && ended);
    }
    notes.note("O8 all of them can be cancelled", canceled, entries as i32);
}

/// Submissions are taken only as far as there is room for their completions.
fn full_completion_queue(bare: &mut Bare<'_>, notes: &Notes) {
    let shape = bare.ring.shape();
    let room = shape.cq_entries;
    let mut taken = 0;
    for _ in 0..room / shape.sq_entries + 1 {
        for _ in 0..shape.sq_entries {
            bare.submit(&Sqe::default());
        }
        taken = bare.ring.enter(0, 0);
    }
    notes.note("R3 the completion queue is full", taken, room);
    let pending = bare.ring.header(header::SQ_TAIL).wrapping_sub(bare.ring.header(header::SQ_HEAD));
    notes.note("R3 the rest was not taken", pending, shape.sq_entries);
    bare.flush();
    bare.flush();
    let pending = bare.ring.header(header::SQ_TAIL).wrapping_sub(bare.ring.header(header::SQ_HEAD));
    notes.note("R3 with room again it is", pending, 0);
    let followed = bare.ring.header(header::SQ_HEAD) == bare.ring.header(header::SQ_TAIL);
    notes.note("R1 the kernel's head has followed the tail", i64::from(followed), 1);
    // The completions of all that have user data 0: nobody waits for them.
    while bare.poll(0).is_some() {}
}

fn corrupt_indices(bare: &mut Bare<'_>, notes: &Notes) {
    let ring = bare.ring;
    let corrupt = i64::from(TransportError::CorruptRing.code());
    let (tail, head) = (ring.header(header::SQ_TAIL), ring.header(header::CQ_HEAD));
    ring.set_header(header::SQ_TAIL, tail.wrapping_add(ring.shape().sq_entries + 1));
    notes.note("R2 a tail too far ahead", ring.enter(0, 0), corrupt);
    notes.note("R2 is named in the header", ring.header(header::FAULT), fault::SQ_TAIL);
    ring.set_header(header::SQ_TAIL, tail.wrapping_sub(1));
    notes.note("R2 a tail behind the head", ring.enter(0, 0), corrupt);
    notes.note("R2 nothing of it was taken", ring.header(header::SQ_HEAD), tail);
    ring.set_header(header::SQ_TAIL, tail);
    ring.set_header(header::CQ_HEAD, head.wrapping_add(1));
    notes.note("R2 a completion head beyond the tail", ring.enter(1, 0), corrupt);
    notes.note("R2 is named, too", ring.header(header::FAULT), fault::CQ_HEAD);
    ring.set_header(header::CQ_HEAD, head);
    notes.note("R2 mended, it works again", code(&bare.run(&Sqe::default())), 0);
}
