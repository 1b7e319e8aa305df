//! The shortest way of a call and of its answer: from one sleeping thread to the other on the same CPU, without a queue and without
//! choosing who runs.
//!
//! Both functions do what `deliver.rs` and `schedule.rs` would do, when it is certain from the beginning that nothing stands in the way. They
//! first look at everything, waiting for no lock, and change nothing when they answer `false`: then the call goes the ordinary
//! way. The table is locked throughout, out of the order of the other locks, which is why those are only tried.
//!
//! The processor's time goes on to be the caller's while the server works for it.

use crate::ipc::calls::Token;
use crate::ipc::deliver::copy;
use crate::ipc::endpoint::{Endpoint, Facet};
use crate::ipc::loans;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::task::schedule;
use crate::task::thread::Thread;
use capos_abi::{Cqe, Sqe};
use kernel_hal::sync::Ref;

/// `CALL` of `facet`, without capabilities, by the current thread, which then sleeps until its answer is there. True when its server runs
/// instead.
#[inline(never)]
pub(crate) fn call(caller: &Ref<Thread>, facet: &Facet, sqe: &Sqe) -> bool {
    let Some(mut state) = facet.endpoint.try_lock() else { return false };
    let (Some(vacancy), Some(receiver)) = (state.calls.vacancy(), state.receivers.last()) else {
        return false;
    };
    let (server, wanted) = (&receiver.thread, receiver.id);
    let Some(mut serving) = server.state.try_lock() else { return false };
    let Some(room) = serving.sleeps_for(wanted) else { return false };
    if sqe.msg_len > room.msg_len {
        return false;
    }
    let Some(mut own) = caller.state.try_lock() else { return false };
    if !own.may_sleep(caller) {
        return false;
    }
    // From here on nothing can fail.
    copy(&caller.ring, sqe.msg_off, &server.ring, room.msg_off, sqe.msg_len);
    let cqe = Cqe {
        user_data: room.user_data,
        result: sqe.msg_len as i32,
        method: sqe.method,
        token: state.calls.token(vacancy).raw(),
        badge: facet.badge,
        ..Cqe::default()
    };
    let waited = serving.resume_with(server, wanted, &cqe);
    let loan = loans::lend(&mut serving, server, caller.priority());
    drop(serving);
    let id = own.sleep_with(Buffers::of(sqe), Waiting::Call(at(waited, &facet.endpoint)));
    drop(own);
    let server = server.clone();
    if let (Some(id), Some(receiver)) = (id, state.receivers.pop())
        && let Some(thread) = schedule::switch_directly(receiver.thread)
    {
        state.calls.put_received(Ticket { thread, id }, facet.badge, server, loan);
    }
    true
}

/// `RETURN_RECV` through the right to `endpoint`, without capabilities, by the current thread, which then sleeps until the next call is
/// there. True when the caller runs instead.
#[inline(never)]
pub(crate) fn answer_recv(server: &Ref<Thread>, endpoint: &Ref<Endpoint>, sqe: &Sqe) -> bool {
    let token = Token::from_raw(sqe.cap);
    let Some(mut state) = endpoint.try_lock() else { return false };
    let Some(call) = state.calls.received(token) else { return false };
    let (caller, wanted) = (&call.caller.thread, call.caller.id);
    // Who answers for another thread gives back what that one was lent: the ordinary way.
    let Some((receiver, loan)) = call.server() else { return false };
    if !Ref::ptr_eq(receiver, server) || !state.is_quiet() || !endpoint.takes_receivers(&state) {
        return false;
    }
    let Some(mut calling) = caller.state.try_lock() else { return false };
    let Some(to) = calling.sleeps_for(wanted) else { return false };
    if sqe.msg_len > to.reply_len || !schedule::may_resume(caller, server) {
        return false;
    }
    let Some(mut own) = server.state.try_lock() else { return false };
    if !own.may_sleep(server) {
        return false;
    }
    // From here on nothing can fail.
    copy(&server.ring, sqe.msg_off, &caller.ring, to.reply_off, sqe.msg_len);
    let cqe = Cqe { user_data: to.user_data, result: sqe.msg_len as i32, ..Cqe::default() };
    let waited = calling.resume_with(caller, wanted, &cqe);
    drop(calling);
    let id = own.sleep_with(Buffers::of_next(sqe), Waiting::Message(at(waited, endpoint)));
    if let Some(loan) = loan {
        own.give_back(server, loan);
    }
    drop(own);
    if let (Some(id), Some(call)) = (id, state.calls.remove(token))
        && let Some(thread) = schedule::switch_directly(call.caller.thread)
    {
        state.receivers.push(Ticket { thread, id });
    }
    true
}

/// The reference by which one side was found at the endpoint: the other side needs one from now on.
#[inline(always)]
fn at(waited: Option<Waiting>, endpoint: &Ref<Endpoint>) -> Ref<Endpoint> {
    match waited {
        Some(Waiting::Call(same) | Waiting::Message(same)) => same,
        _ => endpoint.clone(),
    }
}
