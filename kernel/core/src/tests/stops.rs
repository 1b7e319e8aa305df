//! Stops that come at a bad moment: while a thread is on its way between processors, while another decides, while a call goes the shortest way.

use super::debug::Pair;
use super::direct_events::Turns;
use super::{User, WAYS, World, audit, ipc, recv_sqe, return_recv_sqe};
use crate::task::process::Status;
use crate::task::thread::{Run, Thread};
use crate::task::{cpu, create, debug, end, meter, schedule, stop};
use crate::trap::HANDLERS;
use capos_abi::{CapId, syscall};
use capos_schema::Empty;
use capos_schema::process_debug::{self as schema, StopCause};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_hal::fake;
use kernel_hal::sync::Ref;
use std::sync::Mutex;

fn run_of(user: &User) -> Run {
    user.thread.state.lock().run
}

/// The debugged thread has left the queue of CPU 1 and does not run yet, when it is stopped; and its debugger sleeps, on CPU 0.
fn stopped_on_the_way(pair: &Pair) -> Ref<Thread> {
    let popped = cpu::of(1).queue.lock().pop().map(|(_, thread)| thread);
    let thread = popped.filter(|it| Ref::ptr_eq(it, &pair.other.thread)).expect("it was put there");
    pair.stop(0);
    assert_eq!(pair.run_state(), Run::Stopping);
    pair.sleep_in(schema::WAIT, &Empty);
    assert!(pair.user.is_blocked());
    fake::cpu::become_cpu(1);
    thread
}

#[test]
fn a_processor_with_nothing_else_runs_the_debugger_of_who_stops_there() {
    let world = World::with_cpus(2);
    let pair = Pair::new(&world);
    schedule::make_ready(stopped_on_the_way(&pair));
    (HANDLERS.kick)();
    assert_eq!((pair.run_state(), run_of(&pair.user)), (Run::Stopped, Run::Running(1)));
    assert_eq!(pair.decode(&pair.user.pop()).cause, StopCause::Asked);
}

#[test]
fn a_debugger_goes_before_who_made_his_thread_ready() {
    let world = World::with_cpus(2);
    let pair = Pair::new(&world);
    let thread = stopped_on_the_way(&pair);
    let busy = world.start("busy");
    assert_eq!(run_of(&busy), Run::Running(1));
    schedule::make_ready(thread);
    (HANDLERS.syscall)(0, 0, syscall::CAP_ENTER);
    assert_eq!((pair.run_state(), run_of(&pair.user)), (Run::Stopped, Run::Running(1)));
}

/// Whom another processor stops when somebody is kicked.
static VICTIM: Mutex<Option<Ref<Thread>>> = Mutex::new(None);

fn stop_victim() {
    let victim = VICTIM.lock().expect("nobody panics with it").take();
    if let Some(victim) = victim {
        stop::ask(&victim);
    }
}

/// The victim runs on CPU 0, somebody else waits there, and while CPU 0 decides, having found that nobody is to stop, it kicks an idle one.
fn is_stopped_while_deciding(has_time: bool) {
    let world = World::with_cpus(3);
    let victim = world.start("victim");
    // On the other processors there is somebody to run, and one more waits here.
    let _others = [world.start("one"), world.start("two"), world.start("behind")];
    victim.run();
    assert_eq!((run_of(&victim), super::here().queue.lock().len()), (Run::Running(0), 1));
    assert!(victim.process().debug.attach());
    let late = world.process("late");
    let late = User::playing(create::first_thread(&late, &[]).expect("a thread"));
    assert!(cpu::IDLE.rest(1, || false));
    *VICTIM.lock().expect("nobody panics with it") = Some(victim.thread.clone());
    fake::cpu::answer_kicks(stop_victim);
    create::run(&late.thread);
    if !has_time {
        super::here().grant_end.store(0, Ordering::SeqCst);
    }
    (HANDLERS.kick)();
    assert!(VICTIM.lock().expect("nobody panics with it").is_none());
    assert_eq!(run_of(&victim), Run::Stopped);
    audit::books_are_in_order();
}

#[test]
fn who_is_to_stop_does_not_go_behind_his_equals() {
    is_stopped_while_deciding(true);
}

#[test]
fn who_is_to_stop_does_not_wait_for_time() {
    is_stopped_while_deciding(false);
}

#[test]
fn who_has_no_time_left_stops_all_the_same() {
    let world = World::new();
    let process = world.process("poor");
    let thread = create::first_thread(&process, &[]).expect("a thread");
    assert!(process.debug.attach());
    stop::ask(&thread);
    assert_eq!(thread.state.lock().run, Run::Stopping);
    meter::set_aside(super::here(), thread.clone());
    assert_eq!(thread.state.lock().run, Run::Stopped);
    debug::detach(&process);
    assert_eq!(thread.state.lock().run, Run::Ready);
}

#[test]
fn who_waits_aside_is_stopped_there() {
    let world = World::new();
    let process = world.process("poor");
    let thread = create::first_thread(&process, &[]).expect("a thread");
    assert!(process.debug.attach());
    meter::set_aside(super::here(), thread.clone());
    stop::ask(&thread);
    assert_eq!(thread.state.lock().run, Run::Stopped);
    assert!(super::here().aside.lock().is_empty());
}

#[test]
fn the_alarm_of_another_wait_does_not_end_this_one() {
    let world = World::new();
    let pair = Pair::new(&world);
    pair.sleep_in(schema::WAIT, &Empty);
    pair.other.enter(1, syscall::FOREVER / 2);
    stop::ask(&pair.other.thread);
    Thread::time_out(&pair.other.thread, u64::MAX);
    pair.user.run();
    pair.user.pop();
    pair.resume(0);
    assert!(pair.other.is_blocked());
}

static ATTACHED: AtomicUsize = AtomicUsize::new(0);

fn attach_to_victim() {
    let victim = VICTIM.lock().expect("nobody panics with it").take();
    if let Some(victim) = victim {
        ATTACHED.store(1 + usize::from(victim.process.debug.attach()), Ordering::SeqCst);
    }
}

#[test]
fn the_next_debugger_comes_when_the_last_has_let_everything_go() {
    let world = World::with_cpus(2);
    let pair = Pair::new(&world);
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    assert_eq!(pair.run_state(), Run::Running(1));
    fake::cpu::become_cpu(0);
    *VICTIM.lock().expect("nobody panics with it") = Some(pair.other.thread.clone());
    fake::cpu::answer_kicks(attach_to_victim);
    // A running thread is kicked to forget its breakpoints.
    drop(pair.user.process().release(pair.debug));
    assert_eq!(ATTACHED.swap(0, Ordering::SeqCst), 1, "refused meanwhile");
    assert!(pair.other.process().debug.attach());
}

/// A server that waits for a call on CPU 0, and a client about to make one there. Both may be debugged.
fn client_and_server(world: &World) -> ipc::Pair {
    let pair = ipc::Pair::new(world, 2);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    assert!(pair.client.process().debug.attach() && pair.server.process().debug.attach());
    pair
}

/// Another processor has `user`, who runs on CPU 0, stop.
pub(super) fn mark(user: &User) {
    user.run();
    fake::cpu::become_cpu(1);
    stop::ask(&user.thread);
    fake::cpu::become_cpu(0);
    assert_eq!(run_of(user), Run::Running(0));
}

#[test]
fn a_client_that_is_to_stop_makes_its_call_and_stops() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let pair = client_and_server(&world);
        mark(&pair.client);
        pair.client.submit(pair.call(b""));
        pair.client.enter(1, way);
        assert_eq!(run_of(&pair.client), Run::Stopped);
        let token = pair.server.pop().token;
        // Its answer does not wake it.
        pair.server.submit(return_recv_sqe(pair.right, token, 0));
        pair.server.enter(1, way);
        assert_eq!(run_of(&pair.client), Run::Stopped);
        stop::let_go(&pair.client.thread);
        pair.client.run();
        assert_eq!((pair.client.pop().result, pair.client.returned()), (0, 1));
    }
}

#[test]
fn a_server_that_is_to_stop_answers_and_stops() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let pair = client_and_server(&world);
        pair.client.submit(pair.call(b""));
        pair.client.enter(1, way);
        mark(&pair.server);
        let token = pair.server.pop().token;
        pair.server.submit(return_recv_sqe(pair.right, token, 0));
        pair.server.enter(1, way);
        assert_eq!(run_of(&pair.server), Run::Stopped);
        pair.client.run();
        assert_eq!(pair.client.pop().result, 0);
        stop::let_go(&pair.server.thread);
        assert!(pair.server.is_blocked());
    }
}

#[test]
fn a_server_that_is_stopped_while_it_waits_is_not_run_by_a_call() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let pair = client_and_server(&world);
        stop::ask(&pair.server.thread);
        assert_eq!(run_of(&pair.server), Run::Stopped);
        pair.client.submit(pair.call(b"hello"));
        pair.client.enter(1, way);
        assert_eq!(run_of(&pair.server), Run::Stopped);
        stop::let_go(&pair.server.thread);
        pair.server.run();
        assert_eq!((pair.server.pop().result, pair.server.returned()), (5, 1));
    }
}

#[test]
fn who_waits_for_bits_and_is_to_stop_stops() {
    for way in WAYS {
        for signals in [false, true] {
            let world = World::with_cpus(2);
            let turns = Turns::new(&world);
            turns.right.user.run();
            assert!(turns.right.user.process().debug.attach());
            mark(&turns.right.user);
            let other = if signals { turns.to_left } else { CapId::NULL };
            turns.right.user.submit(turns.right.wait(other));
            turns.right.user.enter(1, way);
            assert_eq!(run_of(&turns.right.user), Run::Stopped);
        }
    }
}

#[test]
fn who_is_stopped_while_waiting_for_bits_is_not_run_by_them() {
    for way in WAYS {
        let world = World::with_cpus(2);
        let turns = Turns::new(&world);
        let left = &turns.left.user;
        assert!(left.process().debug.attach());
        stop::ask(&left.thread);
        assert_eq!(run_of(left), Run::Stopped);
        turns.right.user.run();
        turns.turn(way);
        assert_eq!(run_of(left), Run::Stopped);
        stop::let_go(&left.thread);
        left.run();
        assert_eq!((left.pop().badge, left.returned()), (0b10, 1));
    }
}

#[test]
fn who_is_traced_and_to_end_does_not_come_back_with_nothing_done() {
    let world = World::with_cpus(2);
    let user = world.start("traced");
    user.run();
    user.submit(capos_abi::Sqe::default());
    fake::cpu::become_cpu(1);
    end::end_process(user.process(), Status::Killed);
    fake::cpu::become_cpu(0);
    (HANDLERS.traced_syscall)(1, 0, syscall::CAP_ENTER);
    assert!(user.thread.is_dead());
}
