//! Revocation: what derives from a capability goes, wherever it is, and what went on through it ends.

use super::audit::nodes_are_in_order;
use super::ipc::{Pair, make_endpoint, mint};
use super::{CAPS, MSG, User, World, call_sqe, error, recv_sqe, return_sqe};
use crate::cap::Object;
use crate::cap::process_handle::ProcessHandle;
use crate::cap::timer::Timer;
use crate::task::create::Limits;
use crate::task::process::Status;
use crate::task::{end, revoke as revocation};
use capos_abi::{CapId, Cqe, Op, Sqe, TransferSlot, TransportError, syscall};
use capos_mem::Resource;
use capos_schema::{Empty, Encode, memory_object, notification, process_handle, timer, virtual_memory};

fn revoke_sqe(cap: CapId) -> Sqe {
    Sqe { op: Op::Revoke as u8, cap: cap.raw(), user_data: 9, ..Sqe::default() }
}

/// Revokes to the end; gives the completion and the number of system calls.
pub(super) fn revoke(user: &User, cap: CapId) -> (Cqe, usize) {
    user.submit(revoke_sqe(cap));
    for calls in 1..10_000 {
        user.poll();
        if let Some(cqe) = user.ring.pop() {
            return (cqe, calls);
        }
        // The kernel is to be entered again, with nothing taken.
        assert!(is_repeated(user), "neither done nor to be gone on with");
    }
    panic!("it never ends");
}

/// Whether the last system call is to be made anew.
fn is_repeated(user: &User) -> bool {
    user.thread.context.take_repeated().is_some()
}

pub(super) fn gone(user: &User, cap: CapId) -> bool {
    user.process().table.lock().lookup(cap).is_err()
}

/// Sends a copy or a move of `slot` from one process to another by a grant.
pub(super) fn give(from: &User, to: &User, slot: TransferSlot) -> CapId {
    crate::ipc::transfer::grant(from.process(), to.process(), slot).expect("transferable")
}

#[test]
fn copies_go_and_the_original_stays() {
    let world = World::new();
    let (a, b, c) = (world.start("a"), world.start("b"), world.start("c"));
    let own = a.hold(Object::Timer(Timer));
    let aside = a.hold(Object::Timer(Timer));
    let first = give(&a, &b, TransferSlot::copy(own));
    let second = give(&b, &c, TransferSlot::copy(first));
    let third = give(&c, &a, TransferSlot::copy(second));
    let other = give(&a, &c, TransferSlot::copy(aside));
    let used = [&a, &b, &c].map(|user| user.process().account.used(Resource::CapSlots));
    nodes_are_in_order();
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    assert!(gone(&b, first) && gone(&c, second) && gone(&a, third));
    assert!(!gone(&a, own) && !gone(&a, aside) && !gone(&c, other));
    let left = [&a, &b, &c].map(|user| user.process().account.used(Resource::CapSlots));
    assert_eq!(left, used.map(|slots| slots - 1), "given back");
    nodes_are_in_order();
}

#[test]
fn who_revokes_in_the_middle_leaves_what_is_above() {
    let world = World::new();
    let (a, b, c) = (world.start("a"), world.start("b"), world.start("c"));
    let own = a.hold(Object::Timer(Timer));
    let first = give(&a, &b, TransferSlot::copy(own));
    let sibling = give(&a, &c, TransferSlot::copy(own));
    let second = give(&b, &c, TransferSlot::copy(first));
    assert_eq!(revoke(&b, first).0.outcome(), 0);
    assert!(gone(&c, second) && !gone(&b, first) && !gone(&c, sibling) && !gone(&a, own));
}

#[test]
fn a_moved_capability_keeps_its_origin_and_a_released_one_leaves_it_to_its_copies() {
    let world = World::new();
    let (a, b, c) = (world.start("a"), world.start("b"), world.start("c"));
    let own = a.hold(Object::Timer(Timer));
    let first = give(&a, &b, TransferSlot::copy(own));
    let moved = give(&b, &c, TransferSlot::moved(first));
    let copy = give(&c, &b, TransferSlot::copy(moved));
    c.one(Sqe { op: Op::Release as u8, cap: moved.raw(), ..Sqe::default() });
    end::end_process(c.process(), Status::Killed);
    nodes_are_in_order();
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    assert!(gone(&b, copy));
}

#[test]
fn what_a_call_and_an_answer_bring_is_derived() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let lent = pair.client.hold(Object::Timer(Timer));
    pair.client.set_word(CAPS, TransferSlot::copy(lent).0);
    pair.client.submit(Sqe { caps_send: 1, caps_recv: 1, ..pair.call(b"") });
    pair.client.poll();
    let got = pair.receive();
    let theirs = CapId::from_raw(pair.server.word(CAPS));
    pair.server.set_word(CAPS, TransferSlot::copy(theirs).0);
    pair.server.one(Sqe { caps_off: CAPS, caps_send: 1, ..return_sqe(pair.right, got.token, 0) });
    let back = CapId::from_raw(pair.client.word(CAPS));
    assert!(pair.client.pop().caps == 1 && !gone(&pair.client, back));
    assert_eq!(revoke(&pair.client, lent).0.outcome(), 0);
    assert!(gone(&pair.server, theirs) && gone(&pair.client, back));
}

#[test]
fn facets_derive_from_what_they_were_made_of() {
    let world = World::new();
    let user = world.start("a");
    let size = virtual_memory::CreateObjectParams { size: 4096 };
    let memory = user
        .call_for_cap(CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID, virtual_memory::CREATE_OBJECT, &size)
        .expect("memory");
    let look = user
        .call_for_cap(memory, memory_object::INTERFACE_ID, memory_object::READ_ONLY, &Empty)
        .expect("a facet");
    let right = make_endpoint(&user, 2);
    let facet = mint(&user, right, 1);
    let event = user.hold(Object::Notification(
        crate::cap::notification::Notification::create(&user.process().account).expect("memory"),
    ));
    let bits = notification::MintParams { bits: 1, lost: 0 };
    let signaller =
        user.call_for_cap(event, notification::INTERFACE_ID, notification::MINT, &bits).expect("a signaller");
    for (whole, part) in [(memory, look), (right, facet), (event, signaller)] {
        assert!(!gone(&user, part));
        assert_eq!(revoke(&user, whole).0.outcome(), 0);
        assert!(gone(&user, part) && !gone(&user, whole));
    }
    assert_eq!(revoke(&user, CapId::SELF_MEMORY).0.outcome(), 0);
    assert!(!gone(&user, memory), "a thing of its own, made at its author's expense");
}

#[test]
fn what_is_not_held_cannot_be_revoked() {
    let world = World::new();
    let (a, b) = (world.start("a"), world.start("b"));
    let own = a.hold(Object::Timer(Timer));
    let copy = give(&a, &b, TransferSlot::copy(own));
    let refused = |user: &User, cap: u64| error(&user.one(Sqe { cap, ..revoke_sqe(own) }));
    assert_eq!(refused(&b, CapId::new(9, 1).raw()), Some(TransportError::InvalidCap));
    assert_eq!(refused(&b, copy.raw() | 1 << 56), Some(TransportError::InvalidCap));
    a.process().release(own).map(drop).expect("held");
    assert_eq!(refused(&a, own.raw()), Some(TransportError::InvalidCap), "stale");
    let strange = Sqe { flags: 1, ..revoke_sqe(copy) };
    assert_eq!(error(&b.one(strange)), Some(TransportError::InvalidArgument));
    assert!(!gone(&b, copy));
}

/// A client that was given a copy of a facet which somebody else holds.
struct Lender {
    pair: Pair,
    owner: User,
    own: CapId,
}

impl Lender {
    fn new(world: &World) -> Self {
        let mut pair = Pair::new(world, 4);
        let owner = world.start("owner");
        let own = give(&pair.client, &owner, TransferSlot::moved(pair.facet));
        pair.facet = give(&owner, &pair.client, TransferSlot::copy(own));
        Lender { pair, owner, own }
    }
}

#[test]
fn a_queued_call_ends() {
    let world = World::new();
    let Lender { pair, owner, own } = Lender::new(&world);
    pair.client.submit(pair.call(b"queued"));
    pair.client.poll();
    assert!(!pair.client.process().has_lost());
    assert_eq!(revoke(&owner, own).0.outcome(), 0);
    // For what begins on another processor in the middle of it.
    assert!(pair.client.process().has_lost());
    pair.client.poll();
    assert_eq!(error(&pair.client.pop()), Some(TransportError::Revoked));
    pair.server.submit(recv_sqe(pair.right));
    pair.server.poll();
    pair.server.nothing();
    assert_eq!(error(&pair.client.one(pair.call(b""))), Some(TransportError::InvalidCap));
}

#[test]
fn a_received_call_ends_and_cannot_be_answered() {
    let world = World::new();
    let Lender { pair, owner, own } = Lender::new(&world);
    // Another call through another capability for the same facet goes on.
    let second = give(&owner, &pair.client, TransferSlot::copy(own));
    pair.client.process().release(second).map(drop).expect("held");
    let kept = mint_for_client(&pair);
    pair.client.submit(pair.call(b""));
    pair.client.submit(Sqe { cap: kept.raw(), user_data: 77, ..pair.call(b"") });
    pair.client.poll();
    let (got, other) = (pair.receive(), pair.receive());
    assert_eq!(revoke(&owner, own).0.outcome(), 0);
    pair.client.poll();
    assert_eq!(error(&pair.client.pop()), Some(TransportError::Revoked));
    pair.client.nothing();
    let answer = |token| error(&pair.server.one(return_sqe(pair.right, token, 0)));
    assert_eq!(answer(got.token), Some(TransportError::StaleToken));
    assert_eq!(answer(other.token), None);
    assert_eq!(
        (pair.client.pop().user_data, error(&pair.client.one(Sqe { cap: 0, ..pair.call(b"") }))),
        (77, Some(TransportError::InvalidCap))
    );
}

fn mint_for_client(pair: &Pair) -> CapId {
    let facet = mint(&pair.server, pair.right, 43);
    give(&pair.server, &pair.client, TransferSlot::moved(facet))
}

#[test]
fn a_call_that_was_handed_over_directly_ends_too() {
    let world = World::new();
    let Lender { pair, owner, own } = Lender::new(&world);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    pair.client.submit(pair.call(b"direct"));
    pair.client.enter(1, syscall::FOREVER);
    let got = pair.server.pop();
    assert!(pair.client.is_blocked() && got.result == 6);
    assert_eq!(revoke(&owner, own).0.outcome(), 0);
    assert!(!pair.client.is_blocked());
    pair.client.run();
    assert_eq!(error(&pair.client.pop()), Some(TransportError::Revoked));
    assert_eq!(
        error(&pair.server.one(return_sqe(pair.right, got.token, 0))),
        Some(TransportError::StaleToken)
    );
}

#[test]
fn waits_at_kernel_objects_end() {
    let world = World::new();
    let (a, b) = (world.start("a"), world.start("b"));
    let clock = a.hold(Object::Timer(Timer));
    let lent = give(&a, &b, TransferSlot::copy(clock));
    let mut message = [0; 64];
    let len = timer::SleepUntilParams { ns: 1 << 50 }.encode(&mut message).expect("it fits");
    b.put(MSG, &message[..len]);
    b.submit(call_sqe(lent, timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32));
    let child = world.process("child");
    let handle = a.hold(Object::ProcessHandle(ProcessHandle::new(child).unwrap_or_else(|_| panic!())));
    let watched = give(&a, &b, TransferSlot::copy(handle));
    let wait = call_sqe(watched, process_handle::INTERFACE_ID, process_handle::WAIT, 0);
    b.submit(Sqe { user_data: 5, ..wait });
    b.enter(1, syscall::FOREVER);
    assert!(b.is_blocked());
    assert_eq!(revoke(&a, handle).0.outcome(), 0);
    b.run();
    let cqe = b.pop();
    assert_eq!((cqe.user_data, error(&cqe)), (5, Some(TransportError::Revoked)));
    b.enter(1, syscall::FOREVER);
    assert_eq!(revoke(&a, clock).0.outcome(), 0);
    b.run();
    assert_eq!(error(&b.pop()), Some(TransportError::Revoked));
}

#[test]
fn who_is_parked_for_permits_with_the_number_of_a_capability_stays_so() {
    let world = World::new();
    let (a, b) = (world.start("a"), world.start("b"));
    let own = a.hold(Object::Timer(Timer));
    let lent = give(&a, &b, TransferSlot::copy(own));
    b.submit(Sqe { op: Op::Park as u8, cap: lent.raw(), user_data: 6, ..Sqe::default() });
    b.poll();
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    assert!(gone(&b, lent));
    b.poll();
    b.nothing();
}

#[test]
fn a_wait_that_begins_while_its_capability_goes_ends() {
    let world = World::new();
    let user = world.start("a");
    let (lost, given_up) = (user.hold(Object::Timer(Timer)), user.hold(Object::Timer(Timer)));
    let mut message = [0; 64];
    let len = timer::SleepUntilParams { ns: 1 << 50 }.encode(&mut message).expect("it fits");
    user.put(MSG, &message[..len]);
    for (number, clock) in [(1, lost), (2, given_up)] {
        let call = call_sqe(clock, timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32);
        user.submit(Sqe { user_data: number, ..call });
    }
    user.poll();
    drop(user.process().release(given_up));
    // As another processor would do it, just before the wait can be found.
    drop(user.process().release(lost));
    user.process().loses_one();
    revocation::catch_up(&user.thread);
    user.nothing();
    user.thread.deferred.store(lost.raw(), core::sync::atomic::Ordering::Relaxed);
    revocation::catch_up(&user.thread);
    user.poll();
    let cqe = user.pop();
    assert_eq!((cqe.user_data, error(&cqe)), (1, Some(TransportError::Revoked)));
    user.nothing();
}

#[test]
fn a_revoked_right_to_receive_is_given_up() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let helper = world.start("helper");
    let shared = give(&pair.server, &helper, TransferSlot::copy(pair.right));
    helper.submit(recv_sqe(shared));
    helper.enter(1, syscall::FOREVER);
    pair.client.submit(pair.call(b""));
    pair.client.poll();
    helper.run();
    let got = helper.pop();
    assert_eq!(got.result, 0);
    helper.submit(recv_sqe(shared));
    helper.poll();
    // Only the copy goes; what was minted from the original derives from it, too.
    assert_eq!(revoke(&pair.server, pair.right).0.outcome(), 0);
    helper.poll();
    assert_eq!(error(&helper.pop()), Some(TransportError::InvalidCap));
    pair.client.poll();
    assert_eq!(error(&pair.client.pop()), Some(TransportError::Disconnected));
    assert!(gone(&helper, shared) && !gone(&pair.server, pair.right));
}

/// A process with room for many capabilities.
fn wide(world: &World, name: &str) -> User {
    User::of(&world.process_with(name, &Limits { cap_slots: 400, ..super::LIMITS }))
}

#[test]
fn many_go_in_slices() {
    let world = World::new();
    let (a, b) = (wide(&world, "a"), wide(&world, "b"));
    let own = a.hold(Object::Timer(Timer));
    let mut last = own;
    for n in 0..300 {
        last = if n % 2 == 0 {
            give(&a, &b, TransferSlot::copy(last))
        } else {
            give(&b, &a, TransferSlot::copy(last))
        };
    }
    let (cqe, calls) = revoke(&a, own);
    assert_eq!(cqe.outcome(), 0);
    // A slice has 32 units, of which a victim takes at least two.
    assert!((300 / 16..=300 / 8).contains(&calls), "{calls}");
    assert!(gone(&a, last) || gone(&b, last));
    nodes_are_in_order();
}

#[test]
fn nothing_below_is_copied_or_moved_while_it_lasts() {
    let world = World::new();
    let (a, b) = (wide(&world, "a"), wide(&world, "b"));
    let own = a.hold(Object::Timer(Timer));
    let copies: std::vec::Vec<CapId> = (0..100).map(|_| give(&a, &b, TransferSlot::copy(own))).collect();
    a.submit(revoke_sqe(own));
    a.poll();
    a.nothing();
    assert!(is_repeated(&a));
    let left = *copies.iter().find(|copy| !gone(&b, **copy)).expect("some are left");
    for slot in [TransferSlot::copy(left), TransferSlot::moved(left)] {
        let sent = crate::ipc::transfer::grant(b.process(), a.process(), slot);
        assert_eq!(sent, Err(TransportError::Revoked));
    }
    nodes_are_in_order();
    // Its author dies in the middle: what is left is left, and can be used as ever.
    end::end_process(a.process(), Status::Killed);
    give(&b, &b, TransferSlot::copy(left));
    nodes_are_in_order();
}

#[test]
fn another_revocation_takes_the_place_of_one_that_was_not_finished() {
    let world = World::new();
    let (a, b) = (wide(&world, "a"), wide(&world, "b"));
    let owns = [(); 2].map(|()| a.hold(Object::Timer(Timer)));
    let copies: std::vec::Vec<CapId> = (0..40).map(|_| give(&a, &b, TransferSlot::copy(owns[0]))).collect();
    give(&a, &b, TransferSlot::copy(owns[1]));
    a.submit(revoke_sqe(owns[0]));
    a.poll();
    // The program changes its mind: the submission that the kernel left is another one now.
    let sqe_cap = a.thread.shape.sq_off()
        + (a.thread.sq_head.load(core::sync::atomic::Ordering::Relaxed) as usize % 64) * 64
        + core::mem::offset_of!(Sqe, cap);
    a.thread.ring.frames().write(sqe_cap, &owns[1].raw().to_le_bytes()).expect("inside the ring");
    a.poll();
    assert_eq!(a.pop().outcome(), 0);
    let left = *copies.iter().find(|copy| !gone(&b, **copy)).expect("some are left");
    give(&b, &a, TransferSlot::copy(left));
    nodes_are_in_order();
}

#[test]
fn who_revokes_its_own_handle_s_origin_ends_in_the_middle() {
    let world = World::new();
    let user = world.start("a");
    let child = world.process("child");
    let handle = user.hold(Object::ProcessHandle(ProcessHandle::new(child).unwrap_or_else(|_| panic!())));
    let copy = give(&user, &user, TransferSlot::copy(handle));
    assert_eq!(revoke(&user, handle).0.outcome(), 0);
    assert!(gone(&user, copy));
}

#[test]
fn who_rests_in_a_wait_is_told() {
    let world = World::new();
    let (a, b) = (world.start("a"), world.start("b"));
    let own = super::notification_of(&a);
    let lent = give(&a, &b, TransferSlot::copy(own));
    b.submit(Sqe { op: Op::Wait as u8, cap: lent.raw(), user_data: 5, ..Sqe::default() });
    b.enter(1, syscall::FOREVER);
    assert!(b.is_blocked());
    assert_eq!(revoke(&a, own).0.outcome(), 0);
    b.run();
    let cqe = b.pop();
    assert_eq!((cqe.user_data, error(&cqe)), (5, Some(TransportError::Revoked)));
}

#[test]
fn a_holder_may_end_at_any_slice_of_a_revocation() {
    for slices in 0..8 {
        let world = World::with_cpus(2);
        let (a, b, c) = (wide(&world, "a"), wide(&world, "b"), wide(&world, "c"));
        let own = a.hold(Object::Timer(Timer));
        let first = give(&a, &b, TransferSlot::copy(own));
        let theirs: std::vec::Vec<CapId> = (0..60).map(|_| give(&b, &c, TransferSlot::copy(first))).collect();
        a.submit(revoke_sqe(own));
        for _ in 0..slices {
            a.poll();
            let _ = a.thread.context.take_repeated();
        }
        end::end_process(b.process(), Status::Killed);
        let end = (0..100).find_map(|_| {
            a.poll();
            a.ring.pop()
        });
        // It may have been done before that.
        assert_eq!(end.expect("it ends").outcome(), 0, "after {slices} slices");
        assert!(theirs.iter().all(|copy| gone(&c, *copy)) && !gone(&a, own));
        nodes_are_in_order();
    }
}

#[test]
fn who_revokes_may_end_at_any_slice() {
    for slices in 0..6 {
        let world = World::with_cpus(2);
        let (a, b) = (wide(&world, "a"), wide(&world, "b"));
        let keeper = wide(&world, "keeper");
        let root = keeper.hold(Object::Timer(Timer));
        let own = give(&keeper, &a, TransferSlot::copy(root));
        let copies: std::vec::Vec<CapId> = (0..60).map(|_| give(&a, &b, TransferSlot::copy(own))).collect();
        a.submit(revoke_sqe(own));
        for _ in 0..slices {
            a.poll();
            let _ = a.thread.context.take_repeated();
        }
        end::end_process(a.process(), Status::Killed);
        nodes_are_in_order();
        // What it had not come to can be passed on again, and is the keeper's to revoke.
        let left: std::vec::Vec<CapId> = copies.iter().copied().filter(|copy| !gone(&b, *copy)).collect();
        let possible = 60_usize.saturating_sub(16 * slices)..=60_usize.saturating_sub(8 * slices);
        assert!(possible.contains(&left.len()), "{} after {slices} slices", left.len());
        if let Some(copy) = left.first() {
            give(&b, &b, TransferSlot::copy(*copy));
        }
        assert_eq!(revoke(&keeper, root).0.outcome(), 0);
        assert!(copies.iter().all(|copy| gone(&b, *copy)));
        nodes_are_in_order();
    }
}
