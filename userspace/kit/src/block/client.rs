//! A client's end: what is asked of a device, through whatever happens to who serves it.
//!
//! What was asked and not answered is kept here, and asked again of the next who serves the device: whoever asked knows of nothing but the time it took.
//! That next one is found by the capability for the device, so it has to outlive its server: an export does, what a server made does not.

use super::{End, Session, continues, geometry};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_block::{Asked, Completion, Geometry, Operation, Request, Status, Tag};
use core::cell::{Cell, RefCell};
use core::fmt;
use rt::generated::block_device::IdentityReply;
use rt::generated::{BlockDeviceClient, MemoryObjectClient};
use rt::schema::block_device::InfoResults;
use rt::{CallError, ExceptionCode, Signal};

/// Times that a device is asked for in a row while whoever is asked dies over it.
const TRIES: u32 = 16;

/// A number that no memory has.
const NOBODYS: u16 = u16::MAX;

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IoError {
    /// The device, or who serves it, says so; with what the device said in its own numbers.
    Failed(Status, u32),
    /// The session is over.
    Ended(End),
}

impl IoError {
    /// Whether it is just that who served is not there any more.
    pub fn is_loss(&self) -> bool {
        match self {
            IoError::Ended(End::Gone) => true,
            IoError::Ended(End::Call(error)) => error.is_gone(),
            _ => false,
        }
    }
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

/// Memory that requests name by its place.
struct Buffer {
    object: Rc<MemoryObjectClient>,
    /// What who serves now calls it; nobody's when he refuses it.
    number: u16,
}

/// Who uses a device, for any number of tasks.
pub struct Client {
    device: Rc<BlockDeviceClient>,
    entries: u32,
    what: RefCell<What>,
    geometry: Cell<Geometry>,
    /// Which arrival of it the session is with, or was.
    arrival: Cell<u32>,
    /// None while the next one is looked for.
    session: RefCell<Option<Rc<Session>>>,
    /// Who serves is gone; the next one is to be found.
    lost: Cell<bool>,
    /// There will be no next one.
    over: RefCell<Option<IoError>>,
    asked: RefCell<Asked>,
    buffers: RefCell<Vec<Option<Buffer>>>,
    /// Who waits for the doorbell; the others wait for what that one finds.
    watched: Cell<bool>,
    progress: Signal,
}

impl Client {
    /// With so many requests at a time: a power of two, at most 1,024.
    pub async fn open(device: impl Into<Rc<BlockDeviceClient>>, depth: u16) -> Result<Rc<Client>, CallError> {
        let device = device.into();
        let Begun { session, arrival, what } = begin(&device, depth.into()).await?;
        let geometry =
            geometry(&what.info).ok_or_else(|| CallError::Exception(ExceptionCode::DeviceFault.into()))?;
        let asked = Asked::new(depth, geometry.cache)
            .map_err(|_| CallError::Exception(ExceptionCode::OutOfMemory.into()))?;
        Ok(Rc::new(Client {
            device,
            entries: depth.into(),
            what: RefCell::new(what),
            geometry: Cell::new(geometry),
            arrival: Cell::new(arrival),
            session: RefCell::new(Some(Rc::new(session))),
            lost: Cell::new(false),
            over: RefCell::new(None),
            asked: RefCell::new(asked),
            buffers: RefCell::default(),
            watched: Cell::new(false),
            progress: Signal::new(),
        }))
    }

    /// What the device is like. It may become larger, see [`Client::look_again`].
    pub fn geometry(&self) -> Geometry {
        self.geometry.get()
    }

    /// Looks whether the device became larger, and if so uses all of it from now on.
    pub async fn look_again(&self) -> Result<(), CallError> {
        if self.device.info().await?.sectors > self.geometry().sectors {
            // Who serves gave us what there was when the session began.
            self.now().iter().for_each(|session| self.lose(session));
            self.session().await?;
        }
        Ok(())
    }

    /// Lets requests name this memory; gives its number.
    pub async fn attach(&self, memory: impl Into<Rc<MemoryObjectClient>>) -> Result<u16, CallError> {
        let object = memory.into();
        loop {
            let session = self.session().await?;
            match session.control().attach(&*object).await {
                Ok(number) if self.is_now(&session) => return self.keep(Buffer { object, number }),
                Ok(_) => {}
                Err(error) if error.is_gone() => self.lose(&session),
                Err(error) => return Err(error),
            }
        }
    }

    /// They name it no more.
    pub async fn detach(&self, buffer: u16) -> Result<(), CallError> {
        let session = self.session().await?;
        let place = self.buffers.borrow_mut().get_mut(usize::from(buffer)).and_then(Option::take);
        let number = place.ok_or(CallError::Exception(ExceptionCode::NotFound.into()))?.number;
        match session.control().detach(number).await {
            Err(error) if !error.is_gone() => Err(error),
            // Whoever comes is not told of it.
            _ => Ok(()),
        }
    }

    fn keep(&self, buffer: Buffer) -> Result<u16, CallError> {
        let mut buffers = self.buffers.borrow_mut();
        let free = buffers.iter().position(Option::is_none).unwrap_or(buffers.len());
        match buffers.get_mut(free) {
            Some(place) => *place = Some(buffer),
            None => buffers.push(Some(buffer)),
        }
        u16::try_from(free).map_err(|_| CallError::Exception(ExceptionCode::BudgetExhausted.into()))
    }

    /// What was written before this was asked is durable.
    pub async fn flush(&self) -> Result<(), IoError> {
        let operation = Operation::Flush;
        self.perform(Request { id: 0, operation, durable: false, buffer: 0, offset: 0, first: 0, sectors: 0 })
            .await
    }

    /// Has something done, whatever the request's id. A future that is dropped leaves it under way.
    pub async fn perform(&self, request: Request) -> Result<(), IoError> {
        let tag = loop {
            match self.push(&request)? {
                Some(tag) => break tag,
                None => {
                    self.look()?;
                    self.wait().await?;
                }
            }
        };
        let ticket = Ticket { client: self, tag };
        let done = loop {
            self.look()?;
            let outcome = self.asked.borrow().outcome(ticket.tag);
            match outcome {
                Some(done) => break done,
                None => self.wait().await?,
            }
        };
        match done.status {
            Status::Done => Ok(()),
            status => Err(IoError::Failed(status, done.detail)),
        }
    }

    /// Asks for something, whatever the request's id: with the next [`rest`](Self::rest) at the latest. `None` when there is no room.
    #[inline]
    pub fn push(&self, request: &Request) -> Result<Option<Tag>, IoError> {
        let asked = self.asked.borrow_mut().ask(request);
        let Some((tag, id)) = asked else { return Ok(None) };
        if !self.lost.get() {
            self.send(&Request { id, ..*request })?;
        }
        Ok(Some(tag))
    }

    #[inline(always)]
    fn send(&self, request: &Request) -> Result<(), IoError> {
        let buffers = self.buffers.borrow();
        let buffer = buffers.get(usize::from(request.buffer)).and_then(Option::as_ref);
        let buffer = buffer.map_or(NOBODYS, |buffer| buffer.number);
        // There are as many places as entries: there is room, if the server is not one that lies.
        let session = self.session.borrow();
        let pushed = session.as_ref().map(|session| session.push(&Request { buffer, ..*request }.encode()));
        match pushed.transpose()? {
            Some(true) => Ok(()),
            _ => Err(IoError::Ended(End::Gone)),
        }
    }

    /// The next that is over of what was [pushed](Self::push); not for who has something [performed](Self::perform), too.
    #[inline]
    pub fn take(&self) -> Result<Option<(Tag, Completion)>, IoError> {
        loop {
            let Some(done) = self.next()? else { return Ok(None) };
            let mut asked = self.asked.borrow_mut();
            if let Some((tag, done)) = asked.done(done) {
                asked.forget(tag);
                return Ok(Some((tag, done)));
            }
        }
    }

    /// What the session has answered.
    #[inline]
    fn next(&self) -> Result<Option<Completion>, End> {
        let session = self.session.borrow();
        let Some(session) = session.as_ref() else { return Ok(None) };
        Ok(session.take()?.map(|entry| Completion::decode(&entry)))
    }

    /// Takes what is over, for those who wait for it.
    fn look(&self) -> Result<(), IoError> {
        let mut any = false;
        while let Some(done) = self.next()? {
            any |= self.asked.borrow_mut().done(done).is_some();
        }
        if any {
            self.progress.notify();
        }
        Ok(())
    }

    /// For the one task that [pushes](Self::push) and [takes](Self::take), and polls nothing behind this: waits until something may be over, and
    /// sleeps here.
    #[inline]
    pub async fn rest(&self) -> Result<(), IoError> {
        match self.rest_here() {
            Some(rested) => rested,
            None => self.wait().await,
        }
    }

    /// The same if there is nothing but to sleep: nobody runs meanwhile who could come to know of it.
    #[inline]
    fn rest_here(&self) -> Option<Result<(), IoError>> {
        if self.lost.get() || self.watched.get() || self.over.borrow().is_some() {
            return None;
        }
        match self.session.borrow().as_ref()?.rest()? {
            // What it answered before it went is taken first.
            Ok(is_there) => self.lost.set(!is_there),
            Err(end) => return Some(Err(end.into())),
        }
        Some(Ok(()))
    }

    /// Waits until something may be over. One task hears the doorbell, the others hear of that.
    async fn wait(&self) -> Result<(), IoError> {
        let Some(watch) = self.watch()? else {
            self.others().await;
            return Ok(());
        };
        let Some(session) = &watch.session else {
            // Boxed, as it is rare: every request's future would have room for it.
            return Box::pin(self.resume()).await;
        };
        if !session.wait().await? {
            // What it answered before it went is taken first.
            self.lose(session);
        }
        Ok(())
    }

    /// Waits until whoever hears the doorbell has heard something. What was asked meanwhile he knows nothing of.
    async fn others(&self) {
        let progress = self.progress.wait();
        if let Some(session) = self.now() {
            session.ring();
        }
        progress.await;
    }

    /// Who is to hear the doorbell, of the session that there is; none when somebody does.
    #[inline]
    fn watch(&self) -> Result<Option<Watch<'_>>, IoError> {
        if let Some(error) = &*self.over.borrow() {
            return Err(error.clone());
        }
        let session = self.now();
        Ok((!self.watched.replace(true)).then(|| Watch { client: self, session }))
    }

    /// The session of now, as soon as there is one.
    async fn session(&self) -> Result<Rc<Session>, CallError> {
        loop {
            if let Some(session) = self.now() {
                return Ok(session);
            }
            self.wait().await.map_err(|_| CallError::Exception(ExceptionCode::Disconnected.into()))?;
        }
    }

    /// The session, if who serves is not known to be gone.
    #[inline]
    fn now(&self) -> Option<Rc<Session>> {
        self.session.borrow().clone().filter(|_| !self.lost.get())
    }

    fn is_now(&self, session: &Rc<Session>) -> bool {
        self.now().is_some_and(|now| Rc::ptr_eq(session, &now))
    }

    fn lose(&self, session: &Rc<Session>) {
        if self.is_now(session) {
            self.lost.set(true);
        }
    }

    /// Finds the next who serves the device, and asks him what was not answered.
    async fn resume(&self) -> Result<(), IoError> {
        self.follow().await.inspect_err(|error| *self.over.borrow_mut() = Some(error.clone()))
    }

    async fn follow(&self) -> Result<(), IoError> {
        // It has a place with who serves, if he is there after all.
        drop(self.session.take());
        let Begun { session, arrival, what } = begin(&self.device, self.entries).await?;
        let geometry = geometry(&what.info).filter(|_| what.continues(&self.what.borrow()));
        // Without, it is another device.
        self.geometry.set(geometry.ok_or(IoError::Ended(End::Gone))?);
        self.what.replace(what);
        if self.arrival.replace(arrival) != arrival {
            self.asked.borrow_mut().power_lost();
        }
        if !self.introduce(&session).await {
            // He is gone, too.
            return Ok(());
        }
        *self.session.borrow_mut() = Some(Rc::new(session));
        self.lost.set(false);
        for request in self.asked.borrow_mut().again() {
            self.send_again(request)?;
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn send_again(&self, request: &Request) -> Result<(), IoError> {
        self.send(request)
    }

    /// Tells him of all memory; false when he is gone.
    async fn introduce(&self, session: &Session) -> bool {
        let count = self.buffers.borrow().len();
        for place in 0..count {
            let object =
                self.buffers.borrow().get(place).and_then(Option::as_ref).map(|it| Rc::clone(&it.object));
            let Some(object) = object else { continue };
            let number = match session.control().attach(&*object).await {
                Ok(number) => number,
                Err(error) if error.is_gone() => return false,
                // What is asked with it fails.
                Err(_) => NOBODYS,
            };
            if let Some(Some(buffer)) = self.buffers.borrow_mut().get_mut(place) {
                buffer.number = number;
            }
        }
        true
    }
}

/// What a device is: another one is not taken for it.
struct What {
    info: InfoResults,
    identity: IdentityReply,
}

impl What {
    /// Whether it is the device that was this `before`.
    fn continues(&self, before: &What) -> bool {
        self.identity == before.identity && continues(&self.info, &before.info)
    }
}

struct Begun {
    session: Session,
    arrival: u32,
    what: What,
}

/// Begins a session with whoever serves a device. What it is with is asked afterwards: if that goes over it, and another one comes, the session
/// ends, and it is asked again.
async fn begin(device: &BlockDeviceClient, entries: u32) -> Result<Begun, CallError> {
    let mut tries = 0;
    loop {
        let begun = async {
            let (session, arrival) = Session::open(device, entries).await?;
            let (info, identity) = (device.info().await?, device.identity().await?);
            Ok::<_, CallError>(Begun { session, arrival, what: What { info, identity } })
        };
        match begun.await {
            Err(error) if error.is_gone() && tries < TRIES => tries += 1,
            begun => return begun,
        }
    }
}

/// Whoever hears the doorbell, as long as it does.
struct Watch<'a> {
    client: &'a Client,
    /// Whose; of nobody's when the next one is to be found.
    session: Option<Rc<Session>>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.client.watched.set(false);
        // Somebody else is to hear it.
        self.client.progress.notify();
    }
}

/// A request under way, of which somebody wants to know the end.
struct Ticket<'a> {
    client: &'a Client,
    tag: Tag,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.client.asked.borrow_mut().forget(self.tag);
    }
}
