//! What a request is in commands (6), and what is left to do when one of them is over.

use crate::PAGE;
use crate::command::{self, COUNT, FIRST, FORCE, io};
use crate::memory::{Memory, Places};
use crate::namespace::Namespace;
use crate::queue::{Done, Queue, Slot, Vacancy, Words};
use capos_block::{Operation, Request, Status, Tag};

/// Why a request is not under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is no room now.
    Busy,
    /// It is over already.
    Over(Status),
}

/// A command is given so often at most, while the device says that it may succeed the next time.
const TRIES: u8 = 3;

/// Sectors of one Write Zeroes (6.16).
const ZEROES: u32 = 1 << 16;

/// What a command is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flight {
    /// Whose request, and which.
    pub disk: u16,
    pub tag: Tag,
    /// Given so often before.
    tries: u8,
    /// The device was told to give it up.
    pub aborted: bool,
    then: Then,
}

/// What is to be done of the same request when the command is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Then {
    #[default]
    Nothing,
    /// So many more sectors are to be zero.
    Zeroes(u32),
    /// It is to be durable.
    Flush,
}

/// What follows from a command that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sequel {
    /// The request is over.
    Over(Flight, Status),
    /// It goes on, or is tried again.
    GoesOn,
}

/// A queue for requests.
pub type IoQueue<M> = Queue<M, Flight>;

impl<M: Memory> IoQueue<M> {
    /// Puts a request under way whose data, if it moves any, is at the token `place`.
    #[inline]
    pub fn put(&mut self, vacancy: Vacancy, disk: u16, tag: Tag, asked: &Asked<'_>, now: u64) {
        let Asked { namespace, request, place } = *asked;
        let (first, count) = (request.first, request.sectors);
        let force = if request.durable { FORCE } else { 0 };
        let mut flight = Flight { disk, tag, ..Flight::default() };
        let words = match request.operation {
            Operation::Read | Operation::Write => {
                let bytes = namespace.geometry.bytes(count);
                let prp = self.pointers(&vacancy, place, bytes);
                let (opcode, flags) =
                    if request.operation == Operation::Read { (io::READ, 0) } else { (io::WRITE, force) };
                command::sectors(opcode, namespace.id, prp, first, count, flags)
            }
            Operation::Flush => command::flush(namespace.id),
            Operation::Zero => {
                let now = count.min(ZEROES);
                if count > now {
                    flight.then = Then::Zeroes(count - now);
                }
                command::sectors(io::ZEROES, namespace.id, [0; 2], first, now, force)
            }
            Operation::Discard => {
                if request.durable && namespace.geometry.cache {
                    flight.then = Then::Flush;
                }
                self.deallocation(&vacancy, namespace.id, first, count)
            }
        };
        self.submit(vacancy, words, flight, now);
    }

    /// The pointers to so many bytes at a token: the second one is a page, or a list of them (4.3).
    #[inline]
    fn pointers(&self, vacancy: &Vacancy, place: u64, bytes: u64) -> [u64; 2] {
        const PAGE64: u64 = PAGE as u64;
        let room = PAGE64 - place % PAGE64;
        let second = place.wrapping_add(room);
        match bytes.saturating_sub(room) {
            0 => [place, 0],
            1..=PAGE64 => [place, second],
            rest => [place, self.list_of(vacancy, second, rest)],
        }
    }

    /// Lists the pages from `second` on.
    fn list_of(&self, vacancy: &Vacancy, second: u64, rest: u64) -> u64 {
        let list = Self::list(vacancy.id());
        // Nobody asks for more than the list has: that is in the geometry.
        let pages = rest.div_ceil(PAGE.into()).min(capos_dma::nvme::LIST.into());
        for page in 0..pages as u32 {
            self.memory().write_own(list + 8 * page, second.wrapping_add(u64::from(page) * u64::from(PAGE)));
        }
        self.own(list)
    }

    /// One range (6.7.1.1) in the place of the list. What the kernel pins for it is as long as a page.
    fn deallocation(&self, vacancy: &Vacancy, namespace: u32, first: u64, count: u32) -> Words {
        let list = Self::list(vacancy.id());
        self.memory().write_own(list, u64::from(count) << 32);
        self.memory().write_own(list + 8, first);
        let behind = list.next_multiple_of(PAGE);
        let second = if behind == list { 0 } else { self.own(behind) };
        command::deallocate(namespace, [self.own(list), second])
    }

    fn own(&self, offset: u32) -> u64 {
        let Places { own, .. } = self.places();
        own.wrapping_add(offset.into())
    }

    /// What follows from a command that is over.
    #[inline]
    pub fn sequel(&mut self, done: Done, now: u64) -> Sequel {
        let goes_on = self.slot(done.id).is_some_and(|slot| slot.load.then != Then::Nothing);
        if done.status.is_done() && !goes_on {
            return Sequel::Over(self.release(done.id), Status::Done);
        }
        self.sequel_of(done, now)
    }

    /// The same, of what failed or goes on.
    #[cold]
    fn sequel_of(&mut self, done: Done, now: u64) -> Sequel {
        let status = done.status.outcome();
        let tries = self.slot(done.id).map_or(TRIES, |slot| slot.load.tries + 1);
        if status == Status::Done {
            self.again(done.id, go_on, now);
        } else if done.status.may_succeed() && tries < TRIES {
            self.again(done.id, |slot| (slot.load.tries, slot.load.aborted) = (tries, false), now);
        } else {
            return Sequel::Over(self.release(done.id), status);
        }
        Sequel::GoesOn
    }
}

/// Makes the next command of a request.
fn go_on(slot: &mut Slot<Flight>) {
    let namespace = (slot.words[0] >> 32) as u32;
    let id = slot.words[0] & 0xffff_0000;
    (slot.load.tries, slot.load.aborted) = (0, false);
    match slot.load.then {
        Then::Zeroes(rest) => {
            let (now, force) = (rest.min(ZEROES), slot.words[COUNT] & FORCE);
            let first = slot.words[FIRST] + u64::from(ZEROES);
            slot.words = command::sectors(io::ZEROES, namespace, [0; 2], first, now, force);
            slot.load.then = if rest > now { Then::Zeroes(rest - now) } else { Then::Nothing };
        }
        _ => {
            slot.words = command::flush(namespace);
            slot.load.then = Then::Nothing;
        }
    }
    slot.words[0] |= id;
}

/// A request, of whom, and where its data is.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub namespace: &'a Namespace,
    pub request: &'a Request,
    pub place: u64,
}
