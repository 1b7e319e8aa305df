//! The ring itself: batches, backpressure, corrupt indices, cancellation.

use super::{World, call_sqe, error, on_kick};
use crate::cap::Object;
use crate::cap::boot_package::BootPackage;
use crate::cap::process_handle::ProcessHandle;
use crate::cap::timer::Timer;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::task::process::Status;
use crate::task::{end, timers};
use capos_abi::ring::header;
use capos_abi::{CapId, Cqe, Op, RingShape, Sqe, TransportError, syscall};
use capos_schema::{Encode, boot_package, process_handle, timer};
use core::sync::atomic::Ordering;
use kernel_hal::fake;
use std::vec::Vec;

fn nop(user_data: u64) -> Sqe {
    Sqe { op: Op::Nop as u8, user_data, ..Sqe::default() }
}

#[test]
fn a_batch_completes_in_order() {
    let world = World::new();
    let user = world.start("a");
    (0..64).for_each(|n| user.submit(nop(n)));
    user.poll();
    assert_eq!(user.returned(), 64);
    for n in 0..64 {
        let cqe = user.pop();
        assert_eq!((cqe.user_data, cqe.result), (n, 0));
    }
    user.nothing();
}

#[test]
fn submissions_wait_while_the_completion_queue_is_full() {
    let world = World::new();
    let user = world.start("a");
    for round in 0..2 {
        (0..64).for_each(|n| user.submit(nop(round * 64 + n)));
        user.poll();
    }
    user.submit(nop(128));
    user.poll();
    assert_eq!(user.returned(), 128);
    assert_eq!(user.ring.submitted(), 1);
    assert_eq!(user.pop().user_data, 0);
    user.poll();
    assert_eq!(user.ring.submitted(), 0);
    assert_eq!(user.returned(), 128);
}

#[test]
fn corrupt_indices_are_told_to_their_owner_only() {
    let world = World::new();
    let user = world.start("a");
    let bystander = world.start("b");
    user.thread.ring.frames().write(capos_abi::ring::header::SQ_TAIL, &1000u32.to_le_bytes()).unwrap();
    user.poll();
    assert_eq!(user.returned(), i64::from(TransportError::CorruptRing.code()));
    assert_eq!(user.ring.fault(), capos_abi::ring::fault::SQ_TAIL);
    user.thread.ring.frames().write(capos_abi::ring::header::SQ_TAIL, &0u32.to_le_bytes()).unwrap();
    user.thread.ring.frames().write(capos_abi::ring::header::CQ_HEAD, &7u32.to_le_bytes()).unwrap();
    user.poll();
    assert_eq!(user.returned(), i64::from(TransportError::CorruptRing.code()));
    assert_eq!(user.ring.fault(), capos_abi::ring::fault::CQ_HEAD);
    assert_eq!(bystander.one(nop(9)).user_data, 9);
}

#[test]
fn unknown_operations_flags_and_reserved_fields_are_refused() {
    let world = World::new();
    let user = world.start("a");
    let cases = [
        (Sqe { op: 99, ..Sqe::default() }, TransportError::UnknownOp),
        (Sqe { op: Op::Park as u8, ..Sqe::default() }, TransportError::InvalidArgument),
        (Sqe { flags: 0x80, ..nop(0) }, TransportError::InvalidArgument),
        (Sqe { reserved0: 1, ..nop(0) }, TransportError::InvalidArgument),
        (Sqe { reserved1: 1, ..nop(0) }, TransportError::InvalidArgument),
    ];
    for (sqe, expected) in cases {
        assert_eq!(error(&user.one(sqe)), Some(expected));
    }
}

#[test]
fn buffers_outside_of_the_arena_are_refused() {
    let world = World::new();
    let user = world.start("a");
    let good = call_sqe(CapId::SELF_MEMORY, capos_schema::virtual_memory::INTERFACE_ID, 0, 0);
    let arena = 65536;
    let bad = [
        Sqe { msg_off: arena, msg_len: 8, ..good },
        Sqe { msg_off: 4, msg_len: 8, ..good },
        Sqe { msg_off: u32::MAX - 7, msg_len: 16, ..good },
        Sqe { msg_len: 4097, ..good },
        Sqe { reply_off: arena - 8, reply_len: 16, ..good },
        Sqe { caps_send: 17, ..good },
        Sqe { caps_off: arena - 8, caps_recv: 2, ..good },
        Sqe { caps_off: 1, caps_recv: 1, ..good },
    ];
    for sqe in bad {
        assert_eq!(error(&user.one(sqe)), Some(TransportError::InvalidArgument), "{sqe:?}");
    }
}

#[test]
fn a_wait_ends_at_its_timeout_and_not_before() {
    let world = World::new();
    let user = world.start("a");
    user.enter(1, 1_000_000);
    assert!(user.is_blocked());
    kernel_hal::fake::time::advance(999_999);
    (crate::trap::HANDLERS.timer)();
    assert!(user.is_blocked());
    kernel_hal::fake::time::advance(1);
    (crate::trap::HANDLERS.timer)();
    user.run();
    assert_eq!(user.returned(), 0);
}

#[test]
fn a_sleep_completes_and_can_be_cancelled() {
    let world = World::new();
    let user = world.start("a");
    let timer = user.hold(crate::cap::Object::Timer(crate::cap::timer::Timer));
    let sleep = |ns, user_data| {
        let mut message = [0; 64];
        let len = capos_schema::Encode::encode(&timer::SleepUntilParams { ns }, &mut message).unwrap();
        user.put(super::MSG, &message[..len]);
        let sqe = call_sqe(timer, timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32);
        user.submit(Sqe { user_data, ..sqe });
    };
    sleep(5000, 10);
    user.poll();
    sleep(7000, 11);
    user.poll();
    user.nothing();
    user.submit(Sqe { op: Op::Cancel as u8, aux: 11, user_data: 12, ..Sqe::default() });
    user.poll();
    let (first, second) = (user.pop(), user.pop());
    assert_eq!((first.user_data, error(&first)), (11, Some(TransportError::Canceled)));
    assert_eq!((second.user_data, second.result), (12, 0));
    user.enter(1, syscall::FOREVER);
    assert!(user.is_blocked());
    kernel_hal::fake::time::advance(5000);
    (crate::trap::HANDLERS.timer)();
    user.run();
    assert_eq!(user.pop().user_data, 10);
    user.nothing();
}

#[test]
fn cancelling_what_is_not_there_is_an_error() {
    let world = World::new();
    let user = world.start("a");
    let cqe = user.one(Sqe { op: Op::Cancel as u8, aux: 5, ..Sqe::default() });
    assert_eq!(error(&cqe), Some(TransportError::InvalidArgument));
}

#[test]
fn calls_check_capability_interface_method_and_message() {
    let world = World::new();
    let user = world.start("a");
    let memory = capos_schema::virtual_memory::INTERFACE_ID;
    let good = call_sqe(CapId::SELF_MEMORY, memory, 0, 0);
    let cases = [
        (Sqe { cap: CapId::NULL.raw(), ..good }, TransportError::InvalidCap),
        (Sqe { cap: CapId::new(0, 2).raw(), ..good }, TransportError::InvalidCap),
        (Sqe { cap: CapId::new(31, 1).raw(), ..good }, TransportError::InvalidCap),
        (Sqe { cap: good.cap | 1 << 56, ..good }, TransportError::InvalidCap),
        (Sqe { interface: memory + 1, ..good }, TransportError::WrongInterface),
        (Sqe { method: 999, ..good }, TransportError::UnknownMethod),
    ];
    for (sqe, expected) in cases {
        assert_eq!(error(&user.one(sqe)), Some(expected), "{sqe:?}");
    }
    user.put(super::MSG, &[0xff; 64]);
    assert_eq!(error(&user.one(Sqe { msg_len: 64, ..good })), Some(TransportError::BadMessage));
}

#[test]
fn an_unknown_system_call_is_an_error() {
    let world = World::new();
    let user = world.start("a");
    user.run();
    (crate::trap::HANDLERS.syscall)(0, 0, 77);
    assert_eq!(user.returned(), i64::from(TransportError::UnknownOp.code()));
}

/// What a call ends in: its completion, what it leaves where its answer comes, and what the program sees of its queues.
fn ending(user: &super::User, call: Sqe, company: bool) -> (Cqe, Vec<u8>, i64, u32) {
    user.put(super::REPLY, &[0xa5; 64]);
    if company {
        user.submit(nop(99));
    }
    user.submit(call);
    user.poll();
    let returned = user.returned() - i64::from(company);
    if company {
        assert_eq!(user.pop().user_data, 99);
    }
    let cqe = user.pop();
    user.nothing();
    (cqe, user.get(super::REPLY, 64), returned, user.ring.submitted())
}

#[test]
fn a_lone_call_ends_like_the_same_call_in_company() {
    let world = World::new();
    let user = world.start("a");
    let files = user.hold(Object::BootPackage(BootPackage));
    let good = call_sqe(files, boot_package::INTERFACE_ID, boot_package::COUNT, 0);
    let calls = [
        good,
        Sqe { cap: files.raw() | 1 << 56, ..good },
        Sqe { cap: files.raw() + (1 << 24), ..good },
        Sqe { cap: 0xff_ffff, ..good },
        Sqe { interface: timer::INTERFACE_ID, ..good },
        Sqe { method: 77, ..good },
        Sqe { method: boot_package::OPEN, ..good },
        Sqe { reply_len: 8, ..good },
        Sqe { reply_len: u32::MAX, ..good },
        Sqe { reply_off: super::REPLY + 4, ..good },
        Sqe { msg_off: 4, ..good },
        Sqe { msg_off: u32::MAX - 7, ..good },
        Sqe { flags: 1, ..good },
        Sqe { reserved0: 1, ..good },
        Sqe { reserved1: 1, ..good },
        Sqe { caps_recv: 1, ..good },
        Sqe { caps_send: 255, ..good },
        Sqe { msg_len: 8, ..good },
        Sqe { aux: u64::MAX, ..good },
    ];
    for call in calls {
        let (lone, company) = (ending(&user, call, false), ending(&user, call, true));
        assert_eq!(lone, company, "{call:?}");
    }
    assert_eq!(ending(&user, good, false).0.result, 16, "it does reach the object");
}

#[test]
fn what_is_wrong_with_a_submission_comes_before_what_it_names() {
    let world = World::new();
    let user = world.start("a");
    // Slot 200 holds nothing.
    let bad = call_sqe(CapId::new(200, 1), timer::INTERFACE_ID, timer::NOW, 0);
    for malformed in [
        Sqe { flags: 0x80, ..bad },
        Sqe { reserved0: 1, ..bad },
        Sqe { reserved1: 1, ..bad },
        Sqe { msg_off: 4, ..bad },
        Sqe { reply_len: u32::MAX, ..bad },
        Sqe { caps_send: 17, ..bad },
    ] {
        for in_company in [false, true] {
            let found = ending(&user, malformed, in_company).0;
            assert_eq!(error(&found), Some(TransportError::InvalidArgument), "{malformed:?}");
        }
    }
    assert_eq!(error(&ending(&user, bad, false).0), Some(TransportError::InvalidCap));
}

#[test]
fn a_lone_call_that_has_to_wait_completes_later_and_only_once() {
    let world = World::new();
    let user = world.start("a");
    let cap = user.hold(Object::Timer(Timer));
    let params = timer::SleepUntilParams { ns: u64::MAX / 2 };
    let mut message = [0; 16];
    let len = params.encode(&mut message).unwrap();
    user.put(super::MSG, &message[..len]);
    user.submit(Sqe { user_data: 5, ..call_sqe(cap, timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32) });
    user.poll();
    user.nothing();
    // With one under way, a plain call goes the long way and leaves it alone.
    let now = user.one(Sqe { user_data: 6, ..call_sqe(cap, timer::INTERFACE_ID, timer::NOW, 0) });
    assert_eq!((now.user_data, now.result), (6, 16));
    assert_eq!(user.one(Sqe { op: Op::Cancel as u8, aux: 5, user_data: 7, ..Sqe::default() }).user_data, 5);
    assert_eq!(user.pop().user_data, 7);
    user.nothing();
}

#[test]
fn a_batch_that_takes_long_goes_on_in_the_same_system_call_made_anew() {
    let world = World::new();
    let user = world.start("a");
    let cap = user.hold(Object::Timer(Timer));
    for user_data in 0..60 {
        user.submit(Sqe { user_data, ..call_sqe(cap, timer::INTERFACE_ID, timer::NOW, 0) });
    }
    // Each operation looks at the clock once: 16 of them take longer than one go may.
    fake::time::pass_with_each_look(20_000);
    let mut left = Vec::new();
    loop {
        user.enter(60, syscall::FOREVER);
        left.push(user.ring.submitted());
        match user.thread.context.take_repeated() {
            Some(call) => assert_eq!(call, [60, syscall::FOREVER, syscall::CAP_ENTER]),
            None => break,
        }
    }
    assert_eq!(left, [44, 28, 12, 0], "so many at a time, and never two looks at one");
    assert_eq!(user.returned(), 60);
    (0..60).for_each(|n| assert_eq!(user.pop().user_data, n));
    user.nothing();
}

#[test]
fn a_short_batch_is_taken_whole_however_long_it_takes() {
    let world = World::new();
    let user = world.start("a");
    let cap = user.hold(Object::Timer(Timer));
    for user_data in 0..16 {
        user.submit(Sqe { user_data, ..call_sqe(cap, timer::INTERFACE_ID, timer::NOW, 0) });
    }
    fake::time::pass_with_each_look(1_000_000);
    user.poll();
    assert_eq!((user.returned(), user.thread.context.take_repeated()), (16, None));
}

#[test]
fn lone_calls_whose_completions_nobody_reads_fill_the_queue_and_no_more() {
    let world = World::new();
    let user = world.start("a");
    let files = user.hold(Object::BootPackage(BootPackage));
    let good = call_sqe(files, boot_package::INTERFACE_ID, boot_package::COUNT, 0);
    let room = i64::from(RingShape::DEFAULT.cq_entries);
    for n in 0..room {
        user.submit(Sqe { user_data: n as u64, ..good });
        user.poll();
        assert_eq!((user.returned(), user.ring.submitted()), (n + 1, 0));
    }
    user.submit(good);
    user.poll();
    assert_eq!((user.returned(), user.ring.submitted()), (room, 1), "it would not fit");
    assert_eq!(user.pop().user_data, 0);
}

#[test]
fn a_lone_call_waits_for_as_many_completions_as_any() {
    let world = World::new();
    let user = world.start("a");
    let files = user.hold(Object::BootPackage(BootPackage));
    let good = call_sqe(files, boot_package::INTERFACE_ID, boot_package::COUNT, 0);
    for (min, waits) in [(0, false), (1, false), (2, true)] {
        user.submit(good);
        user.enter(min, syscall::FOREVER);
        assert_eq!(user.is_blocked(), waits, "for {min}");
        user.pop();
    }
}

/// Writes a head of our own making to the completion queue.
fn forge_cq_head(user: &super::User, value: u32) {
    user.thread.ring.frames().write(header::CQ_HEAD, &value.to_le_bytes()).expect("inside the header");
}

#[test]
fn a_lone_call_with_a_forged_head_and_another_under_way_goes_the_ordinary_way() {
    let world = World::new();
    let user = world.start("a");
    let cap = user.hold(Object::Timer(Timer));
    let params = timer::SleepUntilParams { ns: u64::MAX / 2 };
    let mut message = [0; 16];
    let len = params.encode(&mut message).expect("it fits");
    user.put(super::MSG, &message[..len]);
    user.submit(call_sqe(cap, timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32));
    user.poll();
    // One was taken and none has completed, but the program says that it has read one.
    forge_cq_head(&user, 1);
    user.submit(Sqe { user_data: 6, ..call_sqe(cap, timer::INTERFACE_ID, timer::NOW, 0) });
    user.poll();
    assert_eq!(user.returned(), 0, "it has read all that there is");
    forge_cq_head(&user, 0);
    user.poll();
    assert_eq!((user.returned(), user.pop().user_data), (1, 6));
}

#[test]
fn a_head_that_changes_during_a_batch_counts_as_it_was() {
    let world = World::with_cpus(3);
    let (user, others) = super::processes::crew(&world, 3);
    let handle = ProcessHandle::new(others[0].process().clone()).expect("memory");
    let cap = user.hold(Object::ProcessHandle(handle));
    (0..4).for_each(|n| user.submit(nop(n)));
    user.submit(call_sqe(cap, process_handle::INTERFACE_ID, process_handle::KILL, 0));
    // During the call a sibling says that all is read that was written so far.
    on_kick(&user.thread, header::CQ_HEAD, 4);
    fake::cpu::become_cpu(0);
    (crate::trap::HANDLERS.syscall)(4, 0, syscall::CAP_ENTER);
    assert_eq!(user.returned(), 4);
}

#[test]
fn a_thread_that_a_batch_ended_takes_nothing_more_of_it() {
    let world = World::new();
    let (user, _other) = (world.start("a"), world.start("b"));
    let handle = ProcessHandle::new(user.process().clone()).expect("memory");
    let cap = user.hold(Object::ProcessHandle(handle));
    user.submit(nop(1));
    user.submit(call_sqe(cap, process_handle::INTERFACE_ID, process_handle::KILL, 0));
    user.submit(nop(3));
    user.poll();
    assert_eq!(user.thread.sq_head.load(Ordering::Relaxed), 2);
}

#[test]
fn nothing_is_posted_to_a_dead_thread() {
    let world = World::new();
    let user = world.start("a");
    user.run();
    let id = user.thread.begin(Buffers { user_data: 9, ..Buffers::NONE }, Waiting::Nowhere).expect("room");
    let ticket = Ticket { thread: user.thread.clone(), id };
    end::end_process(user.process(), Status::Killed);
    ticket.fail(TransportError::Canceled);
    user.nothing();
    assert!(user.thread.is_dead());
}

#[test]
fn a_wait_that_cannot_be_armed_ends_at_once() {
    let world = World::new();
    let user = world.start("a");
    user.run();
    let mut alarms = Vec::new();
    let without_memory = |work: &mut dyn FnMut()| {
        fake::fail_nth_allocation(0);
        work();
        fake::never_fail();
    };
    // As many as there is room for.
    loop {
        let mut armed = None;
        without_memory(&mut || armed = timers::arm_wait(&user.thread, u64::MAX, u64::MAX / 2).ok());
        let Some(alarm) = armed else { break };
        alarms.push(alarm);
    }
    without_memory(&mut || user.enter(1, 1_000_000));
    assert!(!user.is_blocked());
    assert_eq!(user.returned(), 0);
    alarms.into_iter().for_each(timers::disarm);
    user.enter(1, 1_000_000);
    assert!(user.is_blocked(), "with room it does wait");
}
