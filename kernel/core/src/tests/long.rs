//! Calls that take several steps.

use super::{CAPS, MSG, User, World, call_sqe};
use crate::task::end;
use crate::task::process::Status;
use crate::trap::HANDLERS;
use capos_abi::{CapId, Sqe, syscall};
use capos_mem::Resource;
use capos_schema::Encode;
use capos_schema::virtual_memory::{self as vm, Protection};

const PAGES: u64 = 600;
const SIZE: u64 = PAGES * 4096;

/// A submission that makes memory in two steps, in an address space or as an object.
pub(super) fn long(user: &User, object: bool, user_data: u64) -> Sqe {
    let mut message = [0; 64];
    let (method, len) = if object {
        (vm::CREATE_OBJECT, vm::CreateObjectParams { size: SIZE }.encode(&mut message))
    } else {
        let address = user.process().space.reserve(PAGES as usize).expect("room");
        let params = vm::CommitParams { address, size: SIZE, protection: Protection::ReadWrite };
        (vm::COMMIT, params.encode(&mut message))
    };
    let len = len.expect("it fits");
    user.put(MSG, &message[..len]);
    let call = call_sqe(CapId::SELF_MEMORY, vm::INTERFACE_ID, method, len as u32);
    Sqe { user_data, caps_recv: u8::from(object), ..call }
}

#[test]
fn between_two_steps_the_thread_makes_the_same_system_call_again() {
    for object in [false, true] {
        let world = World::new();
        let user = world.start("user");
        let used = user.process().account.used(Resource::MemoryPages);
        user.submit(long(&user, object, 5));
        user.enter(1, syscall::FOREVER);
        let again = Some([1, syscall::FOREVER, syscall::CAP_ENTER]);
        let mut steps = 0;
        while let Some(repeated) = user.thread.context.take_repeated() {
            assert_eq!(Some(repeated), again);
            user.nothing();
            assert!(!user.is_blocked());
            user.enter(1, syscall::FOREVER);
            steps += 1;
        }
        assert_eq!(steps, 2, "one step in each");
        let cqe = user.pop();
        assert_eq!((cqe.user_data, cqe.flags, cqe.caps, user.returned()), (5, 0, u8::from(object), 1));
        assert_eq!(user.process().account.used(Resource::MemoryPages), used + PAGES);
        if object {
            user.object(CapId::from_raw(user.word(CAPS)));
        }
    }
}

#[test]
fn a_thread_that_is_traced_makes_the_same_system_call_again() {
    let world = World::new();
    let user = world.start("user");
    user.submit(long(&user, true, 5));
    user.submit(Sqe { user_data: 6, ..Sqe::default() });
    let mut enters = 0;
    loop {
        user.run();
        (HANDLERS.traced_syscall)(1, syscall::FOREVER, syscall::CAP_ENTER);
        enters += 1;
        if user.thread.context.take_repeated().is_none() {
            break;
        }
        user.nothing();
    }
    assert!(enters > 1);
    assert_eq!((user.pop().user_data, user.pop().user_data, user.returned()), (5, 6, 2));
    user.object(CapId::from_raw(user.word(CAPS)));
}

#[test]
fn what_was_submitted_after_it_waits_for_it() {
    let world = World::new();
    let user = world.start("user");
    user.submit(Sqe { user_data: 1, ..Sqe::default() });
    user.submit(long(&user, true, 2));
    user.submit(Sqe { user_data: 3, ..Sqe::default() });
    user.enter(3, syscall::FOREVER);
    let mut steps = 1;
    while user.thread.context.take_repeated().is_some() {
        user.enter(3, syscall::FOREVER);
        steps += 1;
    }
    assert_eq!([user.pop(), user.pop(), user.pop()].map(|cqe| cqe.user_data), [1, 2, 3]);
    assert!(steps >= 3, "{steps}");
}

#[test]
fn who_is_killed_in_the_middle_gives_everything_back() {
    for object in [false, true] {
        let world = World::new();
        let other = world.start("other");
        let books = || (world.machine.left(Resource::MemoryPages), kernel_hal::mem::free_pages());
        let before = books();
        let user = world.start("user");
        user.submit(long(&user, object, 5));
        user.poll();
        assert!(user.thread.context.take_repeated().is_some());
        end::end_process(user.process(), Status::Killed);
        drop(user);
        // Whoever ran last is let go of by who runs next.
        other.run();
        other.poll();
        assert_eq!(books(), before);
    }
}
