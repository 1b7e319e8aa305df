//! All of a block driver but the device: who is served what, and what they asked for.
//!
//! What was asked stays here until it is answered. A device that is reset, or another one that is like it, is asked again: all requests
//! may be made twice as long as they are not acknowledged, and clients know of nothing but the time it took.

use super::engine::Bits;
use super::memory::Found;
use super::queues::{Place, Queues};
use super::{Description, Health};
use crate::device::is_waiting;
use crate::facets::{Facets, number_of};
use crate::service::Handler;
use alloc::rc::Rc;
use capos_block::Geometry;
use capos_block::route::Facet;
use core::cell::RefCell;
use rt::generated::block_device::{BlockDeviceServer, IdentityReply, OpenAnswer, serve_block_device};
use rt::generated::block_session::{BlockSessionServer, serve_block_session};
use rt::generated::disks::{DisksServer, ListReply, PartReply, serve_disks};
use rt::generated::{
    AlarmClient, BlockDeviceClient, BlockSessionClient, MemoryObjectClient, SignallerClient, TimerClient,
};
use rt::listener::Listener;
use rt::schema::block_device::{HealthResults, InfoResults};
use rt::{CallContext, CallError, Exception, ExceptionCode, Outgoing, Request, Signal};

/// Facets of one server at a time: what clients asked for, sessions among them.
const FACETS: u16 = 256;

/// Those of one client, and sessions among them: the rest is there for others.
const FACETS_EACH: usize = 64;
const SESSIONS_EACH: usize = 8;

/// Buffers of one session: of a driver's, which may be a block service's with all buffers of its clients, and of a block service's.
const BUFFERS: usize = 1024;
const BUFFERS_OF_MANY: usize = 32;

/// Some of a disk's sectors, as they are served.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub(super) facet: Facet,
    /// The life in which its disk came.
    pub(super) life: u64,
}

/// What a facet stands for.
#[derive(Clone, Copy, Debug)]
pub enum Thing {
    /// A disk, or part of it.
    Device(Extent),
    /// A session.
    Session(Place),
}

/// A driver's service: its export is `Disks`.
pub struct Server {
    pub(super) queues: RefCell<Queues>,
    pub(super) listener: Listener,
    pub(super) timer: Rc<TimerClient>,
    pub(super) alarm: AlarmClient,
    /// There is a device now, or none any more.
    pub(super) there: Signal,
    facets: Facets<Thing>,
}

impl Server {
    /// Without a device.
    pub fn new(timer: Rc<TimerClient>) -> Result<Server, CallError> {
        Server::with(timer, 0, BUFFERS)
    }

    /// One of several that are served together: calls are of the one that [`number_of`](Server::number_of) says.
    pub fn numbered(timer: Rc<TimerClient>, number: u8) -> Result<Server, CallError> {
        Server::with(timer, number, BUFFERS_OF_MANY)
    }

    fn with(timer: Rc<TimerClient>, number: u8, buffers: usize) -> Result<Server, CallError> {
        let listener = Listener::new()?;
        let alarm = timer.alarm_blocking(listener.signaller(Bits::ALARM, 0)?)?;
        let queues = RefCell::new(Queues::new(buffers)?);
        let first = u16::from(number) * FACETS;
        let facets = Facets::new(first..=first + (FACETS - 1), FACETS_EACH);
        Ok(Server { queues, listener, timer, alarm, there: Signal::new(), facets })
    }

    /// Whose a badge is; none's when it is that of an export.
    pub fn number_of(badge: u64) -> Option<u8> {
        number_of(badge).map(|number| (number / FACETS) as u8)
    }

    /// What the device's interrupts are to be bound to.
    pub fn interrupts(&self) -> Result<SignallerClient, CallError> {
        self.listener.signaller(Bits::INTERRUPT, 0)
    }

    /// By what somebody else who serves the device is to ring, in his life of that number. Gives what its loss tells, too: see [`Disk::gone`](super::Disk::gone).
    pub fn doorbell(&self, life: u32) -> Result<(SignallerClient, u64), CallError> {
        let [first, ..] = Bits::GONE;
        let lost = Bits::GONE.get(life as usize % Bits::GONE.len()).copied().unwrap_or(first);
        Ok((self.listener.signaller(Bits::INTERRUPT, lost)?, lost))
    }

    /// With what is waited.
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// What a disk said of its health.
    pub fn set_health(&self, disk: usize, health: Health) {
        self.queues.borrow_mut().set_health(disk, health);
    }

    /// It is known that there is no device now: whoever asks which disks there are is told.
    pub fn has_no_device(&self) {
        self.there.notify();
    }

    /// A disk, as soon as it is known whether there is a device.
    async fn listed(&self, index: usize) -> Result<Description, Exception> {
        loop {
            let there = self.there.wait();
            let known = self.queues.borrow().disks().map(|disks| disks.get(index).cloned());
            match known {
                Some(Some(disk)) => return Ok(disk),
                Some(None) => return Err(ExceptionCode::NotFound.into()),
                None if is_waiting() => return Err(ExceptionCode::NotFound.into()),
                None => there.await,
            }
        }
    }

    /// A disk, as soon as there is a device.
    pub async fn disk(&self, index: usize) -> Result<Description, Exception> {
        loop {
            let there = self.there.wait();
            let disks = self.queues.borrow().disks().map(|disks| disks.get(index).cloned());
            match disks {
                Some(disk) => return disk.ok_or_else(|| ExceptionCode::NotFound.into()),
                None => there.await,
            }
        }
    }

    /// What is there of a disk, if it is still that one.
    fn geometry(&self, extent: &Extent) -> Result<Geometry, Exception> {
        self.queues.borrow().geometry(extent).ok_or_else(|| ExceptionCode::Disconnected.into())
    }

    /// All of a disk, as soon as there is a device.
    pub async fn whole(&self, index: usize) -> Result<Extent, Exception> {
        self.disk(index).await?;
        self.queues.borrow().whole(index).ok_or_else(|| ExceptionCode::NotFound.into())
    }

    /// A facet of all of a disk, as soon as there is a device.
    pub async fn disk_of(&self, cx: &CallContext, index: usize) -> Result<Outgoing, Exception> {
        self.facet(cx, self.whole(index).await?)
    }

    fn session(&self, cx: &CallContext) -> Result<Place, Exception> {
        match self.facets.find(cx.badge())? {
            Some(Thing::Session(place)) => Ok(place),
            _ => Err(ExceptionCode::Unsupported.into()),
        }
    }

    fn facet(&self, cx: &CallContext, extent: Extent) -> Result<Outgoing, Exception> {
        let facet: BlockDeviceClient = self.facets.mint(cx, Thing::Device(extent))?;
        Ok(facet.into())
    }

    /// Has the device of now know this memory, for a session. Where there is none that is left to the next one.
    async fn find(&self, place: Place, object: &MemoryObjectClient) -> Result<Option<Found>, Exception> {
        loop {
            let change = self.there.wait();
            let (finder, disk) = {
                let queues = self.queues.borrow();
                (queues.finder(), queues.disk(place).ok_or(ExceptionCode::Disconnected)?)
            };
            let Some(finder) = finder else { return Ok(None) };
            match finder.find(disk, object).await {
                Ok(found) if self.queues.borrow().is_now(&finder) => return Ok(Some(found)),
                // It came back meanwhile.
                Ok(found) => found.forget(),
                Err(error) if !finder.is_lost(disk, &error).await => return Err(exception(error)),
                Err(_) => {
                    if self.queues.borrow().is_now(&finder) {
                        change.await;
                    }
                }
            }
        }
    }
}

fn exception(error: CallError) -> Exception {
    error.exception().unwrap_or(ExceptionCode::InvalidArgument).into()
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        match self.facets.find(request.context().badge()) {
            Ok(None) => serve_disks(&*self, request).await,
            Ok(Some(Thing::Device(extent))) => self.serve_part(extent, request).await,
            Ok(Some(Thing::Session(_))) => serve_block_session(&*self, request).await,
            Err(exception) => request.fail(exception),
        }
    }

    fn may_wait(&self, _request: &Request) -> bool {
        self.queues.borrow().disks().is_none()
    }

    fn gone(&self, badge: u64) {
        if let Some(Thing::Session(place)) = self.facets.gone(badge) {
            self.queues.borrow_mut().close(place);
        }
    }
}

impl DisksServer for Server {
    async fn list(&self, _cx: &CallContext, cursor: u32) -> Result<ListReply, Exception> {
        let disk = self.listed(cursor as usize).await?;
        Ok(ListReply {
            number: cursor,
            next: cursor + 1,
            address: disk.address,
            namespace: disk.namespace,
            sectors: disk.geometry.sectors,
            sector_size: disk.geometry.sector_bytes(),
            serial: disk.serial,
            model: disk.model,
        })
    }

    async fn disk(&self, cx: &CallContext, number: u32) -> Result<Outgoing, Exception> {
        self.disk_of(cx, number as usize).await
    }

    async fn part(&self, _cx: &CallContext, _disk: u32, _cursor: u32) -> Result<PartReply, Exception> {
        Err(ExceptionCode::NotFound.into())
    }
}

/// Part of a disk, while somebody calls it.
struct Part<'a> {
    server: &'a Server,
    extent: Extent,
}

impl Extent {
    /// Less of it, or of what may be done with it.
    pub fn narrow(self, change: impl FnOnce(Facet) -> Option<Facet>) -> Option<Extent> {
        Some(Extent { facet: change(self.facet)?, life: self.life })
    }
}

impl Server {
    /// Answers a call of part of a disk.
    pub async fn serve_part(&self, extent: Extent, request: Request) {
        serve_block_device(&Part { server: self, extent }, request).await;
    }
}

impl BlockDeviceServer for Part<'_> {
    async fn info(&self, _cx: &CallContext) -> Result<InfoResults, Exception> {
        let geometry = self.server.geometry(&self.extent)?;
        let Geometry { sectors, most, read_only, cache, discard, zero, .. } = geometry;
        let (sector_size, depth) = (geometry.sector_bytes(), self.server.queues.borrow().depth());
        Ok(InfoResults { sectors, sector_size, most, depth, read_only, cache, discard, zero })
    }

    async fn identity(&self, _cx: &CallContext) -> Result<IdentityReply, Exception> {
        self.server.geometry(&self.extent)?;
        let Description { address, namespace, serial, model, .. } =
            self.server.disk(self.extent.facet.disk()).await?;
        Ok(IdentityReply { address, namespace, serial, model })
    }

    async fn open(
        &self,
        cx: &CallContext,
        memory: MemoryObjectClient,
        doorbell: SignallerClient,
        entries: u32,
    ) -> Result<OpenAnswer, Exception> {
        let Server { queues, facets, listener, .. } = self.server;
        if facets.count(cx, |thing| matches!(thing, Thing::Session(_))) >= SESSIONS_EACH {
            return Err(ExceptionCode::BudgetExhausted.into());
        }
        let place = queues.borrow_mut().open(&memory, entries, doorbell, &self.extent).map_err(exception)?;
        let (ring, lost) = (Bits::ring(place.id.index()), Bits::lost(place.id.index()));
        let bell = listener.signaller(ring, lost).map_err(exception);
        if bell.is_ok() {
            queues.borrow_mut().gave_doorbell(place);
        }
        let session = facets.mint::<BlockSessionClient>(cx, Thing::Session(place));
        match bell.and_then(|bell| Ok((bell, session?))) {
            Ok((doorbell, session)) => Ok(OpenAnswer { session: session.into(), doorbell: doorbell.into() }),
            Err(refused) => {
                queues.borrow_mut().close(place);
                Err(refused)
            }
        }
    }

    async fn read_only(&self, cx: &CallContext) -> Result<Outgoing, Exception> {
        let narrow = self.extent.narrow(|facet| Some(facet.read_only()));
        self.server.facet(cx, narrow.ok_or(ExceptionCode::InvalidArgument)?)
    }

    async fn part(&self, cx: &CallContext, first: u64, sectors: u64) -> Result<Outgoing, Exception> {
        let narrow = self.extent.narrow(|facet| facet.part(first, sectors));
        self.server.facet(cx, narrow.ok_or(ExceptionCode::InvalidArgument)?)
    }

    async fn health(&self, _cx: &CallContext) -> Result<HealthResults, Exception> {
        let health = self.server.queues.borrow().health(self.extent.facet.disk());
        let Health {
            warnings,
            kelvin,
            spare_percent,
            used_percent,
            media_errors,
            power_on_hours,
            unsafe_shutdowns,
        } = health.ok_or(ExceptionCode::Unsupported)?;
        Ok(HealthResults {
            warnings,
            kelvin,
            spare_percent,
            used_percent,
            media_errors,
            power_on_hours,
            unsafe_shutdowns,
        })
    }
}

impl BlockSessionServer for Server {
    async fn attach(&self, cx: &CallContext, memory: MemoryObjectClient) -> Result<u16, Exception> {
        let place = self.session(cx)?;
        let size = memory.info().await.map_err(exception)?.size;
        let found = self.find(place, &memory).await?;
        let attached = self.queues.borrow_mut().attach(place, Rc::new(memory), size, found);
        attached.map_err(exception)
    }

    async fn detach(&self, cx: &CallContext, buffer: u16) -> Result<(), Exception> {
        let place = self.session(cx)?;
        let was_there = self.queues.borrow_mut().detach(place, buffer);
        was_there.then_some(()).ok_or_else(|| ExceptionCode::NotFound.into())
    }
}
