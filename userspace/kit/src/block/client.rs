//! A client that reads and writes, and nothing else.

use super::{End, Session};
use alloc::rc::Rc;
use capos_block::{Completion, Geometry, Operation, Pending, Request, Status, Tag};
use core::cell::{Cell, RefCell};
use core::fmt;
use rt::generated::{BlockDeviceClient, MemoryObjectClient};
use rt::listener::Listener;
use rt::{CallError, ExceptionCode, Signal};

/// What our doorbell tells.
const RING: u64 = 1;
const LOST: u64 = 2;

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IoError {
    /// The device, or who serves it, says so; with what the device said in its own numbers.
    Failed(Status, u32),
    /// The session is over.
    Ended(End),
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IoError::Failed(status, 0) => status.fmt(f),
            IoError::Failed(status, detail) => write!(f, "{status} ({detail:#x})"),
            IoError::Ended(end) => end.fmt(f),
        }
    }
}

impl<E: Into<End>> From<E> for IoError {
    fn from(end: E) -> Self {
        IoError::Ended(end.into())
    }
}

/// One request under way.
enum Place {
    /// For the completion with this id.
    Waits(u32),
    Over(Completion),
    /// Nobody waits any more.
    Abandoned(u32),
}

impl Place {
    fn waits_for(&self, id: u32) -> bool {
        matches!(self, Place::Waits(asked) if *asked == id)
    }

    fn abandon(&mut self) {
        if let Place::Waits(id) = *self {
            *self = Place::Abandoned(id);
        }
    }
}

/// A session with a device, for any number of tasks.
pub struct Client {
    session: RefCell<Session>,
    listener: Listener,
    pending: RefCell<Pending<Place>>,
    geometry: Geometry,
    /// Who waits for the doorbell; the others wait for what that one finds.
    watched: Cell<bool>,
    /// The server is gone: what it answered before is still there to be taken.
    lost: Cell<bool>,
    progress: Signal,
    /// How many were asked: ids are never those of requests that are over.
    asked: Cell<u16>,
}

impl Client {
    /// With so many requests at a time: a power of two, at most 1,024.
    pub async fn open(device: &BlockDeviceClient, depth: u16) -> Result<Rc<Client>, CallError> {
        let info = device.info().await?;
        let sector_shift = info.sector_size.trailing_zeros() as u8;
        let listener = Listener::new()?;
        let session = Session::open(device, depth.into(), listener.signaller(RING, LOST)?).await?;
        let pending = Pending::new(depth).map_err(|_| ExceptionCode::OutOfMemory);
        let pending = pending.map_err(|code| CallError::Exception(code.into()))?;
        let geometry = Geometry {
            sectors: info.sectors,
            sector_shift,
            most: info.most,
            read_only: info.read_only,
            cache: info.cache,
            discard: info.discard,
            zero: info.zero,
        };
        Ok(Rc::new(Client {
            session: RefCell::new(session),
            listener,
            pending: RefCell::new(pending),
            geometry,
            watched: Cell::new(false),
            lost: Cell::new(false),
            progress: Signal::new(),
            asked: Cell::new(0),
        }))
    }

    /// What the device is like.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Lets requests name this memory; gives its number.
    pub async fn attach(&self, memory: &MemoryObjectClient) -> Result<u16, CallError> {
        let control = Rc::clone(self.session.borrow().control());
        control.attach(memory).await
    }

    /// They name it no more.
    pub async fn detach(&self, buffer: u16) -> Result<(), CallError> {
        let control = Rc::clone(self.session.borrow().control());
        control.detach(buffer).await
    }

    /// What was written before this was asked is durable.
    pub async fn flush(&self) -> Result<(), IoError> {
        let operation = Operation::Flush;
        self.perform(Request { id: 0, operation, durable: false, buffer: 0, offset: 0, first: 0, sectors: 0 })
            .await
    }

    /// Has something done, whatever the request's id. A future that is dropped leaves it under way.
    pub async fn perform(&self, request: Request) -> Result<(), IoError> {
        let ticket = self.ask(request).await?;
        let done = loop {
            self.look()?;
            if let Some(Place::Over(done)) = self.pending.borrow().get(ticket.tag) {
                break *done;
            }
            self.wait().await?;
        };
        match done.status {
            Status::Done => Ok(()),
            status => Err(IoError::Failed(status, done.detail)),
        }
    }

    /// Puts it into the queue as soon as there is room.
    async fn ask(&self, request: Request) -> Result<Ticket<'_>, IoError> {
        loop {
            let id = u32::from(self.asked.replace(self.asked.get().wrapping_add(1))) << 16;
            let place = self.pending.borrow_mut().insert(Place::Waits(id));
            let Ok(tag) = place else {
                self.look()?;
                self.wait().await?;
                continue;
            };
            let id = id | u32::from(tag);
            if let Some(place) = self.pending.borrow_mut().get_mut(tag) {
                *place = Place::Waits(id);
            }
            // There are as many places as entries; a server that has not taken one yet keeps its entry.
            if self.session.borrow_mut().push(&Request { id, ..request })? {
                return Ok(Ticket { client: self, tag });
            }
            self.pending.borrow_mut().remove(tag);
            self.wait().await?;
        }
    }

    /// Takes what is over.
    fn look(&self) -> Result<(), IoError> {
        let mut any = false;
        while let Some(done) = self.session.borrow_mut().take()? {
            let mut pending = self.pending.borrow_mut();
            let tag = done.id as Tag;
            match pending.get_mut(tag) {
                Some(Place::Abandoned(id)) if *id == done.id => drop(pending.remove(tag)),
                Some(place) if place.waits_for(done.id) => *place = Place::Over(done),
                // It completes what nobody asked.
                _ => {}
            }
            any = true;
        }
        if any {
            self.progress.notify();
        }
        Ok(())
    }

    /// Waits until something may be over. One task hears the doorbell, the others hear of that.
    async fn wait(&self) -> Result<(), IoError> {
        if self.lost.get() {
            return Err(IoError::Ended(End::Gone));
        }
        let progress = self.progress.wait();
        if self.watched.get() {
            progress.await;
            return Ok(());
        }
        let _watch = Watch::new(self);
        {
            let mut session = self.session.borrow_mut();
            if !session.may_sleep()? {
                return Ok(());
            }
            session.send(&self.listener);
        }
        let bits = self.listener.wait().await.map_err(End::from)?;
        if bits & LOST != 0 {
            self.lost.set(true);
        }
        Ok(())
    }
}

/// Whoever hears the doorbell, as long as it does.
struct Watch<'a>(&'a Client);

impl<'a> Watch<'a> {
    fn new(client: &'a Client) -> Self {
        client.watched.set(true);
        Watch(client)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.watched.set(false);
        // Somebody else is to hear it.
        self.0.progress.notify();
    }
}

/// A request under way, of which somebody wants to know the end.
struct Ticket<'a> {
    client: &'a Client,
    tag: Tag,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut pending = self.client.pending.borrow_mut();
        match pending.get_mut(self.tag) {
            Some(place @ Place::Waits(_)) => place.abandon(),
            _ => drop(pending.remove(self.tag)),
        }
    }
}
