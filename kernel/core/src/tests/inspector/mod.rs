//! The inspector: what it tells is what is there.

mod bounds;

use super::ipc::{Pair, make_endpoint};
use super::revocation::{give, revoke};
use super::{LIMITS, User, World, call_sqe, recv_sqe};
use crate::cap::inspector::Inspector;
use crate::cap::interrupt::Interrupt;
use crate::cap::io_port::IoPort;
use crate::cap::process_handle::ProcessHandle;
use crate::cap::timer::Timer;
use crate::cap::{Object, interface_id};
use crate::task::create::Limits;
use crate::task::process::Status;
use crate::task::{debug, end, stop};
use capos_abi::{CapId, Cqe, ExceptionCode, Op, Sqe, TransferSlot, syscall};
use capos_inspect::{
    Activity, Capability, End, Kind, Leaves, Life, Origin, Process, Processor, Record, Records, Slot, Thread,
};
use capos_mem::Resource;
use capos_schema::inspector::{self as schema, ListParams, Listing};
use capos_schema::{
    Decode, Empty, Encode, memory_object, notification, process_handle, timer, virtual_memory,
};
use kernel_hal::fake;
use std::collections::BTreeSet;
use std::vec::Vec;

use super::{CAPS, MSG, REPLY};

/// One answer.
struct Answer<R> {
    records: Vec<R>,
    epoch: u64,
    process: u64,
    index: u64,
    end: bool,
}

/// Somebody who holds an inspector.
struct Eye {
    user: User,
    cap: CapId,
}

impl Eye {
    fn new(world: &World) -> Self {
        let user = world.start("eye");
        let cap = user.hold(Object::Inspector(Inspector));
        Eye { user, cap }
    }

    fn submission(&self, params: &ListParams) -> Sqe {
        let mut message = [0; 64];
        let len = params.encode(&mut message).expect("it fits");
        self.user.put(MSG, &message[..len]);
        call_sqe(self.cap, schema::INTERFACE_ID, schema::LIST, len as u32)
    }

    fn decoded<R: Record>(&self, cqe: Cqe) -> Result<Answer<R>, Cqe> {
        if cqe.result < 0 || cqe.flags != 0 {
            return Err(cqe);
        }
        let bytes = self.user.get(REPLY, cqe.result as usize);
        let found = schema::ListResults::decode(&bytes).expect("well formed");
        let records = Records::<R>::new(found.records, found.length.into()).expect("whole");
        Ok(Answer {
            records: records.iter().map(|record| record.expect("well formed")).collect(),
            epoch: found.epoch,
            process: found.process,
            index: found.index,
            end: found.end,
        })
    }

    fn list<R: Record>(&self, params: &ListParams) -> Result<Answer<R>, Cqe> {
        self.decoded(self.user.one(self.submission(params)))
    }

    fn refused(&self, params: &ListParams) -> ExceptionCode {
        match self.list::<Thread>(params) {
            Ok(_) => panic!("it answered"),
            Err(cqe) => ExceptionCode::from_code(cqe.method),
        }
    }

    /// Everything from a place on, and in how many answers.
    fn all<R: Record>(&self, first: ListParams) -> (Vec<R>, usize) {
        let (mut all, mut params) = (Vec::new(), first);
        for answers in 1..1000 {
            let found = self.list(&params).expect("an answer");
            all.extend(found.records);
            if found.end {
                return (all, answers);
            }
            let Answer { process, index, epoch, .. } = found;
            assert!((process, index) > (params.process, params.index), "it comes forward");
            params = ListParams { process, index, epoch, ..first };
        }
        panic!("it never ends");
    }

    /// What a process holds.
    fn holds(&self, of: &User) -> Vec<Capability> {
        self.all(only(Listing::Capabilities, of)).0
    }

    /// What it holds there.
    fn sees(&self, of: &User, cap: CapId) -> Option<Capability> {
        self.holds(of).into_iter().find(|found| found.at.slot == cap.index())
    }

    fn process(&self, id: u64) -> Option<Process> {
        let (all, _) = self.all::<Process>(everything(Listing::Processes));
        all.into_iter().find(|process| process.id == id)
    }

    fn thread(&self, of: &User) -> Thread {
        self.all(only(Listing::Threads, of)).0[0]
    }
}

fn everything(listing: Listing) -> ListParams {
    ListParams { listing, ..ListParams::default() }
}

fn only(listing: Listing, of: &User) -> ListParams {
    ListParams { listing, only: true, process: of.process().id, ..ListParams::default() }
}

fn place(of: &User, cap: CapId) -> Slot {
    Slot { process: of.process().id, slot: cap.index() }
}

fn release(user: &User, cap: CapId) {
    assert_eq!(user.one(Sqe { op: Op::Release as u8, cap: cap.raw(), ..Sqe::default() }).result, 0);
}

#[test]
fn a_table_is_told_as_it_is() {
    let world = World::new();
    let (eye, pair) = (Eye::new(&world), Pair::new(&world, 4));
    let timer = pair.server.hold(Object::Timer(Timer));
    let found = eye.holds(&pair.server);
    let slots: Vec<_> = found.iter().map(|cap| cap.at.slot).collect();
    let held: Vec<_> = pair.server.process().table.lock().iter().map(|(id, _)| id.index()).collect();
    assert_eq!(slots, held);
    for cap in &found {
        let table = pair.server.process().table.lock();
        let entry = table.at_or_after(cap.at.slot).expect("held").1;
        assert_eq!((cap.at.process, cap.interface), (pair.server.process().id, interface_id(&entry.object)));
    }
    assert!(found[..3].iter().all(|own| own.kind == Kind::Own && own.leaves == Leaves::Never));
    let right = eye.sees(&pair.server, pair.right).expect("held");
    assert_eq!((right.kind, right.leaves, right.origin), (Kind::Endpoint, Leaves::Copies, Origin::Root));
    let facet = eye.sees(&pair.client, pair.facet).expect("held");
    assert_eq!((facet.kind, facet.object, facet.detail), (Kind::Facet, right.object, 42));
    let kernel = eye.sees(&pair.server, timer).expect("held");
    assert_eq!((kernel.kind, kernel.object, kernel.leaves), (Kind::Kernel, 0, Leaves::Freely));
    let other = make_endpoint(&pair.server, 1);
    let other = eye.sees(&pair.server, other).expect("held");
    assert_ne!(other.object, right.object, "another endpoint has another number");
    release(&pair.server, timer);
    assert_eq!(eye.sees(&pair.server, timer), None);
}

#[test]
fn every_kind_of_object_is_told() {
    let world = World::new();
    let (eye, user) = (Eye::new(&world), world.start("user"));
    let kind = |cap| {
        let found = eye.sees(&user, cap).expect("held");
        (found.kind, found.object, found.detail)
    };
    let create = virtual_memory::CreateObjectParams { size: 3 * 4096 };
    let (interface, method) = (virtual_memory::INTERFACE_ID, virtual_memory::CREATE_OBJECT);
    let memory = user.call_for_cap(CapId::SELF_MEMORY, interface, method, &create).expect("memory");
    let params = memory_object::PartParams { offset: 4096, size: 4096 };
    let part = user.call_for_cap(memory, memory_object::INTERFACE_ID, memory_object::PART, &params);
    let narrow = user
        .call_for_cap(memory, memory_object::INTERFACE_ID, memory_object::READ_ONLY, &Empty)
        .expect("one");
    let (whole, part, narrow) = (kind(memory), kind(part.expect("a part")), kind(narrow));
    assert_eq!((whole.0, whole.2, part.2, narrow.2), (Kind::Memory, 3 << 1 | 1, 1 << 1 | 1, 3 << 1));
    assert!(whole.1 != 0 && part.1 == whole.1 && narrow.1 == whole.1, "the same memory");
    let event = super::notification_of(&user);
    let mint = notification::MintParams { bits: 0b110, lost: 0 };
    let bell = user.call_for_cap(event, notification::INTERFACE_ID, notification::MINT, &mint).expect("one");
    let waits = kind(event);
    assert_eq!((waits.0, kind(bell)), (Kind::Notification, (Kind::Signaller, waits.1, 0b110)));
    let ports = user.hold(Object::IoPort(IoPort::all()));
    assert_eq!(kind(ports), (Kind::Ports, 0, 0x1_0000 << 16));
    let line = Interrupt::isa(4).unwrap_or_else(|_| panic!("a free line"));
    let number = u64::from(line.number());
    let line = user.hold(Object::Interrupt(line));
    assert_eq!(kind(line), (Kind::Line, number, 0));
    let child = world.process("child");
    let handle = ProcessHandle::new(child.clone()).unwrap_or_else(|_| panic!("memory"));
    let handle = user.hold(Object::ProcessHandle(handle));
    let watch = user.call_for_cap(handle, process_handle::INTERFACE_ID, process_handle::WATCH, &Empty);
    assert_eq!(kind(handle), (Kind::Process, child.id, 0));
    let watch = watch.expect("a facet");
    assert_eq!(kind(watch), (Kind::Watch, child.id, 0));
    assert_eq!(eye.sees(&user, watch).expect("held").origin, Origin::From(place(&user, handle)));
    let debug = user.call_for_cap(handle, process_handle::INTERFACE_ID, process_handle::DEBUG, &Empty);
    let debug = debug.expect("nobody else does");
    assert_eq!(kind(debug), (Kind::Debug, child.id, 0));
    assert_eq!(eye.sees(&user, debug).expect("held").origin, Origin::From(place(&user, handle)));
    let clock = user.hold(Object::Timer(Timer));
    user.set_word(CAPS, TransferSlot::moved(bell).0);
    let made =
        user.one(Sqe { caps_send: 1, caps_recv: 1, ..call_sqe(clock, timer::INTERFACE_ID, timer::ALARM, 0) });
    assert!(made.result >= 0 && made.caps == 1, "{made:?}");
    let alarm = CapId::from_raw(user.word(CAPS));
    assert!(kind(alarm).0 == Kind::Alarm && kind(alarm).1 != 0 && kind(alarm) == kind(alarm));
}

#[test]
fn copies_moves_releases_and_revocations_show() {
    let world = World::new();
    let (eye, a, b) = (Eye::new(&world), world.start("a"), world.start("b"));
    let c = world.start("c");
    let own = a.hold(Object::Timer(Timer));
    assert_eq!(eye.sees(&a, own).expect("held").origin, Origin::Root);
    let copy = give(&a, &b, TransferSlot::copy(own));
    assert_eq!(eye.sees(&b, copy).expect("held").origin, Origin::From(place(&a, own)));
    let second = give(&b, &c, TransferSlot::copy(copy));
    assert_eq!(eye.sees(&c, second).expect("held").origin, Origin::From(place(&b, copy)));
    // A move keeps its origin, and is the origin from where it is now.
    let moved = give(&b, &a, TransferSlot::moved(copy));
    assert_eq!(eye.sees(&b, copy), None);
    assert_eq!(eye.sees(&a, moved).expect("held").origin, Origin::From(place(&a, own)));
    assert_eq!(eye.sees(&c, second).expect("held").origin, Origin::From(place(&a, moved)));
    // What was made from one that goes derives from what that did.
    let third = give(&a, &b, TransferSlot::copy(moved));
    release(&a, moved);
    for (user, cap) in [(&c, second), (&b, third)] {
        assert_eq!(eye.sees(user, cap).expect("held").origin, Origin::From(place(&a, own)));
    }
    let families: BTreeSet<u32> = [(&a, own), (&b, third), (&c, second)]
        .map(|(user, cap)| eye.sees(user, cap).expect("held").family)
        .into();
    assert_eq!(families.len(), 1);
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    assert!(eye.sees(&a, own).is_some());
    assert_eq!((eye.sees(&b, third), eye.sees(&c, second)), (None, None));
}

#[test]
fn those_whose_origin_is_gone_have_a_family() {
    let world = World::new();
    let (eye, a, b) = (Eye::new(&world), world.start("a"), world.start("b"));
    let own = a.hold(Object::Timer(Timer));
    let copies = [0; 2].map(|_| give(&a, &b, TransferSlot::copy(own)));
    release(&a, own);
    let found = copies.map(|cap| eye.sees(&b, cap).expect("held"));
    assert!(found.iter().all(|cap| cap.origin == Origin::Gone && cap.family == found[0].family));
    let stranger = b.hold(Object::Timer(Timer));
    assert_ne!(eye.sees(&b, stranger).expect("held").family, found[0].family);
}

#[test]
fn processes_are_told_with_their_budgets() {
    let world = World::new();
    let eye = Eye::new(&world);
    let limits = Limits { cpu_percent: 20, log_bytes: 8192, priority: 7, ..LIMITS };
    let user = User::of(&world.process_with("user", &limits));
    let made = world.process("made");
    let found = eye.process(user.process().id).expect("there");
    assert_eq!((found.name.as_str(), found.life, found.end), ("user", Life::Runs, End::None));
    assert_eq!((found.priority, found.cpu_percent), (7, 20));
    let account = &user.process().account;
    for (told, resource) in found.budget.iter().zip(Resource::ALL) {
        assert_eq!(
            (told.used, told.limit),
            (account.used(resource), account.limit(resource)),
            "{resource:?}"
        );
    }
    assert_eq!(eye.process(made.id).map(|it| it.life), Some(Life::Made));
    // What is lent to a child counts as used, and as lent.
    let parent = crate::task::create::Payer { account, share: &world.share };
    let name = crate::task::process::Name::new("child").expect("short");
    let elf = super::tiny_elf();
    let binary = kernel_hal::mem::Frames::module(&elf);
    let small =
        Limits { memory_pages: 100, cap_slots: 8, threads: 1, calls_in_flight: 64, log_bytes: 64, ..LIMITS };
    let small = Limits { endpoint_entries: 1, ..small };
    let child =
        crate::task::create::process(&parent, name, &small, &binary, elf.len() as u64).expect("a child");
    let found = eye.process(user.process().id).expect("there");
    assert_eq!((found.memory().lent, found.slots().lent, found.resource(5).lent), (100, 8, 64));
    // What was written to the log is used, until time has passed.
    assert_eq!(eye.process(child.id).expect("there").resource(5).used, 0);
    assert!(child.log.lock().take(0, 10));
    assert!(eye.process(child.id).expect("there").resource(5).used >= 10);
    fake::time::advance(1_000_000_000);
    assert_eq!(eye.process(child.id).expect("there").resource(5).used, 0);
}

#[test]
fn time_used_is_told_up_to_now() {
    let world = World::with_cpus(2);
    let eye = Eye::new(&world);
    let used = || eye.process(eye.user.process().id).expect("there").cpu_ns;
    let idle = || {
        let (all, _) = eye.all::<Processor>(everything(Listing::Processors));
        assert_eq!(all.iter().map(|it| it.number).collect::<Vec<_>>(), [0, 1]);
        [all[0].idle_ns, all[1].idle_ns]
    };
    let (ran, idled) = (used(), idle());
    fake::time::advance(5000);
    assert_eq!(used(), ran + 5000);
    eye.user.run();
    let busy = kernel_hal::cpu::id();
    assert_eq!((idle()[busy], idle()[1 - busy]), (idled[busy], idled[1 - busy] + 5000));
}

#[test]
fn the_end_of_a_process_shows_until_it_is_gone() {
    let world = World::with_cpus(2);
    let eye = Eye::new(&world);
    // It runs on the other processor, which has not heard of it yet.
    fake::cpu::become_cpu(1);
    let other = world.start("other");
    other.run();
    fake::cpu::become_cpu(0);
    end::end_process(other.process(), Status::Killed);
    let id = other.process().id;
    if let Some(found) = eye.process(id) {
        assert_eq!((found.life, found.end), (Life::Ends, End::Killed));
    } else {
        panic!("it is not gone before its processor has let go of it");
    }
    fake::cpu::become_cpu(1);
    (crate::trap::HANDLERS.kick)();
    fake::cpu::become_cpu(0);
    assert_eq!(eye.process(id), None);
}

#[test]
fn threads_are_told_with_what_they_wait_for() {
    let world = World::new();
    let (eye, pair) = (Eye::new(&world), Pair::new(&world, 4));
    let right = eye.sees(&pair.server, pair.right).expect("held");
    let own = eye.thread(&eye.user);
    assert_eq!(
        (own.activity, own.process, own.id),
        (Activity::Runs, eye.user.process().id, eye.user.thread.id)
    );
    assert_eq!((own.called, own.entries), (0, eye.user.thread.shape.sq_entries));
    assert_eq!(eye.thread(&pair.client).activity, Activity::Ready);
    // The way of lone calls, and that of others.
    for way in super::WAYS {
        pair.client.submit(pair.call(b""));
        pair.client.enter(1, way);
        let caller = eye.thread(&pair.client);
        assert_eq!((caller.activity, caller.called, caller.in_flight), (Activity::Waits, right.object, 1));
        let token = pair.receive().token;
        pair.server.one(super::return_sqe(pair.right, token, 0));
        pair.client.run();
        pair.client.pop();
        assert_eq!((eye.thread(&pair.client).called, eye.thread(&pair.client).in_flight), (0, 0));
    }
    pair.server.submit(recv_sqe(pair.right));
    pair.server.poll();
    assert_eq!((eye.thread(&pair.server).called, eye.thread(&pair.server).in_flight), (0, 1));
}

#[test]
fn a_thread_that_was_lent_a_priority_shows_both() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let cap = pair.server.hold(Object::Inspector(Inspector));
    let urgent = world.start_at("urgent", 20);
    let facet = urgent.hold(pair.client.object(pair.facet));
    urgent.submit(Sqe { cap: facet.raw(), ..pair.call(b"") });
    urgent.enter(1, syscall::FOREVER);
    pair.receive();
    // Who looks is the one that was lent it: nobody else runs before it.
    let eye = Eye { user: pair.server, cap };
    let server = eye.thread(&eye.user);
    assert_eq!((server.priority, server.own_priority), (20, 10));
}

#[test]
fn who_is_stopped_by_a_debugger_is_told() {
    let world = World::with_cpus(2);
    let (eye, other) = (Eye::new(&world), world.start("other"));
    assert_eq!(eye.thread(&other).activity, Activity::Ready);
    assert!(other.process().debug.attach());
    stop::ask(&other.thread);
    assert_eq!(eye.thread(&other).activity, Activity::Stopped);
    debug::detach(other.process());
    assert_eq!(eye.thread(&other).activity, Activity::Ready);
}
