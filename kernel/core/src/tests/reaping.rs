//! What ended had much: it comes back in slices, and others run in between.

use super::{User, World, call_sqe, here, recv_sqe};
use crate::cap::Object;
use crate::cap::memory_object::MemoryObject;
use crate::cap::process_handle::ProcessHandle;
use crate::ipc::endpoint::Endpoint;
use crate::task::process::Status;
use crate::task::reap::SLICE;
use crate::task::thread::Run;
use crate::task::{create, end, registry};
use crate::trap::HANDLERS;
use capos_abi::{CapId, RingShape, layout, syscall};
use capos_mem::Resource;
use capos_schema::process_handle;
use core::sync::atomic::Ordering;
use kernel_hal::mem::Frames;
use kernel_hal::{Protection, fake, time};
use std::vec::Vec;

/// Time passes until the timer goes off.
pub(super) fn next_slice() {
    let armed = here().armed.load(Ordering::Relaxed);
    assert!(armed < u64::MAX, "nobody would go on");
    fake::time::advance(armed.saturating_sub(time::now_ns()));
    (HANDLERS.timer)();
}

/// All slices that are left for this processor.
fn all_slices() {
    while !here().dying.is_empty() {
        next_slice();
    }
}

/// What is still charged to a process, of everything, and what its address space consists of.
fn left(user: &User) -> u64 {
    let charged: u64 = Resource::ALL.into_iter().map(|it| user.process().account.own(it)).sum();
    charged + user.process().space.regions()
}

/// A process with a lot of everything: capabilities, memory of its own and shared, threads, pending operations.
fn rich(world: &World) -> User {
    let limits = super::Limits {
        memory_pages: 60_000,
        cap_slots: 2000,
        threads: 300,
        calls_in_flight: 60_000,
        ..super::LIMITS
    };
    let user = User::of(&world.process_with("rich", &limits));
    let process = user.process();
    for _ in 0..500 {
        let frames = Frames::zeroed(1, &process.account).expect("memory");
        user.hold(Object::MemoryObject(MemoryObject::new(frames)));
    }
    let at = process.space.reserve(10_000).expect("room");
    process.space.commit(at, 10_000, Protection::ReadWrite).expect("memory");
    let right = Endpoint::create(60, &process.account).unwrap_or_else(|_| panic!("memory"));
    let right = user.hold(Object::Endpoint(right));
    (0..50).for_each(|_| user.submit(recv_sqe(right)));
    user.poll();
    add_threads(&user, 250);
    user
}

/// Gives a process that many more threads.
fn add_threads(user: &User, count: usize) {
    let shape = RingShape { sq_entries: 8, cq_entries: 16, arena_pages: 8 };
    for _ in 0..count {
        let new = create::NewThread {
            entry: layout::IMAGE_BASE,
            stack: layout::STACK_TOP,
            argument: 0,
            fs_base: 0,
            shape,
            priority: 10,
            startup: &[],
        };
        create::run(&create::thread(user.process(), &new).expect("a thread"));
    }
}

#[test]
fn so_many_threads_are_taken_back_at_once_and_fewer_where_there_are_many() {
    // The more there are, the longer are the lists in which each is looked for.
    for threads in [40, 1500] {
        let world = World::new();
        let limits =
            super::Limits { memory_pages: 60_000, threads: 2000, calls_in_flight: 60_000, ..super::LIMITS };
        let victim = User::of(&world.process_with("many", &limits));
        add_threads(&victim, threads);
        let left = || victim.process().threads.lock().list.len();
        let slice = |work: fn(&User)| {
            let had = left();
            work(&victim);
            // The one with which the units are used up is finished.
            let at_once = u64::from(SLICE) / (4 + left() as u64 / 128) + 1;
            let taken = (had - left()) as u64;
            assert!((1..=at_once).contains(&taken), "{taken} of {had}");
        };
        slice(|victim| {
            end::end_process(victim.process(), Status::Killed);
            (HANDLERS.kick)();
        });
        while left() > 0 {
            slice(|_| next_slice());
        }
        all_slices();
    }
}

#[test]
fn who_is_killed_stops_at_once_and_what_it_had_comes_back_in_slices() {
    let world = World::new();
    let killer = world.start("killer");
    let before = (world.machine.left(Resource::MemoryPages), kernel_hal::mem::free_pages());
    let victim = rich(&world);
    let process = victim.process().clone();
    let handle = ProcessHandle::new(process.clone()).expect("memory");
    let handle: CapId = killer.hold(Object::ProcessHandle(handle));
    killer.submit(call_sqe(handle, process_handle::INTERFACE_ID, process_handle::KILL, 0));
    killer.enter(1, syscall::FOREVER);
    assert!(process.threads.lock().list.iter().all(|thread| thread.is_dead()));
    assert!(!process.exit.lock().done && killer.is_blocked());
    let mut slices = 0;
    while !process.exit.lock().done {
        let (had, threads) = (left(&victim), registry::threads());
        next_slice();
        super::audit::books_are_in_order();
        // A unit is worth one entry, one thread's operations, or so many pages.
        assert!(process.exit.lock().done || left(&victim) < had, "goes on");
        assert!(threads - registry::threads() <= u64::from(SLICE));
        slices += 1;
    }
    // 500 capabilities and 250 threads, each behind thousands of regions: every page is one here.
    assert!((8..200).contains(&slices), "{slices}");
    while killer.is_blocked() {
        next_slice();
    }
    killer.run();
    assert_eq!(killer.pop().result, 0);
    drop(victim);
    drop(killer.process().release(handle));
    drop(process);
    assert_eq!((world.machine.left(Resource::MemoryPages), kernel_hal::mem::free_pages()), before);
}

#[test]
fn others_run_between_two_slices() {
    let world = World::new();
    let other = world.start("other");
    let victim = rich(&world);
    let process = victim.process().clone();
    end::end_process(&process, Status::Killed);
    (HANDLERS.kick)();
    while !process.exit.lock().done {
        assert_eq!(other.thread.state.lock().run, Run::Running(0));
        other.poll();
        // A system call does nothing of it.
        let had = left(&victim);
        other.poll();
        assert_eq!(left(&victim), had);
        next_slice();
    }
}

#[test]
fn who_ends_elsewhere_meanwhile_is_taken_back_too() {
    let world = World::with_cpus(2);
    let victim = rich(&world);
    let process = victim.process().clone();
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    let elsewhere =
        process.threads.lock().list.iter().find(|it| it.state.lock().run == Run::Running(1)).cloned();
    let elsewhere = elsewhere.expect("one of them runs there");
    fake::cpu::become_cpu(0);
    end::end_process(&process, Status::Killed);
    assert!(!elsewhere.is_dead());
    all_slices();
    assert!(!process.exit.lock().done, "not while one runs");
    assert_eq!(process.threads.lock().list.len(), 1);
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    assert!(elsewhere.is_dead());
    all_slices();
    assert!(process.exit.lock().done);
}

/// A process with some slices' worth of capabilities.
fn heavy(world: &World) -> User {
    let limits = super::Limits { cap_slots: 2000, ..super::LIMITS };
    let user = User::of(&world.process_with("heavy", &limits));
    for _ in 0..500 {
        let frames = Frames::zeroed(1, &user.process().account).expect("memory");
        user.hold(Object::MemoryObject(MemoryObject::new(frames)));
    }
    user
}

#[test]
fn who_ended_first_is_done_with_first_however_much_ends_behind_it() {
    let world = World::new();
    let users: Vec<User> = (0..3).map(|_| heavy(&world)).collect();
    for user in &users {
        end::end_process(user.process(), Status::Killed);
        assert!(!user.process().exit.lock().done);
    }
    let mut told = Vec::new();
    while told.len() < users.len() {
        next_slice();
        for (n, user) in users.iter().enumerate() {
            if user.process().exit.lock().done && !told.contains(&n) {
                told.push(n);
            }
        }
    }
    assert_eq!(told, [0, 1, 2]);
    assert!(here().dying.is_empty());
}
