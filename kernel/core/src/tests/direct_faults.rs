//! Faults on their way to who mends them, the shortest and the ordinary: both do the same.

use super::debug::Pair;
use super::stops::mark;
use super::{LIMITS, Limits, User, WAYS, World, audit, call_sqe};
use crate::task::process::Status;
use crate::task::thread::{Run, Thread};
use crate::task::{create, end, reap, schedule, stop};
use crate::trap::HANDLERS;
use capos_abi::ExceptionCode;
use capos_abi::layout::IMAGE_BASE;
use capos_schema::process_debug::{self as schema, ResumeAndWaitParams, ResumeAndWaitResults, StopCause};
use capos_schema::{Empty, Encode};
use kernel_hal::sync::Ref;
use kernel_hal::{Fault, fake, flags};

const UNDEFINED: Fault = Fault { vector: 6, error_code: 0, address: 0 };

fn run_of(user: &User) -> Run {
    user.thread.state.lock().run
}

/// A process whose first fault its debugger was told of.
fn faulted(world: &World) -> Pair {
    let pair = Pair::new(world);
    pair.sleep_in(schema::WAIT, &Empty);
    pair.other.run();
    (HANDLERS.fault)(UNDEFINED);
    pair.user.run();
    pair.user.pop();
    pair
}

/// The debugger mends, and waits.
fn send_mend(pair: &Pair, rip: u64, way: u64) {
    let params = ResumeAndWaitParams { thread: pair.other.thread.id, redirect: true, rip, step: false };
    let mut message = [0; 64];
    let len = params.encode(&mut message).expect("it fits");
    pair.user.put(super::MSG, &message[..len]);
    pair.user.submit(call_sqe(pair.debug, schema::INTERFACE_ID, schema::RESUME_AND_WAIT, len as u32));
    pair.user.enter(1, way);
}

/// The same, and the other one runs.
fn mend(pair: &Pair, rip: u64, way: u64) {
    send_mend(pair, rip, way);
    pair.other.run();
    assert_eq!(pair.other.thread.context.place().rip, rip);
}

fn told(pair: &Pair) -> ResumeAndWaitResults {
    pair.user.run();
    let event = pair.brief(&pair.user.pop());
    pair.user.nothing();
    assert_eq!((event.cause, pair.user.returned()), (StopCause::Fault, 1));
    audit::books_are_in_order();
    event
}

#[test]
fn faults_are_mended_again_and_again() {
    for way in WAYS {
        let world = World::new();
        let pair = faulted(&world);
        for n in 1..5 {
            mend(&pair, IMAGE_BASE + n, way);
            (HANDLERS.fault)(Fault { vector: 14, error_code: n, address: 7 * n });
            assert_eq!(pair.run_state(), Run::Stopped);
            let event = told(&pair);
            assert_eq!((event.thread, event.rip), (pair.other.thread.id, IMAGE_BASE + n));
            assert_eq!((event.vector, event.error_code, event.address), (14, n, 7 * n));
        }
        // It was told of all.
        pair.user.submit(call_sqe(pair.debug, schema::INTERFACE_ID, schema::WAIT, 0));
        pair.user.poll();
        pair.user.nothing();
    }
}

#[test]
fn who_is_more_urgent_goes_before_who_mends() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let pair = faulted(&world);
        mend(&pair, IMAGE_BASE, way);
        let urgent = world.process_with("urgent", &Limits { priority: 20, ..LIMITS });
        let urgent = User::playing(create::first_thread(&urgent, &[]).expect("a thread"));
        // It waits here, as if it had come while interrupts were off.
        assert!(super::here().queue.lock().push(urgent.thread.rank(), urgent.thread.clone()).is_ok());
        (HANDLERS.fault)(UNDEFINED);
        assert_eq!((run_of(&urgent), run_of(&pair.user)), (Run::Running(0), Run::Ready));
        end::end_process(urgent.process(), Status::Killed);
        told(&pair);
    }
}

#[test]
fn who_is_to_stop_or_to_end_does_so() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let pair = faulted(&world);
        mend(&pair, IMAGE_BASE, way);
        mark(&pair.other);
        (HANDLERS.fault)(UNDEFINED);
        told(&pair);
        // The mark is gone with the stop.
        mend(&pair, IMAGE_BASE + 2, way);
        (HANDLERS.kick)();
        assert!(matches!(pair.run_state(), Run::Running(_)));
        assert_eq!(pair.other.thread.die(None), Err(kernel_hal::cpu::id()));
        (HANDLERS.fault)(UNDEFINED);
        assert_eq!(pair.run_state(), Run::Dead);
    }
}

#[test]
fn who_mends_and_is_to_stop_stops() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let pair = faulted(&world);
        assert!(pair.user.process().debug.attach());
        mark(&pair.user);
        mend(&pair, IMAGE_BASE, way);
        assert_eq!(run_of(&pair.user), Run::Stopped);
        // It is told all the same, when it goes on.
        (HANDLERS.fault)(UNDEFINED);
        assert_eq!((pair.run_state(), run_of(&pair.user)), (Run::Stopped, Run::Stopped));
        stop::let_go(&pair.user.thread);
        told(&pair);
        crate::task::debug::detach(pair.user.process());
    }
}

#[test]
fn what_is_mended_goes_nowhere_where_it_must_not() {
    let world = World::new();
    let pair = faulted(&world);
    let params = |rip| ResumeAndWaitParams { thread: pair.other.thread.id, redirect: true, rip, step: false };
    let refused = pair.refused(schema::RESUME_AND_WAIT, &params(capos_abi::layout::USER_MAX));
    assert_eq!((refused, pair.run_state()), (ExceptionCode::InvalidArgument, Run::Stopped));
    let stranger = ResumeAndWaitParams { thread: 1 << 40, ..params(IMAGE_BASE) };
    assert_eq!(pair.refused(schema::RESUME_AND_WAIT, &stranger), ExceptionCode::NotFound);
    pair.resume(0);
    let running = pair.refused(schema::RESUME_AND_WAIT, &params(IMAGE_BASE));
    assert_eq!(running, ExceptionCode::WrongState);
}

#[test]
fn who_is_mended_is_not_stepped() {
    for way in WAYS {
        let world = World::new();
        let pair = faulted(&world);
        let trapping = schema::SetRegistersParams {
            thread: pair.other.thread.id,
            rip: IMAGE_BASE,
            rflags: flags::STEP,
            ..Default::default()
        };
        pair.done(schema::SET_REGISTERS, &trapping);
        mend(&pair, IMAGE_BASE, way);
        assert_eq!(pair.other.thread.context.place().rflags & flags::STEP, 0);
    }
}

#[test]
fn of_two_that_fault_each_is_told() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let pair = faulted(&world);
        let second = second_of(&pair);
        (HANDLERS.fault)(UNDEFINED);
        fake::cpu::become_cpu(0);
        // Nobody waited for that.
        assert_eq!(second.state.lock().run, Run::Stopped);
        send_mend(&pair, IMAGE_BASE + 2, way);
        assert_eq!(told(&pair).thread, second.id);
        pair.user.submit(call_sqe(pair.debug, schema::INTERFACE_ID, schema::WAIT, 0));
        pair.user.enter(1, way);
        pair.other.run();
        (HANDLERS.fault)(UNDEFINED);
        pair.user.run();
        assert_eq!(pair.decode(&pair.user.pop()).thread, pair.other.thread.id);
    }
}

/// One more thread of the process, which runs on CPU 1 afterwards.
fn second_of(pair: &Pair) -> Ref<Thread> {
    let new = create::NewThread {
        entry: IMAGE_BASE,
        stack: capos_abi::layout::STACK_TOP,
        argument: 0,
        fs_base: 0,
        shape: capos_abi::RingShape::DEFAULT,
        priority: 5,
        startup: &[],
    };
    let second = create::thread(pair.other.process(), &new).expect("memory");
    fake::cpu::become_cpu(1);
    create::run(&second);
    (HANDLERS.kick)();
    second
}

#[test]
fn who_was_told_of_is_not_told_of_again() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let pair = faulted(&world);
        mend(&pair, IMAGE_BASE, way);
        (HANDLERS.fault)(UNDEFINED);
        told(&pair);
        let second = second_of(&pair);
        (HANDLERS.fault)(UNDEFINED);
        fake::cpu::become_cpu(0);
        assert_eq!(pair.event().thread, second.id);
        pair.user.submit(call_sqe(pair.debug, schema::INTERFACE_ID, schema::WAIT, 0));
        pair.user.poll();
        pair.user.nothing();
    }
}

#[test]
fn who_is_let_go_waits_for_who_is_more_urgent() {
    for way in WAYS {
        let world = World::new();
        let pair = faulted(&world);
        let urgent = world.process_with("urgent", &Limits { priority: 20, ..LIMITS });
        let urgent = User::playing(create::first_thread(&urgent, &[]).expect("a thread"));
        assert!(super::here().queue.lock().push(urgent.thread.rank(), urgent.thread.clone()).is_ok());
        send_mend(&pair, IMAGE_BASE, way);
        assert_eq!((run_of(&urgent), pair.run_state()), (Run::Running(0), Run::Ready));
        end::end_process(urgent.process(), Status::Killed);
        (HANDLERS.kick)();
        pair.other.run();
        assert!(pair.user.is_blocked());
    }
}

#[test]
fn a_thread_that_has_ended_is_none_of_the_process() {
    let world = World::with_cpus(2);
    let pair = faulted(&world);
    let second = second_of(&pair);
    let params = schema::StopParams { thread: second.id };
    // It has ended, and nobody has begun to take back what it had.
    audit::from_now_on(false);
    assert!(second.die(Some(1)).is_ok());
    schedule::give_up_current();
    fake::cpu::become_cpu(0);
    assert_eq!(pair.refused(schema::STOP, &params), ExceptionCode::NotFound);
    let cursor = schema::ThreadParams { cursor: second.id };
    assert_eq!(pair.refused(schema::THREAD, &cursor), ExceptionCode::NotFound);
    reap::begin(pair.other.process());
    audit::from_now_on(true);
}
