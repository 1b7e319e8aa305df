//! All of a block driver but the device: who is served what, and what they asked for.
//!
//! What was asked stays here until it is answered. A device that is reset, or another one that is like it, is asked again: all requests
//! may be made twice as long as they are not acknowledged, and clients know of nothing but the time it took.

use super::engine::Bits;
use super::queues::{Place, Queues};
use super::{Description, Health};
use crate::device::is_waiting;
use crate::facets::Facets;
use crate::service::Handler;
use alloc::rc::Rc;
use capos_block::Geometry;
use capos_block::route::Facet;
use core::cell::{Cell, RefCell};
use rt::generated::block_device::{BlockDeviceServer, IdentityReply, OpenAnswer, serve_block_device};
use rt::generated::block_session::{BlockSessionServer, serve_block_session};
use rt::generated::disks::{DisksServer, ListReply, PartReply, serve_disks};
use rt::generated::{
    AlarmClient, BlockDeviceClient, BlockSessionClient, MemoryObjectClient, SignallerClient, TimerClient,
};
use rt::listener::Listener;
use rt::schema::block_device::InfoResults;
use rt::{CallContext, CallError, Exception, ExceptionCode, Outgoing, Request, Signal};

/// Facets of one server at a time: what clients asked for, sessions among them.
const FACETS: usize = 256;

/// Those of one client, which may be a block service with clients of its own, and sessions among them: the rest is there for others.
const FACETS_EACH: usize = 192;
const SESSIONS_EACH: usize = 24;

/// Some of a disk's sectors, as they are served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) facet: Facet,
    /// The life in which its disk came.
    pub(super) life: u64,
}

/// What a facet stands for.
#[derive(Clone, Copy, Debug)]
enum Thing {
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
    /// Somebody wants to know what the device is like now.
    pub(super) asked: Cell<bool>,
    facets: Facets<Thing>,
}

impl Server {
    /// Without a device.
    pub fn new(timer: Rc<TimerClient>) -> Result<Server, CallError> {
        let listener = Listener::new()?;
        let alarm = timer.alarm_blocking(listener.signaller(Bits::ALARM, 0)?)?;
        let (queues, facets) = (RefCell::new(Queues::new()?), Facets::new(FACETS, FACETS_EACH));
        Ok(Server { queues, listener, timer, alarm, there: Signal::new(), asked: Cell::new(false), facets })
    }

    /// What the device's interrupts are to be bound to.
    pub fn interrupts(&self) -> Result<SignallerClient, CallError> {
        self.listener.signaller(Bits::INTERRUPT, 0)
    }

    /// What a disk said of its health.
    pub fn set_health(&self, disk: usize, health: Health) {
        self.queues.borrow_mut().set_health(disk, health);
    }

    /// It is known that there is no device now: whoever asks which disks there are is told.
    pub fn has_no_device(&self) {
        self.there.notify();
    }

    /// A disk, as soon as there is a device; or as soon as it is known that there is `none` now.
    async fn description(&self, index: usize, none: bool) -> Result<Description, Exception> {
        loop {
            let there = self.there.wait();
            let disks = self.queues.borrow().disks().map(|disks| disks.get(index).cloned());
            match disks {
                Some(disk) => return disk.ok_or_else(|| ExceptionCode::NotFound.into()),
                None if none && is_waiting() => return Err(ExceptionCode::NotFound.into()),
                None => there.await,
            }
        }
    }

    /// Looks whether the device is still what it was, as soon as there is one.
    async fn look_again(&self) -> Result<(), CallError> {
        self.asked.set(true);
        // Who drives it may be asleep.
        self.alarm.set_blocking(0)?;
        loop {
            let there = self.there.wait();
            if !self.asked.get() && self.queues.borrow().is_up() {
                return Ok(());
            }
            there.await;
        }
    }

    /// What is there of a disk, if it is still that one.
    fn geometry(&self, extent: &Extent) -> Result<Geometry, Exception> {
        self.queues.borrow().geometry(extent).ok_or_else(|| ExceptionCode::Disconnected.into())
    }

    /// All of a disk, as it is now, as soon as there is a device.
    async fn whole(&self, index: usize) -> Result<Extent, Exception> {
        self.look_again().await.map_err(|error| error.handed_on())?;
        self.queues.borrow().whole(index).ok_or_else(|| ExceptionCode::NotFound.into())
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
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        match self.facets.find(request.context().badge()) {
            Ok(None) => serve_disks(&*self, request).await,
            Ok(Some(Thing::Device(extent))) => {
                serve_block_device(&Part { server: &self, extent }, request).await;
            }
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
        let disk = self.description(cursor as usize, true).await?;
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
        self.facet(cx, self.whole(number as usize).await?)
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
    fn narrow(self, change: impl FnOnce(Facet) -> Option<Facet>) -> Option<Extent> {
        Some(Extent { facet: change(self.facet)?, life: self.life })
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
            self.server.description(self.extent.facet.disk(), false).await?;
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
        let is_open = |thing: &Thing| matches!(thing, Thing::Session(place) if queues.borrow().has(*place));
        if facets.count(cx, is_open) >= SESSIONS_EACH {
            return Err(ExceptionCode::BudgetExhausted.into());
        }
        let arrival = queues.borrow().arrival();
        let place = queues
            .borrow_mut()
            .open(&memory, entries, doorbell, &self.extent)
            .map_err(|error| error.handed_on())?;
        let (ring, lost) = (Bits::ring(place.id.index()), Bits::lost(place.id.index()));
        let bell = listener.signaller(ring, lost).map_err(|error| error.handed_on());
        if bell.is_ok() {
            queues.borrow_mut().gave_doorbell(place);
        }
        let session: Result<BlockSessionClient, _> = facets.mint(cx, Thing::Session(place));
        match bell.and_then(|bell| Ok((bell, session?))) {
            Ok((doorbell, session)) => {
                let (session, doorbell) = (session.into(), doorbell.into());
                Ok(OpenAnswer { session, doorbell, arrival })
            }
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

    async fn health(&self, _cx: &CallContext) -> Result<Health, Exception> {
        let health = self.server.queues.borrow().health(self.extent.facet.disk());
        health.ok_or_else(|| ExceptionCode::Unsupported.into())
    }
}

impl BlockSessionServer for Server {
    async fn attach(&self, cx: &CallContext, memory: MemoryObjectClient) -> Result<u16, Exception> {
        let place = self.session(cx)?;
        let size = memory.info().await.map_err(|error| error.handed_on())?.size;
        let mut queues = self.queues.borrow_mut();
        let attached = queues.attach(place, memory, size).map_err(|error| error.handed_on());
        if queues.is_lost() {
            // Who drives it may be asleep.
            self.alarm.set_blocking(0).map_err(|error| error.handed_on())?;
        }
        attached
    }

    async fn detach(&self, cx: &CallContext, buffer: u16) -> Result<(), Exception> {
        let place = self.session(cx)?;
        let was_there = self.queues.borrow_mut().detach(place, buffer);
        was_there.then_some(()).ok_or_else(|| ExceptionCode::NotFound.into())
    }
}
