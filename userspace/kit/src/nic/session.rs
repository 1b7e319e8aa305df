//! The one session with a device, and the device as long as nobody has one.

use super::{Busy, Description, Fronts, Link, Nic, Over};
use crate::port::{Port, WORDS};
use crate::queue::End;
use alloc::vec::Vec;
use capos_nic::{Books, BufferError, Completion, DEPTHS, Operation, Stray, Tag};
use rt::generated::{DmaBufferClient, DmaPoolClient, MemoryObjectClient, SignallerClient};
use rt::listener::Listener;
use rt::region::Region;
use rt::schema::nic::StatisticsResults;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, ExceptionCode, log};

/// Buffers of a session.
const BUFFERS: usize = 32;

/// Places of sessions: more than one, as a doorbell of one that is over may still be out, whose loss must not be the next one's.
pub const PLACES: usize = 28;

/// Requests that are taken at a time.
const TURN: usize = 32;

/// A session, as its facet names it: its place, and which of all that were there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub index: usize,
    pub serial: u64,
}

/// Memory of a client.
struct Memory {
    object: MemoryObjectClient,
    /// To read what devices write in front of frames.
    region: Region,
    /// What the device of now knows it by.
    found: Option<DmaBufferClient>,
}

/// What a client has asked.
struct Session {
    place: Place,
    port: Port,
    books: Books<Memory>,
    /// Entries of its queues.
    depth: u16,
    /// Those that were taken last.
    entries: [[u64; WORDS]; TURN],
    /// It may have asked for something since it was looked at.
    is_awake: bool,
    /// The client broke the rules of queues.
    is_broken: bool,
}

/// What there is.
pub struct State {
    session: Option<Session>,
    /// The device of now, or the last one.
    device: Option<Description>,
    /// By what the device of now finds memory.
    pool: Option<DmaPoolClient>,
    link: Link,
    /// How often that has changed.
    changes: u32,
    /// Which frames the client wants beside its own: everything, or what is for many.
    listens: Option<(bool, bool)>,
    /// What the device said to that.
    chooses: Option<bool>,
    /// The session ended while the device had memory of it, or the device is another.
    is_over: bool,
    counters: StatisticsResults,
    /// Places whose doorbell somebody has.
    out: u64,
    serial: u64,
}

fn exception(code: ExceptionCode) -> CallError {
    CallError::Exception(code.into())
}

impl State {
    /// Without a device.
    pub fn new() -> State {
        let counters =
            StatisticsResults { received: 0, received_bytes: 0, sent: 0, sent_bytes: 0, lost: 0, resets: 0 };
        State {
            session: None,
            device: None,
            pool: None,
            link: Link::default(),
            changes: 0,
            listens: None,
            chooses: None,
            is_over: false,
            counters,
            out: 0,
            serial: 0,
        }
    }

    /// The device, also while it is reset.
    pub fn device(&self) -> Option<&Description> {
        self.device.as_ref()
    }

    /// How often the link has changed, and what it is; nothing before there was a device.
    pub fn link(&self) -> (u32, Link) {
        (self.changes, self.link)
    }

    pub fn counters(&self) -> StatisticsResults {
        self.counters
    }

    /// How many frames may be sent without the client's hearing of it: few enough that it does not wait for their places.
    pub fn few(&self) -> u16 {
        self.session.as_ref().map_or(0, |session| session.depth / 16)
    }

    /// Begins the session.
    pub fn open(
        &mut self,
        memory: &MemoryObjectClient,
        entries: u32,
        peer: SignallerClient,
    ) -> Result<Place, CallError> {
        let device = self.device.ok_or(exception(ExceptionCode::WrongState))?;
        // The memory of the one before is the device's until it was reset.
        if self.session.is_some() || self.is_over {
            return Err(exception(ExceptionCode::WrongState));
        }
        let index = (!self.out).trailing_zeros() as usize;
        if index >= PLACES {
            return Err(exception(ExceptionCode::BudgetExhausted));
        }
        let port = Port::accept(memory, entries, &DEPTHS, peer)?;
        let depth = u16::try_from(entries).unwrap_or(u16::MAX);
        let books = Books::new(device.card, depth, BUFFERS);
        let books = books.map_err(|_| exception(ExceptionCode::OutOfMemory))?;
        self.serial += 1;
        let place = Place { index, serial: self.serial };
        self.session = Some(Session {
            place,
            port,
            books,
            depth,
            entries: [[0; WORDS]; TURN],
            is_awake: true,
            is_broken: false,
        });
        (self.listens, self.chooses) = (None, None);
        Ok(place)
    }

    /// The client of the session is given a doorbell, whose loss we hear of.
    pub fn gave_doorbell(&mut self, place: Place) {
        self.out |= 1 << place.index;
    }

    fn at(&mut self, place: Place) -> Result<&mut Session, CallError> {
        let session = self.session.as_mut().filter(|session| session.place == place);
        session.ok_or(exception(ExceptionCode::Disconnected))
    }

    /// Ends the session, if it is still that one. Whether the device is to be reset: it has memory of it.
    pub fn close(&mut self, place: Place) -> bool {
        let is_that = self.session.as_ref().is_some_and(|session| session.place == place);
        is_that && self.end_session()
    }

    fn end_session(&mut self) -> bool {
        // What the device still has is let go of when the device was reset.
        self.is_over = self.pool.is_some();
        self.session = None;
        self.is_over
    }

    /// Whether the device is to be reset, as the session is over.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Doorbells rang, and some were lost.
    #[inline]
    pub fn rung(&mut self, rung: u64, lost: u64) {
        let Some(session) = &mut self.session else { return self.out &= !lost };
        let place = 1 << session.place.index;
        session.is_awake |= rung & place != 0;
        if lost != 0 {
            self.out &= !lost;
            if lost & place != 0 {
                self.end_session();
            }
        }
    }

    /// Takes memory up for a session.
    pub fn attach(&mut self, place: Place, object: MemoryObjectClient, size: u64) -> Result<u16, CallError> {
        let found = self.pool.as_ref().map(|pool| find(pool, &object)).transpose()?;
        let region = Region::map(&object, 0, size, Protection::Read)?;
        let (token, found) = found.unzip();
        let session = self.at(place)?;
        session.is_awake = true;
        let attached = session.books.attach(size, token, Memory { object, region, found });
        attached.map_err(|_| exception(ExceptionCode::BudgetExhausted))
    }

    /// Lets go of it.
    pub fn detach(&mut self, place: Place, buffer: u16) -> Result<(), CallError> {
        let detached = self.at(place)?.books.detach(buffer);
        detached.map(drop).map_err(|error| match error {
            BufferError::InUse => exception(ExceptionCode::WrongState),
            BufferError::NotFound | BufferError::NoRoom => exception(ExceptionCode::NotFound),
        })
    }

    /// What the client wants to hear; [`chooses`](Self::chooses) is what becomes of it.
    pub fn listen(&mut self, place: Place, promiscuous: bool, multicast: bool) -> Result<(), CallError> {
        self.at(place)?;
        (self.listens, self.chooses) = (Some((promiscuous, multicast)), None);
        Ok(())
    }

    /// Whether the device can choose, when it was asked; not if the session is over meanwhile.
    pub fn chooses(&mut self, place: Place) -> Result<Option<bool>, CallError> {
        self.at(place)?;
        Ok(self.chooses)
    }

    /// The device is up, after a reset or a new one. It is told of all memory, and what is armed is armed again.
    pub fn up<N: Nic>(&mut self, nic: &N, pool: DmaPoolClient) -> Result<(), CallError> {
        self.is_over = false;
        let now = nic.description();
        if self.device.is_some_and(|before| before != *now) {
            // Whoever had a session meant another device.
            self.session = None;
        }
        self.device = Some(*now);
        if let Some(session) = &mut self.session {
            (session.is_awake, self.chooses) = (true, None);
            match session.tell_memory(&pool) {
                Ok(()) => {}
                Err(error) if error.is_gone() => return Err(error),
                Err(error) => {
                    log::warn(format_args!("the client's memory is refused: {error}"));
                    self.session = None;
                }
            }
        }
        self.pool = Some(pool);
        self.look_at_link(nic.link());
        Ok(())
    }

    /// Whether the link has changed.
    pub fn look_at_link(&mut self, link: Link) -> bool {
        let has_changed = self.changes == 0 || self.link != link;
        if has_changed {
            self.link = link;
            // 0 has not been.
            self.changes = self.changes.wrapping_add(1).max(1);
        }
        has_changed
    }

    /// There is no device any more, or it is to be reset: what it had to send is lost.
    pub fn down(&mut self) {
        self.pool = None;
        self.counters.resets += 1;
        let Some(session) = &mut self.session else { return };
        let Session { books, port, is_broken, .. } = session;
        for completion in books.down() {
            self.counters.lost += 1;
            *is_broken |= port.complete(&completion.encode()).is_err();
        }
        books.buffers().for_each(|(memory, _)| memory.found = None);
        session.is_awake = true;
    }

    /// Takes what the device is through with. Whether there was anything.
    #[inline]
    pub fn complete<N: Nic>(&mut self, nic: &mut N, now: u64) -> Result<bool, N::Fault> {
        let mut any = false;
        // Whose memory the device has is gone: it is to be reset, whatever it tells.
        if self.is_over {
            return Ok(false);
        }
        while let Some(over) = nic.take(&Armed(self.session.as_ref()), now)? {
            // Without a session the device has nothing.
            let session = self.session.as_mut().ok_or(Stray)?;
            let completion = match over {
                Over::Sent(tag) => session.books.sent(tag)?,
                Over::Filled(tag, filled) => {
                    self.counters.received += u64::from(!filled.goes_on);
                    self.counters.received_bytes += u64::from(filled.length);
                    session.books.filled(tag, &filled)?
                }
            };
            session.answer(&completion);
            any = true;
        }
        Ok(any)
    }

    /// Takes what is asked, and gives it to the device. Whether there was anything.
    #[inline]
    pub fn submit<N: Nic>(&mut self, nic: &mut N, now: u64) -> bool {
        let Some(session) = &mut self.session else { return false };
        let mut any = session.is_awake && session.fetch();
        while let Some(ask) = session.books.next(Operation::Receive) {
            if nic.receive(ask.tag, ask.token, ask.request.length, now) == Err(Busy) {
                break;
            }
            session.books.asked(Operation::Receive);
            any = true;
        }
        while let Some(ask) = session.books.next(Operation::Send) {
            if nic.send(ask.tag, ask.token, &ask.request, now) == Err(Busy) {
                break;
            }
            session.books.asked(Operation::Send);
            self.counters.sent += 1;
            self.counters.sent_bytes += u64::from(ask.request.length);
            any = true;
        }
        any
    }

    /// Has the device told what the client wants to hear. Whether there is an answer to that now.
    pub fn tell_filter<N: Nic>(&mut self, nic: &mut N, now: u64) -> Result<bool, N::Fault> {
        let (Some((promiscuous, multicast)), None) = (self.listens, self.chooses) else { return Ok(false) };
        self.chooses = Some(nic.listen(promiscuous, multicast, now)?);
        Ok(true)
    }

    /// Whether the client may have asked for more.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_awake)
    }

    /// Lets the client hear of what was answered, with the next wait, or go, if it broke the rules.
    #[inline]
    pub fn send(&mut self, listener: &Listener) {
        let Some(session) = &mut self.session else { return };
        session.port.send(listener);
        if session.is_broken {
            log::warn(format_args!("the client of the network device broke the rules of its queues"));
            self.end_session();
        }
    }
}

/// Has the device of this pool know memory: the token of its first byte.
fn find(pool: &DmaPoolClient, object: &MemoryObjectClient) -> Result<(u64, DmaBufferClient), CallError> {
    let buffer = pool.attach_blocking(object)?;
    Ok((buffer.info_blocking()?.token, buffer))
}

impl Session {
    /// Has the device of this pool know all memory.
    fn tell_memory(&mut self, pool: &DmaPoolClient) -> Result<(), CallError> {
        for (memory, token) in self.books.buffers() {
            let (first, found) = find(pool, &memory.object)?;
            (*token, memory.found) = (Some(first), Some(found));
        }
        Ok(())
    }

    fn answer(&mut self, completion: &Completion) {
        match self.port.complete(&completion.encode()) {
            Ok(was_full) => self.is_awake |= was_full,
            Err(_) => self.is_broken = true,
        }
    }

    /// Takes the next requests. When there are none it is not looked at until the client rings.
    #[inline]
    fn fetch(&mut self) -> bool {
        self.fetch_some().unwrap_or_else(|_| {
            (self.is_broken, self.is_awake) = (true, false);
            false
        })
    }

    fn fetch_some(&mut self) -> Result<bool, End> {
        loop {
            let count = self.port.take(&mut self.entries)?;
            let mut refused = Vec::new();
            for entry in self.entries.iter().take(count) {
                if let Err(completion) = self.books.take(entry) {
                    refused.push(completion);
                }
            }
            refused.iter().for_each(|completion| self.answer(completion));
            if count < TURN && self.port.may_sleep()? {
                self.is_awake = false;
                return Ok(count > 0);
            }
            if count > 0 {
                return Ok(true);
            }
        }
    }
}

/// The memory of what is armed.
struct Armed<'s>(Option<&'s Session>);

impl Fronts for Armed<'_> {
    #[inline]
    fn front(&self, tag: Tag) -> Option<[u64; 2]> {
        let (memory, offset) = self.0?.books.armed(tag)?;
        Some([memory.region.load(offset)?, memory.region.load(offset.checked_add(8)?)?])
    }
}
