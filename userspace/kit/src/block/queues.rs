//! The sessions of a server, and what is under way.

mod flow;

use super::engine::Bits;
use super::server::Extent;
use super::{Attached, Buffers, Description, Disk, Health, Over, Port};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use capos_block::{Pending, Request, Status, Tag, WORDS};
use rt::generated::{DmaPoolClient, MemoryObjectClient, SignallerClient};
use rt::{CallError, ExceptionCode};

/// Requests that are taken from one session before another has its turn.
const BATCH: usize = 32;

/// A session.
struct Slot {
    port: Port,
    buffers: Buffers,
    extent: Extent,
    /// Which of all that were in this place.
    serial: u64,
}

/// A request under way, as the device is asked.
struct Job {
    place: usize,
    serial: u64,
    disk: usize,
    request: Request,
    memory: Option<Rc<Attached>>,
}

/// All sessions, and all requests under way.
pub(super) struct Queues {
    slots: [Option<Slot>; Bits::SESSIONS],
    pending: Pending<Job>,
    /// Under way, but not with the device yet.
    backlog: VecDeque<Tag>,
    /// What the device has, or had last.
    disks: Option<Vec<Description>>,
    health: Vec<Option<Health>>,
    /// By which the device of now finds memory, and the number of its life.
    pool: Option<DmaPoolClient>,
    life: u64,
    /// Sessions that may have asked for something since they were looked at, and those that have answers to hear of.
    awake: u64,
    answered: u64,
    /// Who is looked at first.
    turn: usize,
    next_serial: u64,
    batch: Box<[[u64; WORDS]]>,
}

impl Queues {
    pub fn new() -> Result<Queues, CallError> {
        Ok(Queues {
            slots: [const { None }; Bits::SESSIONS],
            pending: pending(0)?,
            backlog: VecDeque::new(),
            disks: None,
            health: Vec::new(),
            pool: None,
            life: 0,
            awake: 0,
            answered: 0,
            turn: 0,
            next_serial: 1,
            batch: vec![[0; WORDS]; BATCH].into_boxed_slice(),
        })
    }

    /// The disks; none before there was a device.
    pub fn disks(&self) -> Option<&[Description]> {
        self.disks.as_deref()
    }

    /// Requests under way at a time.
    pub fn depth(&self) -> u32 {
        (self.pending.len() + self.pending.room()) as u32
    }

    pub fn health(&self, disk: usize) -> Option<Health> {
        self.health.get(disk).copied().flatten()
    }

    pub fn set_health(&mut self, disk: usize, health: Health) {
        if let Some(place) = self.health.get_mut(disk) {
            *place = Some(health);
        }
    }

    /// Begins a session; gives its place, and which of all there it is.
    pub fn open(
        &mut self,
        memory: &MemoryObjectClient,
        entries: u32,
        peer: SignallerClient,
        extent: Extent,
    ) -> Result<(usize, u64), CallError> {
        let exhausted = || CallError::Exception(ExceptionCode::BudgetExhausted.into());
        let (place, slot) =
            self.slots.iter_mut().enumerate().find(|(_, slot)| slot.is_none()).ok_or_else(exhausted)?;
        let serial = self.next_serial;
        let port = Port::accept(memory, entries, peer)?;
        *slot = Some(Slot { port, buffers: Buffers::default(), extent, serial });
        self.next_serial += 1;
        self.awake |= Bits::ring(place);
        Ok((place, serial))
    }

    /// Ends a session, if it is still that one. What is under way for it goes on, and is answered to nobody.
    pub fn close(&mut self, place: usize, serial: u64) {
        if let Some(slot) = self.slots.get_mut(place) {
            slot.take_if(|slot| slot.serial == serial);
        }
    }

    fn slot(&mut self, place: usize, serial: u64) -> Option<&mut Slot> {
        self.slots.get_mut(place)?.as_mut().filter(|slot| slot.serial == serial)
    }

    /// Takes memory up for a session.
    pub fn attach(
        &mut self,
        place: usize,
        serial: u64,
        memory: MemoryObjectClient,
    ) -> Result<u16, CallError> {
        let (pool, life) = (self.pool.take(), self.life);
        let gone = CallError::Exception(ExceptionCode::Disconnected.into());
        let number = self.slot(place, serial).ok_or(gone).and_then(|slot| {
            let (number, attached) = slot.buffers.add(memory)?;
            let entered = pool.as_ref().map_or(Ok(()), |pool| attached.enter(pool, life));
            if let Err(refused) = entered {
                slot.buffers.remove(number);
                return Err(refused);
            }
            Ok(number)
        });
        self.pool = pool;
        number
    }

    /// Lets go of it. False when there is none.
    pub fn detach(&mut self, place: usize, serial: u64, buffer: u16) -> bool {
        self.slot(place, serial).is_some_and(|slot| slot.buffers.remove(buffer))
    }

    /// Doorbells rang, and some were lost.
    pub fn rung(&mut self, rung: u64, lost: u64) {
        self.awake |= rung;
        for (place, slot) in self.slots.iter_mut().enumerate() {
            if lost & Bits::ring(place) != 0 {
                *slot = None;
            }
        }
    }

    /// There is a device, after a reset or a new one. It finds all memory that there is, and is to be asked all that is under way.
    pub fn begin<D: Disk>(&mut self, disk: &D, pool: DmaPoolClient) -> Result<(), CallError> {
        let disks = self.disks.as_deref();
        let same = disks.is_some_and(|before| before == disk.disks()) && self.depth() == disk.depth().into();
        if !same {
            // Whoever asked meant another disk.
            self.slots.iter_mut().for_each(|slot| *slot = None);
            self.pending = pending(disk.depth())?;
            self.disks = Some(disk.disks().to_vec());
            self.health = vec![None; disk.disks().len()];
        }
        self.life += 1;
        for slot in self.slots.iter_mut() {
            let enters = |memory: &Rc<Attached>| memory.enter(&pool, self.life).is_ok();
            let finds = |slot: &Slot| slot.buffers.iter().all(enters);
            slot.take_if(|slot| !finds(slot));
        }
        self.pool = Some(pool);
        self.queue_again();
        self.awake = u64::MAX;
        Ok(())
    }

    /// What is under way is to be asked anew, in the order in which it came; what nobody waits for any more is not.
    fn queue_again(&mut self) {
        let Some(pool) = &self.pool else { return };
        let mut over = Vec::new();
        self.backlog.clear();
        for (tag, job) in self.pending.iter() {
            let alive = self.slots.get(job.place).and_then(Option::as_ref);
            let is_alive = alive.is_some_and(|slot| slot.serial == job.serial);
            // It may have been detached meanwhile.
            let finds = || job.memory.as_ref().is_none_or(|memory| memory.enter(pool, self.life).is_ok());
            if is_alive && finds() { self.backlog.push_back(tag) } else { over.push((tag, is_alive)) }
        }
        for (tag, is_alive) in over {
            let status = if is_alive { Status::Gone } else { Status::Done };
            self.finish(Over { tag, status, detail: 0 });
        }
    }

    /// There is none any more.
    pub fn end(&mut self) {
        self.pool = None;
    }
}

fn pending(depth: u16) -> Result<Pending<Job>, CallError> {
    Pending::new(depth).map_err(|_| CallError::Exception(ExceptionCode::OutOfMemory.into()))
}
