//! Fail the nth allocation, for every n: each operation either succeeds or changes nothing, and never panics.

use super::{CAPS, MSG, User, World, call_sqe, recv_sqe, return_sqe, tiny_elf};
use crate::cap::Object;
use crate::cap::memory_object::MemoryObject;
use crate::cap::process_spawner::ProcessSpawner;
use crate::ipc::endpoint::Endpoint;
use capos_abi::{CapId, Cqe, Sqe, TransferSlot};
use capos_mem::Resource;
use capos_schema::virtual_memory as vm;
use capos_schema::{
    Empty, Encode, endpoint, endpoint_factory, notification, process_handle, process_spawner, thread_control,
    timer,
};
use kernel_hal::fake::{fail_nth_allocation, never_fail};
use kernel_hal::mem::Frames;
use std::vec::Vec;

/// Everything that must be as before when an operation fails.
#[derive(PartialEq, Eq, Debug)]
struct Snapshot {
    used: [u64; capos_mem::RESOURCES],
    slots: usize,
    processes: usize,
    threads: u64,
}

fn snapshot(user: &User) -> Snapshot {
    let process = user.process();
    Snapshot {
        used: Resource::ALL.map(|it| process.account.used(it)),
        slots: process.table.lock().len(),
        processes: crate::task::registry::processes(),
        threads: crate::task::registry::threads(),
    }
}

/// Runs `operation` with the 0th, 1st, 2nd... allocation failing until it runs through without a failure. `prepare` makes what
/// one run needs.
fn exhaust(prepare: impl Fn(&World) -> User, operation: impl Fn(&User) -> Cqe) -> u64 {
    for n in 0..200 {
        let world = World::new();
        let user = prepare(&world);
        let before = snapshot(&user);
        fail_nth_allocation(n);
        let cqe = operation(&user);
        let pending = never_fail();
        if pending {
            assert!(cqe.result >= 0 && cqe.flags == 0, "without a failure it works: {cqe:?}");
            return n;
        }
        let failed = cqe.result < 0 || cqe.flags != 0;
        if failed {
            assert_eq!(snapshot(&user), before, "allocation {n}: {cqe:?}");
        }
        drop(user);
        drop(world);
    }
    panic!("more than 200 allocations");
}

fn call(user: &User, cap: CapId, interface: u64, method: u16, params: &impl Encode, sqe: Sqe) -> Cqe {
    let mut message = [0; 512];
    let len = params.encode(&mut message).expect("it fits");
    user.put(MSG, &message[..len]);
    user.one(Sqe {
        caps_send: sqe.caps_send,
        caps_recv: sqe.caps_recv,
        ..call_sqe(cap, interface, method, len as u32)
    })
}

#[test]
fn creating_a_notification_and_a_signaller() {
    let receive = Sqe { caps_recv: 1, ..Sqe::default() };
    let create = |user: &User| {
        let target = (CapId::SELF_ENDPOINTS, endpoint_factory::INTERFACE_ID);
        call(user, target.0, target.1, endpoint_factory::CREATE_NOTIFICATION, &Empty, receive)
    };
    assert!(exhaust(|world| world.start("a"), create) >= 3);
    let prepare = |world: &World| {
        let user = world.start("a");
        assert_eq!(create(&user).caps, 1);
        user
    };
    exhaust(prepare, |user| {
        let event = CapId::from_raw(user.word(CAPS));
        let params = notification::MintParams { bits: 1, lost: 0 };
        call(user, event, notification::INTERFACE_ID, notification::MINT, &params, receive)
    });
}

#[test]
fn creating_an_endpoint() {
    let allocations = exhaust(
        |world| world.start("a"),
        |user| {
            let params = endpoint_factory::CreateParams { depth: 8 };
            let sqe = Sqe { caps_recv: 1, ..Sqe::default() };
            call(
                user,
                CapId::SELF_ENDPOINTS,
                endpoint_factory::INTERFACE_ID,
                endpoint_factory::CREATE,
                &params,
                sqe,
            )
        },
    );
    assert!(allocations >= 2, "the test must reach allocations");
}

#[test]
fn minting_a_facet() {
    let prepare = |world: &World| {
        let user = world.start("a");
        let params = endpoint_factory::CreateParams { depth: 8 };
        user.call_for_cap(
            CapId::SELF_ENDPOINTS,
            endpoint_factory::INTERFACE_ID,
            endpoint_factory::CREATE,
            &params,
        )
        .expect("an endpoint");
        user
    };
    let allocations = exhaust(prepare, |user| {
        let right = CapId::from_raw(user.word(CAPS));
        let params = endpoint::MintParams { badge: 1, interface: 7 };
        let sqe = Sqe { caps_recv: 1, ..Sqe::default() };
        call(user, right, endpoint::INTERFACE_ID, endpoint::MINT, &params, sqe)
    });
    assert!(allocations >= 2);
}

#[test]
fn creating_a_memory_object_and_committing() {
    let allocations = exhaust(
        |world| world.start("a"),
        |user| {
            let params = vm::CreateObjectParams { size: 8192 };
            let sqe = Sqe { caps_recv: 1, ..Sqe::default() };
            call(user, CapId::SELF_MEMORY, vm::INTERFACE_ID, vm::CREATE_OBJECT, &params, sqe)
        },
    );
    assert!(allocations >= 2);
}

#[test]
fn creating_a_thread() {
    let allocations = exhaust(
        |world| world.start("a"),
        |user| {
            let params = thread_control::CreateParams {
                entry: 0x40_0000,
                stack: 0x50_0000,
                argument: 0,
                fs_base: 0,
                sq_entries: 8,
                cq_entries: 16,
                arena_pages: 1,
                priority: 1,
            };
            let sqe = Sqe::default();
            call(
                user,
                CapId::SELF_THREADS,
                thread_control::INTERFACE_ID,
                thread_control::CREATE,
                &params,
                sqe,
            )
        },
    );
    assert!(allocations >= 4);
}

#[test]
fn spawning_a_process() {
    let prepare = |world: &World| {
        let user = world.start("a");
        user.hold(Object::ProcessSpawner(ProcessSpawner));
        let elf = Frames::module(&tiny_elf());
        let binary = user.hold(Object::MemoryObject(MemoryObject::read_only_of(elf)));
        user.set_word(CAPS, binary.raw());
        user
    };
    let allocations = exhaust(prepare, |user| {
        let params = process_spawner::CreateParams {
            size: super::TINY_ELF as u64,
            memory_pages: 100,
            cap_slots: 16,
            threads: 1,
            calls_in_flight: 64,
            endpoint_entries: 0,
            log_bytes: 0,
            priority: 1,
            cpu_percent: 0,
            name: "child",
        };
        let sqe = Sqe { caps_send: 1, caps_recv: 1, ..Sqe::default() };
        call(user, CapId::granted(0), process_spawner::INTERFACE_ID, process_spawner::CREATE, &params, sqe)
    });
    assert!(allocations >= 5);
}

#[test]
fn starting_a_process() {
    let prepare = |world: &World| {
        let user = world.start("a");
        let child = world.process("child");
        let handle =
            crate::cap::process_handle::ProcessHandle::new(child).unwrap_or_else(|_| panic!("memory"));
        user.hold(Object::ProcessHandle(handle));
        user
    };
    let allocations = exhaust(prepare, |user| {
        let params = process_handle::StartParams { startup: b"x" };
        let handle = CapId::granted(0);
        call(user, handle, process_handle::INTERFACE_ID, process_handle::START, &params, Sqe::default())
    });
    assert!(allocations >= 5);
}

#[test]
fn sleeping() {
    let prepare = |world: &World| {
        let user = world.start("a");
        user.hold(Object::Timer(crate::cap::timer::Timer));
        user
    };
    for n in 0..4 {
        let world = World::new();
        let user = prepare(&world);
        let mut message = [0; 64];
        let len = timer::SleepUntilParams { ns: 1 << 40 }.encode(&mut message).expect("it fits");
        user.put(MSG, &message[..len]);
        user.submit(call_sqe(CapId::granted(0), timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32));
        fail_nth_allocation(n);
        user.poll();
        never_fail();
        if let Some(cqe) = user.ring.pop() {
            assert_eq!(
                capos_abi::ExceptionCode::from_code(cqe.method),
                capos_abi::ExceptionCode::OutOfMemory
            );
        }
    }
}

#[test]
fn delivering_a_call_with_capabilities() {
    for n in 0..20 {
        let world = World::new();
        let server = world.start("server");
        let client = world.start("client");
        let right = Endpoint::create(4, &server.process().account).unwrap_or_else(|_| panic!());
        let facet = Endpoint::mint(&right.endpoint, 1, 7).unwrap_or_else(|_| panic!());
        let right = server.hold(Object::Endpoint(right));
        let facet = client.hold(Object::Client(facet));
        let timers: Vec<CapId> =
            (0..2).map(|_| client.hold(Object::Timer(crate::cap::timer::Timer))).collect();
        client.set_word(CAPS, TransferSlot::moved(timers[0]).0);
        client.set_word(CAPS + 8, TransferSlot::copy(timers[1]).0);
        server.submit(recv_sqe(right));
        server.poll();
        let before = (client.process().table.lock().len(), server.process().table.lock().len());
        client.submit(Sqe { caps_send: 2, ..call_sqe(facet, 7, 1, 8) });
        fail_nth_allocation(n);
        client.poll();
        let pending = never_fail();
        let after = (client.process().table.lock().len(), server.process().table.lock().len());
        server.poll();
        let delivered = server.ring.pop().filter(|cqe| cqe.result >= 0);
        match delivered {
            Some(cqe) => {
                assert_eq!(after, (before.0 - 1, before.1 + 2));
                assert_eq!(server.one(return_sqe(right, cqe.token, 0)).result, 0);
            }
            None => assert_eq!(after, before, "allocation {n}"),
        }
        if pending {
            assert!(delivered.is_some());
            return;
        }
    }
    panic!("more than 20 allocations");
}
