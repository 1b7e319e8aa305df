//! The shortest way of a `WAIT`: to rest, and straight to whom it signals if that one rests in a `WAIT` of its own; or on at once when the bits are
//! there already, as those of an interrupt are that came before its driver slept.
//!
//! As in `direct.rs` everything is looked at first, waiting for no lock, and nothing changes when the answer is `false`: then the wait
//! goes the ordinary way, as `events.rs` and `schedule.rs` have it. Unlike a server, who is signalled works in its own time.

use crate::cap::Object;
use crate::cap::notification::{self, Event};
use crate::cap::signaller::Signaller;
use crate::ipc::ops::{At, Buffers, OpId, Ticket};
use crate::ring::check;
use crate::task::cpu::Cpu;
use crate::task::schedule;
use crate::task::thread::{self, State, Thread};
use capos_ring::{Kind, Queued};
use kernel_hal::order;
use kernel_hal::sync::Ref;

/// `WAIT` of the current thread, which then sleeps until its bits are there: the only operation that it has pending. True when it sleeps, or has
/// them.
#[inline(always)]
pub(crate) fn wait(cpu: &Cpu, thread: &Ref<Thread>, submission: &Queued<'_>, kind: Kind) -> bool {
    wait_with::<false, false>(cpu, thread, submission, kind)
        || wait_with_others(cpu, thread, submission, kind)
}

/// Where the other side has other operations pending.
#[inline(never)]
fn wait_with_others(cpu: &Cpu, thread: &Ref<Thread>, submission: &Queued<'_>, kind: Kind) -> bool {
    wait_beside(cpu, thread, submission, kind)
}

/// The same where either side may have other operations pending, whose completions wake it, too; and of locks that are watched.
#[inline(always)]
pub(crate) fn wait_beside(cpu: &Cpu, thread: &Ref<Thread>, submission: &Queued<'_>, kind: Kind) -> bool {
    wait_with::<false, true>(cpu, thread, submission, kind) || wait_watched(cpu, thread, submission, kind)
}

#[cold]
#[inline(never)]
fn wait_watched(cpu: &Cpu, thread: &Ref<Thread>, submission: &Queued<'_>, kind: Kind) -> bool {
    order::is_checked() && wait_with::<true, true>(cpu, thread, submission, kind)
}

#[inline(always)]
fn wait_with<const WATCHED: bool, const BESIDE: bool>(
    cpu: &Cpu,
    thread: &Ref<Thread>,
    submission: &Queued<'_>,
    kind: Kind,
) -> bool {
    let buffers = Buffers::read(submission, kind, submission.cap());
    let table = thread.process.table.lock();
    let Ok(Object::Notification(own)) = table.lookup_word(buffers.cap).map(|entry| &entry.object) else {
        return false;
    };
    if !check::bare_plain(&buffers) {
        return false;
    }
    let other = submission.interface();
    if other == 0 {
        return rest::<WATCHED, BESIDE>(thread, own.event(), buffers);
    }
    match table.lookup_word(other).map(|entry| &entry.object) {
        Ok(Object::Signaller(other)) => {
            take_turns::<WATCHED, BESIDE>(cpu, thread, own.event(), other, buffers)
        }
        _ => false,
    }
}

/// Rests, unless there are bits.
#[inline(always)]
fn rest<const WATCHED: bool, const BESIDE: bool>(
    thread: &Ref<Thread>,
    event: &Ref<Event>,
    buffers: Buffers,
) -> bool {
    let Some(mut waiters) = event.try_lock::<WATCHED>() else { return false };
    if !waiters.takes_waiters() {
        return go_on::<WATCHED>(thread, &mut waiters, &buffers);
    }
    let Some(mut own) = thread.state.try_lock::<WATCHED>() else { return false };
    let Some(id) = place::<BESIDE>(&own, thread) else { return false };
    // From here on nothing can fail.
    own.rest(thread, id, buffers, At::Bits(event.clone()), 1);
    drop(own);
    thread.publish_taken();
    if let Some(thread) = schedule::take_current() {
        waiters.push(Ticket { thread, id });
    }
    true
}

/// Takes the bits that are there, if there are any.
#[inline(always)]
fn go_on<const WATCHED: bool>(
    thread: &Ref<Thread>,
    state: &mut notification::State,
    buffers: &Buffers,
) -> bool {
    let Some(own) = thread.state.try_lock::<WATCHED>() else { return false };
    if thread.needs_attention() {
        return false;
    }
    let Some(bits) = state.take_bits() else { return false };
    thread.append(&own, &thread::happened(buffers.user_data, bits));
    thread.publish_taken();
    thread.tell_waiting(&own);
    true
}

/// Where the wait goes that a running thread is to rest for, if it is.
#[inline(always)]
fn place<const BESIDE: bool>(own: &State, thread: &Thread) -> Option<OpId> {
    if thread.needs_attention() {
        return None;
    }
    if BESIDE { own.place_to_rest(thread) } else { Some(OpId::SOLE) }
}

/// Signals somebody who rests, rests, and lets that one run instead.
#[inline(always)]
fn take_turns<const WATCHED: bool, const BESIDE: bool>(
    cpu: &Cpu,
    thread: &Ref<Thread>,
    event: &Ref<Event>,
    other: &Signaller,
    buffers: Buffers,
) -> bool {
    let Some(mut waiters) = event.try_lock::<WATCHED>().filter(|state| state.takes_waiters()) else {
        return false;
    };
    // Who signals himself finds it locked, and goes the ordinary way.
    let Some(mut theirs) = other.event().try_lock::<WATCHED>() else { return false };
    let Some(&Ticket { thread: ref next, id: theirs_is }) = theirs.first() else { return false };
    if !BESIDE && theirs_is != OpId::SOLE {
        return false;
    }
    let Some(mut waiting) = next.state.try_lock::<WATCHED>() else { return false };
    let user_data =
        if BESIDE { waiting.ops.wait(theirs_is) } else { Some(waiting.ops.sole.buffers.user_data) };
    let Some(user_data) = user_data else { return false };
    if !waiting.rests() || !schedule::may_follow(cpu, next) {
        return false;
    }
    let Some(mut own) = thread.state.try_lock::<WATCHED>() else { return false };
    let Some(id) = place::<BESIDE>(&own, thread) else { return false };
    // From here on nothing can fail.
    let at = waiting.resume_with(next, theirs_is, &thread::happened(user_data, other.bits()));
    drop(waiting);
    own.rest(thread, id, buffers, At::Bits(event.clone()), 1);
    drop(own);
    thread.publish_taken();
    if let Some(next) = theirs.pop_first()
        && let Some(thread) = schedule::switch_in_turn(cpu, next.thread)
    {
        waiters.push(Ticket { thread, id });
    }
    // The signaller has the event, too: this is not its end. (Taken apart here, as dropping any of them is a call.)
    if let At::Bits(event) = at {
        drop(event);
    }
    true
}
