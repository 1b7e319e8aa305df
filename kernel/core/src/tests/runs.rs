//! Many submissions in one system call against the same one at a time: what both sides see is the same.

use super::ipc::{Pair, make_endpoint, mint};
use super::processes::new_thread;
use super::{User, World, call_sqe, error, recv_sqe, return_recv_sqe, return_sqe};
use crate::cap::Object;
use crate::cap::timer::Timer;
use crate::task::create;
use capos_abi::{CapId, Cqe, Op, RingShape, Sqe, TransferSlot, TransportError, syscall};
use capos_mem::Resource;
use capos_mutate::Rng;
use kernel_hal::user::is_running;
use std::vec::Vec;

/// What one side sees of an operation: its completion, and the bytes that came.
type Seen = (Cqe, Vec<u8>);

/// Where message number `n` lies, where the place for its answer, and where its capabilities.
const fn place(n: u64) -> u32 {
    0x800 * n as u32
}
const HALF: u32 = 0x400;
const LIST: u32 = 0x7f0;

fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.below(choices.len() as u32) as usize]
}

/// Submits all of it, and has the kernel take it at once or one by one.
fn hand_over(user: &User, submissions: &[Sqe], at_once: bool) {
    for sqe in submissions {
        user.submit(*sqe);
        if !at_once {
            user.poll();
        }
    }
    user.poll();
}

/// Takes all completions that are there; the bytes of each lie at `at` its number.
fn take_all(user: &User, at: u32) -> Vec<Seen> {
    let bytes = |cqe: &Cqe| {
        user.get(place(cqe.user_data) + at, usize::try_from(cqe.result).map_or(0, |len| len.min(0x400)))
    };
    core::iter::from_fn(|| user.ring.pop()).map(|cqe| (cqe, bytes(&cqe))).collect()
}

fn receive(rng: &mut Rng, right: CapId, n: u64) -> Sqe {
    let msg_len = pick(rng, &[0x400, 0x400, 0x400, 64, 0]);
    let caps_recv = pick(rng, &[0, 0, 1]);
    Sqe { user_data: n, msg_off: place(n), msg_len, caps_off: place(n) + LIST, caps_recv, ..recv_sqe(right) }
}

fn receives(rng: &mut Rng, right: CapId) -> Vec<Sqe> {
    (0..pick(rng, &[1, 7, 16, 24])).map(|n| receive(rng, right, n)).collect()
}

/// A client, its server, and who else is there.
struct Play {
    rng: Rng,
    pair: Pair,
    /// What the client calls: nearly always the same, as those do who batch.
    facets: Vec<CapId>,
    timer: CapId,
    /// Another client of the same server, and what it calls.
    neighbour: User,
    near: CapId,
    /// Another thread of the server.
    colleague: User,
    /// Whether the server is less urgent than its clients: it runs only while it works for one.
    lends: bool,
}

impl Play {
    fn new(world: &World, seed: u64, at_once: bool) -> Play {
        let mut rng = Rng::new(seed);
        let lends = rng.below(4) == 0;
        let priority = if lends { 4 } else { 10 };
        let (server, other) = (world.start_at("server", priority), world.start_at("other", priority));
        let (right, elsewhere) =
            (make_endpoint(&server, pick(&mut rng, &[3, 16, 24])), make_endpoint(&other, 2));
        let facet = |user: &User, right, badge| {
            let facet = mint(user, right, badge);
            user.process().release(facet).expect("just minted").object
        };
        let ours = [42, 43, 45].map(|badge| facet(&server, right, badge));
        let far = facet(&other, elsewhere, 44);
        let colleague =
            create::thread(server.process(), &new_thread(RingShape::DEFAULT, priority)).expect("memory");
        create::run(&colleague);
        let colleague = User::playing(colleague);
        let receives = receives(&mut rng, right);
        // It waits elsewhere, too, so that its operations have numbers that the server's have.
        let aside = make_endpoint(&server, 24);
        let (waits, first) = (rng.below(3), rng.below(2) == 0);
        let theirs = (0..24).map(|n| receive(&mut rng, if n < 22 { aside } else { right }, n));
        let theirs: Vec<Sqe> = theirs.filter(|_| waits == 0).collect();
        if first {
            hand_over(&colleague, &theirs, false);
        }
        hand_over(&server, &receives, at_once);
        if !first {
            hand_over(&colleague, &theirs, false);
        }
        if rng.below(2) == 0 {
            server.enter(1, syscall::FOREVER);
        }
        colleague.enter(100, syscall::FOREVER);
        other.enter(100, syscall::FOREVER);
        let (client, neighbour) = (world.start("client"), world.start("neighbour"));
        let [first, second, near] = ours;
        let (facet, near) = (client.hold(first), neighbour.hold(near));
        let timer = client.hold(Object::Timer(Timer));
        let others = [client.hold(second), client.hold(far), timer, CapId::NULL];
        let facets = [facet; 12].into_iter().chain(others).collect();
        let pair = Pair { server, client, right, facet };
        Play { rng, pair, facets, timer, neighbour, near, colleague, lends }
    }

    fn call(&mut self, n: u64) -> Sqe {
        let len = pick(&mut self.rng, &[0, 8, 64, 64, 64, 264, 0x400, 5]);
        let bytes: Vec<u8> = (0..len).map(|at| (at as u8) ^ self.rng.below(256) as u8).collect();
        self.pair.client.put(place(n), &bytes);
        self.pair.client.set_word(place(n) + LIST, TransferSlot::copy(self.timer).0);
        let cap = pick(&mut self.rng, &self.facets);
        let sqe = Sqe {
            user_data: n,
            msg_off: place(n),
            reply_off: place(n) + HALF,
            reply_len: pick(&mut self.rng, &[0x200, 0x200, 0x200, 0]),
            caps_off: place(n) + LIST,
            ..call_sqe(cap, super::ipc::FACE, 5, len)
        };
        match self.rng.below(24) {
            0 => Sqe { msg_off: place(n) + 4, ..sqe },
            1 => Sqe { interface: 1, ..sqe },
            2 => Sqe { caps_send: 1, ..sqe },
            3 => Sqe { flags: 0x80, ..sqe },
            4 => Sqe { op: Op::Nop as u8, user_data: n, ..Sqe::default() },
            5 => Sqe { reply_off: 0xffff_fff8, ..sqe },
            6 => Sqe { caps_off: 0, reserved1: 1, ..sqe },
            _ => sqe,
        }
    }

    fn answer(&mut self, call: &Cqe) -> Sqe {
        let n = call.user_data;
        let len = pick(&mut self.rng, &[0, 8, 64, 64, 64, 264]);
        self.pair.server.put(place(n) + HALF, &[n as u8 ^ 0x5a; 264][..len as usize]);
        let right = self.pair.right;
        let at = Sqe { user_data: n, msg_off: place(n) + HALF, ..return_recv_sqe(right, call.token, len) };
        let both = Sqe { reply_off: place(n), reply_len: 0x400, ..at };
        match self.rng.below(24) {
            0 => Sqe { cap: call.token ^ 1 << 32, ..both },
            1 => Sqe { interface: CapId::SELF_MEMORY.raw(), ..both },
            2 => Sqe { user_data: n, msg_off: place(n) + HALF, ..return_sqe(right, call.token, len) },
            3 => Sqe { msg_off: place(n) + 4, ..both },
            4 => Sqe { flags: 0x80, ..both },
            5 => Sqe { op: Op::Nop as u8, user_data: n, ..Sqe::default() },
            _ => both,
        }
    }
}

/// What everybody saw of some batches of calls and their answers, and how it left them.
#[derive(PartialEq, Debug, Default)]
struct Story {
    /// By the server, the client, the neighbour and the colleague.
    seen: [Vec<Seen>; 4],
    slots: [u64; 2],
    sleep: [bool; 4],
    priorities: Vec<u8>,
}

fn play(seed: u64, at_once: bool) -> Story {
    let world = World::new();
    let mut play = Play::new(&world, seed, at_once);
    let mut story = Story::default();
    for _ in 0..3 {
        if play.rng.below(3) == 0 && !play.neighbour.is_blocked() {
            let near = |n| Sqe {
                user_data: n,
                msg_off: place(n),
                reply_off: place(n) + HALF,
                reply_len: 0x200,
                ..call_sqe(play.near, super::ipc::FACE, 5, 8)
            };
            hand_over(&play.neighbour, &[26, 27, 28].map(near), false);
        }
        let calls: Vec<Sqe> = (0..pick(&mut play.rng, &[2, 9, 16, 20])).map(|n| play.call(n)).collect();
        hand_over(&play.pair.client, &calls, at_once);
        // A server that lends may not go on when it has woken its client.
        let wanted = if play.lends { 100 } else { u64::from(play.rng.below(8)) };
        play.pair.client.enter(wanted, syscall::FOREVER);
        story.priorities.push(play.pair.server.thread.priority().number());
        if play.lends && !play.neighbour.is_blocked() {
            play.neighbour.enter(9, syscall::FOREVER);
        }
        if play.pair.server.is_blocked() || play.lends && !play.pair.client.is_blocked() {
            break;
        }
        let new = take_all(&play.pair.server, 0);
        let mut answers = Vec::new();
        if play.rng.below(3) == 0 {
            answers.push(receive(&mut play.rng, play.pair.right, 29));
        }
        for (call, _) in new.iter().filter(|(cqe, _)| cqe.result >= 0 && cqe.token != 0) {
            answers.push(play.answer(call));
        }
        story.seen[0].extend(new);
        hand_over(&play.pair.server, &answers, at_once);
        story.priorities.push(play.pair.server.thread.priority().number());
        if play.pair.client.is_blocked() {
            break;
        }
        story.seen[1].extend(take_all(&play.pair.client, HALF));
    }
    let users = [&play.pair.server, &play.pair.client, &play.neighbour, &play.colleague];
    for (seen, (user, at)) in story.seen.iter_mut().zip(users.into_iter().zip([0, HALF, HALF, 0])) {
        seen.extend(take_all(user, at));
    }
    story.sleep = users.map(User::is_blocked);
    story.slots = [users[0], users[1]].map(|user| user.process().account.used(Resource::CapSlots));
    story
}

#[test]
fn both_sides_see_the_same_at_once_and_one_by_one() {
    let (mut calls, mut answers) = (0, 0);
    for seed in 1..=100 {
        let [at_once, one_by_one] = [true, false].map(|at_once| play(seed, at_once));
        assert_eq!(at_once, one_by_one, "seed {seed}");
        calls += at_once.seen[0].iter().filter(|(cqe, _)| cqe.token != 0).count();
        answers += at_once.seen[1].iter().filter(|(cqe, _)| cqe.result >= 0).count();
    }
    assert!(calls > 400 && answers > 250, "{calls} calls came, {answers} were answered");
}

#[test]
fn a_run_wakes_who_waited_for_so_many() {
    for wanted in 1..=4u64 {
        let world = World::new();
        let pair = Pair::new(&world, 4);
        for n in 0..4 {
            pair.server.submit(Sqe { user_data: n, msg_off: place(n), msg_len: 64, ..recv_sqe(pair.right) });
        }
        pair.server.enter(wanted, syscall::FOREVER);
        for n in 0..3 {
            pair.client.submit(Sqe { user_data: n, reply_off: place(n), reply_len: 8, ..pair.call(b"") });
        }
        pair.client.enter(3, syscall::FOREVER);
        assert!(pair.client.is_blocked());
        assert_eq!(pair.server.is_blocked(), wanted == 4);
        if wanted < 4 {
            assert!(is_running(0, &pair.server.thread.context));
            assert_eq!(pair.server.returned(), 3);
            let tokens: Vec<u64> = (0..3).map(|_| pair.server.pop().token).collect();
            for token in tokens {
                let answer = return_recv_sqe(pair.right, token, 0);
                pair.server.submit(Sqe { reply_len: 0, ..answer });
            }
            pair.server.enter(1, syscall::FOREVER);
            assert!(pair.server.is_blocked() && is_running(0, &pair.client.thread.context));
            assert_eq!(pair.client.returned(), 3);
        }
    }
}

#[test]
fn no_more_are_under_way_than_were_paid_for() {
    let world = World::new();
    let (pair, other) = (Pair::new(&world, 64), world.start("other"));
    let elsewhere = make_endpoint(&other, 1);
    let facet = other.process().release(mint(&other, elsewhere, 7)).expect("just minted");
    let facet = pair.client.hold(facet.object);
    let entries = pair.client.thread.shape.sq_entries;
    for n in 0..u64::from(entries) {
        pair.server.submit(Sqe { user_data: n, ..recv_sqe(pair.right) });
    }
    pair.server.poll();
    // The first has the place for those that are alone; afterwards none has.
    pair.server.submit(Sqe { op: Op::Cancel as u8, aux: 0, user_data: 100, ..Sqe::default() });
    pair.server.poll();
    assert_eq!([pair.server.pop(), pair.server.pop()].map(|cqe| cqe.user_data), [0, 100]);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.poll();
    // One waits elsewhere, in the place for those that are alone.
    pair.client.submit(Sqe { cap: facet.raw(), ..pair.call(b"") });
    pair.client.poll();
    for _ in 0..entries {
        pair.client.submit(Sqe { reply_len: 0, ..pair.call(b"") });
    }
    pair.client.poll();
    assert_eq!(error(&pair.client.pop()), Some(TransportError::TooManyInFlight));
    pair.client.nothing();
}

#[test]
fn calls_go_to_the_threads_that_receive_them() {
    let world = World::new();
    let pair = Pair::new(&world, 8);
    let aside = make_endpoint(&pair.server, 8);
    let colleague =
        create::thread(pair.server.process(), &new_thread(RingShape::DEFAULT, 10)).expect("memory");
    create::run(&colleague);
    let colleague = User::playing(colleague);
    let waits = |user: &User, right, places: [u64; 2]| {
        hand_over(user, &places.map(|n| Sqe { user_data: n, msg_off: place(n), ..recv_sqe(right) }), false);
    };
    // The colleague has operations of the numbers that those of the server have.
    waits(&colleague, aside, [0, 1]);
    waits(&pair.server, pair.right, [2, 3]);
    waits(&colleague, pair.right, [4, 5]);
    let calls: Vec<Sqe> = (0..4).map(|n| Sqe { user_data: n, reply_len: 0, ..pair.call(b"") }).collect();
    hand_over(&pair.client, &calls, true);
    let came = |user: &User| take_all(user, 0).iter().map(|(cqe, _)| cqe.user_data).collect::<Vec<_>>();
    assert_eq!((came(&colleague), came(&pair.server)), (std::vec![5, 4], std::vec![3, 2]));
}
