//! A controller at work: requests for its namespaces, until something is wrong with it.

use crate::DeviceFault;
use crate::admin::{Admin, Event};
use crate::identify::Identity;
use crate::io::{Asked, Flight, IoQueue, Refusal, Sequel};
use crate::memory::{Bells, Memory};
use crate::namespace::{Namespace, Unusable};
use crate::queue::Done;
use crate::register::{FATAL, NOTHING, READY};
use alloc::vec::Vec;
use capos_block::{Operation, Request, Status, Tag};

/// What the device may take for a request, before it is told to give it up; and then before it is taken for broken.
pub const TIMEOUT_NS: u64 = 10_000_000_000;
pub const GRACE_NS: u64 = 5_000_000_000;

/// It is looked so often for what is late.
const LOOK_NS: u64 = 1_000_000_000;

/// A request that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finished {
    /// Whose, by the number of the namespace in [`Controller::namespaces`].
    pub disk: u16,
    /// The one of [`Controller::submit`].
    pub tag: Tag,
    /// How it ended.
    pub status: Status,
    /// The device's word for that.
    pub detail: u32,
}

/// What happened since it was set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Requests that failed.
    pub failed: u64,
    /// Commands that were given again, since the device said that they may succeed.
    pub retried: u64,
    /// Commands that the device was told to give up.
    pub aborted: u64,
}

/// Who may have something to tell the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum News {
    Nobody,
    /// The queue for requests of that index, and no other one: what is so most times.
    Queue(usize),
    Any,
}

impl News {
    /// That one, too.
    #[inline]
    fn of(self, queue: usize) -> News {
        match self {
            News::Nobody => News::Queue(queue),
            News::Queue(other) if other == queue => self,
            _ => News::Any,
        }
    }
}

/// A controller whose queues work.
#[derive(Debug)]
pub struct Controller<M> {
    pub(crate) identity: Identity,
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) unusable: Vec<(u32, Unusable)>,
    admin: Admin<M>,
    queues: Vec<IoQueue<M>>,
    /// The queue that is read next; none when there is a fault.
    at: usize,
    /// Requests that it has.
    in_flight: usize,
    news: News,
    /// When it was last looked for what is late.
    looked: u64,
    /// What is wrong with it, for good.
    fault: Option<DeviceFault>,
    counters: Counters,
}

impl<M: Memory> Controller<M> {
    pub(crate) fn new(identity: Identity, admin: Admin<M>, queues: Vec<IoQueue<M>>) -> Self {
        Controller {
            identity,
            namespaces: Vec::new(),
            unusable: Vec::new(),
            admin,
            queues,
            at: 0,
            in_flight: 0,
            news: News::Any,
            looked: 0,
            fault: None,
            counters: Counters::default(),
        }
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its disks.
    pub fn namespaces(&self) -> &[Namespace] {
        &self.namespaces
    }

    /// Its namespaces that are none, by their numbers.
    pub fn unusable(&self) -> &[(u32, Unusable)] {
        &self.unusable
    }

    /// Its queues for requests.
    pub fn queues(&self) -> usize {
        self.queues.len()
    }

    /// Requests that it can have at a time.
    pub fn depth(&self) -> u16 {
        self.queues.iter().map(|queue| queue.layout().size() - 1).sum()
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Requests that it has.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Puts a request for a namespace under way, whose data is at the token `place`. It has passed [`capos_block::Geometry::check`].
    ///
    /// # Errors
    /// There is no room now, or the request is over already.
    #[inline]
    pub fn submit(
        &mut self,
        disk: u16,
        tag: Tag,
        request: &Request,
        place: u64,
        now: u64,
    ) -> Result<(), Refusal> {
        let namespace = self.namespaces.get(usize::from(disk)).ok_or(Refusal::Over(Status::Invalid))?;
        if !request.operation.has_data() {
            return self.submit_other(disk, tag, request, now);
        }
        // What is not in the lists would be written over.
        if request.sectors > namespace.geometry.most {
            return Err(Refusal::Over(Status::Invalid));
        }
        let asked = Asked { namespace, request, place };
        // Each namespace begins with a queue of its own, as far as there are any, so that one does not keep the others from it.
        let home = usize::from(disk).min(self.queues.len().saturating_sub(1));
        self.news = if self.queues.get_mut(home).is_some_and(|queue| queue.put(disk, tag, &asked, now)) {
            self.news.of(home)
        } else {
            Self::submit_elsewhere(&mut self.queues, disk, tag, &asked, now)?;
            News::Any
        };
        self.in_flight += 1;
        Ok(())
    }

    /// To whatever queue has room.
    #[cold]
    fn submit_elsewhere(
        queues: &mut [IoQueue<M>],
        disk: u16,
        tag: Tag,
        asked: &Asked<'_>,
        now: u64,
    ) -> Result<(), Refusal> {
        let is_under_way = queues.iter_mut().any(|queue| queue.put(disk, tag, asked, now));
        if is_under_way { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// What moves no data.
    #[inline(never)]
    fn submit_other(&mut self, disk: u16, tag: Tag, request: &Request, now: u64) -> Result<(), Refusal> {
        let namespace = self.namespaces.get(usize::from(disk)).ok_or(Refusal::Over(Status::Invalid))?;
        if request.operation == Operation::Flush && !namespace.geometry.cache {
            return Err(Refusal::Over(Status::Done));
        }
        let mut queues = self.queues.iter_mut();
        if !queues.any(|queue| queue.put_other(disk, tag, (namespace, request), now)) {
            return Err(Refusal::Busy);
        }
        self.in_flight += 1;
        self.news = News::Any;
        Ok(())
    }

    /// Has `tell` tell the device what it is to be told, of which queue.
    ///
    /// # Errors
    /// What `tell` says: what it was not asked for then is told the next time.
    #[inline(always)]
    pub fn tell<E>(&mut self, mut tell: impl FnMut(u16, Bells) -> Result<(), E>) -> Result<(), E> {
        match self.news {
            News::Nobody => return Ok(()),
            News::Queue(at) => {
                if let Some(queue) = self.queues.get_mut(at)
                    && let Some(bells) = queue.bells()
                {
                    tell(queue.number(), bells)?;
                }
            }
            News::Any => self.tell_all(tell)?,
        }
        self.news = News::Nobody;
        Ok(())
    }

    /// The same of all queues.
    #[inline(never)]
    fn tell_all<E>(&mut self, mut tell: impl FnMut(u16, Bells) -> Result<(), E>) -> Result<(), E> {
        for queue in &mut self.queues {
            if let Some(bells) = queue.bells() {
                tell(queue.number(), bells)?;
            }
        }
        self.admin.bells().map_or(Ok(()), |bells| tell(0, bells))
    }

    /// Takes a request that is over. To be asked until there is none.
    ///
    /// # Errors
    /// What the device did wrong. Nothing comes from it any more: it is to be reset, and what it has to be asked of its next life.
    #[inline]
    pub fn take(&mut self, now: u64) -> Result<Option<Finished>, DeviceFault> {
        let mut idle = 0;
        if self.in_flight == 0 {
            return self.fault.map_or(Ok(None), Err);
        }
        // None is read of a controller with a fault.
        while let Some(queue) = self.queues.get_mut(self.at) {
            // What comes on a queue that has nothing is looked at when it has something again.
            let taken = if queue.in_flight() > 0 { queue.take() } else { Ok(None) };
            match taken {
                Ok(Some(done)) if done.is_all() => {
                    queue.release();
                    self.in_flight -= 1;
                    if queue.is_far() {
                        self.news = self.news.of(self.at);
                    }
                    let (disk, tag) = (done.load.disk(), done.load.tag());
                    return Ok(Some(Finished { disk, tag, status: Status::Done, detail: 0 }));
                }
                Ok(Some(done)) => {
                    if let Some(finished) = self.sequel(&done, now) {
                        return Ok(Some(finished));
                    }
                }
                Ok(None) => {
                    self.at = if self.at + 1 < self.queues.len() { self.at + 1 } else { 0 };
                    idle += 1;
                    if idle >= self.queues.len() {
                        return Ok(None);
                    }
                }
                Err(fault) => return Err(self.fail(fault)),
            }
        }
        self.fault.map_or(Ok(None), Err)
    }

    /// What becomes of a request whose command failed, or was not all.
    #[cold]
    fn sequel(&mut self, done: &Done<Flight>, now: u64) -> Option<Finished> {
        let (disk, tag) = (done.load.disk(), done.load.tag());
        self.news = News::Any;
        match self.queues.get_mut(self.at)?.sequel(done, now) {
            Sequel::Over(status) => {
                self.in_flight -= 1;
                self.counters.failed += 1;
                return Some(Finished { disk, tag, status, detail: done.status.0.into() });
            }
            Sequel::Again => self.counters.retried += 1,
            Sequel::GoesOn => {}
        }
        None
    }

    /// Takes what the device told about itself.
    ///
    /// # Errors
    /// See [`Controller::take`].
    pub fn event(&mut self, now: u64) -> Result<Option<Event>, DeviceFault> {
        self.news = News::Any;
        let taken = self.fault.map_or_else(|| self.admin.take(now), Err);
        taken.map_err(|fault| self.fail(fault))
    }

    /// A faulty device stays one.
    #[cold]
    fn fail(&mut self, fault: DeviceFault) -> DeviceFault {
        self.fault = Some(fault);
        self.at = usize::MAX;
        fault
    }

    /// Asks how it is: [`Event::Health`] comes some time later. False when it can not be asked now.
    pub fn ask_health(&mut self, now: u64) -> bool {
        self.news = News::Any;
        self.admin.ask_health(now)
    }

    /// Whether an interrupt tells of what comes next, when there was nothing to [take](Self::take) and no [event](Self::event) is left. Whatever is
    /// completed from then on comes with a message (7.5.2); who looked for it before he sleeps would be woken by that all the same.
    #[inline]
    pub fn may_sleep(&self) -> bool {
        self.fault.is_none() && self.admin.is_quiet()
    }

    /// When to call [`Controller::on_timeout`]; never while the device has nothing to do.
    pub fn deadline(&self) -> Option<u64> {
        let is_busy = self.in_flight > 0 || self.admin.is_busy();
        is_busy.then(|| self.looked.saturating_add(LOOK_NS))
    }

    /// It is `now`, and the status register says this. What takes too long is given up; the device is to be told so ([`Controller::tell`]).
    ///
    /// # Errors
    /// [`DeviceFault::Silent`] when the device had its time for that, too; or what its status says.
    pub fn on_timeout(&mut self, status: u64, now: u64) -> Result<(), DeviceFault> {
        let looked = self.fault.map_or_else(|| self.look(status, now), Err);
        looked.map_err(|fault| self.fail(fault))
    }

    fn look(&mut self, status: u64, now: u64) -> Result<(), DeviceFault> {
        self.looked = now;
        self.news = News::Any;
        match status {
            NOTHING => return Err(DeviceFault::Gone),
            status if status & FATAL != 0 => return Err(DeviceFault::Fatal),
            status if status & READY == 0 => return Err(DeviceFault::NotReady),
            _ => {}
        }
        if self.admin.is_late(now) {
            return Err(DeviceFault::Silent);
        }
        for queue in &mut self.queues {
            let number = queue.number();
            for (id, slot) in queue.flights() {
                let age = now.saturating_sub(slot.since);
                if age >= TIMEOUT_NS + GRACE_NS {
                    return Err(DeviceFault::Silent);
                }
                if age >= TIMEOUT_NS && !slot.aborted && self.admin.abort(number, id, now) {
                    slot.aborted = true;
                    self.counters.aborted += 1;
                }
            }
        }
        Ok(())
    }
}
