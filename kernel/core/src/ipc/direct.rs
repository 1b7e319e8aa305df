//! The shortest way of a call and of its answer: from one sleeping thread to the other on the same CPU, without a queue and without
//! choosing who runs.
//!
//! Both functions do what `deliver.rs` and `schedule.rs` would do, when it is certain from the beginning that nothing stands in the way. They
//! first look at everything, waiting for no lock, and change nothing when they answer `false`: then the call goes the ordinary
//! way. The table is locked throughout, out of the order of the other locks, which is why those are only tried. (It is not where
//! capabilities may go along, which need both tables: then what was looked up may be revoked meanwhile.)
//!
//! The processor's time goes on to be the caller's while the server works for it.

use crate::ipc::calls::Token;
use crate::ipc::deliver::{Held, copy};
use crate::ipc::endpoint::{Endpoint, Facet, State};
use crate::ipc::ops::{Buffers, OpId, Ticket};
use crate::ipc::{loans, transfer};
use crate::ring::check;
use crate::task::cpu::Cpu;
use crate::task::thread::Thread;
use crate::task::{revoke, schedule};
use capos_abi::{Cqe, TransportError};
use capos_ring::{KernelRing, Kind, Queued};
use kernel_hal::order;
use kernel_hal::sync::Ref;

/// `CALL` of `facet`, without capabilities, by the current thread, which then sleeps until its answer is there: the only operation that it
/// has pending. True when its server runs instead.
#[inline(always)]
pub(crate) fn call(
    cpu: &Cpu,
    caller: &Ref<Thread>,
    facet: &Facet,
    cap: u64,
    call: &Queued<'_>,
    kind: Kind,
) -> bool {
    call_with::<false, false, false>(cpu, caller, facet, cap, call, kind, 1)
        || call_with::<false, false, true>(cpu, caller, facet, cap, call, kind, 1)
        || order::is_checked() && call_with::<true, false, true>(cpu, caller, facet, cap, call, kind, 1)
}

/// The same with capabilities, or without, when that sleep ends with completion number `min`, all others being there, or with the first of
/// several that are pending. The caller's table is not locked.
#[inline]
pub(crate) fn carry_call(
    cpu: &Cpu,
    caller: &Ref<Thread>,
    facet: &Facet,
    cap: u64,
    call: &Queued<'_>,
    kind: Kind,
    min: u64,
) -> bool {
    call_with::<true, true, true>(cpu, caller, facet, cap, call, kind, min)
}

/// `BESIDE`: either side may have other operations pending.
#[inline(never)]
fn call_with<const WATCHED: bool, const CARRIES: bool, const BESIDE: bool>(
    cpu: &Cpu,
    caller: &Ref<Thread>,
    facet: &Facet,
    cap: u64,
    call: &Queued<'_>,
    kind: Kind,
    min: u64,
) -> bool {
    let call = Buffers::read(call, kind, cap);
    let Some(mut state) = facet.endpoint.try_lock::<WATCHED>() else { return false };
    let State { calls, receivers, .. } = &mut *state;
    let (Some(vacancy), Some(receiver)) = (calls.vacancy(), receivers.last()) else { return false };
    let &Ticket { thread: ref server, id: receive } = receiver;
    if !BESIDE && receive != OpId::SOLE {
        return false;
    }
    let Some(mut serving) = server.state.try_lock::<WATCHED>() else { return false };
    let (message, Some(room)) = (call.message, serving.ops.endless(receive)) else { return false };
    if !serving.rests()
        || message.len() > room.message.len()
        || !is_sound::<CARRIES>(&caller.ring, &call, check::call)
    {
        return false;
    }
    let Some(mut own) = caller.state.try_lock::<WATCHED>() else { return false };
    if caller.needs_attention() || CARRIES && is_lost(caller, cap) {
        return false;
    }
    let place = if CARRIES { own.place_to_rest(caller) } else { Some(OpId::SOLE) };
    let Some(id) = place else { return false };
    let Some(caps) = carry::<CARRIES>(caller, &call, server, room) else { return false };
    // From here on nothing can fail.
    copy(&caller.ring, message, &server.ring, room.message.off());
    let cqe = Cqe {
        user_data: room.user_data,
        result: message.len() as i32,
        caps,
        method: call.kind.method(),
        token: vacancy.token().raw(),
        badge: facet.badge,
        ..Cqe::default()
    };
    let at = serving.resume_with(server, receive, &cqe);
    let loan = loans::lend(&mut serving, server, caller);
    drop(serving);
    own.rest(caller, id, call, at.calling(), min);
    drop(own);
    caller.publish_taken();
    let working = server.clone();
    if let Some(receiver) = receivers.pop()
        && let Some(thread) = schedule::switch_directly(cpu, receiver.thread)
    {
        vacancy.put_received(Ticket { thread, id }, facet.badge, working, loan);
    }
    true
}

/// Whether there is nothing wrong with a submission.
#[inline(always)]
fn is_sound<const CARRIES: bool>(
    ring: &KernelRing,
    buffers: &Buffers,
    check: impl FnOnce(&KernelRing, &Buffers) -> Result<(), TransportError>,
) -> bool {
    if CARRIES { check(ring, buffers).is_ok() } else { check::bare(ring, buffers) }
}

/// Whether what a call goes through was revoked since it was looked up. Who revokes it from now on finds the call: the caller is locked.
#[inline]
fn is_lost(caller: &Thread, cap: u64) -> bool {
    caller.process.has_lost() && !revoke::holds(&caller.process, cap)
}

/// Has the capabilities go along; how many.
#[inline(always)]
fn carry<const CARRIES: bool>(
    from: &Ref<Thread>,
    sent: &Buffers,
    to: &Ref<Thread>,
    room: &Buffers,
) -> Option<u8> {
    if CARRIES { transfer::send(from, sent, to, room).ok() } else { Some(0) }
}

/// `RETURN_RECV` through the right to `endpoint`, without capabilities, by the current thread, which then sleeps until the next call is
/// there, or something else that it has pending (`BESIDE`) is done. True when the caller runs instead.
#[inline(always)]
pub(crate) fn answer_recv<const BESIDE: bool>(
    cpu: &Cpu,
    server: &Ref<Thread>,
    endpoint: &Ref<Endpoint>,
    token: Token,
    answer: &Queued<'_>,
    kind: Kind,
) -> bool {
    !BESIDE && answer_with::<false, false, false>(cpu, server, endpoint, token, answer, kind, None)
        || answer_beside(cpu, server, endpoint, token, answer, kind)
}

/// The same where either side may have other operations pending, and of locks that are watched.
#[inline(never)]
fn answer_beside(
    cpu: &Cpu,
    server: &Ref<Thread>,
    endpoint: &Ref<Endpoint>,
    token: Token,
    answer: &Queued<'_>,
    kind: Kind,
) -> bool {
    answer_with::<false, false, true>(cpu, server, endpoint, token, answer, kind, None)
        || order::is_checked()
            && answer_with::<true, false, true>(cpu, server, endpoint, token, answer, kind, None)
}

/// The same with capabilities, or without, when that sleep ends with completion number `min`, all others being there, and also in the time of
/// whoever the caller works for. The server's table is not locked.
#[inline(never)]
pub(crate) fn carry_answer(
    cpu: &Cpu,
    server: &Ref<Thread>,
    (endpoint, given_up): &Held,
    token: Token,
    answer: &Queued<'_>,
    kind: Kind,
    min: u64,
) -> bool {
    let last = Some(Last { min, given_up: *given_up });
    answer_with::<true, true, true>(cpu, server, endpoint, token, answer, kind, last)
}

/// What is known of an answer that is the last of several.
#[derive(Clone, Copy)]
struct Last {
    min: u64,
    /// How many rights had been given up at the endpoint when its thread had that one.
    given_up: u64,
}

#[inline(always)]
fn answer_with<const WATCHED: bool, const CARRIES: bool, const BESIDE: bool>(
    cpu: &Cpu,
    server: &Ref<Thread>,
    endpoint: &Ref<Endpoint>,
    token: Token,
    answer: &Queued<'_>,
    kind: Kind,
    last: Option<Last>,
) -> bool {
    // The receive that begins goes by the right, not by a capability that could be revoked from it.
    let answer = Buffers::read(answer, kind, 0);
    let Some(mut state) = endpoint.try_lock::<WATCHED>() else { return false };
    if !state.is_quiet() || !endpoint.takes_receivers(&state) {
        return false;
    }
    // Another thread may have given the right up meanwhile: nobody would end what is received here now.
    if last.is_some_and(|last| endpoint.given_up() != last.given_up) {
        return false;
    }
    let State { calls, receivers, .. } = &mut *state;
    // Who answers for another thread gives back what that one was lent: the ordinary way.
    let Some(received) = calls.received_by(server, token) else { return false };
    let Some(&Ticket { thread: ref caller, id: call }) = received.caller() else { return false };
    if !BESIDE && call != OpId::SOLE {
        return false;
    }
    let Some(mut calling) = caller.state.try_lock::<WATCHED>() else { return false };
    let (message, Some(to)) = (answer.message, calling.ops.endless(call)) else { return false };
    if !calling.rests()
        || message.len() > to.answer.len()
        || !is_sound::<CARRIES>(&server.ring, &answer, check::answer_recv)
    {
        return false;
    }
    let Some(mut own) = server.state.try_lock::<WATCHED>() else { return false };
    if server.needs_attention() || !schedule::may_resume::<CARRIES>(cpu, caller, server) {
        return false;
    }
    let place = if BESIDE { own.place_to_rest(server) } else { Some(OpId::SOLE) };
    let Some(id) = place else { return false };
    let Some(caps) = carry::<CARRIES>(server, &answer, caller, to) else { return false };
    // From here on nothing can fail.
    copy(&server.ring, message, &caller.ring, to.answer.off());
    let cqe = Cqe { user_data: to.user_data, result: message.len() as i32, caps, ..Cqe::default() };
    let at = calling.resume_with(caller, call, &cqe);
    drop(calling);
    own.rest(server, id, answer.next(), at.receiving(), last.map_or(1, |last| last.min));
    if let Some(loan) = received.loan() {
        own.give_back(server, loan);
    }
    drop(own);
    server.publish_taken();
    if let Some(call) = received.take()
        && let Some(thread) = schedule::switch_directly(cpu, call.caller.thread)
    {
        receivers.push(Ticket { thread, id });
    }
    true
}
