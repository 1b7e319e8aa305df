//! Nothing that programs can make long is done in one go: how much one entry into the kernel does, and that all of it is done in the end.

use super::ipc::make_endpoint;
use super::processes::new_thread;
use super::reaping::next_slice;
use super::revocation::give;
use super::{LIMITS, MSG, User, World, call_sqe, error, here, recv_sqe, return_recv_sqe};
use crate::cap::Object;
use crate::cap::long::Job;
use crate::cap::memory_object::MemoryObject;
use crate::cap::system_info::SystemInfo;
use crate::cap::timer::Timer;
use crate::ipc::endpoint::{Endpoint, ReceiveRight};
use crate::task::create::{self, Limits};
use crate::task::process::{Process, Status};
use crate::task::{donation, end, registry};
use crate::trap::HANDLERS;
use capos_abi::ring::sqe_flags;
use capos_abi::{CapId, Op, RingShape, Sqe, TransferSlot, TransportError, layout, syscall};
use capos_mem::Resource;
use capos_schema::{Encode, process_spawner, system_info, timer};
use kernel_hal::fake;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;
use kernel_hal::user::is_running;
use std::vec::Vec;

const FACE: u64 = 0x77;
/// Units of a slice of what a thread asked for, and of what nobody did: said again here, so that more is noticed.
const STEP: u32 = 32;
const SLICE: u32 = 128;
/// Calls that are queued or received: some slices of them.
const MANY: u64 = 200;

/// Kills a process, and waits until all of it is taken back.
fn end_wholly(process: &Ref<Process>) {
    end::end_process(process, Status::Killed);
    while !process.exit.lock().done {
        next_slice();
    }
}

/// A thread with room for many operations, at a priority.
fn wide_thread(process: &Ref<Process>, priority: u8) -> User {
    let shape = RingShape { sq_entries: 256, cq_entries: 512, arena_pages: 8 };
    process.threads.lock().started = true;
    let thread = create::thread(process, &new_thread(shape, priority)).expect("a thread");
    create::run(&thread);
    (HANDLERS.kick)();
    User::playing(thread)
}

fn wide(world: &World, name: &str, priority: u8) -> User {
    let limits = Limits {
        memory_pages: 10_000,
        cap_slots: 2000,
        calls_in_flight: 60_000,
        endpoint_entries: 600,
        threads: 100,
        priority,
        ..LIMITS
    };
    wide_thread(&world.process_with(name, &limits), priority)
}

/// An endpoint of `server` and a facet of it at `client`, copied from that of an `owner`.
struct Deep {
    server: User,
    client: User,
    owner: User,
    right: CapId,
    facet: CapId,
    own: CapId,
}

impl Deep {
    fn new(world: &World) -> Self {
        let (owner, server, client) =
            (wide(world, "owner", 10), wide(world, "server", 10), wide(world, "client", 10));
        let right = make_endpoint(&server, 256);
        let own = super::ipc::mint(&server, right, 42);
        let own = give(&server, &owner, TransferSlot::moved(own));
        let facet = give(&owner, &client, TransferSlot::copy(own));
        Deep { server, client, owner, right, facet, own }
    }

    /// The client makes that many calls of eight bytes.
    fn call(&self, many: u64) {
        self.client.put(MSG, b"too much");
        (0..many).for_each(|_| self.client.submit(call_sqe(self.facet, FACE, 1, 8)));
        self.client.poll();
        self.client.nothing();
    }

    fn receive_all(&self) {
        (0..MANY).for_each(|_| self.server.submit(recv_sqe(self.right)));
        self.server.poll();
        (0..MANY).for_each(|_| assert_eq!(self.server.pop().result, 8));
    }

    /// How many of the client's calls have ended since the last time, all with that error.
    fn ended(&self, with: TransportError) -> u64 {
        let ended = core::iter::from_fn(|| self.client.ring.pop());
        ended.map(|cqe| assert_eq!(error(&cqe), Some(with))).count() as u64
    }
}

fn repeats(user: &User) -> bool {
    user.thread.context.take_repeated().is_some()
}

/// Makes the same system call until it is done; in how many slices, of which none ended more than `most`.
fn go_on(user: &User, deep: &Deep, with: TransportError, most: u64) -> (u64, u64) {
    let (mut slices, mut all) = (1, 0);
    loop {
        let ended = deep.ended(with);
        assert!(ended <= most, "{ended} in one slice");
        all += ended;
        if !repeats(user) {
            return (slices, all);
        }
        user.poll();
        slices += 1;
    }
}

#[test]
fn a_receive_fails_some_calls_that_are_too_large_at_a_time() {
    for (deadline, next) in [(false, false), (true, false), (false, true), (true, true)] {
        let world = World::new();
        let deep = Deep::new(&world);
        let token = if next {
            deep.client.submit(call_sqe(deep.facet, FACE, 1, 0));
            deep.client.poll();
            deep.server.one(recv_sqe(deep.right)).token
        } else {
            0
        };
        deep.call(MANY);
        let small = if next {
            Sqe { reply_len: 4, ..return_recv_sqe(deep.right, token, 0) }
        } else {
            Sqe { msg_len: 4, ..recv_sqe(deep.right) }
        };
        let flags = if deadline { sqe_flags::DEADLINE } else { 0 };
        deep.server.submit(Sqe { flags, aux: if deadline { 1_000_000 } else { 0 }, ..small });
        deep.server.submit(Sqe { user_data: 99, ..Sqe::default() });
        deep.server.poll();
        if next {
            assert_eq!(deep.client.pop().result, 0);
        }
        let (slices, all) = go_on(&deep.server, &deep, TransportError::MessageTooLarge, u64::from(STEP));
        assert_eq!((slices, all), (MANY / u64::from(STEP) + 1, MANY));
        assert_eq!(deep.server.pop().user_data, 99, "behind it, and the receive waits on");
        deep.server.nothing();
        if deadline {
            fake::time::advance(1_000_000);
            (HANDLERS.timer)();
            assert_eq!(error(&deep.server.pop()), Some(TransportError::TimedOut));
        } else {
            deep.client.submit(call_sqe(deep.facet, FACE, 1, 4));
            deep.client.poll();
            assert_eq!(deep.server.pop().result, 4);
        }
    }
}

#[test]
fn who_dies_while_it_looks_for_a_call_leaves_the_others_waiting() {
    let world = World::new();
    let deep = Deep::new(&world);
    deep.call(MANY);
    deep.server.submit(Sqe { msg_len: 4, ..recv_sqe(deep.right) });
    deep.server.poll();
    assert!(repeats(&deep.server));
    end::end_process(deep.server.process(), Status::Killed);
    (0..10).for_each(|_| (HANDLERS.timer)());
    let all: Vec<_> = core::iter::from_fn(|| deep.client.ring.pop()).collect();
    assert_eq!(all.len() as u64, MANY);
}

#[test]
fn an_endpoint_closes_in_slices() {
    let world = World::new();
    let deep = Deep::new(&world);
    deep.call(MANY);
    let release = Sqe { op: Op::Release as u8, cap: deep.right.raw(), ..Sqe::default() };
    deep.server.submit(release);
    deep.server.submit(Sqe { user_data: 99, ..Sqe::default() });
    deep.server.poll();
    let first = deep.ended(TransportError::Disconnected);
    assert!((1..=u64::from(SLICE)).contains(&first), "{first}");
    // At once nobody comes in any more.
    assert_eq!(error(&deep.client.one(call_sqe(deep.facet, FACE, 1, 0))), Some(TransportError::Disconnected));
    assert_eq!(deep.ended(TransportError::Disconnected), 0);
    next_slice();
    assert_eq!(first + deep.ended(TransportError::Disconnected), MANY);
    assert!(here().closing.is_empty());
    assert_eq!((deep.server.pop().result, deep.server.pop().user_data), (0, 99));
}

#[test]
fn for_whom_a_server_works_is_looked_for_among_so_many_calls() {
    for (before, is_found) in [(100, true), (MANY, false)] {
        let world = World::new();
        let deep = Deep::new(&world);
        // The server has received as many calls, and then that of somebody who has no other.
        deep.call(before);
        (0..before).for_each(|_| deep.server.submit(recv_sqe(deep.right)));
        deep.server.poll();
        (0..before).for_each(|_| assert_eq!(deep.server.pop().result, 8));
        let payer = wide(&world, "payer", 10);
        let facet = payer.hold(deep.client.object(deep.facet));
        deep.server.submit(recv_sqe(deep.right));
        deep.server.enter(1, syscall::FOREVER);
        payer.run();
        payer.submit(call_sqe(facet, FACE, 1, 0));
        payer.enter(1, syscall::FOREVER);
        assert!(is_running(0, &deep.server.thread.context) && here().payer.holds(payer.process()));
        assert_eq!(donation::reaches(here(), &deep.server.thread), is_found);
    }
}

/// Kills the server; gives how many calls end, a slice of them at most at a time, until all of it is taken back.
fn ends_in_slices(process: &Ref<Process>, deep: &Deep) -> u64 {
    end::end_process(process, Status::Killed);
    let mut all = 0;
    loop {
        let ended = deep.ended(TransportError::Disconnected);
        assert!(ended <= u64::from(SLICE), "{ended} in one slice");
        all += ended;
        if process.exit.lock().done {
            return all;
        }
        next_slice();
    }
}

#[test]
fn a_process_has_not_ended_before_its_endpoints_have_closed() {
    let world = World::new();
    let deep = Deep::new(&world);
    deep.call(MANY);
    let process = deep.server.process().clone();
    assert_eq!(ends_in_slices(&process, &deep), MANY, "all of them before");
}

/// A second right to that endpoint, so that it does not close.
fn second_right(deep: &Deep) -> CapId {
    let right = deep.server.object(deep.right);
    deep.owner.hold(right)
}

#[test]
fn what_was_received_through_a_right_ends_in_slices() {
    for dies in [false, true] {
        let world = World::new();
        let deep = Deep::new(&world);
        second_right(&deep);
        deep.call(MANY);
        deep.receive_all();
        deep.server.submit(Sqe { op: Op::Release as u8, cap: deep.right.raw(), ..Sqe::default() });
        deep.server.poll();
        if !dies {
            let (slices, all) = go_on(&deep.server, &deep, TransportError::Disconnected, u64::from(STEP));
            assert!(slices > MANY / u64::from(STEP), "{slices}");
            assert_eq!(all, MANY);
            continue;
        }
        // Who gave it up ends in the middle: then it is for who takes back what he had.
        let before = deep.ended(TransportError::Disconnected);
        let process = deep.server.process().clone();
        end_wholly(&process);
        assert_eq!(before + deep.ended(TransportError::Disconnected), MANY);
    }
}

#[test]
fn what_comes_into_the_queue_between_two_slices_waits() {
    let world = World::new();
    let deep = Deep::new(&world);
    second_right(&deep);
    deep.call(MANY);
    deep.receive_all();
    deep.server.submit(Sqe { op: Op::Release as u8, cap: deep.right.raw(), ..Sqe::default() });
    deep.server.poll();
    // Another thread of the server takes the completion, and has the ring ask for something long.
    while deep.server.ring.pop().is_some() {}
    assert!(repeats(&deep.server));
    deep.server.submit(super::long::long(&deep.server, false, 5));
    let before = deep.ended(TransportError::Disconnected);
    deep.server.poll();
    let (_, all) = go_on(&deep.server, &deep, TransportError::Disconnected, MANY);
    assert_eq!(before + all, MANY);
    assert_eq!(deep.server.pop().user_data, 5);
}

#[test]
fn a_process_that_ends_gives_its_rights_up_in_slices() {
    let world = World::new();
    let deep = Deep::new(&world);
    second_right(&deep);
    deep.call(MANY);
    deep.receive_all();
    let process = deep.server.process().clone();
    assert_eq!(ends_in_slices(&process, &deep), MANY);
}

#[test]
fn calls_through_what_is_revoked_end_in_slices() {
    for dies in [false, true] {
        let world = World::new();
        let deep = Deep::new(&world);
        deep.call(MANY);
        deep.owner.submit(Sqe { op: Op::Revoke as u8, cap: deep.own.raw(), ..Sqe::default() });
        deep.owner.poll();
        assert!(super::revocation::gone(&deep.client, deep.facet), "at once");
        if !dies {
            let (slices, all) = go_on(&deep.owner, &deep, TransportError::Revoked, u64::from(STEP));
            assert!(slices > MANY / u64::from(STEP), "{slices}");
            assert_eq!((all, deep.owner.pop().result), (MANY, 0));
            continue;
        }
        // Nobody else could find these calls: so they end although who revoked has.
        let before = deep.ended(TransportError::Revoked);
        assert!(before < MANY);
        let process = deep.owner.process().clone();
        end_wholly(&process);
        assert_eq!(before + deep.ended(TransportError::Revoked), MANY);
    }
}

#[test]
fn a_call_lends_its_priority_to_some_at_a_time_and_sleeps_when_all_have_it() {
    let world = World::new();
    let deep = Deep::new(&world);
    let process = deep.server.process().clone();
    let servers: Vec<User> = (0..80).map(|_| wide_thread(&process, 5)).collect();
    deep.call(80);
    let others = [&deep.server, &deep.client, &deep.owner];
    for _ in 0..83 {
        let here = |user: &&User| is_running(0, &user.thread.context);
        if let Some(server) = servers.iter().find(here) {
            assert_eq!(server.one(recv_sqe(deep.right)).result, 8);
            server.enter(1, syscall::FOREVER);
        } else if let Some(other) = others.into_iter().find(here) {
            other.enter(1, syscall::FOREVER);
        }
    }
    let urgent = wide(&world, "urgent", 20);
    let facet = urgent.hold(deep.client.object(deep.facet));
    let raised = || servers.iter().filter(|server| server.thread.priority().number() == 20).count();
    urgent.submit(call_sqe(facet, FACE, 1, 0));
    urgent.enter(1, syscall::FOREVER);
    let mut slices = 1;
    while repeats(&urgent) {
        // The first system call comes to two.
        assert!(raised() <= (slices + 1) * STEP as usize && !urgent.is_blocked(), "{}", raised());
        urgent.enter(1, syscall::FOREVER);
        slices += 1;
    }
    assert!(slices >= 2 && urgent.is_blocked(), "{slices}");
    assert_eq!(raised(), 80);
}

/// Has the user sleep until `at_ns` as many times as that.
fn sleep(user: &User, clock: CapId, many: u64, at_ns: u64) {
    let mut message = [0; 16];
    let len = timer::SleepUntilParams { ns: at_ns }.encode(&mut message).expect("it fits");
    user.put(MSG, &message[..len]);
    let call = call_sqe(clock, timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32);
    (0..many).for_each(|_| user.submit(call));
    user.poll();
}

#[test]
fn alarms_go_off_some_at_a_time_and_the_urgent_first() {
    const AT: u64 = 1_000_000;
    const BATCH: u64 = 16;
    let world = World::new();
    let urgent = wide(&world, "urgent", 20);
    let running = wide(&world, "running", 10);
    let low = wide(&world, "low", 5);
    // The others sleep while each sets what it sets.
    let clock = urgent.hold(Object::Timer(Timer));
    let others = low.hold(Object::Timer(Timer));
    urgent.enter(1, 1000);
    running.enter(1, 500);
    sleep(&low, others, MANY, AT - 10);
    fake::time::advance(1000);
    (HANDLERS.timer)();
    // Set last, and for the latest moment.
    sleep(&urgent, clock, 1, AT);
    urgent.enter(1, syscall::FOREVER);
    assert!(is_running(0, &running.thread.context));
    let set = || here().deadlines.lock().len() as u64;
    let before = set();
    assert!(before > MANY);
    fake::time::advance(AT);
    let now = kernel_hal::time::now_ns();
    (HANDLERS.timer)();
    assert!(is_running(0, &urgent.thread.context), "others have no claim to come first");
    assert_eq!(before - set(), BATCH);
    let mut ticks = 1;
    while set() > 0 {
        let (left, armed) = (set(), fake::time::armed(0));
        assert!(armed > now, "who runs gets on: all that is left is less urgent");
        fake::time::advance(armed.saturating_sub(kernel_hal::time::now_ns()));
        (HANDLERS.timer)();
        assert!(left - set() <= BATCH);
        ticks += 1;
    }
    assert_eq!(ticks, before.div_ceil(BATCH));
    assert_eq!(urgent.pop().result, 0);
    low.run_last(&[&urgent, &running]);
    (0..MANY).for_each(|_| assert_eq!(low.pop().result, 0));
}

#[test]
fn alarms_more_urgent_than_who_runs_follow_at_once() {
    const AT: u64 = 1_000_000;
    let world = World::new();
    let urgent = wide(&world, "urgent", 20);
    let running = wide(&world, "running", 10);
    let clock = urgent.hold(Object::Timer(Timer));
    sleep(&urgent, clock, 40, AT);
    urgent.enter(41, syscall::FOREVER);
    assert!(is_running(0, &running.thread.context));
    fake::time::advance(AT);
    for left in [24, 8] {
        (HANDLERS.timer)();
        assert_eq!(here().deadlines.lock().len(), left);
        assert!(fake::time::armed(0) <= kernel_hal::time::now_ns(), "at once");
    }
    (HANDLERS.timer)();
    assert!(here().deadlines.lock().is_empty());
}

impl User {
    /// Runs when these sleep.
    fn run_last(&self, others: &[&User]) {
        for other in others {
            if is_running(0, &other.thread.context) {
                other.enter(1, syscall::FOREVER);
            }
        }
        self.run();
    }
}

/// A program of a page that asks for that many pages of zeroed memory.
fn hungry(pages: u64) -> Vec<u8> {
    let mut elf = super::tiny_elf();
    // A second segment is to be written, and longer in memory than in the file.
    elf[56..58].copy_from_slice(&2u16.to_le_bytes());
    elf[120..128].copy_from_slice(&(1u64 | 6 << 32).to_le_bytes());
    let at = layout::IMAGE_BASE + 0x20_0000;
    for (n, word) in [4096, at, at, 16, pages * 4096, 4096].into_iter().enumerate() {
        elf[128 + 8 * n..][..8].copy_from_slice(&word.to_le_bytes());
    }
    elf
}

fn create_sqe(user: &User, spawner: CapId, binary: CapId) -> Sqe {
    let mut message = [0; 128];
    let params = process_spawner::CreateParams {
        size: super::TINY_ELF as u64,
        memory_pages: 6000,
        cap_slots: 8,
        threads: 1,
        calls_in_flight: 64,
        endpoint_entries: 0,
        log_bytes: 0,
        dma_pages: 0,
        vectors: 0,
        priority: 1,
        cpu_percent: 0,
        name: "hungry",
    };
    let len = params.encode(&mut message).expect("it fits");
    user.put(MSG, &message[..len]);
    user.set_word(super::CAPS, TransferSlot::copy(binary).0);
    let call = call_sqe(spawner, process_spawner::INTERFACE_ID, process_spawner::CREATE, len as u32);
    Sqe { caps_send: 1, caps_recv: 1, ..call }
}

#[test]
fn a_program_is_loaded_in_steps() {
    const PAGES: u64 = 3000;
    for dies in [false, true] {
        let world = World::new();
        let other = wide(&world, "other", 10);
        let all = || (world.machine.left(Resource::MemoryPages), kernel_hal::mem::free_pages());
        let nothing = all();
        let user = wide(&world, "maker", 10);
        let spawner = user.hold(Object::ProcessSpawner(crate::cap::process_spawner::ProcessSpawner));
        let binary = user.hold(Object::MemoryObject(MemoryObject::new(Frames::module(&hungry(PAGES)))));
        let books = || (user.process().account.used(Resource::MemoryPages), kernel_hal::mem::free_pages());
        let (before, processes) = (books(), registry::processes());
        user.submit(create_sqe(&user, spawner, binary));
        user.poll();
        let mut steps = 1;
        while repeats(&user) && !(dies && steps == 3) {
            assert!(matches!(*user.thread.job.lock(), Some(Job::Make { .. })));
            assert_eq!(registry::processes(), processes, "nobody knows it yet");
            user.poll();
            steps += 1;
        }
        if dies {
            end::end_process(user.process(), Status::Killed);
            other.run();
            while !here().dying.is_empty() {
                next_slice();
            }
            other.poll();
            drop(user);
            assert_eq!((all(), registry::processes()), (nothing, processes - 1));
            continue;
        }
        let made = user.pop();
        assert!(steps > PAGES / 512, "{steps} {made:?}");
        assert_eq!((made.result >= 0, made.caps, registry::processes()), (true, 1, processes + 1));
        let handle = CapId::from_raw(user.word(super::CAPS));
        user.one(Sqe { op: Op::Release as u8, cap: handle.raw(), ..Sqe::default() });
        while !here().dying.is_empty() {
            next_slice();
        }
        user.poll();
        assert_eq!((books(), registry::processes()), (before, processes));
    }
}

#[test]
fn an_audit_goes_over_all_capabilities_in_steps() {
    let world = World::new();
    let user = wide(&world, "rich", 10);
    let info = user.hold(Object::SystemInfo(SystemInfo));
    for _ in 0..1500 {
        user.hold(Object::Timer(Timer));
    }
    user.submit(call_sqe(info, system_info::INTERFACE_ID, system_info::DERIVATION, 0));
    user.poll();
    let mut steps = 1;
    while repeats(&user) {
        user.nothing();
        user.poll();
        steps += 1;
    }
    assert!(steps > 2 * 1500 / 256, "{steps}");
    let answer = user.pop();
    assert_eq!((answer.flags, answer.result > 0), (0, true));
}

#[test]
fn rights_that_go_with_their_holder_at_once_share_its_slices() {
    let world = World::new();
    let deep = Deep::new(&world);
    let process = deep.server.process().clone();
    // Each has a few calls; together they are some slices.
    let mut facets = Vec::new();
    for _ in 0..30 {
        let right: ReceiveRight = Endpoint::create(8, &process.account).unwrap_or_else(|_| panic!("memory"));
        let facet = Endpoint::mint(&right.endpoint, 1, FACE).unwrap_or_else(|_| panic!("memory"));
        deep.server.hold(Object::Endpoint(right));
        facets.push(deep.client.hold(Object::Client(facet)));
    }
    for facet in &facets {
        (0..8).for_each(|_| deep.client.submit(call_sqe(*facet, FACE, 1, 0)));
    }
    deep.client.poll();
    assert_eq!(ends_in_slices(&process, &deep), 240);
}
