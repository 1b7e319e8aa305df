//! Hostile submissions by the ten thousand: whatever a ring says, the kernel answers, and nobody else notices.

use super::{User, World};
use crate::cap::Object;
use crate::ipc::endpoint::Endpoint;
use capos_abi::{CapId, Sqe};
use std::vec::Vec;

/// A small generator of numbers that look random (xorshift64*), so that a failing run can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

fn random_sqe(dice: &mut Dice, caps: &[CapId], interfaces: &[u64]) -> Sqe {
    let offset = |dice: &mut Dice| match dice.below(4) {
        0 => dice.roll() as u32,
        _ => (dice.below(65536 / 8) * 8) as u32,
    };
    let length = |dice: &mut Dice| match dice.below(8) {
        0 => dice.roll() as u32,
        _ => dice.below(128) as u32,
    };
    Sqe {
        // Never `exit` by ThreadControl: ordinal 2 is mapped away below.
        op: dice.below(10) as u8,
        flags: if dice.below(8) == 0 { dice.roll() as u8 } else { 0 },
        method: [0, 1, 3, 4, 5, 6, 7, 8, 9][dice.below(9) as usize],
        caps_send: if dice.below(4) == 0 { dice.below(20) as u8 } else { 0 },
        caps_recv: dice.below(20) as u8,
        reserved0: u16::from(dice.below(32) == 0),
        user_data: dice.below(64),
        cap: if dice.below(4) == 0 { dice.roll() } else { dice.pick(caps).raw() },
        interface: if dice.below(4) == 0 { dice.roll() } else { dice.pick(interfaces) },
        msg_off: offset(dice),
        msg_len: length(dice),
        reply_off: offset(dice),
        reply_len: length(dice),
        caps_off: offset(dice),
        reserved1: u32::from(dice.below(32) == 0),
        aux: dice.below(64),
    }
}

fn soil_the_arena(dice: &mut Dice, user: &User) {
    let at = (dice.below(8192) * 8) as u32;
    let word = match dice.below(3) {
        0 => dice.roll(),
        // Looks like the root pointer of a small struct.
        1 => dice.below(4) << 32 | dice.below(2) << 48,
        _ => dice.below(16),
    };
    user.set_word(at, word);
}

#[test]
fn random_submissions_hurt_nobody() {
    for seed in 1..=8u64 {
        let world = World::new();
        let bystander = world.start("bystander");
        bystander.put(0, b"untouched");
        let user = world.start("hostile");
        let right = Endpoint::create(8, &user.process().account).unwrap_or_else(|_| panic!());
        let facet = Endpoint::mint(&right.endpoint, 1, 7).unwrap_or_else(|_| panic!());
        let mut caps: Vec<CapId> = [CapId::SELF_MEMORY, CapId::SELF_THREADS, CapId::SELF_ENDPOINTS].into();
        caps.push(user.hold(Object::Endpoint(right)));
        caps.push(user.hold(Object::Client(facet)));
        caps.push(user.hold(Object::Timer(crate::cap::timer::Timer)));
        let interfaces: Vec<u64> = {
            let table = user.process().table.lock();
            caps.iter().filter_map(|id| table.lookup(*id).ok().map(|entry| entry.interface)).collect()
        };
        let mut dice = Dice(seed);
        for _ in 0..2000 {
            if user.thread.is_dead() {
                break;
            }
            for _ in 0..dice.below(16) {
                soil_the_arena(&mut dice, &user);
                let sqe = random_sqe(&mut dice, &caps, &interfaces);
                if user.ring.submit(&sqe).is_err() {
                    break;
                }
            }
            user.poll();
            while user.ring.pop().is_some() {}
        }
        assert_eq!(bystander.get(0, 9), b"untouched");
        let cqe = bystander.one(Sqe { user_data: 5, ..Sqe::default() });
        assert_eq!((cqe.user_data, cqe.result), (5, 0));
        // Whatever it made, its end takes it all back.
        let process = user.process().clone();
        crate::task::end::end_process(&process, crate::task::process::Status::Killed);
        drop((user, process));
        bystander.poll();
        let left = [capos_mem::Resource::Threads, capos_mem::Resource::CallsInFlight];
        let used = left.map(|it| world.machine.used(it));
        assert_eq!(
            used,
            [super::LIMITS.threads, super::LIMITS.calls_in_flight],
            "seed {seed}: the bystander's alone"
        );
    }
}
