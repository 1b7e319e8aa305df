//! Submissions: some right, most of them almost right, some nonsense.

use crate::Rng;
use capos_abi::ring::sqe_flags;
use capos_abi::{CapId, MAX_CAPS, MAX_MESSAGE, Op, Sqe};

/// Capability ids that a thread remembers.
const REMEMBERED: usize = 32;

/// Places in the arena; half of them for messages, half for capability arrays.
const SPOTS: u32 = 64;

/// How seldom a thread gives up what it has from the beginning: once in so many times.
const SELDOM: u32 = 1 << 14;

/// How seldom it does what may end it or its process.
const DEADLY_SELDOM: u32 = 1 << 8;

/// What a hostile thread knows about its process.
pub struct Knowledge<'a> {
    /// Bytes of its arena.
    pub arena: u32,
    /// Every interface there is.
    pub interfaces: &'a [u64],
    /// Capabilities that it has from the beginning, with their interfaces.
    pub own: &'a [(CapId, u64)],
    /// One that it must not lose or it could not report: never released, never sent as a move.
    pub kept: CapId,
    /// Methods that may end it: called seldom.
    pub deadly: &'a [(CapId, u16)],
    learned: [(u64, u64); REMEMBERED],
    next: usize,
}

impl<'a> Knowledge<'a> {
    /// In the beginning it knows what it was told.
    pub fn new(arena: u32, interfaces: &'a [u64], own: &'a [(CapId, u64)], kept: CapId) -> Self {
        Knowledge { arena, interfaces, own, kept, deadly: &[], learned: [(0, 0); REMEMBERED], next: 0 }
    }

    /// Remembers an id or a token that the kernel gave out; the oldest is forgotten.
    pub fn learn(&mut self, id: u64, interface: u64) {
        if let Some(place) = self.learned.get_mut(self.next % REMEMBERED) {
            *place = (id, interface);
        }
        self.next = self.next.wrapping_add(1);
    }

    /// An id and the interface that goes with it: held, once held, or never.
    fn cap(&self, rng: &mut Rng) -> (u64, u64) {
        let (id, interface) = match rng.below(8) {
            0..4 => rng.pick(self.own).map_or((0, 0), |(id, interface)| (id.raw(), interface)),
            4..6 => rng.pick(&self.learned).unwrap_or_default(),
            6 => (CapId::new(rng.below(64), 1 + rng.below(4)).raw(), 0),
            _ => (rng.edge(), 0),
        };
        let interface = if interface == 0 { rng.pick(self.interfaces).unwrap_or(0) } else { interface };
        // Now and then the same slot of another time.
        if rng.chance(1, 16) { (id ^ 1 << (24 + rng.below(32)), interface) } else { (id, interface) }
    }

    /// A word for a capability array.
    pub fn transfer(&self, rng: &mut Rng) -> u64 {
        let (id, _) = self.cap(rng);
        let mode = match rng.below(8) {
            0..5 => 0,
            5..7 => 1,
            _ => rng.below(256),
        };
        let mode = if mode == 1 && !self.may_lose(CapId::from_raw(id), rng) { 0 } else { mode };
        (id & 0x00ff_ffff_ffff_ffff) | u64::from(mode) << 56
    }

    /// A submission.
    pub fn sqe(&self, rng: &mut Rng) -> Sqe {
        let mut sqe = self.plausible(rng);
        if rng.chance(1, 2) {
            for _ in 0..=rng.below(2) {
                self.mutate(&mut sqe, rng);
            }
        }
        let target = CapId::from_raw(sqe.cap);
        if sqe.op == Op::Release as u8 && !self.may_lose(target, rng) {
            sqe.op = Op::Nop as u8;
        }
        if sqe.op == Op::Call as u8
            && self.deadly.contains(&(target, sqe.method))
            && !rng.chance(1, DEADLY_SELDOM)
        {
            sqe.method = sqe.method.wrapping_add(1000);
        }
        sqe
    }

    /// Whether a capability may be given up: never what it reports with, seldom what it has from the beginning.
    fn may_lose(&self, id: CapId, rng: &mut Rng) -> bool {
        let first = self.own.iter().any(|(own, _)| own.index() == id.index());
        id.index() != self.kept.index() && (!first || rng.chance(1, SELDOM))
    }

    /// Place of a message.
    pub fn message_spot(&self, rng: &mut Rng) -> u32 {
        2 * rng.below(SPOTS / 2) * self.stride()
    }

    /// Place of a capability array.
    pub fn caps_spot(&self, rng: &mut Rng) -> u32 {
        (2 * rng.below(SPOTS / 2) + 1) * self.stride()
    }

    /// Bytes between two places.
    pub fn stride(&self) -> u32 {
        (self.arena / SPOTS) & !7
    }

    /// One whose fields fit together.
    fn plausible(&self, rng: &mut Rng) -> Sqe {
        let op = match rng.below(16) {
            0 => Op::Nop,
            1..10 => Op::Call,
            10 => Op::Recv,
            11 => Op::Wait,
            12 => Op::Return,
            13 => Op::ReturnRecv,
            14 => Op::Release,
            _ => rng.pick(&[Op::Cancel, Op::Park, Op::Unpark]).unwrap_or(Op::Cancel),
        };
        let waits = matches!(op, Op::Call | Op::Recv | Op::ReturnRecv | Op::Wait | Op::Park);
        let deadline = if waits && rng.chance(1, 8) { sqe_flags::DEADLINE } else { 0 };
        let answers = op == Op::Return || op == Op::ReturnRecv;
        let receives_too = op == Op::Call || op == Op::ReturnRecv;
        let (cap, interface) = self.cap(rng);
        let message = if rng.chance(1, 8) { rng.below(MAX_MESSAGE as u32) } else { 8 * rng.below(9) };
        let caps = if rng.chance(1, 2) { 0 } else { rng.below(MAX_CAPS as u32 + 1) as u8 };
        Sqe {
            op: op as u8,
            flags: u8::from(answers && rng.chance(1, 4)) | deadline,
            method: rng.below(11) as u16,
            caps_send: if rng.chance(1, 2) { caps } else { 0 },
            caps_recv: caps,
            reserved0: 0,
            user_data: u64::from(rng.below(64)),
            cap,
            interface: if answers || op == Op::Wait {
                self.cap(rng).0
            } else {
                interface * u64::from(op == Op::Call)
            },
            msg_off: self.message_spot(rng),
            msg_len: message,
            reply_off: if receives_too { self.place(rng) } else { 0 },
            reply_len: if receives_too { 8 * rng.below(64) } else { 0 },
            caps_off: self.caps_spot(rng),
            reserved1: 0,
            aux: if op == Op::Cancel {
                u64::from(rng.below(64))
            } else if deadline != 0 {
                rng.edge()
            } else {
                0
            },
        }
    }

    /// Any word of the arena.
    fn place(&self, rng: &mut Rng) -> u32 {
        8 * rng.below(self.arena / 8)
    }

    /// Spoils one field.
    fn mutate(&self, sqe: &mut Sqe, rng: &mut Rng) {
        let edge = rng.edge();
        match rng.below(16) {
            0 => sqe.op = edge as u8,
            1 => sqe.flags = edge as u8,
            2 => sqe.method = edge as u16,
            3 => sqe.caps_send = edge as u8,
            4 => sqe.caps_recv = edge as u8,
            5 => sqe.reserved0 = edge as u16,
            6 => sqe.user_data = edge,
            7 => sqe.cap = edge,
            8 => sqe.interface = edge,
            9 => sqe.msg_off = edge as u32,
            10 => sqe.msg_len = edge as u32,
            11 => sqe.reply_off = edge as u32,
            12 => sqe.reply_len = edge as u32,
            13 => sqe.caps_off = self.arena.wrapping_sub(8 * rng.below(20)),
            14 => sqe.reserved1 = edge as u32,
            _ => sqe.aux = edge,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Knowledge, sqe_flags};
    use crate::Rng;
    use capos_abi::{CapId, Op, Sqe, TransferMode, TransferSlot};
    use std::vec::Vec;

    const OWN: [(CapId, u64); 2] = [(CapId::SELF_MEMORY, 11), (CapId::granted(0), 22)];

    fn many() -> impl Iterator<Item = Sqe> {
        let mut rng = Rng::new(5);
        let knowledge = Knowledge::new(0x1_0000, &[11, 22, 33], &OWN, CapId::granted(0));
        (0..20_000).map(move |_| knowledge.sqe(&mut rng))
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, thousands of rounds: too long under Miri")]
    fn every_operation_and_every_kind_of_spoilt_field_comes_up() {
        for op in 0..10 {
            assert!(many().filter(|sqe| sqe.op == op).count() >= 300, "{op}");
        }
        assert!(many().any(|sqe| sqe.flags & sqe_flags::DEADLINE != 0 && sqe.aux != 0));
        assert!(many().any(|sqe| sqe.reserved0 != 0));
        assert!(many().any(|sqe| sqe.reserved1 != 0));
        assert!(many().any(|sqe| sqe.flags > 1));
        assert!(many().any(|sqe| sqe.msg_len > 0x8000_0000));
        assert!(many().any(|sqe| sqe.msg_off % 8 != 0));
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, thousands of rounds: too long under Miri")]
    fn a_good_part_fits_together() {
        let fitting = many().filter(|sqe| {
            let known = OWN.contains(&(CapId::from_raw(sqe.cap), sqe.interface));
            sqe.op == Op::Call as u8 && known && sqe.msg_off % 8 == 0 && sqe.flags == 0
        });
        assert!(fitting.count() > 2000);
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, thousands of rounds: too long under Miri")]
    fn what_is_kept_is_never_given_up() {
        let kept = CapId::granted(0);
        assert!(!many().any(|sqe| sqe.op == Op::Release as u8 && CapId::from_raw(sqe.cap) == kept));
        let mut rng = Rng::new(9);
        let knowledge = Knowledge::new(0x1_0000, &[], &OWN, kept);
        for _ in 0..10_000 {
            let slot = TransferSlot(knowledge.transfer(&mut rng));
            assert!(slot.id() != kept || slot.mode() != Some(TransferMode::Move));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, thousands of rounds: too long under Miri")]
    fn what_it_lives_on_is_seldom_given_up() {
        let kept = CapId::granted(7);
        let mut rng = Rng::new(9);
        let mut knowledge = Knowledge::new(0x1_0000, &[11, 22], &OWN, kept);
        knowledge.deadly = &[(CapId::SELF_MEMORY, 2)];
        let sqes: Vec<Sqe> = (0..200_000).map(|_| knowledge.sqe(&mut rng)).collect();
        let lost = |sqe: &&Sqe| sqe.op == Op::Release as u8 && sqe.cap == CapId::SELF_MEMORY.raw();
        let risked =
            |sqe: &&Sqe| (sqe.op, sqe.cap, sqe.method) == (Op::Call as u8, CapId::SELF_MEMORY.raw(), 2);
        assert!(sqes.iter().filter(lost).count() < 60);
        assert!(sqes.iter().filter(risked).count() < 60);
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, thousands of rounds: too long under Miri")]
    fn places_of_messages_and_of_arrays_do_not_meet() {
        let mut rng = Rng::new(2);
        for arena in [0x1000, 0x1_0000, 0x10_0000] {
            let knowledge = Knowledge::new(arena, &[], &[], CapId::NULL);
            for _ in 0..500 {
                let (message, caps) = (knowledge.message_spot(&mut rng), knowledge.caps_spot(&mut rng));
                assert!(message != caps && message % 8 == 0 && caps + knowledge.stride() <= arena);
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "safe code, thousands of rounds: too long under Miri")]
    fn what_was_learned_is_used() {
        let mut rng = Rng::new(5);
        let mut knowledge = Knowledge::new(0x1_0000, &[], &[], CapId::NULL);
        knowledge.learn(0x77_0000_0042, 99);
        assert!((0..1000).any(|_| knowledge.sqe(&mut rng).cap == 0x77_0000_0042));
    }
}
