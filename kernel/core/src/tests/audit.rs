//! The audit: quiet when all is right, and every kind of disorder shows. Each test puts one thing wrong by hand.

use super::ipc::Pair;
use super::{User, World, call_sqe, recv_sqe};
use crate::audit::census::{self, Kind};
use crate::audit::derivation::{Derivation, Walk};
use crate::audit::{self, Fault};
use crate::cap::Object;
use crate::cap::system_info::SystemInfo;
use crate::cap::timer::Timer;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::task::end;
use crate::task::process::Status;
use crate::task::registry;
use crate::task::thread::Run;
use capos_abi::{CapId, ExceptionCode, syscall};
use capos_mem::Resource;
use capos_schema::system_info as schema;
use capos_schema::{Decode, Empty, Encode, timer};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use std::vec::Vec;

static ON: AtomicBool = AtomicBool::new(true);

/// Whether tests are audited. A test that leaves something half done by hand, as another CPU would, is not.
pub(super) fn from_now_on(on: bool) {
    ON.store(on, Ordering::SeqCst);
}

/// Goes over the books of every process, as tests do after each system call.
pub(super) fn books_are_in_order() {
    let mut cursor = 0;
    while ON.load(Ordering::SeqCst)
        && let Some(process) = registry::at_or_after(cursor)
    {
        let found = audit::look_at(&process);
        assert_eq!(found.wrong().as_str(), "", "{}", process.name.as_str());
        cursor = process.id + 1;
    }
    look_at_nodes_now_and_then();
}

/// How many looks into the books there were.
static LOOKS: AtomicU64 = AtomicU64::new(0);
/// Going over all nodes takes long, so it is done once in so many times. (What goes wrong with them stays wrong.)
const SELDOM: u64 = 32;

fn look_at_nodes_now_and_then() {
    let due = LOOKS.fetch_add(1, Ordering::Relaxed) % SELDOM == SELDOM - 1;
    if due && ON.load(Ordering::SeqCst) {
        nodes_are_in_order();
    }
}

/// Nodes whose capability an earlier test took out of its table by hand, to put something wrong.
static LOST: AtomicU64 = AtomicU64::new(0);

/// What an audit of all capabilities finds.
pub(super) fn derivation() -> Derivation {
    let mut walk = Walk::begin();
    loop {
        if let Some(found) = walk.step() {
            return found;
        }
    }
}

/// A test ends, and all its processes have.
pub(super) fn nothing_is_left() {
    // One that fails, or puts things wrong on purpose, leaves what it leaves.
    if std::thread::panicking() || !ON.load(Ordering::SeqCst) {
        return LOST.store(derivation().alive, Ordering::SeqCst);
    }
    books_are_in_order();
}

/// Every capability has its node and every node its capability.
pub(super) fn nodes_are_in_order() {
    let found = derivation();
    assert_eq!((found.wrong, found.held + LOST.load(Ordering::SeqCst)), (0, found.alive), "{found:?}");
    assert!(found.dead < found.alive.max(1), "{found:?}");
}

/// What is wrong with a user's process.
fn faults(user: &User) -> Vec<Fault> {
    let found = audit::look_at(user.process());
    Fault::ALL.into_iter().filter(|fault| found.has(*fault)).collect()
}

fn disorder() -> (World, Pair) {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    from_now_on(false);
    (world, pair)
}

#[test]
fn what_was_not_refunded_shows() {
    let (_world, pair) = disorder();
    assert_eq!((faults(&pair.client), faults(&pair.server)), (Vec::new(), Vec::new()));
    let account = &pair.client.process().account;
    let forgotten = [
        (Resource::Threads, Fault::Threads),
        (Resource::CapSlots, Fault::Slots),
        (Resource::CallsInFlight, Fault::Calls),
    ];
    for (resource, fault) in forgotten {
        account.charge(resource, 1).expect("it has more");
        assert_eq!(faults(&pair.client), [fault]);
        account.refund(resource, 1);
    }
    let own = account.own(Resource::MemoryPages);
    account.refund(Resource::MemoryPages, own);
    assert_eq!(faults(&pair.client), [Fault::Pages]);
    account.charge(Resource::MemoryPages, own).expect("it had them");
    assert_eq!(faults(&pair.client), []);
}

#[test]
fn what_children_have_is_what_was_lent() {
    let world = World::new();
    let parent = world.start("parent");
    let account = &parent.process().account;
    let own = account.own(Resource::MemoryPages);
    let limits = super::Limits {
        memory_pages: 100,
        threads: 2,
        calls_in_flight: 64,
        cap_slots: 8,
        endpoint_entries: 3,
        ..super::LIMITS
    };
    let elf = super::tiny_elf();
    let name = crate::task::process::Name::new("child").expect("short");
    let share = crate::task::share::Share::machine().expect("memory");
    let payer = crate::task::create::Payer { account, share: &share };
    let child = |binary| {
        crate::task::create::process(&payer, name, &limits, &Frames::module(binary), elf.len() as u64)
    };
    let child = child(&elf).expect("a child");
    assert_eq!((account.lent(Resource::MemoryPages), account.own(Resource::MemoryPages)), (100, own));
    assert_eq!(
        (account.lent(Resource::EndpointEntries), audit::look_at(parent.process()).orphaned_pages),
        (3, 0)
    );
    // Something of the child's outlives it: what it was lent for that comes back last.
    let shared = Frames::zeroed(7, &child.account).expect("memory");
    end::end_process(&child, Status::Killed);
    drop(child);
    let found = audit::look_at(parent.process());
    assert_eq!((found.orphaned_pages, account.own(Resource::MemoryPages)), (7, own));
    drop(shared);
    assert_eq!(account.lent(Resource::MemoryPages), 0);
    assert_eq!(faults(&parent), []);
    // A child that nobody lent anything.
    let stranger = Account::open(account, [1; capos_mem::RESOURCES]).unwrap_or_else(|_| panic!());
    assert!(stranger.is_under(account) && stranger.borrowed(Resource::Threads) == 1);
}

#[test]
fn an_operation_without_a_ticket_shows() {
    let (_world, pair) = disorder();
    let buffers = Buffers::NONE;
    let endpoint = endpoint(&pair);
    for waiting in [
        Waiting::Call(endpoint.clone()),
        Waiting::Message(endpoint.clone()),
        Waiting::Nowhere,
        Waiting::Exit(pair.server.process().clone()),
        Waiting::Join,
    ] {
        let id = pair.client.thread.begin(buffers, waiting).expect("room");
        assert_eq!(faults(&pair.client), [Fault::Ticket]);
        pair.client.thread.end(id);
    }
    assert_eq!(faults(&pair.client), []);
}

#[test]
fn a_sleep_whose_alarm_was_taken_shows() {
    let world = World::new();
    let user = world.start("a");
    let clock = user.hold(Object::Timer(Timer));
    let mut message = [0; 64];
    let len = timer::SleepUntilParams { ns: 1 << 40 }.encode(&mut message).expect("it fits");
    user.put(0, &message[..len]);
    user.submit(call_sqe(clock, timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32));
    user.poll();
    let (found, alarms) = (audit::look_at(user.process()), crate::task::timers::count());
    assert_eq!((found.pending, alarms, faults(&user)), (1, 1, Vec::new()));
    from_now_on(false);
    let gone = crate::task::cpu::here().deadlines.lock().pop_due(u64::MAX);
    assert_eq!(faults(&user), [Fault::Ticket]);
    drop(gone);
}

fn endpoint(pair: &Pair) -> kernel_hal::sync::Ref<crate::ipc::endpoint::Endpoint> {
    let Object::Endpoint(right) = pair.server.object(pair.right) else { panic!("a right") };
    right.endpoint.clone()
}

#[test]
fn a_thread_in_no_place_shows() {
    let (_world, pair) = disorder();
    // It runs, so it is in no queue.
    for run in [Run::Ready, Run::Blocked, Run::Resting, Run::Dead, Run::Running(1)] {
        let before = core::mem::replace(&mut pair.server.thread.state.lock().run, run);
        assert!(faults(&pair.server).contains(&Fault::Place), "{run:?}");
        pair.server.thread.state.lock().run = before;
    }
}

#[test]
fn a_ticket_of_nobody_shows() {
    let (_world, pair) = disorder();
    let endpoint = endpoint(&pair);
    let thread = pair.client.thread.clone();
    let id = thread.begin(Buffers::NONE, Waiting::Join).expect("room");
    thread.end(id);
    endpoint.lock().receivers.push(Ticket { thread: thread.clone(), id });
    assert_eq!(faults(&pair.server), [Fault::Stranger]);
    let ticket = endpoint.withdraw_receiver(&thread, id);
    drop(ticket);
    endpoint.lock().calls.push(Ticket { thread: thread.clone(), id }, 1);
    assert_eq!(faults(&pair.server), [Fault::Stranger]);
    let ticket = endpoint.withdraw_call(&thread, id);
    drop(ticket);
    assert_eq!(faults(&pair.server), []);
}

#[test]
fn a_call_that_nobody_can_answer_shows() {
    let (world, pair) = disorder();
    pair.client.submit(pair.call(b""));
    pair.client.poll();
    assert_eq!(pair.receive().result, 0);
    let found = audit::look_at(pair.server.process());
    assert_eq!((found.calls, found.receives), (1, 0));
    // The right moves on without what was received through it.
    let heir = world.start("heir");
    heir.hold(pair.server.object(pair.right));
    let right = pair.server.process().table.lock().release(pair.right);
    assert_eq!(faults(&heir), [Fault::Abandoned]);
    drop(right);
}

#[test]
fn the_kernels_own_counts_come_back() {
    let kinds = [Kind::Process, Kind::Thread, Kind::Endpoint, Kind::Facet, Kind::Notification];
    let world = World::new();
    let before = kinds.map(census::count);
    let pair = Pair::new(&world, 4);
    let notification = pair.server.call_for_cap(
        CapId::SELF_ENDPOINTS,
        capos_schema::endpoint_factory::INTERFACE_ID,
        capos_schema::endpoint_factory::CREATE_NOTIFICATION,
        &Empty,
    );
    assert!(notification.is_ok());
    let during: Vec<u64> =
        kinds.iter().zip(before).map(|(kind, before)| census::count(*kind) - before).collect();
    assert_eq!(during, [2, 2, 1, 1, 1]);
    let processes = [pair.client.process().clone(), pair.server.process().clone()];
    processes.iter().for_each(|process| end::end_process(process, Status::Killed));
    drop((pair, processes));
    // Who had the processor last is remembered until somebody else has it.
    let other = world.start("other");
    assert_eq!(kinds.map(census::count), [before[0] + 1, before[1] + 1, before[2], before[3], before[4]]);
    drop(other);
}

fn ask<R>(user: &User, system: CapId, method: u16, params: &impl Encode, look: impl FnOnce(R))
where
    R: for<'a> Decode<'a>,
{
    look(user.call(system, schema::INTERFACE_ID, method, params).expect("an answer"));
}

#[test]
fn a_holder_of_system_info_can_ask() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let user = &pair.client;
    let system = user.hold(Object::SystemInfo(SystemInfo));
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    ask(user, system, schema::AUDIT, &Empty, |it: schema::AuditResults| {
        assert!(it.endpoints >= 1 && it.facets >= 1 && it.processes >= 2 && it.threads >= 2);
        assert!(it.heap_bytes > 0 && it.alarms == 0);
    });
    let server = pair.server.process();
    let params = schema::AuditProcessParams { cursor: server.id };
    let cqe = user.call_raw(system, schema::INTERFACE_ID, schema::AUDIT_PROCESS, &params, 0);
    let bytes = user.get(super::REPLY, cqe.result as usize);
    let found = schema::AuditProcessResults::decode(&bytes).expect("well-formed");
    assert_eq!(
        (found.id, found.threads, found.slots, found.pending, found.receives),
        (server.id, 1, 4, 1, 1)
    );
    assert_eq!((found.own_entries, found.lent_pages, found.wrong), (4, 0, ""));
    assert_eq!(found.own_pages, server.account.used(Resource::MemoryPages));
    assert_eq!(found.mapped_pages, server.space.mapped_pages());
    let slot = pair.right.index();
    ask(
        user,
        system,
        schema::CAPABILITY,
        &schema::CapabilityParams { process: server.id, slot },
        |it: schema::CapabilityResults| {
            assert_eq!(
                it,
                schema::CapabilityResults { slot, interface: capos_schema::endpoint::INTERFACE_ID }
            );
        },
    );
    for (method, params) in [
        (schema::CAPABILITY, (server.id, slot + 1)),
        (schema::CAPABILITY, (server.id, u32::MAX)),
        (schema::CAPABILITY, (u64::MAX, 0)),
    ] {
        let params = schema::CapabilityParams { process: params.0, slot: params.1 };
        let cqe = user.call_raw(system, schema::INTERFACE_ID, method, &params, 0);
        assert_eq!(ExceptionCode::from_code(cqe.method), ExceptionCode::NotFound);
    }
}
