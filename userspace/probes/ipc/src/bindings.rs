//! What ends in a notification beside signals (N5 to N10).

use crate::notifications::{bits, create, event_sqe, outcome, signal_sqe};
use crate::queues::now;
use crate::submissions::code;
use probe::bare::{Bare, Notes};
use rt::abi::{Cqe, Op, Sqe, TransferSlot};
use rt::schema::notification::{self, MintParams};
use rt::schema::{Empty, alarm, timer};
use rt::{CapId, ExceptionCode, TransportError};

const MS: u64 = 1_000_000;

pub fn all(bare: &mut Bare<'_>, notes: &Notes, timer: CapId) {
    let event = create(bare);
    lost(bare, notes, event);
    waits(bare, notes, event);
    alarms(bare, notes, event, timer);
    bare.release(event);
}

fn mint(bare: &mut Bare<'_>, event: CapId, bits: u64, lost: u64) -> CapId {
    let target = (event, notification::INTERFACE_ID);
    let call = bare.call(target, notification::MINT, &MintParams { bits, lost }, &[], 1);
    bare.taken(&call)
}

fn poll(bare: &mut Bare<'_>, event: CapId) -> i64 {
    let poll = event_sqe(bare, event, notification::POLL);
    let found = bare.run(&poll);
    bits(bare, &found)
}

fn wait(event: CapId, signal: CapId) -> Sqe {
    Sqe { op: Op::Wait as u8, cap: event.raw(), interface: signal.raw(), ..Sqe::default() }
}

fn badge(cqe: &Cqe) -> i64 {
    if cqe.result == 0 { cqe.badge.cast_signed() } else { i64::from(cqe.result) }
}

fn lost(bare: &mut Bare<'_>, notes: &Notes, event: CapId) {
    let signal = mint(bare, event, 0b01, 0b10);
    notes.note("N5 a signaller that is there is not lost", poll(bare, event), 0);
    bare.release(signal);
    notes.note("N5 one that is gone is", poll(bare, event), 0b10);
    let silent = mint(bare, event, 0b01, 0);
    bare.release(silent);
    notes.note("N5 unless nobody asked", poll(bare, event), 0);
}

fn waits(bare: &mut Bare<'_>, notes: &Notes, event: CapId) {
    let other = create(bare);
    let to_other = mint(bare, other, 0b100, 0);
    let number = bare.start(&wait(event, to_other));
    bare.flush();
    notes.note("N6 WAIT signals", poll(bare, other), 0b100);
    notes.note("N6 and waits", i64::from(bare.poll(number).is_some()), 0);
    let signal = mint(bare, event, 0b1000, 0);
    bare.run(&signal_sqe(signal));
    notes.note("N6 for bits", badge(&bare.wait(number)), 0b1000);
    bare.run(&signal_sqe(signal));
    notes.note("N6 which may be there already", badge(&bare.run(&wait(event, CapId::NULL))), 0b1000);
    bare.release(other);
    let refused = code(&bare.run(&wait(event, to_other)));
    notes.note("N6 a signal that nobody hears", refused, TransportError::Disconnected.code());
    let wrong = code(&bare.run(&wait(signal, CapId::NULL)));
    notes.note("N6 a signaller cannot wait", wrong, TransportError::WrongKind.code());
    for id in [to_other, signal] {
        bare.release(id);
    }
}

/// Enough to cancel an alarm before it goes off, on a host with more to do than processors.
const SOON: u64 = 100 * MS;

fn alarms(bare: &mut Bare<'_>, notes: &Notes, event: CapId, timer: CapId) {
    let signal = mint(bare, event, 0b1, 0b10);
    let slots = [TransferSlot::moved(signal)];
    let call = bare.call((timer, timer::INTERFACE_ID), timer::ALARM, &Empty, &slots, 1);
    let bell = bare.taken(&call);
    notes.note("N8 an alarm is made", i32::from(bell != CapId::NULL), 1);
    notes.note("N10 a signaller that is bound is not lost", poll(bare, event), 0);
    let at = now(bare, timer) + 2 * MS;
    set(bare, notes, bell, at);
    notes.note("N8 it signals", badge(&bare.run(&wait(event, CapId::NULL))), 0b1);
    notes.note("N8 not before its time", i64::from(now(bare, timer) >= at), 1);
    set(bare, notes, bell, 1);
    notes.note("N8 a time that has passed is now", poll(bare, event), 0b1);
    let soon = now(bare, timer) + SOON;
    set(bare, notes, bell, soon);
    let call = bare.call((bell, alarm::INTERFACE_ID), alarm::CANCEL, &Empty, &[], 0);
    let found = bare.run(&call);
    let was_set = bare.decode::<alarm::CancelResults>(&found).is_some_and(|found| found.was_set);
    notes.note("N8 it can be cancelled", i64::from(was_set), 1);
    bare.ring.enter(1, 2 * SOON);
    notes.note("N8 and does not go off then", poll(bare, event), 0);
    let soon = now(bare, timer) + SOON;
    set(bare, notes, bell, soon);
    bare.release(bell);
    bare.ring.enter(1, 2 * SOON);
    notes.note("N8 nor when it was given up, which loses the signaller", poll(bare, event), 0b10);
    revoked(bare, notes, event, timer);
    let none = bare.call((timer, timer::INTERFACE_ID), timer::ALARM, &Empty, &[TransferSlot::copy(event)], 1);
    let invalid = i64::from(ExceptionCode::InvalidArgument.code());
    notes.note("N10 only a signaller can be bound", outcome(&bare.run(&none)), invalid);
}

fn revoked(bare: &mut Bare<'_>, notes: &Notes, event: CapId, timer: CapId) {
    let bell = [0b01, 0b10].map(|bit| {
        let signal = mint(bare, event, bit, 0);
        let slots = [TransferSlot::moved(signal)];
        let call = bare.call((timer, timer::INTERFACE_ID), timer::ALARM, &Empty, &slots, 1);
        bare.taken(&call)
    });
    set(bare, notes, bell[0], 1);
    notes.note("V8 an alarm goes off", poll(bare, event), 0b01);
    let sqe = Sqe { op: Op::Revoke as u8, cap: event.raw(), ..Sqe::default() };
    notes.note("V8 a revocation of what it signals through", code(&bare.run(&sqe)), 0);
    for bell in bell {
        set(bare, notes, bell, 1);
        notes.note("V8 and it signals no more", poll(bare, event), 0);
        bare.release(bell);
    }
}

fn set(bare: &mut Bare<'_>, notes: &Notes, bell: CapId, ns: u64) {
    let call = bare.call((bell, alarm::INTERFACE_ID), alarm::SET, &alarm::SetParams { ns }, &[], 0);
    notes.note("N8 it can be set", outcome(&bare.run(&call)), 0);
}
