//! Notifications.

use crate::submissions::code;
use probe::bare::{Bare, Notes};
use rt::abi::ring::cqe_flags;
use rt::abi::{Cqe, Op, Sqe};
use rt::schema::notification::{self, MintParams, WaitResults};
use rt::schema::{Empty, endpoint_factory, signaller};
use rt::{CapId, ExceptionCode, TransportError};

pub fn all(bare: &mut Bare<'_>, notes: &Notes) {
    let event = create(bare);
    notes.note("N1 a notification is made", i32::from(event != CapId::NULL), 1);
    let signal = mint(bare, event, 0b01);
    let other = mint(bare, event, 0b10);
    accumulate(bare, notes, event, [signal, other]);
    waiting(bare, notes, event, signal);
    refusals(bare, notes, event, signal);
    bare.release(event);
    let late = bare.run(&signal_sqe(signal));
    notes.note("N1 nobody can wait any more", outcome(&late), i64::from(ExceptionCode::Disconnected.code()));
    bare.release(signal);
    bare.release(other);
    given_up(bare, notes);
}

/// The last right to wait goes while somebody does.
fn given_up(bare: &mut Bare<'_>, notes: &Notes) {
    let event = create(bare);
    let wait = event_sqe(bare, event, notification::WAIT);
    let call = bare.start(&wait);
    let wait = bare.start(&Sqe { op: Op::Wait as u8, cap: event.raw(), ..Sqe::default() });
    bare.flush();
    bare.release(event);
    let canceled = TransportError::Canceled.code();
    notes.note("N11 the last right goes: a WAIT ends", code(&bare.wait(wait)), canceled);
    notes.note("N11 the last right goes: a call ends", code(&bare.wait(call)), canceled);
}

pub fn create(bare: &mut Bare<'_>) -> CapId {
    let target = (CapId::SELF_ENDPOINTS, endpoint_factory::INTERFACE_ID);
    let call = bare.call(target, endpoint_factory::CREATE_NOTIFICATION, &Empty, &[], 1);
    bare.taken(&call)
}

pub fn mint(bare: &mut Bare<'_>, event: CapId, bits: u64) -> CapId {
    let target = (event, notification::INTERFACE_ID);
    let call = bare.call(target, notification::MINT, &MintParams { bits, lost: 0 }, &[], 1);
    bare.taken(&call)
}

pub fn event_sqe(bare: &Bare<'_>, event: CapId, method: u16) -> Sqe {
    bare.call((event, notification::INTERFACE_ID), method, &Empty, &[], 0)
}

pub fn signal_sqe(signal: CapId) -> Sqe {
    Sqe {
        op: Op::Call as u8,
        method: signaller::SIGNAL,
        cap: signal.raw(),
        interface: signaller::INTERFACE_ID,
        ..Sqe::default()
    }
}

/// The bits that an answer brought; -1 when it is none.
pub fn bits(bare: &Bare<'_>, cqe: &Cqe) -> i64 {
    bare.decode::<WaitResults>(cqe)
        .filter(|_| cqe.flags == 0)
        .map_or(-1, |results| results.bits.cast_signed())
}

/// 0, an exception's code, or a negative transport error.
pub fn outcome(cqe: &Cqe) -> i64 {
    if cqe.flags & cqe_flags::EXCEPTION != 0 { i64::from(cqe.method) } else { i64::from(code(cqe)) }
}

fn accumulate(bare: &mut Bare<'_>, notes: &Notes, event: CapId, signals: [CapId; 2]) {
    let poll = event_sqe(bare, event, notification::POLL);
    let found = bare.run(&poll);
    notes.note("N2 poll: no bits in the beginning", bits(bare, &found), 0);
    for signal in [signals[0], signals[1], signals[0]] {
        notes.note("N1 signal completes with nothing", outcome(&bare.run(&signal_sqe(signal))), 0);
    }
    let found = bare.run(&poll);
    notes.note("N2 poll: bits add up", bits(bare, &found), 0b11);
    let found = bare.run(&poll);
    notes.note("N2 poll: and are cleared", bits(bare, &found), 0);
    bare.run(&signal_sqe(signals[1]));
    let wait = event_sqe(bare, event, notification::WAIT);
    let found = bare.run(&wait);
    notes.note("N2 wait: takes bits that are there", bits(bare, &found), 0b10);
}

fn waiting(bare: &mut Bare<'_>, notes: &Notes, event: CapId, signal: CapId) {
    let wait = event_sqe(bare, event, notification::WAIT);
    let (first, second) = (bare.start(&wait), bare.start(&wait));
    bare.flush();
    notes.note("N2 wait: does not complete without bits", i64::from(bare.poll(first).is_some()), 0);
    bare.run(&signal_sqe(signal));
    let found = bare.wait(first);
    notes.note("N3 wait: the first gets the bits", bits(bare, &found), 0b01);
    notes.note("N3 wait: the second goes on", i64::from(bare.poll(second).is_some()), 0);
    let cancel = Sqe { op: Op::Cancel as u8, aux: second, ..Sqe::default() };
    notes.note("N3 wait: can be cancelled", code(&bare.run(&cancel)), 0);
    notes.note("N3 wait: and ends as such", code(&bare.wait(second)), TransportError::Canceled.code());
    bare.run(&signal_sqe(signal));
    let poll = event_sqe(bare, event, notification::POLL);
    let found = bare.run(&poll);
    notes.note("N3 a cancelled wait takes no bits", bits(bare, &found), 0b01);
}

fn refusals(bare: &mut Bare<'_>, notes: &Notes, event: CapId, signal: CapId) {
    let target = (event, notification::INTERFACE_ID);
    let none = bare.call(target, notification::MINT, &MintParams { bits: 0, lost: 0 }, &[], 1);
    let invalid = i64::from(ExceptionCode::InvalidArgument.code());
    notes.note("N4 a signaller of no bits", outcome(&bare.run(&none)), invalid);
    let as_if = Sqe { interface: notification::INTERFACE_ID, ..signal_sqe(signal) };
    let wrong = TransportError::WrongInterface.code();
    notes.note("N4 a signaller cannot wait", code(&bare.run(&as_if)), wrong);
    let wait = event_sqe(bare, event, notification::WAIT);
    let waits: [u64; 8] = core::array::from_fn(|_| bare.start(&wait));
    let many = outcome(&bare.run(&wait));
    notes.note("N3 no more than eight wait", many, i64::from(ExceptionCode::WrongState.code()));
    for number in waits {
        bare.run(&Sqe { op: Op::Cancel as u8, aux: number, ..Sqe::default() });
        bare.wait(number);
    }
}
