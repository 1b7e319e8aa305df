//! What a request is in commands (6), and what is left to do when one of them is over.

use crate::PAGE;
use crate::command::{self, COUNT, FIRST, FORCE, io};
use crate::memory::Memory;
use crate::namespace::Namespace;
use crate::queue::{Done, Own, Queue, Slot, Words};
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

/// What a command is for: whose request, and which, and in the upper half what is left of it to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flight(u64);

/// The request is durable when it was flushed. More sectors than are ever left to be zeroed.
const FLUSH: u32 = u32::MAX;

impl Flight {
    #[inline]
    fn new(disk: u16, tag: Tag, rest: u32) -> Flight {
        Flight(u64::from(disk) | u64::from(tag) << 16 | u64::from(rest) << 32)
    }

    /// Whose it is.
    #[inline]
    pub fn disk(self) -> u16 {
        self.0 as u16
    }

    /// Which one.
    #[inline]
    pub fn tag(self) -> Tag {
        (self.0 >> 16) as u16
    }

    /// So many sectors are to be zero yet, or [`FLUSH`].
    #[inline]
    fn rest(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn with_rest(self, rest: u32) -> Flight {
        Flight::new(self.disk(), self.tag(), rest)
    }
}

/// What follows from a command that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sequel {
    /// The request is over.
    Over(Status),
    /// It goes on.
    GoesOn,
    /// The command is given once more.
    Again,
}

/// A queue for requests.
pub type IoQueue<M> = Queue<M, Flight>;

impl<M: Memory> IoQueue<M> {
    /// Puts a read or a write under way whose data is at the token `place`. False when there is no room.
    #[inline(always)]
    pub fn put(&mut self, disk: u16, tag: Tag, asked: &Asked<'_>, now: u64) -> bool {
        let Asked { namespace, request, place } = *asked;
        let bytes = namespace.geometry.bytes(request.sectors);
        let (opcode, rest) = match request.operation {
            Operation::Write => (io::WRITE, if flushes(namespace, request) { FLUSH } else { 0 }),
            _ => (io::READ, 0),
        };
        self.submit(Flight::new(disk, tag, rest), now, |own| {
            let prp = pointers(own, place, bytes);
            command::sectors(opcode, namespace.id, prp, request.first, request.sectors, 0)
        })
    }

    /// Puts under way what moves no data.
    #[inline(never)]
    pub fn put_other(
        &mut self,
        disk: u16,
        tag: Tag,
        (namespace, request): (&Namespace, &Request),
        now: u64,
    ) -> bool {
        let (id, first, count) = (namespace.id, request.first, request.sectors);
        let flight = |rest| Flight::new(disk, tag, rest);
        match request.operation {
            Operation::Zero => {
                let part = count.min(ZEROES);
                let force = if flushes(namespace, request) { FORCE } else { 0 };
                let words = command::sectors(io::ZEROES, id, [0; 2], first, part, force);
                self.submit(flight(rest_of(count - part, force)), now, |_| words)
            }
            Operation::Discard => {
                let rest = if flushes(namespace, request) { FLUSH } else { 0 };
                self.submit(flight(rest), now, |own| deallocation(own, id, first, count))
            }
            _ => self.submit(flight(0), now, |_| command::flush(id)),
        }
    }

    /// What follows from a command that is over, of those that failed or have more to do.
    #[cold]
    pub fn sequel(&mut self, done: &Done<Flight>, now: u64) -> Sequel {
        let status = done.status.outcome();
        let tries = self.slot(done.id).map_or(TRIES, |slot| slot.tries + 1);
        if status == Status::Done && done.load.rest() > 0 {
            self.again(done.id, go_on, now);
            return Sequel::GoesOn;
        }
        if status != Status::Done && done.status.may_succeed() && tries < TRIES {
            self.again(done.id, |slot| slot.tries = tries, now);
            return Sequel::Again;
        }
        self.release();
        Sequel::Over(status)
    }
}

impl Done<Flight> {
    /// Whether it is done, and all that the request asked for.
    #[inline]
    pub fn is_all(&self) -> bool {
        self.status.is_done() && self.load.rest() == 0
    }
}

/// The pointers to so many bytes at a token: the second one is a page, or a list of them (4.3).
#[inline]
fn pointers<M: Memory>(own: &Own<'_, M>, place: u64, bytes: u64) -> [u64; 2] {
    const PAGE64: u64 = PAGE as u64;
    let room = PAGE64 - place % PAGE64;
    if bytes <= room {
        return [place, 0];
    }
    let (second, rest) = (place.wrapping_add(room), bytes - room);
    [place, if rest <= PAGE64 { second } else { list_of(own, second, rest) }]
}

/// Lists the pages from `second` on.
#[inline(never)]
fn list_of<M: Memory>(own: &Own<'_, M>, second: u64, rest: u64) -> u64 {
    // Nobody asks for more than the list has: that is in the geometry.
    let pages = rest.div_ceil(PAGE.into()).min(capos_dma::nvme::LIST.into());
    let mut page = second;
    for n in 0..pages as u32 {
        own.write(8 * n, page);
        page = page.wrapping_add(PAGE.into());
    }
    own.token()
}

/// One range (6.7.1.1) in the place of the list. What the kernel pins for it is as long as a page.
fn deallocation<M: Memory>(own: &Own<'_, M>, namespace: u32, first: u64, count: u32) -> Words {
    own.write(0, u64::from(count) << 32);
    own.write(8, first);
    command::deallocate(namespace, [own.token(), own.next_page().unwrap_or(0)])
}

/// Whether a request is over only when it was flushed. FUA alone is not believed: QEMU's controller takes it and does nothing about it, and what
/// was acknowledged was gone when the plug was pulled.
#[inline]
fn flushes(namespace: &Namespace, request: &Request) -> bool {
    request.durable && namespace.geometry.cache
}

/// What is left of a request to zero, which is to be flushed if its commands have FUA.
fn rest_of(sectors: u32, force: u64) -> u32 {
    if sectors == 0 && force != 0 { FLUSH } else { sectors }
}

/// Makes the next command of a request.
fn go_on(slot: &mut Slot<Flight>) {
    let (namespace, number) = ((slot.words[0] >> 32) as u32, slot.words[0] & 0xffff_0000);
    slot.tries = 0;
    let rest = match slot.load.rest() {
        FLUSH => {
            slot.words = command::flush(namespace);
            0
        }
        rest => {
            let (part, force) = (rest.min(ZEROES), slot.words[COUNT] & FORCE);
            let first = slot.words[FIRST] + u64::from(ZEROES);
            slot.words = command::sectors(io::ZEROES, namespace, [0; 2], first, part, force);
            rest_of(rest - part, force)
        }
    };
    slot.load = slot.load.with_rest(rest);
    slot.words[0] |= number;
}

/// A request, of whom, and where its data is.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub namespace: &'a Namespace,
    pub request: &'a Request,
    pub place: u64,
}
