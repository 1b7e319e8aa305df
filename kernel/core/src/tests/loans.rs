//! Priorities along chains of calls.

use super::ipc::{make_endpoint, mint};
use super::{LIMITS, User, WAYS, World, call_sqe, recv_sqe, return_recv_sqe, return_sqe};
use crate::task::create::{self, Limits};
use crate::task::process::Status;
use crate::task::thread::Thread;
use crate::task::{end, schedule};
use crate::trap::HANDLERS;
use capos_abi::{CapId, Op, Sqe, syscall};
use kernel_hal::fake;
use kernel_hal::sync::Ref;
use kernel_hal::user::is_running;

const FACE: u64 = 0x77;
/// `user_data` of every receive.
const RECEIVED: u64 = 2;

/// A server that sleeps at its endpoint, with a facet for its one client.
struct Service {
    user: User,
    right: CapId,
    facet: CapId,
}

impl Service {
    /// Started in order of falling priority, or it would not get to run.
    fn new(world: &World, name: &str, priority: u8) -> Self {
        let user = world.start_at(name, priority);
        let right = make_endpoint(&user, 4);
        let facet = mint(&user, right, 42);
        user.submit(recv_sqe(right));
        user.enter(1, syscall::FOREVER);
        assert!(user.is_blocked());
        Service { user, right, facet }
    }

    /// Moves a facet to a client.
    fn facet_for(&self, client: &User) -> CapId {
        let object = self.user.object(self.facet);
        client.hold(object)
    }

    fn runs_at(&self) -> u8 {
        self.user.thread.priority().number()
    }

    /// Takes the call that has come.
    fn token(&self) -> u64 {
        let got = self.user.pop();
        assert_eq!((got.user_data, got.badge), (RECEIVED, 42));
        got.token
    }

    /// Answers, and waits for the next.
    fn answer(&self, token: u64, way: u64) {
        self.user.submit(Sqe { user_data: RECEIVED, ..return_recv_sqe(self.right, token, 0) });
        self.user.enter(1, way);
    }
}

fn call(user: &User, facet: CapId, way: u64) {
    user.submit(call_sqe(facet, FACE, 1, 0));
    user.enter(1, way);
}

fn running(user: &User) -> bool {
    is_running(0, &user.thread.context)
}

#[test]
fn a_chain_of_three_servers_runs_at_the_priority_of_who_waits_for_it() {
    for way in WAYS {
        let world = World::new();
        let [first, second, third] = [("first", 5), ("second", 4), ("third", 3)]
            .map(|(name, priority)| Service::new(&world, name, priority));
        let client = world.start_at("client", 9);
        let other = world.start_at("other", 7);
        call(&client, first.facet_for(&client), way);
        assert!(running(&first.user) && first.runs_at() == 9, "before `other`, which is ready at 7");
        let to_first = first.token();
        call(&first.user, second.facet_for(&first.user), way);
        assert!(running(&second.user) && second.runs_at() == 9);
        let to_second = second.token();
        call(&second.user, third.facet_for(&second.user), way);
        assert!(running(&third.user) && third.runs_at() == 9);
        let to_third = third.token();
        // Back again: each gives back what it was lent.
        third.answer(to_third, way);
        assert!(running(&second.user) && (third.runs_at(), second.runs_at()) == (3, 9));
        assert_eq!(second.user.pop().result, 0);
        second.answer(to_second, way);
        assert!(running(&first.user) && (second.runs_at(), first.runs_at()) == (4, 9));
        assert_eq!(first.user.pop().result, 0);
        first.answer(to_first, way);
        assert!(running(&client) && first.runs_at() == 5);
        assert_eq!(client.pop().result, 0);
        client.enter(1, syscall::FOREVER);
        assert!(running(&other));
    }
}

/// A service that works for a client of low priority, and a client of high priority; both are about to be in each other's way.
struct Inversion {
    service: Service,
    token: u64,
    high: User,
    facet: CapId,
}

impl Inversion {
    fn new(world: &World) -> Self {
        let service = Service::new(world, "service", 3);
        let low = world.start_at("low", 3);
        call(&low, service.facet_for(&low), syscall::FOREVER);
        let token = service.token();
        let high = world.start_at("high", 9);
        let facet = service.facet_for(&high);
        Inversion { service, token, high, facet }
    }
}

#[test]
fn a_call_that_queues_lends_to_who_works_on_the_one_before() {
    let world = World::new();
    let Inversion { service, token, high, facet } = Inversion::new(&world);
    let medium = world.start_at("medium", 5);
    assert!(running(&high) && service.runs_at() == 3);
    call(&high, facet, syscall::FOREVER);
    assert!(running(&service.user) && service.runs_at() == 9, "`medium` would run for ever");
    // The first call is over, and with it that loan; the second brings its own.
    service.answer(token, syscall::FOREVER);
    assert!(running(&service.user) && service.runs_at() == 9);
    let token = service.token();
    service.answer(token, syscall::FOREVER);
    assert!(running(&high) && service.runs_at() == 3);
    high.pop();
    high.enter(1, syscall::FOREVER);
    assert!(running(&medium));
}

#[test]
fn a_call_that_queues_lends_along_the_chain() {
    let world = World::new();
    let behind = Service::new(&world, "behind", 2);
    let Inversion { service, high, facet, .. } = Inversion::new(&world);
    // The service itself waits for an answer.
    high.enter(1, 1_000_000);
    call(&service.user, behind.facet_for(&service.user), syscall::FOREVER);
    assert!(running(&behind.user) && behind.runs_at() == 3);
    let medium = world.start_at("medium", 5);
    assert!(running(&medium));
    kernel_hal::fake::time::advance(2_000_000);
    (HANDLERS.timer)();
    assert!(running(&high));
    call(&high, facet, syscall::FOREVER);
    assert!(running(&behind.user) && (behind.runs_at(), service.runs_at()) == (9, 9));
}

#[test]
fn more_urgent_calls_are_received_first() {
    let world = World::new();
    let Inversion { service, token, high, facet } = Inversion::new(&world);
    for user_data in [30, 31] {
        high.submit(Sqe { user_data, ..call_sqe(facet, FACE, 7, 0) });
    }
    high.enter(2, syscall::FOREVER);
    assert!(running(&service.user) && service.runs_at() == 9);
    let urgent = world.start_at("urgent", 12);
    assert!(running(&urgent));
    call(&urgent, service.facet_for(&urgent), syscall::FOREVER);
    assert!(running(&service.user) && service.runs_at() == 12);
    service.answer(token, syscall::FOREVER);
    let first = service.user.pop();
    assert_eq!((first.method, service.runs_at()), (1, 12), "the urgent one");
    service.answer(first.token, syscall::FOREVER);
    assert!(running(&urgent));
    urgent.pop();
    urgent.enter(1, syscall::FOREVER);
    let second = service.user.pop();
    assert_eq!((second.method, service.runs_at()), (7, 9));
}

#[test]
fn loans_end_with_the_calls_that_they_were_for() {
    for way in WAYS {
        let world = World::new();
        let service = Service::new(&world, "service", 3);
        let client = world.start_at("client", 9);
        let facet = service.facet_for(&client);
        call(&client, facet, way);
        assert_eq!(service.runs_at(), 9);
        // Its caller dies.
        end::end_process(client.process(), Status::Killed);
        assert_eq!(service.runs_at(), 3);
    }
    // The right is given up.
    let world = World::new();
    let service = Service::new(&world, "service", 3);
    let client = world.start_at("client", 9);
    let facet = service.facet_for(&client);
    call(&client, facet, syscall::FOREVER);
    let release = Sqe { op: Op::Release as u8, cap: service.right.raw(), ..Sqe::default() };
    service.user.submit(release);
    service.user.enter(0, 0);
    assert_eq!(service.runs_at(), 3);
    assert!(running(&client));
}

#[test]
fn who_is_lent_no_more_leaves_to_who_outranks_it() {
    let world = World::with_cpus(2);
    let service = Service::new(&world, "service", 3);
    let client = world.start_at("client", 9);
    let facet = service.facet_for(&client);
    call(&client, facet, syscall::FOREVER);
    assert!(running(&service.user) && service.runs_at() == 9);
    // The other processor has somebody, too, and one more waits here.
    fake::cpu::become_cpu(1);
    let other = world.start_at("other", 6);
    World::stir_all();
    assert!(running(&service.user) && is_running(1, &other.thread.context));
    fake::cpu::become_cpu(0);
    schedule::make_ready(sleeper_of(&world, 5));
    (HANDLERS.kick)();
    assert!(running(&service.user));
    // The client dies by the other processor's doing.
    fake::cpu::become_cpu(1);
    fake::cpu::take_kicks();
    end::end_process(client.process(), Status::Killed);
    assert_eq!((service.runs_at(), fake::cpu::take_kicks() & 1), (3, 1));
    fake::cpu::become_cpu(0);
    (HANDLERS.kick)();
    assert!(!running(&service.user), "who waits at 5 goes first");
}

#[test]
fn who_waits_for_another_processor_and_is_lent_more_goes_first_there() {
    let world = World::with_cpus(2);
    let Inversion { service, high, facet, .. } = Inversion::new(&world);
    World::stir_all();
    assert!(running(&high) && is_running(1, &service.user.thread.context));
    // Both processors get somebody in between: the service waits behind one, and the client will leave to the other.
    for cpu in [1, 0] {
        fake::cpu::become_cpu(cpu);
        schedule::make_ready(sleeper_of(&world, 5));
        (HANDLERS.irq)(kernel_hal::IrqLine { gsi: 0, place: 0, turn: 0 });
    }
    assert!(running(&high) && service.user.thread.state.lock().queued.is_some());
    fake::cpu::take_kicks();
    call(&high, facet, syscall::FOREVER);
    assert_eq!((service.runs_at(), fake::cpu::take_kicks() & 2), (9, 2));
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    assert!(is_running(1, &service.user.thread.context));
}

/// A thread of that priority that is ready and in no queue yet.
fn sleeper_of(world: &World, priority: u8) -> Ref<Thread> {
    let process = world.process_with("medium", &Limits { priority, ..LIMITS });
    create::first_thread(&process, &[]).expect("a thread")
}

#[test]
fn another_thread_that_answers_gives_back_what_the_receiver_was_lent() {
    let world = World::new();
    let service = Service::new(&world, "service", 3);
    let client = world.start_at("client", 9);
    let facet = service.facet_for(&client);
    call(&client, facet, syscall::FOREVER);
    let token = service.token();
    // A copy of the right lets another process answer.
    let object = service.user.object(service.right);
    let helper = world.start_at("helper", 10);
    let right = helper.hold(object);
    assert_eq!(service.runs_at(), 9);
    assert_eq!(helper.one(return_sqe(right, token, 0)).result, 0);
    assert_eq!(service.runs_at(), 3);
}
