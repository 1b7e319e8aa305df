//! Processes and threads: how they start, end and leave nothing behind.

use super::{CAPS, LIMITS, MSG, User, World, call_sqe, error, here, on_kick, tiny_elf};
use crate::cap::Object;
use crate::cap::memory_object::MemoryObject;
use crate::cap::process_handle::ProcessHandle;
use crate::cap::process_spawner::ProcessSpawner;
use crate::task::create::{self, CreateError, Limits, NewThread};
use crate::task::process::{Name, Status};
use crate::task::reap::SLICE;
use crate::task::thread::Run;
use crate::task::{end, registry};
use crate::trap::{self, HANDLERS};
use capos_abi::ring::header;
use capos_abi::{CapId, ExceptionCode, RingShape, Sqe, TransferSlot, TransportError, layout, syscall};
use capos_mem::Resource;
use capos_schema::process_handle::{self, ExitReason, WaitResults};
use capos_schema::{Empty, boot_package, memory_object, process_spawner, process_watch, virtual_memory};
use core::sync::atomic::Ordering;
use kernel_hal::mem::Frames;
use kernel_hal::{Fault, cpu as machine, fake};
use std::vec::Vec;

fn params(name: &str) -> process_spawner::CreateParams<'_> {
    process_spawner::CreateParams {
        size: tiny_elf().len() as u64,
        memory_pages: 100,
        cap_slots: 16,
        threads: 2,
        calls_in_flight: 128,
        endpoint_entries: 0,
        log_bytes: 0,
        dma_pages: 0,
        vectors: 0,
        priority: 5,
        cpu_percent: 0,
        name,
    }
}

/// Has `parent` make a process of the tiny program through its spawner.
fn spawn(parent: &User, params: &process_spawner::CreateParams<'_>) -> Result<CapId, capos_abi::Cqe> {
    let spawner = parent.hold(Object::ProcessSpawner(ProcessSpawner));
    let elf = Frames::module(&tiny_elf());
    let binary =
        parent.hold(Object::MemoryObject(crate::cap::memory_object::MemoryObject::read_only_of(elf)));
    let mut message = [0; 256];
    let len = capos_schema::Encode::encode(params, &mut message).expect("it fits");
    parent.put(super::MSG, &message[..len]);
    parent.set_word(super::CAPS, binary.raw());
    let sqe = super::call_sqe(spawner, process_spawner::INTERFACE_ID, process_spawner::CREATE, len as u32);
    let cqe = parent.one(Sqe { caps_send: 1, caps_recv: 1, ..sqe });
    if cqe.result < 0 || cqe.flags != 0 { Err(cqe) } else { Ok(CapId::from_raw(parent.word(super::CAPS))) }
}

fn handle_call<R: for<'a> capos_schema::Decode<'a>>(
    user: &User,
    handle: CapId,
    method: u16,
) -> Result<R, capos_abi::Cqe> {
    user.call(handle, process_handle::INTERFACE_ID, method, &Empty)
}

#[test]
fn a_child_runs_exits_and_is_waited_for() {
    let world = World::new();
    let parent = world.start("parent");
    let child = spawn(&parent, &params("child")).expect("a child");
    let start = process_handle::StartParams { startup: b"hello" };
    parent
        .call::<Empty>(child, process_handle::INTERFACE_ID, process_handle::START, &start)
        .expect("it starts");
    let process = registry::at_or_after(parent.process().id + 1).expect("the child");
    let thread = process.threads.lock().list[0].clone();
    let user = User::playing(thread);
    assert_eq!(user.get(0, 5), b"hello");
    let (begin, _) = user.thread.context.start();
    assert_eq!((begin.entry, begin.args), (layout::IMAGE_BASE, [user.thread.ring_address, 5, 0]));
    // The parent waits, so the child gets the CPU.
    let wait = super::call_sqe(child, process_handle::INTERFACE_ID, process_handle::WAIT, 0);
    parent.submit(wait);
    parent.enter(1, syscall::FOREVER);
    user.run();
    (HANDLERS.syscall)(7, 0, syscall::EXIT);
    parent.run();
    let cqe = parent.pop();
    let status =
        <WaitResults as capos_schema::Decode>::decode(&parent.get(super::REPLY, cqe.result as usize));
    assert_eq!(status, Ok(WaitResults { reason: ExitReason::Exited, code: 7 }));
    drop(user);
    drop(process);
    assert!(registry::at_or_after(parent.process().id + 1).is_none());
}

#[test]
fn a_kill_is_immediate_and_gives_everything_back() {
    let world = World::new();
    let parent = world.start("parent");
    let account = parent.process().account.clone();
    let mut before = capos_mem::Resource::ALL.map(|it| account.used(it));
    // `spawn` leaves the parent the spawner and the binary.
    before[1] += 2;
    let free = kernel_hal::mem::free_pages();
    let child = spawn(&parent, &params("child")).expect("a child");
    assert!(account.used(Resource::MemoryPages) >= before[0] + 100);
    let start = process_handle::StartParams { startup: b"" };
    parent
        .call::<Empty>(child, process_handle::INTERFACE_ID, process_handle::START, &start)
        .expect("it starts");
    handle_call::<Empty>(&parent, child, process_handle::KILL).expect("killed");
    let status = handle_call::<WaitResults>(&parent, child, process_handle::WAIT);
    assert_eq!(status.ok(), Some(WaitResults { reason: ExitReason::Killed, code: 0 }));
    let held = parent.process().release(child);
    drop(held);
    (HANDLERS.kick)();
    assert_eq!(capos_mem::Resource::ALL.map(|it| account.used(it)), before);
    // The parent's own test objects (binary) stay.
    assert!(kernel_hal::mem::free_pages() + 4 >= free);
}

#[test]
fn a_process_that_nobody_can_start_any_more_ends() {
    let world = World::new();
    let parent = world.start("parent");
    let child = spawn(&parent, &params("child")).expect("a child");
    assert!(registry::at_or_after(parent.process().id + 1).is_some());
    let handle = parent.process().release(child);
    drop(handle);
    assert!(registry::at_or_after(parent.process().id + 1).is_none());
}

#[test]
fn spawning_checks_name_priority_and_budget() {
    let world = World::new();
    let parent = world.start("parent");
    let refused = |params: &process_spawner::CreateParams<'_>| {
        let cqe = spawn(&parent, params).expect_err("refused");
        ExceptionCode::from_code(cqe.method)
    };
    assert_eq!(refused(&params("")), ExceptionCode::InvalidArgument);
    assert_eq!(refused(&params("a name that is longer than 31 bytes")), ExceptionCode::InvalidArgument);
    assert_eq!(
        refused(&process_spawner::CreateParams { priority: 11, ..params("a") }),
        ExceptionCode::Denied
    );
    let rich = process_spawner::CreateParams { memory_pages: 5000, ..params("a") };
    assert_eq!(refused(&rich), ExceptionCode::BudgetExhausted);
    let no_slots = process_spawner::CreateParams { cap_slots: 2, ..params("a") };
    assert_eq!(refused(&no_slots), ExceptionCode::BudgetExhausted);
    assert_eq!(
        refused(&process_spawner::CreateParams { size: 1 << 40, ..params("a") }),
        ExceptionCode::Malformed
    );
    assert_eq!(registry::processes(), 1);
}

#[test]
fn a_started_process_takes_no_more_grants_and_starts_once() {
    let world = World::new();
    let parent = world.start("parent");
    let child = spawn(&parent, &params("child")).expect("a child");
    let timer = parent.hold(Object::Timer(crate::cap::timer::Timer));
    let grant = |id: CapId| {
        parent.set_word(super::CAPS, id.raw());
        let sqe = super::call_sqe(child, process_handle::INTERFACE_ID, process_handle::GRANT, 0);
        parent.one(Sqe { caps_send: 1, ..sqe })
    };
    assert_eq!(error(&grant(CapId::SELF_MEMORY)), Some(TransportError::NotTransferable));
    let first = grant(timer);
    assert!(first.result >= 0 && first.flags == 0, "{first:?}");
    let process = registry::at_or_after(parent.process().id + 1).expect("the child");
    let granted = process.table.lock().lookup(CapId::granted(0)).map(|entry| entry.interface);
    assert_eq!(granted, Ok(capos_schema::timer::INTERFACE_ID));
    let start = process_handle::StartParams { startup: b"" };
    parent
        .call::<Empty>(child, process_handle::INTERFACE_ID, process_handle::START, &start)
        .expect("it starts");
    let again = parent.call::<Empty>(child, process_handle::INTERFACE_ID, process_handle::START, &start);
    assert_eq!(again.expect_err("once").method, ExceptionCode::WrongState.code());
    assert_eq!(grant(timer).method, ExceptionCode::WrongState.code());
}

#[test]
fn of_two_faults_the_first_is_told() {
    let world = World::new();
    let victim = world.start("victim");
    // Its threads run on two processors.
    for address in [1, 2] {
        trap::leave_record(&victim.thread, Fault { vector: 14, error_code: 6, address });
    }
    let crash = victim.process().exit.lock().crash.expect("a record");
    assert_eq!(crash.fault.address, 1);
}

#[test]
fn a_fault_ends_the_process_and_leaves_a_record() {
    let world = World::new();
    let victim = world.start("victim");
    let bystander = world.start("bystander");
    let process = victim.process().clone();
    victim.run();
    (HANDLERS.fault)(Fault { vector: 14, error_code: 6, address: 0x1234 });
    assert_eq!(process.exit.lock().status, Some(Status::Faulted(14)));
    let crash = process.exit.lock().crash.expect("a record");
    assert_eq!((crash.fault.address, crash.registers.rip), (0x1234, layout::IMAGE_BASE));
    assert!(victim.thread.is_dead());
    bystander.run();
    let handle = crate::cap::process_handle::ProcessHandle::new(process).unwrap_or_else(|_| panic!("memory"));
    let id = bystander.hold(Object::ProcessHandle(handle));
    let cqe = bystander.call_raw(id, process_handle::INTERFACE_ID, process_handle::CRASH, &Empty, 0);
    assert!(cqe.result > 0, "{cqe:?}");
}

#[test]
fn killing_a_thread_on_another_cpu_stops_it_there() {
    let world = World::with_cpus(2);
    let killer = world.start("killer");
    let victim = world.start("victim");
    // The second CPU was idle and took the second process.
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    assert_eq!(victim.thread.state.lock().run, Run::Running(1));
    fake::cpu::become_cpu(0);
    fake::cpu::take_kicks();
    end::end_process(victim.process(), Status::Killed);
    assert_eq!(fake::cpu::take_kicks(), 2);
    assert!(!victim.thread.is_dead());
    fake::cpu::become_cpu(1);
    (HANDLERS.kick)();
    assert!(victim.thread.is_dead());
    assert!(kernel_hal::user::is_idle(1));
    assert!(victim.process().exit.lock().done);
    fake::cpu::become_cpu(0);
    killer.run();
}

/// A thread of the tiny program, of that shape and priority.
pub(super) fn new_thread(shape: RingShape, priority: u8) -> NewThread<'static> {
    NewThread {
        entry: layout::IMAGE_BASE,
        stack: layout::STACK_TOP,
        argument: 0,
        fs_base: 0,
        shape,
        priority,
        startup: &[],
    }
}

/// A process with a thread on each of the other processors, and one on this that is not of it.
pub(super) fn crew(world: &World, cpus: usize) -> (User, Vec<User>) {
    let killer = world.start("killer");
    let process = world.process("crew");
    process.threads.lock().started = true;
    let shape = RingShape { sq_entries: 8, cq_entries: 16, arena_pages: 8 };
    let crew = (1..cpus).map(|cpu| {
        let thread =
            create::thread(&process, &new_thread(shape, 10)).unwrap_or_else(|error| panic!("{error:?}"));
        fake::cpu::become_cpu(cpu);
        create::run(&thread);
        (HANDLERS.kick)();
        assert_eq!(thread.state.lock().run, Run::Running(cpu));
        User::playing(thread)
    });
    let crew = crew.collect();
    fake::cpu::become_cpu(0);
    (killer, crew)
}

#[test]
fn threads_that_leave_while_others_are_being_stopped_hide_nobody() {
    let world = World::with_cpus(6);
    let (_killer, crew) = crew(&world, 6);
    fake::cpu::answer_kicks(HANDLERS.kick);
    end::end_process(crew[0].process(), Status::Killed);
    assert_eq!(fake::cpu::take_kicks(), 0b11_1110);
    assert!(crew.iter().all(|user| user.thread.is_dead()));
    assert!(crew[0].process().exit.lock().done);
}

#[test]
fn a_thread_that_is_to_end_neither_sleeps_nor_waits_in_a_queue_first() {
    let world = World::with_cpus(3);
    let (_killer, crew) = crew(&world, 3);
    // Another thread becomes ready on the second CPU; the first victim goes to sleep, the second is to make room for it.
    let waiting = create::first_thread(&world.process("waiting"), &[]).expect("a thread");
    end::end_process(crew[0].process(), Status::Killed);
    fake::cpu::become_cpu(1);
    (HANDLERS.syscall)(1, syscall::FOREVER, syscall::CAP_ENTER);
    assert!(crew[0].thread.is_dead(), "it does not come back to find nothing done");
    fake::cpu::become_cpu(2);
    create::run(&waiting);
    crate::task::schedule::ask_for_rotation();
    crate::task::schedule::settle(crate::task::cpu::here());
    assert!(crew[1].thread.is_dead());
    assert!(crew[0].process().exit.lock().done);
}

#[test]
fn who_faults_while_the_process_ends_does_not_come_back() {
    let world = World::with_cpus(2);
    let (_killer, crew) = crew(&world, 2);
    let victim = &crew[0];
    // As a killer does that has come this far and no further.
    victim.process().exit.lock().status = Some(Status::Killed);
    fake::cpu::become_cpu(1);
    (HANDLERS.fault)(Fault { vector: 14, error_code: 0, address: 0 });
    assert!(victim.thread.is_dead());
    assert!(victim.process().exit.lock().done);
    // The killer goes on, and finds that there is nothing left to take back.
    assert!(!victim.process().threads.lock().begin_to_reap());
}

#[test]
fn threads_share_the_process_and_can_be_joined() {
    let world = World::new();
    let user = world.start("a");
    let new = NewThread {
        entry: layout::IMAGE_BASE,
        stack: layout::STACK_TOP,
        argument: 9,
        fs_base: 0,
        shape: RingShape { sq_entries: 8, cq_entries: 16, arena_pages: 8 },
        priority: 10,
        startup: &[],
    };
    let second = create::thread(user.process(), &new).unwrap_or_else(|error| panic!("{error:?}"));
    create::run(&second);
    (HANDLERS.kick)();
    let second = User::playing(second);
    let join = capos_schema::thread_control::JoinParams { thread: second.thread.id };
    let mut message = [0; 64];
    let len = capos_schema::Encode::encode(&join, &mut message).expect("it fits");
    user.put(super::MSG, &message[..len]);
    use capos_schema::thread_control as tc;
    user.submit(super::call_sqe(CapId::SELF_THREADS, tc::INTERFACE_ID, tc::JOIN, len as u32));
    user.enter(1, syscall::FOREVER);
    assert!(user.is_blocked());
    second.submit(super::call_sqe(CapId::SELF_THREADS, tc::INTERFACE_ID, tc::EXIT, 0));
    second.poll();
    assert!(second.thread.is_dead(), "{:?}", second.ring.pop());
    user.run();
    assert_eq!(user.pop().result, 0);
    assert_eq!(user.process().account.used(Resource::Threads), 1);
}

#[test]
fn equal_priorities_take_turns_and_higher_ones_go_first() {
    let world = World::new();
    let low = world.start("low");
    let peer = world.start("peer");
    low.run();
    here().slice_end.store(0, core::sync::atomic::Ordering::Relaxed);
    (HANDLERS.timer)();
    assert_eq!(peer.thread.state.lock().run, Run::Running(0));
    let limits = Limits { priority: 20, ..LIMITS };
    let high = User::of(&world.process_with("high", &limits));
    assert_eq!(high.thread.state.lock().run, Run::Running(0));
    assert_eq!(peer.thread.state.lock().run, Run::Ready);
    high.enter(1, syscall::FOREVER);
    assert!(high.is_blocked());
    assert_eq!(machine::id(), 0);
}

#[test]
fn thread_budget_is_enforced() {
    let world = World::new();
    let user = world.start("a");
    let new = NewThread {
        entry: layout::IMAGE_BASE,
        stack: layout::STACK_TOP,
        argument: 0,
        fs_base: 0,
        shape: RingShape::DEFAULT,
        priority: 10,
        startup: &[],
    };
    let made = (0..20).filter(|_| create::thread(user.process(), &new).is_ok()).count();
    assert_eq!(made, 7);
    assert_eq!(create::thread(user.process(), &new).err(), Some(CreateError::BudgetExhausted));
    assert_eq!(user.process().account.used(Resource::Threads), 8);
}

#[test]
fn names_are_short_and_not_empty() {
    assert!(Name::new("").is_none());
    assert!(Name::new(&"x".repeat(32)).is_none());
    assert_eq!(Name::new("shell").map(|name| name.as_str().len()), Some(5));
}

#[test]
fn boot_files_and_memory_objects_answer_through_capabilities() {
    let world = World::new();
    let user = world.start("a");
    let boot = user.hold(Object::BootPackage(crate::cap::boot_package::BootPackage));
    let open = boot_package::OpenParams { name: "no such file" };
    let cqe =
        user.call_for_cap(boot, boot_package::INTERFACE_ID, boot_package::OPEN, &open).expect_err("absent");
    assert_eq!(cqe.method, ExceptionCode::NotFound.code());
    let create = virtual_memory::CreateObjectParams { size: 8192 };
    let object = user
        .call_for_cap(
            CapId::SELF_MEMORY,
            virtual_memory::INTERFACE_ID,
            virtual_memory::CREATE_OBJECT,
            &create,
        )
        .expect("an object");
    let write = memory_object::WriteParams { offset: 4094, data: b"over the edge" };
    user.call::<Empty>(object, memory_object::INTERFACE_ID, memory_object::WRITE, &write).expect("written");
    let read = memory_object::ReadParams { offset: 4094, length: 13 };
    let cqe = user.call_raw(object, memory_object::INTERFACE_ID, memory_object::READ, &read, 0);
    let bytes = user.get(super::REPLY, cqe.result as usize);
    let results = <memory_object::ReadResults<'_> as capos_schema::Decode<'_>>::decode(&bytes).expect("data");
    assert_eq!(results.data, b"over the edge");
    let facet = user
        .call_for_cap(object, memory_object::INTERFACE_ID, memory_object::READ_ONLY, &Empty)
        .expect("a facet");
    let denied = user.call::<Empty>(facet, memory_object::INTERFACE_ID, memory_object::WRITE, &write);
    assert_eq!(denied.expect_err("read-only").method, ExceptionCode::Denied.code());
}

#[test]
fn capability_slots_run_out_with_a_typed_error() {
    let world = World::new();
    let user = world.start("a");
    let create = virtual_memory::CreateObjectParams { size: 4096 };
    let made = (0..40)
        .map(|_| {
            user.call_for_cap(
                CapId::SELF_MEMORY,
                virtual_memory::INTERFACE_ID,
                virtual_memory::CREATE_OBJECT,
                &create,
            )
        })
        .take_while(Result::is_ok)
        .count();
    assert_eq!(made, 32 - 3);
    let cqe = user.call_raw(
        CapId::SELF_MEMORY,
        virtual_memory::INTERFACE_ID,
        virtual_memory::CREATE_OBJECT,
        &create,
        1,
    );
    assert_eq!(error(&cqe), Some(TransportError::BudgetExhausted));
}

#[test]
fn a_process_that_was_never_started_holds_no_handle_of_another() {
    let world = World::new();
    let parent = world.start("parent");
    let handle = |process| {
        let handle = ProcessHandle::new(process).expect("memory");
        parent.hold(Object::ProcessHandle(handle))
    };
    let (first, second) = (handle(world.process("first")), handle(world.process("second")));
    for (target, given) in [(first, first), (first, second)] {
        parent.set_word(CAPS, TransferSlot::copy(given).0);
        let sqe = call_sqe(target, process_handle::INTERFACE_ID, process_handle::GRANT, 0);
        let cqe = parent.one(Sqe { caps_send: 1, ..sqe });
        assert_eq!(cqe.method, ExceptionCode::InvalidArgument.code());
    }
}

#[test]
fn a_long_chain_of_processes_ends_without_a_deep_stack() {
    let world = World::new();
    let limits = Limits {
        memory_pages: 20,
        cap_slots: 4,
        calls_in_flight: 8,
        threads: 1,
        endpoint_entries: 0,
        log_bytes: 0,
        dma_pages: 0,
        vectors: 0,
        priority: 1,
        cpu_percent: 0,
    };
    let first = world.process_with("first", &limits);
    let id = first.id;
    let mut last = first;
    for _ in 0..10_000 {
        let next = world.process_with("next", &limits);
        let handle = ProcessHandle::new(last).expect("memory");
        next.insert(Object::ProcessHandle(handle)).expect("a free slot");
        last = next;
    }
    end::end_process(&last, Status::Killed);
    drop(last);
    while registry::at_or_after(id).is_some() {
        let before = registry::processes();
        super::reaping::next_slice();
        assert!((1..=SLICE as usize).contains(&(before - registry::processes())));
    }
}

#[test]
fn a_program_that_is_moved_to_the_spawner_is_gone_from_the_caller() {
    let world = World::new();
    let parent = world.start("parent");
    let spawner = parent.hold(Object::ProcessSpawner(ProcessSpawner));
    let binary = parent.hold(Object::MemoryObject(MemoryObject::read_only_of(Frames::module(&tiny_elf()))));
    let mut message = [0; 256];
    let len = capos_schema::Encode::encode(&params("child"), &mut message).expect("it fits");
    parent.put(MSG, &message[..len]);
    // The handle comes back to the very place that names the program.
    parent.set_word(CAPS, TransferSlot::moved(binary).0);
    let sqe = call_sqe(spawner, process_spawner::INTERFACE_ID, process_spawner::CREATE, len as u32);
    let cqe = parent.one(Sqe { caps_send: 1, caps_recv: 1, ..sqe });
    assert_eq!((cqe.flags, cqe.caps), (0, 1));
    assert!(parent.process().release(binary).is_err());
    assert!(parent.process().release(CapId::from_raw(parent.word(CAPS))).is_ok());
}

#[test]
fn a_grant_whose_answer_would_not_fit_does_not_happen() {
    let world = World::new();
    let parent = world.start("parent");
    let handle = spawn(&parent, &params("child")).expect("a child");
    let timer = parent.hold(Object::Timer(crate::cap::timer::Timer));
    let before = parent.process().table.lock().len();
    parent.set_word(CAPS, TransferSlot::moved(timer).0);
    let grant =
        Sqe { caps_send: 1, ..call_sqe(handle, process_handle::INTERFACE_ID, process_handle::GRANT, 0) };
    let refused = parent.one(Sqe { reply_len: 8, ..grant });
    assert_eq!(error(&refused), Some(TransportError::ReplyTooLarge));
    assert_eq!(parent.process().table.lock().len(), before, "the capability stays");
    parent.set_word(CAPS, TransferSlot::moved(timer).0);
    assert_eq!(parent.one(grant).result, 16, "and can be granted as the first one");
    let answer = parent.get(super::REPLY, 16);
    let granted: process_handle::GrantResults = capos_schema::Decode::decode(&answer).expect("an answer");
    assert_eq!(granted.slot, 0);
}

#[test]
fn a_thread_that_a_lone_call_ended_takes_nothing_more() {
    let world = World::with_cpus(3);
    let (_killer, crew) = crew(&world, 3);
    let victim = &crew[0];
    let own = ProcessHandle::new(victim.process().clone()).expect("memory");
    let handle = victim.hold(Object::ProcessHandle(own));
    victim.submit(call_sqe(handle, process_handle::INTERFACE_ID, process_handle::KILL, 0));
    // A sibling that still runs when it is kicked says that there is another submission.
    on_kick(&victim.thread, header::SQ_TAIL, 2);
    fake::cpu::become_cpu(1);
    (HANDLERS.syscall)(2, 0, syscall::CAP_ENTER);
    assert!(super::was_kicked());
    assert_eq!(victim.thread.sq_head.load(Ordering::Relaxed), 1);
}

#[test]
fn rings_lie_where_those_of_ended_threads_lay() {
    let world = World::with_cpus(2);
    let (_killer, first) = crew(&world, 2);
    let process = first[0].process().clone();
    let shape = RingShape { sq_entries: 8, cq_entries: 16, arena_pages: 8 };
    let new = |_| create::thread(&process, &new_thread(shape, 10)).expect("a thread");
    let mut crew: Vec<_> = (0..3).map(new).collect();
    let mut places: Vec<u64> = crew.iter().map(|thread| thread.ring_address).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 3, "each has its own");
    for round in 0..100 {
        let user = User::playing(crew.remove(round % 3));
        create::run(&user.thread);
        user.run();
        end::stop_current(user.thread.clone());
        (HANDLERS.kick)();
        let thread = new(0);
        assert_eq!(thread.ring_address, user.thread.ring_address);
        crew.push(thread);
    }
}

#[test]
fn a_thread_that_was_not_made_leaves_its_place_to_the_next() {
    let world = World::new();
    let process = world.process("a");
    let new = |priority| new_thread(RingShape::DEFAULT, priority);
    for _ in 0..4 {
        assert!(create::thread(&process, &new(200)).is_err(), "no such priority");
    }
    let thread = create::thread(&process, &new(5)).expect("a thread");
    assert_eq!(thread.ring_address, layout::RING_BASE);
}

#[test]
fn who_watches_a_process_can_wait_for_it_and_nothing_else() {
    let world = World::new();
    let parent = world.start("parent");
    let child = world.process("child");
    let owner = ProcessHandle::new(child.clone()).unwrap_or_else(|_| panic!("no memory"));
    let handle = parent.hold(Object::ProcessHandle(owner));
    let watch = parent
        .call_for_cap(handle, process_handle::INTERFACE_ID, process_handle::WATCH, &Empty)
        .expect("a facet");
    let info: process_watch::InfoResults =
        parent.call(watch, process_watch::INTERFACE_ID, process_watch::INFO, &Empty).expect("an answer");
    assert_eq!((info.id, info.started, info.ended), (child.id, false, false));
    for method in [process_handle::KILL, process_handle::UNBIND] {
        let as_handle = parent.call_raw(watch, process_handle::INTERFACE_ID, method, &Empty, 0);
        assert_eq!(error(&as_handle), Some(TransportError::WrongInterface));
        let as_watch = parent.call_raw(watch, process_watch::INTERFACE_ID, method, &Empty, 0);
        assert_eq!(error(&as_watch), Some(TransportError::UnknownMethod));
    }
    parent.submit(call_sqe(watch, process_watch::INTERFACE_ID, process_watch::WAIT, 0));
    parent.poll();
    parent.nothing();
    // Never started: it ends with the last handle, whoever watches.
    drop(parent.process().release(handle));
    parent.poll();
    assert_eq!(parent.pop().result, 24);
}
