//! Shares of the processors' time.

use super::clockwork::Clockwork;
use super::ipc::{Pair, make_endpoint, mint};
use super::{LIMITS, User, World, recv_sqe, return_recv_sqe, return_sqe};
use crate::task::create::{self, Limits, NewThread};
use crate::task::process::{Process, Status};
use crate::task::share::{Share, ShareError};
use crate::task::thread::Place;
use crate::task::{end, schedule};
use crate::trap::HANDLERS;
use capos_abi::{RingShape, layout, syscall};
use capos_sched::PERIOD_NS;
use core::sync::atomic::Ordering::Relaxed;
use kernel_hal::sync::Ref;
use kernel_hal::user::is_running;
use kernel_hal::{fake, time};
use std::vec::Vec;

const SECOND: u64 = 1_000_000_000;

impl World {
    fn start_with(&self, name: &str, priority: u8, cpu_percent: u32) -> User {
        User::of(&self.process_with(name, &Limits { priority, cpu_percent, ..LIMITS }))
    }
}

/// What each of these gets of a second on `cpus`: priority and share in, hundredths of one CPU out.
fn shared(cpus: usize, wanted: &[(u8, u32)]) -> Vec<u64> {
    let world = World::with_cpus(cpus);
    let users: Vec<User> =
        wanted.iter().map(|(priority, percent)| world.start_with("spinner", *priority, *percent)).collect();
    let users: Vec<&User> = users.iter().collect();
    let mut work = Clockwork::new(&world, &users);
    work.pass(SECOND);
    // What the kernel says is what was seen.
    for (user, ran) in users.iter().zip(&work.ran) {
        assert_eq!(schedule::time_of(user.process()), *ran);
    }
    work.percent(SECOND)
}

#[test]
fn everybody_gets_its_share_of_one_cpu() {
    assert_eq!(shared(1, &[(10, 20), (10, 30), (10, 50)]), [20, 30, 50]);
}

#[test]
fn those_without_a_share_divide_what_is_left() {
    let found = shared(1, &[(10, 0), (10, 20), (10, 0)]);
    assert_eq!((found[1], found[0] + found[2]), (20, 80));
    assert!(found[0].abs_diff(found[2]) <= 1, "{found:?}");
}

#[test]
fn a_share_is_a_limit_also_when_nobody_else_wants_the_time() {
    assert_eq!(shared(1, &[(10, 20)]), [20]);
    assert_eq!(shared(2, &[(10, 70)]), [70]);
}

#[test]
fn higher_priorities_go_first_within_their_shares() {
    // What is more urgent takes what it has, and no more, from those below.
    assert_eq!(shared(1, &[(5, 0), (20, 30)]), [70, 30]);
    // What is more urgent and unlimited leaves nothing.
    assert_eq!(shared(1, &[(20, 0), (10, 50)]), [100, 0]);
}

#[test]
fn shares_hold_on_several_cpus() {
    let found = shared(2, &[(10, 20), (10, 30), (10, 50), (10, 0), (10, 0), (10, 0)]);
    assert_eq!((&found[..3], found[3..].iter().sum::<u64>()), (&[20, 30, 50][..], 100));
    let found = shared(4, &[(10, 20), (10, 50), (10, 100), (10, 0), (10, 0), (10, 0)]);
    assert_eq!(&found[..3], [20, 50, 100]);
    assert!((228..=232).contains(&found[3..].iter().sum::<u64>()), "{found:?}");
}

#[test]
fn all_of_two_cpus_can_be_promised() {
    assert_eq!(shared(2, &[(10, 66), (10, 67), (10, 67)]), [66, 67, 67]);
}

#[test]
fn a_share_is_of_the_time_that_is_charged_wherever_a_processor_stands_still() {
    let world = World::new();
    let users = [(10, 20), (10, 30), (10, 0)].map(|(priority, share)| world.start_with("a", priority, share));
    fake::time::pass_when_armed(300_000);
    while time::now_ns() < 2 * SECOND {
        fake::time::advance(fake::time::armed(0).saturating_sub(time::now_ns()));
        (HANDLERS.timer)();
    }
    let permille = users.map(|user| schedule::time_of(user.process()) * 1000 / time::now_ns());
    assert!(permille[0].abs_diff(200) <= 10 && permille[1].abs_diff(300) <= 10, "{permille:?}");
}

/// One more thread.
pub(super) fn another(process: &Ref<Process>) -> User {
    let new = NewThread {
        entry: layout::USER_MIN,
        stack: layout::USER_MIN + 4096,
        argument: 0,
        fs_base: 0,
        shape: RingShape::DEFAULT,
        priority: 10,
        startup: &[],
    };
    let thread = create::thread(process, &new).expect("a thread");
    create::run(&thread);
    (HANDLERS.kick)();
    User::playing(thread)
}

#[test]
fn threads_of_one_process_have_one_share() {
    let world = World::with_cpus(4);
    let process = world.process_with("four", &Limits { cpu_percent: 60, ..LIMITS });
    let users: Vec<User> = (0..4).map(|_| another(&process)).collect();
    let users: Vec<&User> = users.iter().collect();
    let mut work = Clockwork::new(&world, &users);
    work.pass(SECOND);
    let total: u64 = work.ran.iter().sum();
    assert!(total.abs_diff(SECOND / 100 * 60) <= 2 * PERIOD_NS, "{total}");
}

#[test]
fn more_than_there_is_cannot_be_promised() {
    let world = World::with_cpus(2);
    let all = Share::machine().unwrap();
    assert_eq!(Share::of_child(&all, 201).err(), Some(ShareError::Exhausted));
    let most = Share::of_child(&all, 150).unwrap();
    assert_eq!(Share::of_child(&all, 51).err(), Some(ShareError::Exhausted));
    let rest = Share::of_child(&all, 50).unwrap();
    // Who is limited keeps something.
    assert_eq!(Share::of_child(&most, 150).err(), Some(ShareError::Exhausted));
    let part = Share::of_child(&most, 149).unwrap();
    assert_eq!((most.percent(), part.percent(), all.percent()), (1, 149, 0));
    assert!(part.is_limited() && !all.is_limited());
    // A child without a share of its own has the same.
    assert!(Ref::ptr_eq(&Share::of_child(&part, 0).unwrap(), &part));
    drop((part, rest));
    assert_eq!((most.percent(), all.percent()), (150, 50));
    drop((world, most));
    assert_eq!(all.percent(), 200);
}

#[test]
fn a_share_comes_back_when_its_process_has_ended_whoever_holds_the_handle() {
    let world = World::new();
    let process = world.process_with("short", &Limits { cpu_percent: 40, ..LIMITS });
    let user = User::of(&process);
    assert_eq!(world.share.percent(), 60);
    end::end_process(&process, Status::Killed);
    (HANDLERS.kick)();
    drop(user);
    assert_eq!(world.share.percent(), 100);
    drop(process);
}

#[test]
fn a_chain_of_shares_ends_without_a_deep_stack() {
    let _world = World::new();
    let mut last = Share::of_child(&Share::machine().unwrap(), 100).unwrap();
    for left in (1..100).rev() {
        last = Share::of_child(&last, left).unwrap();
    }
    assert_eq!(last.percent(), 1);
}

#[test]
fn who_is_killed_while_it_has_no_time_leaves_at_once() {
    let world = World::new();
    let user = world.start_with("poor", 10, 10);
    let mut work = Clockwork::new(&world, &[&user]);
    work.pass(5_000_000);
    assert!(matches!(user.thread.state.lock().queued, Some(Place::Aside(0, _))));
    end::end_process(user.process(), Status::Killed);
    assert!(super::here().aside.lock().is_empty());
    assert_eq!((Ref::count(&user.thread), world.share.percent()), (1, 90), "{}", Ref::count(&user.thread));
}

/// A server that sleeps at its endpoint, and a client that runs: priority and share each.
fn pair_of(world: &World, server: (u8, u32), client: (u8, u32)) -> Pair {
    let server = world.start_with("server", server.0, server.1);
    let right = make_endpoint(&server, 4);
    let facet = mint(&server, right, 42);
    server.submit(recv_sqe(right));
    server.enter(1, syscall::FOREVER);
    let client = world.start_with("client", client.0, client.1);
    let entry = server.process().release(facet).expect("just minted");
    let facet = client.hold(entry.object);
    Pair { server, client, right, facet }
}

#[test]
fn a_server_goes_on_in_its_own_time_when_its_client_has_none_left() {
    let world = World::new();
    let pair = pair_of(&world, (10, 0), (10, 10));
    let users = [&pair.server, &pair.client];
    let mut work = Clockwork::new(&world, &users);
    pair.client.submit(pair.call(b""));
    pair.client.enter(1, syscall::FOREVER);
    work.pass(5_000_000);
    assert!(is_running(0, &pair.server.thread.context));
    assert_eq!(work.ran, [5_000_000, 0]);
    let spent = |user: &User| user.process().cpu_ticks.load(Relaxed);
    let token = pair.server.pop().token;
    pair.server.submit(return_recv_sqe(pair.right, token, 0));
    pair.server.enter(1, syscall::FOREVER);
    assert_eq!(spent(&pair.client), 1_000_000, "a tenth of a period");
    assert_eq!(spent(&pair.server), 4_000_000);
    // The client has its answer and waits for the next period.
    assert!(matches!(pair.client.thread.state.lock().queued, Some(Place::Aside(..))));
    work.pass(4_999_999);
    assert!(!is_running(0, &pair.client.thread.context));
    work.pass(2);
    assert!(is_running(0, &pair.client.thread.context));
}

#[test]
fn a_server_that_runs_on_after_its_answer_does_so_in_its_own_time() {
    let world = World::new();
    let pair = pair_of(&world, (10, 10), (10, 0));
    let mut work = Clockwork::new(&world, &[&pair.server, &pair.client]);
    pair.client.submit(pair.call(b""));
    pair.client.enter(1, syscall::FOREVER);
    work.pass(50_000_000);
    assert_eq!(work.ran[0], 50_000_000, "in its client's time");
    let token = pair.server.pop().token;
    pair.server.submit(return_sqe(pair.right, token, 0));
    pair.server.poll();
    work.ran.fill(0);
    work.pass(SECOND);
    assert_eq!(work.percent(SECOND), [10, 90]);
}

#[test]
fn an_urgent_caller_does_not_wait_for_a_poor_server() {
    let world = World::new();
    let pair = pair_of(&world, (5, 10), (20, 0));
    let hog = world.start_with("hog", 10, 0);
    let mut work = Clockwork::new(&world, &[&pair.server, &pair.client, &hog]);
    // The server spends its share on something of its own, below the hog: so let it have the machine for once.
    pair.client.submit(pair.call(b""));
    pair.client.enter(1, syscall::FOREVER);
    assert!(is_running(0, &pair.server.thread.context), "at its caller's priority");
    // An event has it go on in its own time, of which it has one period's worth and may overdraw another.
    crate::task::schedule::pay_oneself(super::here(), &pair.server.thread);
    work.pass(1_500_000);
    assert!(is_running(0, &pair.server.thread.context), "it overdraws");
    work.pass(1_000_000);
    assert!(is_running(0, &hog.thread.context), "but not without an end");
    // A period pays the debt; what it gets now it owes again.
    work.pass(PERIOD_NS - 2_000_000);
    assert!(is_running(0, &pair.server.thread.context), "{:?}", work.ran);
    let token = pair.server.pop().token;
    pair.server.submit(return_recv_sqe(pair.right, token, 0));
    pair.server.enter(1, syscall::FOREVER);
    assert!(is_running(0, &pair.client.thread.context));
}

#[test]
fn who_has_no_time_gets_another_chance_when_somebody_urgent_calls() {
    let world = World::new();
    let pair = pair_of(&world, (10, 10), (20, 0));
    let sleeping = make_endpoint(&pair.client, 1);
    pair.client.submit(recv_sqe(sleeping));
    pair.client.enter(1, 3_500_000);
    // Meanwhile the server takes a call of somebody of its own priority, and uses up what it has.
    let other = world.start_with("other", 10, 0);
    let object = pair.client.object(pair.facet);
    let facet = other.hold(object);
    other.run();
    other.submit(super::call_sqe(facet, 0x77, 1, 0));
    other.enter(1, syscall::FOREVER / 2);
    let mut work = Clockwork::new(&world, &[&pair.server, &pair.client, &other]);
    work.pass(2_000_000);
    assert!(matches!(pair.server.thread.state.lock().queued, Some(Place::Aside(..))));
    work.pass(1_600_000);
    assert!(is_running(0, &pair.client.thread.context));
    pair.client.submit(pair.call(b""));
    pair.client.enter(1, syscall::FOREVER);
    work.pass(1);
    assert!(is_running(0, &pair.server.thread.context), "{:?}", pair.server.thread.state.lock().queued);
}

/// A client that calls through three servers with hardly any time of their own, all on direct ways; each of these works before it calls the
/// next and after it has its answer. What each process paid in the end, the client last.
fn paid_along_a_chain(world: &World, unit: u64, stranger: bool) -> Vec<u64> {
    let servers: Vec<User> = (0..3).map(|_| world.start_with("server", 10, 1)).collect();
    let rights: Vec<_> = servers.iter().map(|server| make_endpoint(server, 4)).collect();
    let facets: Vec<_> =
        servers.iter().zip(&rights).map(|(server, right)| mint(server, *right, 42)).collect();
    let client = world.start_with("client", 10, 50);
    let mut held = Vec::new();
    for (n, caller) in [&client, &servers[0], &servers[1]].into_iter().enumerate() {
        let object = servers[n].object(facets[n]);
        held.push(caller.hold(object));
    }
    for (server, right) in servers.iter().zip(&rights) {
        server.run();
        server.submit(recv_sqe(*right));
        server.enter(1, syscall::FOREVER);
    }
    client.run();
    let users: Vec<&User> = servers.iter().chain([&client]).collect();
    let mut work = Clockwork::new(world, &users);
    let before: Vec<u64> = users.iter().map(|user| schedule::time_of(user.process())).collect();
    let mut tokens = Vec::new();
    for (n, caller) in [&client, &servers[0], &servers[1]].into_iter().enumerate() {
        work.pass(unit);
        caller.submit(super::call_sqe(held[n], 0x77, 1, 0));
        caller.enter(1, syscall::FOREVER);
        assert!(is_running(0, &servers[n].thread.context));
        tokens.push(servers[n].pop().token);
    }
    if stranger {
        // The one at the end has something of its own to do first, so what it does next is for itself.
        schedule::pay_oneself(super::here(), &servers[2].thread);
    }
    for n in (0..3).rev() {
        work.pass(unit);
        servers[n].submit(return_recv_sqe(rights[n], tokens[n], 0));
        servers[n].enter(1, syscall::FOREVER);
        let back = if n == 0 { &client } else { &servers[n - 1] };
        assert!(stranger || is_running(0, &back.thread.context), "{n}");
        if stranger {
            break;
        }
        back.pop();
    }
    work.pass(unit);
    users.iter().zip(before).map(|(user, before)| schedule::time_of(user.process()) - before).collect()
}

#[test]
fn a_client_pays_for_all_servers_of_a_chain_there_and_back() {
    let world = World::new();
    // Each server has a hundredth: half of what it does here in one go.
    assert_eq!(paid_along_a_chain(&world, 200_000, false), [0, 0, 0, 7 * 200_000]);
}

#[test]
fn time_that_is_not_a_clients_goes_to_nobody_along_with_an_answer() {
    let world = World::new();
    let paid = paid_along_a_chain(&world, 50_000, true);
    // It pays for itself; who has its answer goes on in its own time, or its client's.
    assert_eq!((paid[2], paid.iter().sum::<u64>()), (50_000, 5 * 50_000), "{paid:?}");
    assert!(paid[1] == 50_000 || paid[3] == 4 * 50_000, "{paid:?}");
}
