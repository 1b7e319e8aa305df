//! Calls between processes.

use super::{CAPS, MSG, REPLY, User, World, call_sqe, error, recv_sqe, return_recv_sqe, return_sqe};
use crate::cap::Object;
use crate::cap::timer::Timer;
use crate::ipc::deliver;
use crate::ipc::endpoint::Endpoint;
use crate::ipc::ops::Buffers;
use crate::task::process::Status;
use crate::task::thread::{Run, Thread};
use crate::task::{cpu, end};
use capos_abi::ring::{cqe_flags, sqe_flags};
use capos_abi::{CapId, Cqe, ExceptionCode, Op, Sqe, TransferSlot, TransportError, syscall};
use capos_mem::Resource;
use capos_schema::{endpoint, endpoint_factory};
use kernel_hal::fake;
use kernel_hal::sync::Ref;
use std::sync::Mutex;
use std::vec::Vec;

pub(super) const FACE: u64 = 0x77;

/// A server with an endpoint and a client with a facet of it.
pub(super) struct Pair {
    pub(super) server: User,
    pub(super) client: User,
    pub(super) right: CapId,
    pub(super) facet: CapId,
}

impl Pair {
    pub(super) fn new(world: &World, depth: u32) -> Self {
        let (server, client) = (world.start("server"), world.start("client"));
        let right = make_endpoint(&server, depth);
        let facet = mint_for(&server, right, &client, 42);
        Pair { server, client, right, facet }
    }

    pub(super) fn call(&self, message: &[u8]) -> Sqe {
        self.client.put(MSG, message);
        call_sqe(self.facet, FACE, 5, message.len() as u32)
    }

    /// Lets the server receive one call.
    pub(super) fn receive(&self) -> Cqe {
        self.server.one(recv_sqe(self.right))
    }
}

pub(super) fn make_endpoint(server: &User, depth: u32) -> CapId {
    let params = endpoint_factory::CreateParams { depth };
    server
        .call_for_cap(
            CapId::SELF_ENDPOINTS,
            endpoint_factory::INTERFACE_ID,
            endpoint_factory::CREATE,
            &params,
        )
        .expect("an endpoint")
}

pub(super) fn mint(server: &User, right: CapId, badge: u64) -> CapId {
    let params = endpoint::MintParams { badge, interface: FACE };
    server.call_for_cap(right, endpoint::INTERFACE_ID, endpoint::MINT, &params).expect("a facet")
}

/// Mints a facet and moves it to the client, as a parent would.
fn mint_for(server: &User, right: CapId, client: &User, badge: u64) -> CapId {
    let id = mint(server, right, badge);
    let entry = server.process().release(id);
    let Ok(entry) = entry else { panic!("just minted") };
    client.hold(entry.object)
}

#[test]
fn a_call_that_finds_a_receiver_is_handed_over_and_answered() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    assert!(pair.server.is_blocked());
    pair.client.submit(pair.call(b"question"));
    pair.client.enter(1, syscall::FOREVER);
    // Handed over directly: the server runs at once.
    assert!(kernel_hal::user::is_running(0, &pair.server.thread.context));
    assert_eq!(pair.server.returned(), 1);
    let got = pair.server.pop();
    assert_eq!((got.user_data, got.result, got.method, got.badge), (2, 8, 5, 42));
    assert_eq!(pair.server.get(REPLY, 8), b"question");
    pair.server.put(MSG, b"answer!!");
    pair.server.submit(return_sqe(pair.right, got.token, 8));
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(2, syscall::FOREVER);
    assert!(kernel_hal::user::is_running(0, &pair.client.thread.context));
    let answer = pair.client.pop();
    assert_eq!((answer.user_data, answer.result), (1, 8));
    assert_eq!(pair.client.get(REPLY, 8), b"answer!!");
}

#[test]
fn a_call_without_a_receiver_waits_for_one() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.client.submit(pair.call(b"12345678"));
    pair.client.poll();
    pair.client.nothing();
    let got = pair.receive();
    assert_eq!((got.result, got.badge), (8, 42));
    assert_eq!(pair.server.one(return_sqe(pair.right, got.token, 0)).result, 0);
    assert_eq!(pair.client.pop().result, 0);
}

#[test]
fn calls_are_received_in_order_and_the_depth_bounds_them() {
    let world = World::new();
    let pair = Pair::new(&world, 3);
    for n in 0..4u64 {
        pair.client.submit(Sqe { user_data: n, ..pair.call(b"") });
    }
    pair.client.poll();
    let refused = pair.client.pop();
    assert_eq!((refused.user_data, error(&refused)), (3, Some(TransportError::QueueFull)));
    let first = pair.receive();
    // Received but not answered still counts against the depth.
    assert_eq!(error(&pair.client.one(pair.call(b""))), Some(TransportError::QueueFull));
    pair.server.one(return_sqe(pair.right, first.token, 0));
    assert_eq!(pair.client.pop().user_data, 0);
    pair.client.submit(pair.call(b""));
    pair.client.poll();
    pair.client.nothing();
}

#[test]
fn an_exception_travels_with_its_code_and_text() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.client.submit(pair.call(b""));
    pair.client.poll();
    let got = pair.receive();
    pair.server.put(MSG, b"no such thing");
    let sqe = return_sqe(pair.right, got.token, 13);
    pair.server.one(Sqe { flags: sqe_flags::EXCEPTION, method: ExceptionCode::NotFound.code(), ..sqe });
    let answer = pair.client.pop();
    assert_eq!(
        (answer.flags, answer.method, answer.result),
        (cqe_flags::EXCEPTION, ExceptionCode::NotFound.code(), 13)
    );
    assert_eq!(pair.client.get(REPLY, 13), b"no such thing");
}

#[test]
fn a_message_larger_than_the_receivers_buffer_is_the_callers_error_and_the_receiver_waits_on() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.server.submit(Sqe { msg_len: 8, ..recv_sqe(pair.right) });
    pair.server.poll();
    assert_eq!(error(&pair.client.one(pair.call(b"123456789"))), Some(TransportError::MessageTooLarge));
    pair.server.nothing();
    pair.client.submit(pair.call(b"12345678"));
    pair.client.poll();
    pair.server.poll();
    assert_eq!(pair.server.pop().result, 8);
}

#[test]
fn an_answer_larger_than_the_callers_buffer_is_the_callers_error() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.client.submit(Sqe { reply_len: 8, ..pair.call(b"") });
    pair.client.poll();
    let got = pair.receive();
    assert_eq!(pair.server.one(return_sqe(pair.right, got.token, 16)).result, 0);
    assert_eq!(error(&pair.client.pop()), Some(TransportError::ReplyTooLarge));
}

#[test]
fn a_token_answers_once() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.client.submit(pair.call(b""));
    pair.client.poll();
    let got = pair.receive();
    assert_eq!(pair.server.one(return_sqe(pair.right, got.token, 0)).result, 0);
    for token in [got.token, 0, u64::MAX, got.token + (1 << 32)] {
        assert_eq!(
            error(&pair.server.one(return_sqe(pair.right, token, 0))),
            Some(TransportError::StaleToken)
        );
    }
    // A token is nothing without the right to receive, nor with another endpoint's.
    pair.client.pop();
    pair.client.submit(pair.call(b""));
    pair.client.poll();
    let got = pair.receive();
    let own = make_endpoint(&pair.client, 4);
    let attempts = [
        (CapId::NULL, TransportError::InvalidCap),
        (pair.facet, TransportError::WrongKind),
        (own, TransportError::StaleToken),
    ];
    for (right, expected) in attempts {
        assert_eq!(error(&pair.client.one(return_sqe(right, got.token, 0))), Some(expected));
    }
}

#[test]
fn a_cancelled_call_frees_its_place_wherever_it_was() {
    let world = World::new();
    let pair = Pair::new(&world, 1);
    let cancel = Sqe { op: Op::Cancel as u8, aux: 1, user_data: 9, ..Sqe::default() };
    for received in [false, true] {
        pair.client.submit(pair.call(b""));
        pair.client.poll();
        let got = received.then(|| pair.receive());
        pair.client.submit(cancel);
        pair.client.poll();
        let (call, done) = (pair.client.pop(), pair.client.pop());
        assert_eq!((call.user_data, error(&call)), (1, Some(TransportError::Canceled)));
        assert_eq!((done.user_data, done.result), (9, 0));
        if let Some(got) = got {
            assert_eq!(
                error(&pair.server.one(return_sqe(pair.right, got.token, 0))),
                Some(TransportError::StaleToken)
            );
        }
    }
    // The endpoint of depth 1 is empty again.
    pair.client.submit(pair.call(b""));
    pair.client.poll();
    pair.client.nothing();
}

#[test]
fn when_the_server_dies_every_caller_hears_of_it() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.client.submit(Sqe { user_data: 1, ..pair.call(b"") });
    pair.client.submit(Sqe { user_data: 2, ..pair.call(b"") });
    pair.client.poll();
    pair.receive();
    end::end_process(pair.server.process(), Status::Killed);
    pair.client.poll();
    let mut errors = [pair.client.pop(), pair.client.pop()];
    errors.sort_by_key(|cqe| cqe.user_data);
    for (cqe, user_data) in errors.iter().zip(1..) {
        assert_eq!((cqe.user_data, error(cqe)), (user_data, Some(TransportError::Disconnected)));
    }
    assert_eq!(error(&pair.client.one(pair.call(b""))), Some(TransportError::Disconnected));
}

#[test]
fn when_the_caller_dies_its_calls_vanish() {
    let world = World::new();
    let pair = Pair::new(&world, 2);
    pair.client.submit(pair.call(b""));
    pair.client.submit(pair.call(b""));
    pair.client.poll();
    let got = pair.receive();
    end::end_process(pair.client.process(), Status::Killed);
    assert_eq!(
        error(&pair.server.one(return_sqe(pair.right, got.token, 0))),
        Some(TransportError::StaleToken)
    );
    // What is left to receive is the news that the client's facet is gone.
    let news = pair.receive();
    assert_eq!((news.flags, news.badge), (cqe_flags::UNREFERENCED, 42));
}

#[test]
fn the_last_copy_of_a_facet_tells_the_server() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let copy = {
        let object = pair.client.object(pair.facet);
        pair.client.hold(object)
    };
    pair.server.submit(recv_sqe(pair.right));
    pair.server.poll();
    let release = |id: CapId| Sqe { op: Op::Release as u8, cap: id.raw(), ..Sqe::default() };
    assert_eq!(pair.client.one(release(copy)).result, 0);
    pair.server.poll();
    pair.server.nothing();
    assert_eq!(pair.client.one(release(pair.facet)).result, 0);
    assert_eq!(error(&pair.client.one(release(pair.facet))), Some(TransportError::InvalidCap));
    pair.server.poll();
    let news = pair.server.pop();
    assert_eq!((news.flags, news.badge), (cqe_flags::UNREFERENCED, 42));
}

#[test]
fn releasing_the_receive_right_closes_the_endpoint() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let used = || pair.server.process().account.used(Resource::EndpointEntries);
    assert_eq!(used(), 4);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.poll();
    pair.server.submit(Sqe { op: Op::Release as u8, cap: pair.right.raw(), user_data: 8, ..Sqe::default() });
    pair.server.poll();
    assert_eq!(error(&pair.server.pop()), Some(TransportError::InvalidCap));
    assert_eq!(pair.server.pop().user_data, 8);
    assert_eq!(error(&pair.client.one(pair.call(b""))), Some(TransportError::Disconnected));
    let release = Sqe { op: Op::Release as u8, cap: pair.facet.raw(), ..Sqe::default() };
    pair.client.one(release);
    assert_eq!(used(), 0);
}

#[test]
fn capabilities_travel_with_a_call_and_its_answer() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let timer = pair.client.hold(Object::Timer(crate::cap::timer::Timer));
    pair.client.set_word(CAPS, TransferSlot::moved(timer).0);
    pair.client.submit(Sqe { caps_send: 1, caps_recv: 1, ..pair.call(b"") });
    pair.client.poll();
    let got = pair.receive();
    assert_eq!(got.caps, 1);
    let received = CapId::from_raw(pair.server.word(CAPS));
    assert!(pair.client.process().table.lock().lookup(timer).is_err(), "moved away");
    assert!(matches!(
        pair.server.process().table.lock().lookup(received).map(|it| &it.object),
        Ok(Object::Timer(_))
    ));
    // Back again as a copy.
    pair.server.set_word(CAPS, TransferSlot::copy(received).0);
    pair.server.one(Sqe { caps_off: CAPS, caps_send: 1, ..return_sqe(pair.right, got.token, 0) });
    let answer = pair.client.pop();
    assert_eq!(answer.caps, 1);
    let back = CapId::from_raw(pair.client.word(CAPS));
    assert!(pair.client.process().table.lock().lookup(back).is_ok());
    assert!(pair.server.process().table.lock().lookup(received).is_ok());
}

#[test]
fn a_transfer_that_fails_moves_nothing() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let timer = pair.client.hold(Object::Timer(crate::cap::timer::Timer));
    let before = pair.server.process().table.lock().len();
    pair.server.submit(recv_sqe(pair.right));
    pair.server.poll();
    let attempts: [(&[u64], TransportError); 4] = [
        (
            &[TransferSlot::moved(timer).0, TransferSlot::copy(CapId::new(20, 9)).0],
            TransportError::InvalidCap,
        ),
        (&[TransferSlot::moved(timer).0, TransferSlot::moved(timer).0], TransportError::InvalidCap),
        (&[TransferSlot::moved(timer).0, 7 << 56], TransportError::InvalidArgument),
        (&[TransferSlot::copy(timer).0; 5], TransportError::PeerBudgetExhausted),
    ];
    for (words, expected) in attempts {
        for (n, word) in (0u32..).zip(words) {
            pair.client.set_word(CAPS + n * 8, *word);
        }
        let cqe = pair.client.one(Sqe { caps_send: words.len() as u8, ..pair.call(b"") });
        assert_eq!(error(&cqe), Some(expected), "{words:x?}");
        assert!(pair.client.process().table.lock().lookup(timer).is_ok(), "{words:x?}");
        assert_eq!(pair.server.process().table.lock().len(), before);
    }
    // The receive still waits and the next call gets through.
    pair.client.submit(pair.call(b"12345678"));
    pair.client.poll();
    pair.server.poll();
    assert_eq!(pair.server.pop().result, 8);
}

#[test]
fn an_answer_with_a_bad_capability_is_the_servers_error_and_can_be_made_good() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.client.submit(Sqe { caps_recv: 1, ..pair.call(b"") });
    pair.client.poll();
    let got = pair.receive();
    pair.server.set_word(CAPS, TransferSlot::copy(CapId::new(30, 3)).0);
    let bad = Sqe { caps_off: CAPS, caps_send: 1, ..return_sqe(pair.right, got.token, 0) };
    assert_eq!(error(&pair.server.one(bad)), Some(TransportError::InvalidCap));
    pair.client.nothing();
    assert_eq!(pair.server.one(return_sqe(pair.right, got.token, 0)).result, 0);
    assert_eq!(pair.client.pop().result, 0);
}

#[test]
fn only_the_receive_right_receives_and_only_facets_are_called() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    assert_eq!(error(&pair.client.one(recv_sqe(pair.facet))), Some(TransportError::WrongKind));
    assert_eq!(error(&pair.client.one(recv_sqe(CapId::NULL))), Some(TransportError::InvalidCap));
}

#[test]
fn an_answer_and_the_next_receive_are_one_submission_with_one_completion() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.client.submit(Sqe { user_data: 11, ..pair.call(b"first") });
    pair.client.submit(Sqe { user_data: 12, ..pair.call(b"first") });
    pair.client.poll();
    let first = pair.receive();
    pair.server.put(MSG, b"answer");
    // The second call is there already.
    let second = pair.server.one(return_recv_sqe(pair.right, first.token, 6));
    assert_eq!((second.user_data, second.result, second.method, second.badge), (4, 5, 5, 42));
    assert_eq!(pair.server.get(REPLY, 5), b"first");
    assert_eq!((pair.client.pop().user_data, pair.client.get(REPLY, 6)), (11, b"answer".to_vec()));
    // The third is still to come.
    pair.server.submit(return_recv_sqe(pair.right, second.token, 0));
    pair.server.enter(1, syscall::FOREVER);
    assert!(pair.server.is_blocked());
    assert_eq!(pair.client.pop().user_data, 12);
    pair.client.submit(pair.call(b"third"));
    pair.client.enter(1, syscall::FOREVER);
    assert!(kernel_hal::user::is_running(0, &pair.server.thread.context));
    assert_eq!((pair.server.returned(), pair.server.pop().result), (1, 5));
    pair.server.nothing();
}

#[test]
fn an_answer_that_is_refused_receives_nothing() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    for _ in 0..2 {
        pair.client.submit(pair.call(b""));
    }
    pair.client.poll();
    let got = pair.receive();
    let refused = [
        (Sqe { cap: 77, ..return_recv_sqe(pair.right, got.token, 0) }, TransportError::StaleToken),
        (return_recv_sqe(CapId::NULL, got.token, 0), TransportError::InvalidCap),
        (Sqe { reply_off: 4, ..return_recv_sqe(pair.right, got.token, 0) }, TransportError::InvalidArgument),
        (
            Sqe { reply_len: u32::MAX, ..return_recv_sqe(pair.right, got.token, 0) },
            TransportError::InvalidArgument,
        ),
        (Sqe { flags: 4, ..return_recv_sqe(pair.right, got.token, 0) }, TransportError::InvalidArgument),
    ];
    for (sqe, expected) in refused {
        assert_eq!(error(&pair.server.one(sqe)), Some(expected));
        pair.client.nothing();
    }
    assert_eq!(pair.server.one(return_recv_sqe(pair.right, got.token, 0)).result, 0);
}

#[test]
fn a_receiver_that_was_just_killed_is_passed_over() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    // As another CPU leaves it between the mark and the clean-up.
    super::audit::from_now_on(false);
    pair.server.thread.state.lock().run = Run::Dead;
    pair.client.submit(pair.call(b""));
    pair.client.poll();
    pair.client.nothing();
    assert!(kernel_hal::user::is_running(0, &pair.client.thread.context));
    // The call waits for a receiver that lives.
    let entry = pair.server.object(pair.right);
    let heir = world.start("heir");
    let right = heir.hold(entry);
    assert_eq!(heir.one(recv_sqe(right)).badge, 42);
    pair.server.thread.state.lock().run = Run::Blocked;
}

#[test]
fn whoever_gives_its_right_up_leaves_nothing_half_done() {
    let world = World::new();
    let pair = Pair::new(&world, 8);
    let object = pair.server.object(pair.right);
    let heir = world.start("heir");
    let right = heir.hold(object);
    // One call is received by the old server, one by the heir; both wait for more.
    for user_data in [21, 22] {
        pair.client.submit(Sqe { user_data, ..pair.call(b"") });
    }
    pair.client.poll();
    let (old, new) = (pair.receive(), heir.one(recv_sqe(right)));
    pair.server.submit(recv_sqe(pair.right));
    pair.server.poll();
    let release = Sqe { op: Op::Release as u8, cap: pair.right.raw(), user_data: 8, ..Sqe::default() };
    pair.server.submit(release);
    pair.server.poll();
    assert_eq!(error(&pair.server.pop()), Some(TransportError::InvalidCap), "its receive");
    assert_eq!((pair.server.pop().user_data, old.token != new.token), (8, true));
    let gone = pair.client.pop();
    assert_eq!((gone.user_data, error(&gone)), (21, Some(TransportError::Disconnected)));
    pair.client.nothing();
    assert_eq!(heir.one(return_sqe(right, new.token, 0)).result, 0);
    assert_eq!(pair.client.pop().user_data, 22);
    // The endpoint lives on.
    pair.client.submit(pair.call(b""));
    pair.client.poll();
    assert_eq!(heir.one(recv_sqe(right)).badge, 42);
}

#[test]
fn a_receive_right_travels_by_copy_only() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let own = make_endpoint(&pair.client, 2);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.poll();
    for (slot, expected) in
        [(TransferSlot::moved(own), Some(TransportError::NotTransferable)), (TransferSlot::copy(own), None)]
    {
        pair.client.set_word(CAPS, slot.0);
        pair.client.submit(Sqe { caps_send: 1, ..pair.call(b"") });
        pair.client.poll();
        assert_eq!(pair.client.ring.pop().and_then(|cqe| error(&cqe)), expected);
    }
}

#[test]
fn a_token_of_an_answered_call_does_not_answer_the_next() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    let served = || {
        pair.client.submit(pair.call(b""));
        pair.client.poll();
        pair.receive().token
    };
    let first = served();
    assert_eq!(error(&pair.server.one(return_sqe(pair.right, first, 0))), None);
    pair.client.pop();
    let second = served();
    // The slot is the same, the call another one.
    assert_eq!(first & 0xffff_ffff, second & 0xffff_ffff);
    assert_eq!(error(&pair.server.one(return_sqe(pair.right, first, 0))), Some(TransportError::StaleToken));
    assert_eq!(error(&pair.server.one(return_sqe(pair.right, second, 0))), None);
}

/// Who calls where when somebody is kicked next, as a thread on another CPU may at any moment.
static LATE: Mutex<Option<(Ref<Thread>, Ref<Endpoint>)>> = Mutex::new(None);

fn call_late() {
    let late = LATE.lock().expect("nobody panics with it").take();
    if let Some((caller, endpoint)) = late {
        deliver::call(&caller, &endpoint, 9, &Buffers::NONE).expect("there is room");
    }
}

#[test]
fn a_call_that_comes_while_a_right_is_given_up_goes_to_who_can_answer() {
    let world = World::with_cpus(2);
    let pair = Pair::new(&world, 8);
    let clients = [world.start("one"), world.start("two")];
    let (late, heir) = (world.start("late"), world.start("heir"));
    let (right, facet) = (pair.server.object(pair.right), pair.client.object(pair.facet));
    let Object::Endpoint(shared) = &right else { panic!("a right") };
    *LATE.lock().expect("nobody panics with it") = Some((late.thread.clone(), shared.endpoint.clone()));
    for client in &clients {
        client.submit(call_sqe(client.hold(facet.clone()), FACE, 5, 0));
        client.enter(1, syscall::FOREVER);
        assert_eq!(pair.receive().badge, 42);
    }
    let right = heir.hold(right);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.poll();
    // Both clients wake up, and one of them finds another CPU idle.
    pair.server.run();
    assert!((0..2).all(|id| cpu::IDLE.rest(id, || false)));
    fake::cpu::answer_kicks(call_late);
    pair.server.submit(Sqe { op: Op::Release as u8, cap: pair.right.raw(), ..Sqe::default() });
    pair.server.poll();
    assert!(LATE.lock().expect("nobody panics with it").is_none());
    assert_eq!(heir.one(recv_sqe(right)).badge, 9);
}

#[test]
fn badges_that_nobody_hears_of_do_not_pile_up() {
    let world = World::new();
    let server = world.start("server");
    let right = make_endpoint(&server, 1);
    let params = endpoint::MintParams { badge: 7, interface: FACE };
    let mint = || server.call_for_cap(right, endpoint::INTERFACE_ID, endpoint::MINT, &params);
    let release = |id: CapId| {
        let cqe = server.one(Sqe { op: Op::Release as u8, cap: id.raw(), ..Sqe::default() });
        assert_eq!(cqe.result, 0);
    };
    let mut minted = 0;
    let refused = loop {
        match mint() {
            Ok(id) => release(id),
            Err(cqe) => break cqe,
        }
        minted += 1;
        assert!(minted < 1000, "without an end");
    };
    assert_eq!(refused.method, ExceptionCode::BudgetExhausted as u16);
    assert_eq!(minted, 64 + 16);
    // Who listens may go on.
    let heard = server.one(recv_sqe(right));
    assert_eq!((heard.flags & cqe_flags::UNREFERENCED, heard.badge), (cqe_flags::UNREFERENCED, 7));
    release(mint().expect("there is room again"));
}

#[test]
fn a_facet_that_nobody_got_goes_without_a_word() {
    let world = World::new();
    let server = world.start("server");
    let right = make_endpoint(&server, 1);
    let fails = |room: u8| {
        let params = endpoint::MintParams { badge: 9, interface: FACE };
        let refused = server.call_raw(right, endpoint::INTERFACE_ID, endpoint::MINT, &params, room);
        assert_eq!(error(&refused), Some(TransportError::BudgetExhausted));
    };
    fails(0);
    let full: Vec<_> = std::iter::from_fn(|| server.process().insert(Object::Timer(Timer)).ok()).collect();
    fails(1);
    full.into_iter().for_each(|id| drop(server.process().release(id)));
    server.submit(recv_sqe(right));
    server.poll();
    server.nothing();
    // Of one that somebody had it is told.
    let facet = mint(&server, right, 8);
    server.submit(Sqe { op: Op::Release as u8, cap: facet.raw(), ..Sqe::default() });
    server.poll();
    let heard = [server.pop(), server.pop()].map(|cqe| (cqe.flags, cqe.badge));
    assert!(heard.contains(&(cqe_flags::UNREFERENCED, 8)), "{heard:?}");
}
