//! Debugging where several come together: who sets, who hits, who waits.

use super::bindings::Waiter;
use super::debug::Pair;
use super::{User, World};
use crate::task::debug::{self, Breakpoint};
use crate::task::end;
use crate::task::process::Status;
use crate::task::thread::Run;
use crate::task::timers;
use crate::trap::HANDLERS;
use capos_abi::{CapId, ExceptionCode, layout, syscall};
use capos_schema::process_debug::{
    self as schema, BreakAction, BreakKind, ResumeAndWaitParams, SetBreakpointParams, StopCause,
};
use capos_schema::process_handle::TraceKind;
use capos_schema::{Empty, Encode, signaller};
use kernel_hal::{Fault, fake};
use std::sync::Barrier;

const ADDRESS: u64 = layout::IMAGE_BASE;

fn at(address: u64) -> Option<Breakpoint> {
    let (kind, action) = (BreakKind::Execute, BreakAction::Stop);
    Some(Breakpoint { kind, length: 1, address, action, vector: 0, every: 1, thread: 0, hits: 0 })
}

#[test]
fn of_two_who_set_breakpoints_the_last_is_in_force() {
    let world = World::new();
    let pair = Pair::new(&world);
    let (process, context) = (pair.other.process(), &pair.other.thread.context);
    let (rounds, meet) = (if cfg!(miri) { 3 } else { 300 }, Barrier::new(2));
    // Each sets its own at the same time as the other; then both must be there.
    let set = &|slot: usize| {
        for round in 1..=rounds {
            meet.wait();
            debug::set_breakpoint(process, slot, at(ADDRESS + round));
            meet.wait();
            let ([first, second, ..], control, _) = context.extras();
            assert_eq!((first, second, control), (ADDRESS + round, ADDRESS + round, 0b101));
        }
    };
    std::thread::scope(|scope| {
        let both = [0, 1].map(|slot| scope.spawn(move || set(slot)));
        both.into_iter().for_each(|one| one.join().expect("no panic"));
    });
}

fn set(pair: &Pair, slot: u8, hits: u32, action: BreakAction) {
    let it = SetBreakpointParams { slot, length: 1, hits, address: ADDRESS, action, ..Default::default() };
    pair.done(schema::SET_BREAKPOINT, &it);
}

fn run_into(pair: &Pair, bits: u64) {
    pair.other.run();
    (HANDLERS.fault)(Fault { vector: Fault::DEBUG, error_code: 0, address: bits });
}

/// How often a breakpoint was hit, which is taken out.
fn hits(pair: &Pair, slot: u8) -> u64 {
    let params = schema::ClearBreakpointParams { slot };
    let cleared: Result<schema::ClearBreakpointResults, _> =
        pair.user.call(pair.debug, schema::INTERFACE_ID, schema::CLEAR_BREAKPOINT, &params);
    cleared.expect("it is there").hits
}

#[test]
fn two_breakpoints_at_one_address_both_count_and_act() {
    let world = World::new();
    let pair = Pair::new(&world);
    set(&pair, 1, 3, BreakAction::Stop);
    set(&pair, 3, 2, BreakAction::Stop);
    let mut stopped_at = std::vec::Vec::new();
    for hit in 1..=4 {
        if pair.run_state() != Run::Stopped && !pair.user.is_blocked() {
            pair.sleep_in(schema::WAIT, &Empty);
        }
        run_into(&pair, 0b1010);
        if pair.run_state() == Run::Stopped {
            pair.user.run();
            let event = pair.decode(&pair.user.pop());
            assert_eq!(event.cause, StopCause::Breakpoint);
            stopped_at.push((hit, event.breakpoint));
            pair.resume(event.thread);
        }
    }
    assert_eq!(stopped_at, [(2, 3), (3, 1), (4, 3)]);
    assert_eq!([hits(&pair, 1), hits(&pair, 3)], [4, 4]);
}

#[test]
fn of_two_breakpoints_one_that_kills_does_so() {
    let world = World::new();
    let pair = Pair::new(&world);
    set(&pair, 0, 1, BreakAction::Stop);
    set(&pair, 1, 1, BreakAction::Kill);
    pair.sleep_in(schema::WAIT, &Empty);
    run_into(&pair, 0b11);
    pair.user.run();
    assert_eq!(pair.decode(&pair.user.pop()).cause, StopCause::Ended);
}

#[test]
fn nothing_goes_on_for_who_may_not_wait() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.stop(0);
    let stopped = pair.event().thread;
    pair.user.submit(super::call_sqe(pair.debug, schema::INTERFACE_ID, schema::WAIT, 0));
    pair.user.poll();
    let redirected = |redirect| ResumeAndWaitParams { thread: stopped, redirect, rip: ADDRESS, step: false };
    for params in [
        redirected(true),
        redirected(false),
        ResumeAndWaitParams { step: true, ..redirected(false) },
        ResumeAndWaitParams { thread: 0, ..redirected(false) },
    ] {
        // Somebody waits already.
        assert_eq!(pair.refused(schema::RESUME_AND_WAIT, &params), ExceptionCode::WrongState);
        assert_eq!(pair.run_state(), Run::Stopped);
    }
    // Nobody has a claim to it either.
    pair.resume(stopped);
    assert_eq!(pair.run_state(), Run::Ready);
}

#[test]
fn who_is_refused_waits_for_nothing() {
    let world = World::new();
    let pair = Pair::new(&world);
    let to = |thread, rip| ResumeAndWaitParams { thread, redirect: true, rip, step: false };
    let runs = pair.other.thread.id;
    assert_eq!(pair.refused(schema::RESUME_AND_WAIT, &to(runs, ADDRESS)), ExceptionCode::WrongState);
    assert_eq!(pair.refused(schema::RESUME_AND_WAIT, &to(0, ADDRESS)), ExceptionCode::InvalidArgument);
    assert_eq!(pair.refused(schema::RESUME_AND_WAIT, &to(7 << 40, ADDRESS)), ExceptionCode::NotFound);
    pair.stop(0);
    let beyond = pair.refused(schema::RESUME_AND_WAIT, &to(runs, layout::USER_MAX));
    assert_eq!(beyond, ExceptionCode::InvalidArgument);
    // Else this would be refused.
    assert_eq!(pair.event().cause, StopCause::Asked);
}

#[test]
fn a_traced_wait_without_an_end_needs_no_memory_and_has_none() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.done(schema::SET_TRACE, &schema::SetTraceParams { on: true });
    pair.sleep_in(schema::WAIT, &Empty);
    let waiter = Waiter::of(User::playing(pair.other.thread.clone()));
    let signaller = waiter.signaller(1, 0);
    let signal = pair.user.hold(waiter.user.object(signaller));
    waiter.user.submit(waiter.wait(CapId::NULL));
    pair.other.run();
    let before = timers::count();
    (HANDLERS.traced_syscall)(0, 0, syscall::CAP_ENTER);
    fake::fail_nth_allocation(0);
    (HANDLERS.traced_syscall)(1, syscall::FOREVER, syscall::CAP_ENTER);
    fake::never_fail();
    assert_eq!((pair.run_state(), timers::count()), (Run::Blocked, before));
    // Longer than anybody ever waits.
    fake::time::advance(1 << 58);
    (HANDLERS.timer)();
    assert_eq!(pair.run_state(), Run::Blocked);
    // Its end is recorded all the same.
    debug::detach(pair.other.process());
    pair.user.run();
    pair.user.pop();
    pair.user.one(super::call_sqe(signal, signaller::INTERFACE_ID, signaller::SIGNAL, 0));
    assert_ne!(pair.run_state(), Run::Blocked);
    assert_eq!(super::debug::records(&pair).last().map(|it| it.kind), Some(TraceKind::Returned));
}

#[test]
fn who_was_given_the_debugger_of_himself_harms_nobody_else() {
    let world = World::new();
    let pair = Pair::new(&world);
    let own = pair.other.hold(pair.user.object(pair.debug));
    drop(pair.user.process().release(pair.debug));
    pair.user.enter(1, syscall::FOREVER);
    let call = |method, params: &dyn Fn(&mut [u8]) -> usize| {
        let mut message = [0; 64];
        let len = params(&mut message);
        pair.other.put(super::MSG, &message[..len]);
        super::call_sqe(own, schema::INTERFACE_ID, method, len as u32)
    };
    // A breakpoint of his own, at which he waits for himself.
    let it = SetBreakpointParams { length: 1, hits: 1, address: ADDRESS, ..Default::default() };
    let set = call(schema::SET_BREAKPOINT, &|room| it.encode(room).expect("it fits"));
    assert_eq!(pair.other.one(set).outcome(), 0);
    assert_eq!(pair.other.thread.context.extras().1, 1);
    let stop = schema::StopParams { thread: 0 };
    pair.other.submit(call(schema::STOP, &|room| stop.encode(room).expect("it fits")));
    (HANDLERS.syscall)(0, 0, syscall::CAP_ENTER);
    (HANDLERS.kick)();
    assert_eq!(pair.run_state(), Run::Stopped);
    // He can be killed like anybody, and takes the session along.
    end::end_process(pair.other.process(), Status::Killed);
    World::stir_all();
    assert_eq!(pair.run_state(), Run::Dead);
    assert!(pair.other.process().exit.lock().done && !pair.other.process().debug.is_attached());
}
