//! Turns among equals, where woken threads go, and what a CPU without work does.

use super::clockwork::Clockwork;
use super::ipc::make_endpoint;
use super::{User, World, call_sqe, recv_sqe};
use crate::task::schedule;
use crate::task::steal;
use crate::task::thread::Thread;
use crate::trap::HANDLERS;
use capos_abi::CapId;
use capos_schema::thread_control;
use kernel_hal::fake;
use kernel_hal::sync::Ref;
use kernel_hal::user::{is_idle, is_running};
use std::sync::Mutex;
use std::vec::Vec;

const SECOND: u64 = 1_000_000_000;

fn start(world: &World, priorities: &[u8]) -> Vec<User> {
    priorities.iter().map(|priority| world.start_at("one", *priority)).collect()
}

fn yield_now(user: &User) {
    let call = call_sqe(CapId::SELF_THREADS, thread_control::INTERFACE_ID, thread_control::YIELD, 0);
    assert_eq!(user.one(call).result, 0);
}

#[test]
fn one_alone_is_not_interrupted() {
    let world = World::with_cpus(2);
    let users = start(&world, &[10, 10]);
    let mut work = Clockwork::new(&world, &users.iter().collect::<Vec<_>>());
    // They began on one CPU, where a turn was to end; and a test before may have left an alarm behind.
    work.pass(10 * SECOND);
    work.ticks.fill(0);
    work.ran.fill(0);
    work.pass(10 * SECOND);
    assert_eq!((work.ticks, work.ran), (std::vec![0, 0], std::vec![10 * SECOND; 2]));
}

#[test]
fn an_idle_machine_is_not_interrupted() {
    let world = World::with_cpus(3);
    let mut work = Clockwork::new(&world, &[]);
    work.pass(10 * SECOND);
    assert_eq!(work.ticks, [0; 3]);
}

#[test]
fn turns_begin_when_a_second_one_comes_and_end_when_it_goes() {
    let world = World::new();
    let users = start(&world, &[10, 10]);
    users[0].run();
    let mut work = Clockwork::new(&world, &[&users[0], &users[1]]);
    work.pass(SECOND);
    assert!((95..=105).contains(&work.ticks[0]), "{:?}", work.ticks);
    assert!(work.ran[0].abs_diff(work.ran[1]) <= 20_000_000, "{:?}", work.ran);
    crate::task::end::end_process(users[1].process(), crate::task::process::Status::Killed);
    work.pass(20_000_000);
    work.ticks.fill(0);
    work.pass(SECOND);
    assert_eq!(work.ticks, [0]);
}

#[test]
fn of_several_who_wake_up_at_once_the_most_urgent_runs() {
    // By priority: who runs, and who is woken in the order of their urgency. The last one is kept at hand, the others are queued.
    for (running, woken) in [(10, [20, 5]), (10, [20, 10]), (10, [30, 20]), (10, [8, 5])] {
        let world = World::new();
        let sleepers = start(&world, &woken);
        for sleeper in &sleepers {
            sleeper.run();
            sleeper.enter(1, 1_000);
        }
        let runner = world.start_at("runner", running);
        runner.run();
        // What an idle CPU was asked for, to let others have a turn, is over.
        (HANDLERS.kick)();
        fake::time::advance(1_000);
        (HANDLERS.timer)();
        let expected = if woken[0] > running { &sleepers[0] } else { &runner };
        assert!(is_running(0, &expected.thread.context), "{running} {woken:?}");
    }
}

#[test]
fn an_urgent_thread_in_between_does_not_take_the_equals_their_turns() {
    let world = World::new();
    let users = start(&world, &[20, 10, 10]);
    let right = make_endpoint(&users[0], 1);
    users[0].run();
    let mut work = Clockwork::new(&world, &users.iter().collect::<Vec<_>>());
    // The turn of somebody below ends while the urgent one runs.
    work.pass(35_000_000);
    // Two wait; the urgent one makes one of them ready again by sleeping itself.
    users[0].submit(recv_sqe(right));
    users[0].enter(1, 500_000_000);
    work.ran.fill(0);
    work.pass(400_000_000);
    assert!(work.ran[1].abs_diff(work.ran[2]) <= 20_000_000, "{:?}", work.ran);
}

#[test]
fn yielding_goes_round_and_alone_it_changes_nothing() {
    let world = World::new();
    let users = start(&world, &[10, 10, 10, 5]);
    users[0].run();
    let mut order = Vec::new();
    for _ in 0..6 {
        let now = users.iter().position(|user| is_running(0, &user.thread.context)).expect("somebody");
        order.push(now);
        yield_now(&users[now]);
    }
    assert_eq!(order[..3], order[3..]);
    let mut seen = order[..3].to_vec();
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2], "equals in turn, and nobody below");
    let world = (drop(users), drop(world), World::new()).2;
    let alone = start(&world, &[10, 5]);
    alone[0].run();
    yield_now(&alone[0]);
    assert!(is_running(0, &alone[0].thread.context));
}

/// How long a turn is.
const TURN: u64 = 10_000_000;

fn slice_end() -> u64 {
    super::here().slice_end.load(core::sync::atomic::Ordering::Relaxed)
}

/// Who runs while each yields in turn, who waits behind whom, until when turns last, whose time it was. With `more`, there is more to decide
/// when a turn ends: somebody below all of them became ready, too.
fn turns(more: bool) -> Vec<(usize, Vec<usize>, u64, Vec<u64>)> {
    let world = World::new();
    let users = start(&world, &[10, 10, 10, 5]);
    users[0].run();
    let number = |thread: &Ref<Thread>| users.iter().position(|user| Ref::ptr_eq(&user.thread, thread));
    let rounds = (0..8).map(|_| {
        let below = world.process_with("below", &super::Limits { priority: 3, ..super::LIMITS });
        let other = crate::task::create::first_thread(&below, &[]).expect("a thread");
        let now = users.iter().position(|user| is_running(0, &user.thread.context)).expect("somebody");
        fake::time::advance(1000 + now as u64);
        schedule::make_ready(other);
        if !more {
            // That is decided before.
            (HANDLERS.irq)(kernel_hal::IrqLine { gsi: 0, place: 0, turn: 0 });
        }
        fake::time::advance(500);
        yield_now(&users[now]);
        assert_eq!(slice_end(), fake::time::now_ns() + TURN);
        let waiting = super::here().queue.lock().iter().filter_map(|(_, thread)| number(thread)).collect();
        let spent = users.iter().map(|user| schedule::time_of(user.process())).collect();
        (now, waiting, slice_end(), spent)
    });
    rounds.collect()
}

#[test]
fn a_turn_ends_in_the_same_way_whatever_else_is_to_be_decided() {
    let [alone, with_more] = [false, true].map(turns);
    assert_eq!(alone, with_more);
    let order: Vec<usize> = alone.iter().map(|(now, ..)| *now).collect();
    assert_eq!((order[3..6].to_vec(), order[0] != order[1]), (order[..3].to_vec(), true));
}

#[test]
fn ready_threads_go_to_different_idle_cpus_before_these_have_woken_up() {
    let world = World::with_cpus(4);
    let users = start(&world, &[10, 10, 10, 10]);
    // Nobody has answered a kick so far, so each was placed while the others still looked idle.
    let kicked = fake::cpu::take_kicks();
    assert_eq!(kicked.count_ones(), 3);
    for cpu in 0..4 {
        fake::cpu::become_cpu(cpu);
        (HANDLERS.kick)();
    }
    for user in &users {
        assert_eq!((0..4).filter(|cpu| is_running(*cpu, &user.thread.context)).count(), 1);
    }
}

#[test]
fn work_is_taken_from_where_it_is_most_urgent_and_then_from_the_longest_queue() {
    let world = World::with_cpus(3);
    let mut users = Vec::new();
    // All CPUs are busy, so everybody else waits where it was made.
    for cpu in 0..3 {
        fake::cpu::become_cpu(cpu);
        users.push(world.start_at("busy", 20));
    }
    for cpu in 0..3 {
        fake::cpu::become_cpu(cpu);
        (HANDLERS.kick)();
    }
    for (cpu, priority) in [(0, 5), (0, 5), (1, 5), (1, 5), (1, 5), (0, 6)] {
        fake::cpu::become_cpu(cpu);
        users.push(world.start_at("waits", priority));
    }
    let lengths = || [0, 1].map(|cpu| crate::task::cpu::of(cpu).queue.lock().len());
    assert_eq!(lengths(), [3, 3]);
    fake::cpu::become_cpu(2);
    let order: Vec<[usize; 2]> = (0..6)
        .map(|_| {
            let before = lengths();
            let thread = steal::any().expect("somebody waits");
            drop(thread);
            let after = lengths();
            [before[0] - after[0], before[1] - after[1]]
        })
        .collect();
    // The urgent one first; then from the longest, and of two as long from the nearest, which is CPU 0 here.
    assert_eq!(order, [[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1]]);
    assert!(steal::any().is_none());
}

#[test]
fn a_cpu_that_runs_out_of_work_takes_some_and_one_that_runs_is_left_alone() {
    let world = World::with_cpus(2);
    let users = start(&world, &[10, 10, 10]);
    let all: Vec<&User> = users.iter().collect();
    let mut work = Clockwork::new(&world, &all);
    work.pass(SECOND);
    assert_eq!(work.idle, [0, 0]);
    // One ends: the others have a CPU each and stay there.
    crate::task::end::end_process(users[2].process(), crate::task::process::Status::Killed);
    work.pass(50_000_000);
    let before: u64 = (0..2).map(switches).sum();
    work.pass(SECOND);
    assert_eq!((0..2).map(switches).sum::<u64>(), before);
    assert_eq!(work.idle, [0, 0]);
    assert!(!is_idle(0) && !is_idle(1));
}

fn switches(cpu: usize) -> u64 {
    crate::task::cpu::of(cpu).switches.load(core::sync::atomic::Ordering::Relaxed)
}

#[test]
fn a_preempted_thread_goes_on_on_an_idle_cpu() {
    let world = World::with_cpus(2);
    let low = world.start_at("low", 5);
    fake::cpu::take_kicks();
    let high = world.process_with("high", &super::Limits { priority: 20, ..super::LIMITS });
    let high = crate::task::create::first_thread(&high, &[]).expect("a thread");
    high.home.store(0, core::sync::atomic::Ordering::Relaxed);
    fake::cpu::become_cpu(0);
    schedule::make_ready(high.clone());
    (HANDLERS.irq)(kernel_hal::IrqLine { gsi: 0, place: 0, turn: 0 });
    for cpu in 0..2 {
        fake::cpu::become_cpu(cpu);
        (HANDLERS.kick)();
    }
    assert!(is_running(0, &high.context) && is_running(1, &low.thread.context));
}

#[test]
fn who_gives_way_waits_for_the_end_of_a_turn_and_behind_nobody_less_urgent() {
    let world = World::new();
    let low = world.start_at("low", 5);
    let ready = |name, priority| {
        let process = world.process_with(name, &super::Limits { priority, ..super::LIMITS });
        let thread = crate::task::create::first_thread(&process, &[]).expect("a thread");
        schedule::make_ready(thread.clone());
        thread
    };
    let decide = || (HANDLERS.irq)(kernel_hal::IrqLine { gsi: 0, place: 0, turn: 0 });
    fake::time::advance(1_000_000);
    let high = ready("high", 20);
    decide();
    assert!(is_running(0, &high.context) && low.thread.state.lock().queued.is_some());
    assert_eq!((slice_end(), fake::time::armed(0)), (fake::time::now_ns() + TURN, slice_end()));
    // The one at hand outranks who runs, but not the one whom it displaced from there.
    let (highest, higher) = (ready("highest", 30), ready("higher", 25));
    decide();
    assert!(is_running(0, &highest.context));
    let order: Vec<u64> = super::here().queue.lock().iter().map(|(_, thread)| thread.process.id).collect();
    assert_eq!(order, [&higher, &high, &low.thread].map(|thread| thread.process.id));
}

/// Who becomes ready on CPU 0 when somebody is kicked.
static LATE: Mutex<Option<Ref<Thread>>> = Mutex::new(None);

fn make_late_ready() {
    let late = LATE.lock().expect("nobody panics with it").take();
    fake::cpu::become_cpu(0);
    if let Some(late) = late {
        schedule::make_ready(late);
    }
}

#[test]
fn who_becomes_ready_while_a_cpu_decides_is_not_left_at_hand() {
    let world = World::with_cpus(2);
    let busy = world.start_at("busy", 20);
    let [first, late] = ["first", "late"]
        .map(|name| crate::task::create::first_thread(&world.process(name), &[]).expect("a thread"));
    *LATE.lock().expect("nobody panics with it") = Some(late.clone());
    fake::cpu::answer_kicks(make_late_ready);
    // The decision places the first one on the other CPU, which is idle, and kicks that.
    schedule::make_ready(first.clone());
    (HANDLERS.irq)(kernel_hal::IrqLine { gsi: 0, place: 0, turn: 0 });
    assert!(is_running(0, &busy.thread.context));
    assert!([first, late].iter().all(|thread| thread.state.lock().queued.is_some()));
}
