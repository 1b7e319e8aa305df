//! Every error that every ring operation can answer, each brought about on purpose. A new operation or error does not compile before it
//! says here what it answers, and fails until there is a case for it.

use super::ipc::Pair;
use super::{CAPS, MSG, User, World, call_sqe, error, recv_sqe, return_recv_sqe, return_sqe};
use crate::cap::timer::Timer;
use crate::cap::{Call, Object, families};
use crate::ipc::ops::Buffers;
use crate::ipc::transfer;
use capos_abi::ring::sqe_flags;
use capos_abi::{CapId, Cqe, Op, Sqe, TransferSlot, TransportError, syscall};
use capos_mem::Resource;
use capos_schema::{Encode, endpoint_factory, notification as schema, timer, virtual_memory};
use core::sync::atomic::Ordering;
use kernel_hal::fake;
use std::collections::BTreeSet;
use std::vec::Vec;

use TransportError as E;

/// What a completion of that operation may say.
fn answers(op: Op) -> &'static [E] {
    match op {
        Op::Nop | Op::Cancel => &[E::InvalidArgument],
        Op::Release | Op::Revoke => &[E::InvalidArgument, E::InvalidCap],
        Op::Unpark => &[E::InvalidArgument],
        Op::Park => &[E::InvalidArgument, E::TooManyInFlight, E::OutOfMemory, E::Canceled, E::TimedOut],
        Op::Recv => &[
            E::InvalidArgument,
            E::InvalidCap,
            E::WrongKind,
            E::TooManyInFlight,
            E::OutOfMemory,
            E::Canceled,
            E::TimedOut,
        ],
        Op::Wait => &[
            E::InvalidArgument,
            E::InvalidCap,
            E::WrongKind,
            E::Disconnected,
            E::TooManyInFlight,
            E::OutOfMemory,
            E::Canceled,
            E::Revoked,
            E::TimedOut,
        ],
        Op::Return => &[
            E::InvalidArgument,
            E::InvalidCap,
            E::WrongKind,
            E::StaleToken,
            E::NotTransferable,
            E::Revoked,
            E::OutOfMemory,
        ],
        Op::ReturnRecv => &[
            E::InvalidArgument,
            E::InvalidCap,
            E::WrongKind,
            E::StaleToken,
            E::NotTransferable,
            E::Revoked,
            E::OutOfMemory,
            E::TooManyInFlight,
            E::Canceled,
            E::TimedOut,
        ],
        Op::Call => &[
            E::InvalidArgument,
            E::InvalidCap,
            E::WrongInterface,
            E::UnknownMethod,
            E::BadMessage,
            E::MessageTooLarge,
            E::ReplyTooLarge,
            E::Disconnected,
            E::QueueFull,
            E::TooManyInFlight,
            E::BudgetExhausted,
            E::PeerBudgetExhausted,
            E::NotTransferable,
            E::Revoked,
            E::OutOfMemory,
            E::Canceled,
            E::TimedOut,
        ],
    }
}

/// Whether an error is told by completions at all.
fn is_for_completions(error: E) -> bool {
    match error {
        // Told by the system call itself; see `system_calls_answer_what_no_completion_does`. (And those of operations that there are not.)
        E::CorruptRing | E::UnknownOp => false,
        E::InvalidArgument
        | E::InvalidCap
        | E::WrongInterface
        | E::WrongKind
        | E::UnknownMethod
        | E::MessageTooLarge
        | E::ReplyTooLarge
        | E::Disconnected
        | E::QueueFull
        | E::BudgetExhausted
        | E::PeerBudgetExhausted
        | E::Canceled
        | E::NotTransferable
        | E::StaleToken
        | E::TooManyInFlight
        | E::OutOfMemory
        | E::BadMessage
        | E::Revoked
        | E::TimedOut => true,
    }
}

/// All operations there are.
fn operations() -> impl Iterator<Item = Op> {
    (0..=u8::MAX).filter_map(Op::from_u8)
}

/// One way to get one error: the operation, the error, and what brings it about and gives the completion.
type Case = (Op, E, Way);
type Way = fn(&Pair, Op) -> Cqe;

const NOWHERE: CapId = CapId::new(77, 1);

fn simple(op: Op) -> Sqe {
    Sqe { op: op as u8, user_data: 5, ..Sqe::default() }
}

/// Cancels the operation of `user` with that number and gives its completion.
fn cancelled(user: &User, number: u64) -> Cqe {
    user.submit(Sqe { aux: number, user_data: 99, ..simple(Op::Cancel) });
    user.poll();
    let both = [user.pop(), user.pop()];
    both.into_iter().find(|cqe| cqe.user_data == number).expect("its completion")
}

/// The client calls, the server receives; gives the token.
fn received(pair: &Pair, caps_recv: u8) -> u64 {
    pair.client.submit(Sqe { caps_recv, ..pair.call(b"") });
    pair.client.poll();
    pair.receive().token
}

/// `user` submits what needs memory when there is none.
fn without_memory(user: &User, sqe: Sqe) -> Cqe {
    user.submit(sqe);
    fake::fail_nth_allocation(0);
    user.poll();
    fake::never_fail();
    user.pop()
}

/// Fills a table so that its next entry needs memory.
fn fill_up(user: &User) {
    let full = |user: &User| {
        fake::fail_nth_allocation(0);
        let added = user.process().insert(Object::Timer(Timer));
        fake::never_fail();
        added.is_err()
    };
    while !full(user) {}
}

/// A `RETURN`, or a `RETURN_RECV`, of the server's to `token`.
fn answer_of(pair: &Pair, op: Op, token: u64) -> Sqe {
    match op {
        Op::Return => return_sqe(pair.right, token, 0),
        _ => return_recv_sqe(pair.right, token, 0),
    }
}

/// The same with one capability.
fn giving(pair: &Pair, op: Op, slot: TransferSlot) -> Sqe {
    let token = received(pair, 1);
    pair.server.set_word(CAPS, slot.0);
    Sqe { caps_off: CAPS, caps_send: 1, ..answer_of(pair, op, token) }
}

/// The errors of `RETURN`, which `RETURN_RECV` has, too.
const ANSWERS: [(E, Way); 8] = [
    (E::InvalidArgument, |pair, op| {
        let token = received(pair, 0);
        pair.server.one(Sqe { flags: 0x40, ..answer_of(pair, op, token) })
    }),
    (E::InvalidArgument, |pair, op| pair.server.one(giving(pair, op, TransferSlot(0xff << 56)))),
    (E::InvalidCap, |pair, op| {
        let token = received(pair, 0);
        pair.server.one(Sqe { interface: NOWHERE.raw(), ..answer_of(pair, op, token) })
    }),
    (E::WrongKind, |pair, op| {
        let token = received(pair, 0);
        let interface = CapId::SELF_MEMORY.raw();
        pair.server.one(Sqe { interface, ..answer_of(pair, op, token) })
    }),
    (E::StaleToken, |pair, op| pair.server.one(answer_of(pair, op, 0x1_0000_0000))),
    (E::NotTransferable, |pair, op| {
        pair.server.one(giving(pair, op, TransferSlot::copy(CapId::SELF_MEMORY)))
    }),
    (E::Revoked, |pair, op| {
        let timer = pair.server.hold(Object::Timer(Timer));
        being_revoked(&pair.server, timer);
        pair.server.one(giving(pair, op, TransferSlot::copy(timer)))
    }),
    (E::OutOfMemory, |pair, op| {
        let timer = pair.server.hold(Object::Timer(Timer));
        let answer = giving(pair, op, TransferSlot::copy(timer));
        fill_up(&pair.client);
        without_memory(&pair.server, answer)
    }),
];

/// Those of everything else.
const OTHERS: &[Case] = &[
    (Op::Nop, E::InvalidArgument, |pair, op| pair.client.one(Sqe { reserved0: 1, ..simple(op) })),
    (Op::Cancel, E::InvalidArgument, |pair, op| pair.client.one(Sqe { reserved1: 1, ..simple(op) })),
    (Op::Cancel, E::InvalidArgument, |pair, op| pair.client.one(Sqe { aux: 4711, ..simple(op) })),
    (Op::Release, E::InvalidArgument, |pair, op| pair.client.one(Sqe { flags: 1, ..simple(op) })),
    (Op::Release, E::InvalidCap, |pair, op| pair.client.one(Sqe { cap: NOWHERE.raw(), ..simple(op) })),
    (Op::Revoke, E::InvalidArgument, |pair, op| {
        pair.client.one(Sqe { flags: sqe_flags::DEADLINE, ..simple(op) })
    }),
    (Op::Revoke, E::InvalidCap, |pair, op| pair.client.one(Sqe { cap: NOWHERE.raw(), ..simple(op) })),
    // Parking.
    (Op::Unpark, E::InvalidArgument, |pair, op| pair.client.one(simple(op))),
    (Op::Unpark, E::InvalidArgument, |pair, op| {
        pair.client.one(Sqe { cap: pair.server.thread.id, interface: 1, ..simple(op) })
    }),
    (Op::Park, E::InvalidArgument, |pair, op| pair.client.one(simple(op))),
    (Op::Park, E::TooManyInFlight, |pair, op| {
        pair.client.submit(waits(pair, op));
        pair.client.one(waits(pair, op))
    }),
    (Op::Park, E::Canceled, |pair, op| {
        pair.client.submit(Sqe { user_data: 7, ..waits(pair, op) });
        cancelled(&pair.client, 7)
    }),
    // A wait for bits.
    (Op::Wait, E::InvalidArgument, |pair, op| pair.client.one(Sqe { reserved0: 1, ..waits(pair, op) })),
    (Op::Wait, E::InvalidCap, |pair, op| pair.client.one(Sqe { cap: NOWHERE.raw(), ..simple(op) })),
    (Op::Wait, E::InvalidCap, |pair, op| {
        pair.client.one(Sqe { interface: NOWHERE.raw(), ..waits(pair, op) })
    }),
    (Op::Wait, E::WrongKind, |pair, op| pair.client.one(Sqe { cap: pair.facet.raw(), ..simple(op) })),
    (Op::Wait, E::WrongKind, |pair, op| {
        pair.client.one(Sqe { interface: pair.facet.raw(), ..waits(pair, op) })
    }),
    (Op::Wait, E::Disconnected, |pair, op| {
        // Nobody can wait for the signal any more.
        let other = super::notification_of(&pair.client);
        let params = schema::MintParams { bits: 1, lost: 0 };
        let bell = pair.client.call_for_cap(other, schema::INTERFACE_ID, schema::MINT, &params);
        let interface = bell.expect("a signaller").raw();
        pair.client.one(Sqe { cap: other.raw(), ..simple(Op::Release) });
        pair.client.one(Sqe { interface, ..waits(pair, op) })
    }),
    (Op::Wait, E::TooManyInFlight, |pair, op| {
        let wait = waits(pair, op);
        (0..8).for_each(|_| pair.client.submit(wait));
        pair.client.one(wait)
    }),
    (Op::Wait, E::Canceled, |pair, op| {
        pair.client.submit(Sqe { user_data: 7, ..waits(pair, op) });
        cancelled(&pair.client, 7)
    }),
    (Op::Wait, E::Canceled, |pair, op| {
        // The right to wait goes while it does.
        let wait = waits(pair, op);
        pair.client.submit(wait);
        pair.client.submit(Sqe { cap: wait.cap, ..simple(Op::Release) });
        pair.client.poll();
        pair.client.pop()
    }),
    (Op::Wait, E::Revoked, |pair, op| {
        let own = super::notification_of(&pair.client);
        let lent = lent(&pair.client, &pair.server, own);
        pair.server.submit(Sqe { cap: lent.raw(), ..simple(op) });
        pair.server.poll();
        revoked(&pair.client, own);
        pair.server.pop()
    }),
    // A receive.
    (Op::Recv, E::InvalidArgument, |pair, _| pair.server.one(Sqe { msg_off: 4, ..recv_sqe(pair.right) })),
    (Op::Recv, E::InvalidCap, |pair, _| pair.server.one(recv_sqe(NOWHERE))),
    (Op::Recv, E::InvalidCap, |pair, _| {
        // The right goes while it waits.
        pair.server.submit(recv_sqe(pair.right));
        pair.server.submit(Sqe { cap: pair.right.raw(), ..simple(Op::Release) });
        pair.server.poll();
        pair.server.pop()
    }),
    (Op::Recv, E::WrongKind, |pair, _| pair.server.one(recv_sqe(CapId::SELF_MEMORY))),
    (Op::Recv, E::TooManyInFlight, |pair, _| {
        (0..DEPTH).for_each(|_| pair.server.submit(recv_sqe(pair.right)));
        pair.server.one(recv_sqe(pair.right))
    }),
    (Op::Recv, E::Canceled, |pair, _| {
        pair.server.submit(Sqe { user_data: 7, ..recv_sqe(pair.right) });
        cancelled(&pair.server, 7)
    }),
    // An answer with a receive.
    (Op::ReturnRecv, E::TooManyInFlight, |pair, op| {
        let token = received(pair, 0);
        (0..DEPTH).for_each(|_| pair.server.submit(recv_sqe(pair.right)));
        pair.server.one(answer_of(pair, op, token))
    }),
    (Op::ReturnRecv, E::Canceled, |pair, op| {
        let token = received(pair, 0);
        pair.server.submit(Sqe { user_data: 7, ..answer_of(pair, op, token) });
        cancelled(&pair.server, 7)
    }),
    (Op::ReturnRecv, E::InvalidCap, |pair, op| {
        let token = received(pair, 0);
        pair.server.submit(answer_of(pair, op, token));
        pair.server.submit(Sqe { cap: pair.right.raw(), ..simple(Op::Release) });
        pair.server.poll();
        pair.server.pop()
    }),
    // A call that does not get as far as an object.
    (Op::Call, E::InvalidArgument, |pair, _| pair.client.one(Sqe { msg_len: 4097, ..pair.call(b"") })),
    (Op::Call, E::InvalidCap, |pair, _| pair.client.one(Sqe { cap: NOWHERE.raw(), ..pair.call(b"") })),
    (Op::Call, E::WrongInterface, |pair, _| pair.client.one(Sqe { interface: 1, ..pair.call(b"") })),
    // A call of a kernel object.
    (Op::Call, E::UnknownMethod, |pair, _| pair.client.one(Sqe { method: 999, ..reserve() })),
    (Op::Call, E::BadMessage, |pair, _| {
        pair.client.put(MSG, &[0xff; 16]);
        pair.client.one(Sqe { msg_len: 16, ..reserve() })
    }),
    (Op::Call, E::ReplyTooLarge, |pair, _| pair.client.one(Sqe { reply_len: 0, ..reserve() })),
    (Op::Call, E::Canceled, |pair, _| {
        sleep(&pair.client, 7);
        cancelled(&pair.client, 7)
    }),
    (Op::Call, E::TooManyInFlight, |pair, _| {
        (0..64).for_each(|number| sleep(&pair.client, 100 + number));
        pair.client.one(pair.call(b""))
    }),
    // A call of a server.
    (Op::Call, E::MessageTooLarge, |pair, _| {
        pair.server.submit(Sqe { msg_len: 8, ..recv_sqe(pair.right) });
        pair.server.poll();
        pair.client.one(pair.call(b"nine byte"))
    }),
    (Op::Call, E::ReplyTooLarge, |pair, _| {
        pair.client.submit(Sqe { reply_len: 8, ..pair.call(b"") });
        pair.client.poll();
        let token = pair.receive().token;
        pair.server.one(return_sqe(pair.right, token, 16));
        pair.client.pop()
    }),
    (Op::Call, E::Disconnected, |pair, _| {
        pair.server.one(Sqe { cap: pair.right.raw(), ..simple(Op::Release) });
        pair.client.one(pair.call(b""))
    }),
    (Op::Call, E::Disconnected, |pair, _| {
        received(pair, 0);
        pair.server.one(Sqe { cap: pair.right.raw(), ..simple(Op::Release) });
        pair.client.pop()
    }),
    (Op::Call, E::QueueFull, |pair, _| {
        (0..DEPTH).for_each(|_| pair.client.submit(pair.call(b"")));
        pair.client.one(pair.call(b""))
    }),
    (Op::Call, E::Canceled, |pair, _| {
        pair.client.submit(Sqe { user_data: 7, ..pair.call(b"") });
        cancelled(&pair.client, 7)
    }),
    (Op::Call, E::PeerBudgetExhausted, |pair, _| {
        pair.server.submit(Sqe { caps_recv: 0, ..recv_sqe(pair.right) });
        pair.server.poll();
        pair.client.one(sending(pair, TransferSlot::copy(pair.facet)))
    }),
    (Op::Call, E::BudgetExhausted, |pair, _| {
        // No room for what comes with the answer.
        let timer = pair.server.hold(Object::Timer(Timer));
        let token = received(pair, 0);
        pair.server.set_word(CAPS, TransferSlot::copy(timer).0);
        pair.server.one(Sqe { caps_off: CAPS, caps_send: 1, ..return_sqe(pair.right, token, 0) });
        pair.client.pop()
    }),
    (Op::Call, E::BudgetExhausted, |pair, _| {
        // Nor for what a kernel object makes.
        let (face, method) = (endpoint_factory::INTERFACE_ID, endpoint_factory::CREATE_NOTIFICATION);
        pair.client.one(Sqe { caps_recv: 0, ..call_sqe(CapId::SELF_ENDPOINTS, face, method, 0) })
    }),
    (Op::Call, E::Revoked, |pair, _| {
        // What the call goes through is taken away.
        let own = pair.server.hold(pair.client.object(pair.facet));
        let lent = lent(&pair.server, &pair.client, own);
        pair.client.submit(Sqe { cap: lent.raw(), ..pair.call(b"") });
        pair.client.poll();
        revoked(&pair.server, own);
        pair.client.pop()
    }),
    (Op::Call, E::Revoked, |pair, _| {
        pair.server.submit(recv_sqe(pair.right));
        pair.server.poll();
        being_revoked(&pair.client, pair.facet);
        pair.client.one(sending(pair, TransferSlot::copy(pair.facet)))
    }),
    (Op::Call, E::NotTransferable, |pair, _| {
        pair.server.submit(recv_sqe(pair.right));
        pair.server.poll();
        pair.client.one(sending(pair, TransferSlot::copy(CapId::SELF_THREADS)))
    }),
    (Op::Call, E::OutOfMemory, |pair, _| {
        pair.server.submit(recv_sqe(pair.right));
        pair.server.poll();
        fill_up(&pair.server);
        without_memory(&pair.client, sending(pair, TransferSlot::copy(pair.facet)))
    }),
];

/// Depth of the endpoint.
const DEPTH: u32 = 4;

/// `VirtualMemory.reserve` without its parameter.
fn reserve() -> Sqe {
    call_sqe(CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID, virtual_memory::RESERVE, 0)
}

/// Lets `user` begin a sleep with that number.
fn sleep(user: &User, number: u64) {
    let clock = user.hold(Object::Timer(Timer));
    let mut message = [0; 64];
    let len = timer::SleepUntilParams { ns: 1 << 40 }.encode(&mut message).expect("it fits");
    user.put(MSG, &message[..len]);
    let call = call_sqe(clock, timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32);
    user.submit(Sqe { user_data: number, ..call });
    user.poll();
    let held = user.process().release(clock);
    drop(held);
}

/// A copy of `cap`, given by one to the other.
fn lent(from: &User, to: &User, cap: CapId) -> CapId {
    transfer::grant(from.process(), to.process(), TransferSlot::copy(cap)).expect("a copy")
}

/// Takes away whatever was made of `cap`.
fn revoked(user: &User, cap: CapId) {
    assert_eq!(user.one(Sqe { cap: cap.raw(), ..simple(Op::Revoke) }).outcome(), 0);
}

/// From now on the revocation of `cap` is under way, and goes on no further.
fn being_revoked(user: &User, cap: CapId) {
    let table = user.process().table.lock();
    families::begin_revoke(table.lookup(cap).expect("held").node.expect("as all have"));
}

/// A call of the client's with one capability.
fn sending(pair: &Pair, slot: TransferSlot) -> Sqe {
    pair.client.set_word(CAPS, slot.0);
    Sqe { caps_send: 1, ..pair.call(b"") }
}

/// An operation that waits for what does not come; see [`who_waits`] for whose.
fn waits(pair: &Pair, op: Op) -> Sqe {
    let number = Sqe { user_data: 70, ..simple(op) };
    match op {
        Op::Call => pair.call(b""),
        Op::Recv => recv_sqe(pair.right),
        Op::ReturnRecv => answer_of(pair, op, received(pair, 0)),
        Op::Wait => Sqe { cap: super::notification_of(&pair.client).raw(), ..number },
        _ => Sqe { cap: 1, ..number },
    }
}

fn who_waits(pair: &Pair, op: Op) -> &User {
    if matches!(op, Op::Recv | Op::ReturnRecv) { &pair.server } else { &pair.client }
}

/// The operations that may have a deadline, and what becomes of them by it.
const TIMED: [Op; 5] = [Op::Call, Op::Recv, Op::ReturnRecv, Op::Wait, Op::Park];
const DEADLINES: [(E, Way); 2] = [
    (E::TimedOut, |pair, op| {
        let sqe = waits(pair, op);
        who_waits(pair, op).one(Sqe { flags: sqe_flags::DEADLINE, aux: 0, ..sqe })
    }),
    (E::OutOfMemory, |pair, op| {
        let sqe = waits(pair, op);
        without_memory(who_waits(pair, op), Sqe { flags: sqe_flags::DEADLINE, aux: 1 << 40, ..sqe })
    }),
];

fn cases() -> Vec<Case> {
    let answers = [Op::Return, Op::ReturnRecv].into_iter();
    let answers = answers.flat_map(|op| ANSWERS.map(|(error, work)| (op, error, work)));
    let timed = TIMED.into_iter().flat_map(|op| DEADLINES.map(|(error, work)| (op, error, work)));
    OTHERS.iter().copied().chain(answers).chain(timed).collect()
}

#[test]
fn each_error_of_each_operation_comes_when_it_should() {
    for (op, wanted, work) in cases() {
        let world = World::new();
        let pair = Pair::new(&world, DEPTH);
        let found = error(&work(&pair, op));
        assert_eq!(found, Some(wanted), "{op:?}");
    }
}

#[test]
fn no_operation_has_an_error_without_a_case() {
    let pairs = |op: Op| answers(op).iter().map(move |error| (op as u8, error.code()));
    let promised: BTreeSet<_> = operations().flat_map(pairs).collect();
    let tried: BTreeSet<_> = cases().into_iter().map(|(op, error, _)| (op as u8, error.code())).collect();
    assert_eq!(promised, tried);
    // And every error is answered by some operation, or said not to be.
    for error in E::ALL {
        let answered = operations().any(|op| answers(op).contains(&error));
        assert_eq!(answered, is_for_completions(error), "{error:?}");
    }
}

#[test]
fn an_operation_that_is_none_is_unknown() {
    let world = World::new();
    let pair = Pair::new(&world, DEPTH);
    for op in (0..=u8::MAX).filter(|op| Op::from_u8(*op).is_none()) {
        assert_eq!(error(&pair.client.one(Sqe { op, ..Sqe::default() })), Some(E::UnknownOp), "{op}");
    }
}

#[test]
fn system_calls_answer_what_no_completion_does() {
    let world = World::new();
    let user = world.start("a");
    user.run();
    (crate::trap::HANDLERS.syscall)(0, 0, 99);
    assert_eq!(user.returned(), i64::from(E::UnknownOp.code()));
    user.thread
        .ring
        .frames()
        .write(capos_abi::ring::header::SQ_TAIL, &1000u32.to_le_bytes())
        .expect("inside");
    (crate::trap::HANDLERS.syscall)(0, 0, syscall::CAP_ENTER);
    assert_eq!(user.returned(), i64::from(E::CorruptRing.code()));
}

/// Whatever a program submits, an operation answers nothing but what is promised here.
#[test]
fn arbitrary_submissions_get_no_other_errors() {
    let mut state = 0x9e37_79b9u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) % bound
    };
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let world = World::new();
        let pair = Pair::new(&world, DEPTH);
        let known = [pair.right, pair.facet, CapId::SELF_MEMORY, CapId::SELF_THREADS, NOWHERE];
        let mut token = 0;
        for step in 0..40 {
            let user = if below(2) == 0 { &pair.client } else { &pair.server };
            if user.thread.is_dead() {
                break;
            }
            let mut any = |common: &[u64]| match below(4) {
                0 => below(u64::MAX >> 33) << below(32),
                _ => common[below(common.len() as u64) as usize],
            };
            let word = |id: CapId| id.raw();
            let ids = known.map(word);
            let sqe = Sqe {
                op: any(&[1, 1, 2, 3, 5, 6, 7, 8, 9, 10]) as u8,
                flags: any(&[0, 0, 1, 2]) as u8,
                method: any(&[0, 1, 2]) as u16,
                caps_send: any(&[0, 0, 1]) as u8,
                caps_recv: any(&[0, 1]) as u8,
                cap: any(&[ids[0], ids[1], ids[2], token, token]),
                interface: any(&[ids[0], 0x77, virtual_memory::INTERFACE_ID]),
                msg_off: any(&[0, 8, 4096]) as u32,
                msg_len: any(&[0, 8, 64]) as u32,
                reply_off: any(&[8192]) as u32,
                reply_len: any(&[0, 16, 4096]) as u32,
                caps_off: any(&[16384]) as u32,
                aux: any(&[step]),
                user_data: step,
                ..Sqe::default()
            };
            let op = Op::from_u8(sqe.op);
            user.submit(sqe);
            user.poll();
            while let Some(cqe) = user.ring.pop() {
                token = if cqe.token != 0 { cqe.token } else { token };
                if let (Some(error), true, Some(op)) = (error(&cqe), cqe.user_data == step, op) {
                    assert!(answers(op).contains(&error), "{op:?} answered {error:?}");
                    seen.insert((op as u8, error.code()));
                }
            }
        }
    }
    assert!(seen.len() > 15, "it met only {seen:?}");
}

#[test]
fn what_was_given_is_taken_back_whatever_the_program_writes_in_its_place() {
    let world = World::new();
    let user = world.start("a");
    let other = user.hold(Object::Timer(Timer));
    let slots = || user.process().account.used(Resource::CapSlots);
    let before = slots();
    // A call with room for a capability and for no message.
    user.submit(Sqe { caps_recv: 1, reply_len: 0, ..call_sqe(other, timer::INTERFACE_ID, timer::NOW, 0) });
    let queued = user.thread.ring.queued(user.thread.sq_head.load(Ordering::Relaxed));
    let buffers = Buffers::read(&queued, queued.kind(), other.raw());
    let mut call = Call::new(&user.thread, &buffers);
    assert!(call.give(Object::Timer(Timer)).is_ok() && slots() == before + 1);
    // Another thread of the program is faster than the answer, which does not fit.
    user.set_word(CAPS, other.raw());
    let outcome = call.reply(&timer::NowResults { ns: 1 });
    assert_eq!(outcome.completion(1).result, TransportError::ReplyTooLarge.code());
    assert!(user.process().table.lock().lookup(other).is_ok());
    assert_eq!(slots(), before);
}
