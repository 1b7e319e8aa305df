//! A player: does what the judge says with capabilities of its own, on a bare ring, and says what came of it.

use crate::words::{
    ASK, DELIVER, EXCEPTION, GIVE, MAKE, MOST, NARROW, PLAYERS, RELEASE, REVOKE, SEND, SHOW, WIRE,
};
use probe::bare::{Bare, CAPS, INBOX, INBOX_CAPS, MESSAGE, REPLY, answer, answer_recv, recv};
use probe::echo;
use rt::CapId;
use rt::abi::ring::cqe_flags;
use rt::abi::{Cqe, Op, RingShape, Sqe, TransferSlot};
use rt::schema::{Empty, memory_object, virtual_memory};

/// The right to receive.
const RIGHT: CapId = CapId::granted(0);
/// Most words of a message, and of an answer.
const WORDS: usize = 24;
const ANSWER: usize = 3 * WORDS;

fn receive() -> Sqe {
    recv(RIGHT, MOST as u8)
}

/// Plays as number `me` until it is killed.
pub fn play(me: usize) -> i64 {
    let played = rt::raw::spawn(RingShape::DEFAULT, 10, move |ring| Player::new(me, Bare::new(ring)).play());
    i64::from(played.and_then(rt::threads::JoinHandle::join).is_err())
}

struct Player<'r> {
    me: usize,
    bare: Bare<'r>,
    /// To each player, also to itself.
    ways: [CapId; PLAYERS as usize],
    answer: [u64; ANSWER],
    len: usize,
}

/// What a completion says.
fn outcome(cqe: &Cqe) -> u64 {
    if cqe.flags & cqe_flags::EXCEPTION != 0 {
        return EXCEPTION | u64::from(cqe.method);
    }
    if cqe.result < 0 { i64::from(cqe.result).cast_unsigned() } else { 0 }
}

impl<'r> Player<'r> {
    fn new(me: usize, bare: Bare<'r>) -> Self {
        Player { me, bare, ways: [CapId::NULL; PLAYERS as usize], answer: [0; ANSWER], len: 0 }
    }

    fn play(mut self) {
        let mut next = receive();
        loop {
            let arrival = self.run(&next);
            next = receive();
            if arrival.result < 0 || arrival.flags & cqe_flags::UNREFERENCED != 0 {
                continue;
            }
            let (said, words) = self.read(&arrival);
            let said = said.get(..words).unwrap_or_default();
            self.len = 0;
            if arrival.method == GIVE {
                self.give(arrival.token, said);
            } else {
                self.obey(&arrival, said);
                next = Sqe { caps_recv: next.caps_recv, ..answer_recv(RIGHT, arrival.token, self.answer()) };
            }
        }
    }

    /// Submits, and waits as long as it takes.
    fn run(&mut self, sqe: &Sqe) -> Cqe {
        let number = self.bare.start(sqe);
        self.wait(number)
    }

    /// Waits for one as long as it takes: a host that has much to do may stop a processor for seconds, and who is never answered hangs
    /// the case.
    fn wait(&mut self, number: u64) -> Cqe {
        loop {
            if let Some(cqe) = self.bare.poll(number) {
                return cqe;
            }
            self.bare.ring.enter(1, rt::sys::FOREVER);
        }
    }

    /// The words of a message.
    fn read(&self, arrival: &Cqe) -> ([u64; WORDS], usize) {
        let words = (arrival.result.max(0) as usize / 8).min(WORDS);
        let mut said = [0; WORDS];
        for (n, word) in (0u32..).zip(said.iter_mut().take(words)) {
            *word = self.bare.ring.arena(INBOX + 8 * n);
        }
        (said, words)
    }

    /// Lays the answer out; gives its length.
    fn answer(&self) -> u32 {
        self.bare.put(MESSAGE, self.answer.get(..self.len).unwrap_or_default());
        self.len as u32 * 8
    }

    fn say(&mut self, word: u64) {
        if let Some(place) = self.answer.get_mut(self.len) {
            *place = word;
            self.len += 1;
        }
    }

    fn obey(&mut self, arrival: &Cqe, said: &[u64]) {
        let first = said.first().copied().unwrap_or(0);
        let id = CapId::from_raw(first);
        let rest = said.get(1..).unwrap_or_default();
        match arrival.method {
            MAKE => self.make(first),
            NARROW => {
                let target = (id, memory_object::INTERFACE_ID);
                let sqe = self.bare.call(target, memory_object::READ_ONLY, &Empty, &[], 1);
                self.make_by(&sqe);
            }
            RELEASE => self.plain(Op::Release, id),
            REVOKE => self.plain(Op::Revoke, id),
            SEND => self.send(first as usize, rest),
            ASK => self.ask(first as usize, rest),
            SHOW => said.iter().for_each(|id| self.show(CapId::from_raw(*id))),
            WIRE => self.wire(first as usize, arrival.caps),
            DELIVER => {
                for n in 0..u32::from(arrival.caps) {
                    let id = self.bare.ring.arena(INBOX_CAPS + 8 * n);
                    self.say(id);
                }
            }
            _ => self.say(u64::MAX),
        }
    }

    fn plain(&mut self, op: Op, cap: CapId) {
        let cqe = self.run(&Sqe { op: op as u8, cap: cap.raw(), ..Sqe::default() });
        self.say(outcome(&cqe));
    }

    fn make_by(&mut self, sqe: &Sqe) -> CapId {
        let cqe = self.run(sqe);
        let made = if cqe.caps == 1 { self.bare.given(0) } else { CapId::NULL };
        self.say(outcome(&cqe));
        self.say(made.raw());
        made
    }

    fn make(&mut self, number: u64) {
        let target = (CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID);
        let params = virtual_memory::CreateObjectParams { size: 4096 };
        let sqe = self.bare.call(target, virtual_memory::CREATE_OBJECT, &params, &[], 1);
        let made = self.make_by(&sqe);
        if made != CapId::NULL {
            let data = number.to_le_bytes();
            let params = memory_object::WriteParams { offset: 0, data: &data };
            let sqe =
                self.bare.call((made, memory_object::INTERFACE_ID), memory_object::WRITE, &params, &[], 0);
            self.run(&sqe);
        }
    }

    /// A call of another player.
    fn call(&mut self, to: usize, method: u16, said: &[u64], send: &[TransferSlot], room: u8) -> Sqe {
        let way = self.ways.get(to).copied().unwrap_or(CapId::NULL);
        let sqe = self.bare.call((way, echo::INTERFACE), method, &Empty, send, room);
        self.bare.put(MESSAGE, said);
        Sqe { msg_len: said.len() as u32 * 8, ..sqe }
    }

    fn send(&mut self, to: usize, slots: &[u64]) {
        let mut list = [TransferSlot::default(); MOST];
        let count = slots.len().min(MOST);
        for (slot, word) in list.iter_mut().zip(slots) {
            *slot = TransferSlot(*word);
        }
        let sqe = self.call(to, DELIVER, &[], list.get(..count).unwrap_or_default(), 0);
        let cqe = if to == self.me { self.send_to_self(&sqe) } else { self.run(&sqe) };
        self.say(outcome(&cqe));
        for n in 0..cqe.result.max(0) as u32 / 8 {
            let id = self.bare.ring.arena(REPLY + 8 * n);
            self.say(id);
        }
    }

    /// Makes the call, receives it and answers it with the ids that have come.
    fn send_to_self(&mut self, call: &Sqe) -> Cqe {
        let call = self.bare.start(call);
        self.bare.flush();
        if let Some(refused) = self.bare.poll(call) {
            return refused;
        }
        let number = self.bare.start(&receive());
        self.bare.flush();
        let Some(arrival) = self.bare.poll(number) else {
            // The call has ended with the transfer.
            self.run(&Sqe { op: Op::Cancel as u8, aux: number, ..Sqe::default() });
            self.wait(number);
            return self.wait(call);
        };
        for n in 0..u32::from(arrival.caps) {
            let id = self.bare.ring.arena(INBOX_CAPS + 8 * n);
            self.bare.put(MESSAGE + 8 * n, &[id]);
        }
        self.run(&answer(RIGHT, arrival.token, 8 * u32::from(arrival.caps)));
        self.wait(call)
    }

    fn ask(&mut self, from: usize, slots: &[u64]) {
        let sqe = self.call(from, GIVE, slots, &[], MOST as u8);
        let cqe = self.run(&sqe);
        // An answer in words says why there are no capabilities.
        let said = if cqe.result > 0 { self.bare.ring.arena(REPLY) } else { outcome(&cqe) };
        self.say(said);
        for n in 0..u32::from(cqe.caps) {
            let id = self.bare.given(n);
            self.say(id.raw());
        }
    }

    /// Answers a call with capabilities.
    fn give(&mut self, token: u64, slots: &[u64]) {
        for (n, word) in (0u32..).zip(slots.iter().take(MOST)) {
            self.bare.ring.set_arena(CAPS + 8 * n, *word);
        }
        let count = slots.len().min(MOST) as u8;
        let sqe = Sqe { caps_send: count, caps_off: CAPS, ..answer(RIGHT, token, 0) };
        let given = outcome(&self.run(&sqe));
        if given != 0 {
            // The call waits on: it is told.
            self.bare.put(MESSAGE, &[given]);
            self.run(&answer(RIGHT, token, 8));
        }
    }

    fn show(&mut self, id: CapId) {
        let target = (id, memory_object::INTERFACE_ID);
        let params = memory_object::ReadParams { offset: 0, length: 8 };
        let sqe = self.bare.call(target, memory_object::READ, &params, &[], 0);
        let cqe = self.run(&sqe);
        let number = self.bare.with_reply(&cqe, |bytes| {
            let read: Option<memory_object::ReadResults<'_>> = rt::schema::Decode::decode(bytes).ok();
            read.map_or(0, |results| echo::word(results.data, 0))
        });
        self.say(outcome(&cqe));
        self.say(number);
        let sqe = self.bare.call(target, memory_object::INFO, &Empty, &[], 0);
        let cqe = self.run(&sqe);
        let info = self.bare.decode::<memory_object::InfoResults>(&cqe);
        self.say(u64::from(info.is_some_and(|info| info.writable)));
    }

    fn wire(&mut self, to: usize, caps: u8) {
        let new = if caps == 1 { CapId::from_raw(self.bare.ring.arena(INBOX_CAPS)) } else { CapId::NULL };
        let old = self.ways.get_mut(to).map_or(CapId::NULL, |way| core::mem::replace(way, new));
        if old != CapId::NULL {
            self.bare.release(old);
        }
        self.say(new.raw());
    }
}
