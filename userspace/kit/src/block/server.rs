//! All of a block driver but the device: who is served what, and what they asked for.
//!
//! What was asked stays here until it is answered. A device that is reset, or another one that is like it, is asked again: all requests
//! may be made twice as long as they are not acknowledged, and clients know of nothing but the time it took.

use super::engine::Bits;
use super::queues::Queues;
use super::{Description, Health};
use crate::facets::Facets;
use crate::service::Handler;
use alloc::rc::Rc;
use capos_block::Geometry;
use core::cell::RefCell;
use rt::generated::block_device::{BlockDeviceServer, IdentityReply, OpenAnswer, serve_block_device};
use rt::generated::block_session::{BlockSessionServer, serve_block_session};
use rt::generated::disks::{DisksServer, ListReply, serve_disks};
use rt::generated::{
    AlarmClient, BlockDeviceClient, BlockSessionClient, MemoryObjectClient, SignallerClient, TimerClient,
};
use rt::listener::Listener;
use rt::schema::block_device::{HealthResults, InfoResults};
use rt::{CallContext, CallError, Exception, ExceptionCode, Outgoing, Request, Signal};

/// Facets at a time: what clients asked for, sessions among them.
const MOST_FACETS: usize = 256;

/// Some of a disk's sectors, as they are served.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub(super) disk: usize,
    pub(super) first: u64,
    /// The device's, with these sectors.
    pub(super) geometry: Geometry,
}

/// What a facet stands for.
#[derive(Clone, Copy, Debug)]
pub enum Thing {
    /// A disk, or part of it.
    Device(Extent),
    /// A session: its place, and which of all that were there.
    Session(usize, u64),
}

/// A driver's service: its export is `Disks`.
pub struct Server {
    pub(super) queues: RefCell<Queues>,
    pub(super) listener: Listener,
    pub(super) timer: Rc<TimerClient>,
    pub(super) alarm: AlarmClient,
    /// There is a device now.
    pub(super) there: Signal,
    facets: Facets<Thing>,
}

impl Server {
    /// Without a device.
    pub fn new(timer: Rc<TimerClient>) -> Result<Server, CallError> {
        let listener = Listener::new()?;
        let alarm = timer.alarm_blocking(listener.signaller(Bits::ALARM, 0)?)?;
        let queues = RefCell::new(Queues::new()?);
        Ok(Server { queues, listener, timer, alarm, there: Signal::new(), facets: Facets::new(MOST_FACETS) })
    }

    /// What the device's interrupts are to be bound to.
    pub fn interrupts(&self) -> Result<SignallerClient, CallError> {
        self.listener.signaller(Bits::INTERRUPT, 0)
    }

    /// What a disk said of its health.
    pub fn set_health(&self, disk: usize, health: Health) {
        self.queues.borrow_mut().set_health(disk, health);
    }

    /// The disks, as soon as there is a device.
    async fn disk(&self, index: usize) -> Result<Description, Exception> {
        loop {
            let there = self.there.wait();
            let disks = self.queues.borrow().disks().map(|disks| disks.get(index).cloned());
            match disks {
                Some(disk) => return disk.ok_or_else(|| ExceptionCode::NotFound.into()),
                None => there.await,
            }
        }
    }

    /// What was called: one that is not there is a device that went.
    fn extent(&self, cx: &CallContext) -> Result<Extent, Exception> {
        match self.facets.find(cx.badge())? {
            Some(Thing::Device(extent)) => Ok(extent),
            _ => Err(ExceptionCode::Unsupported.into()),
        }
    }

    fn session(&self, cx: &CallContext) -> Result<(usize, u64), Exception> {
        match self.facets.find(cx.badge())? {
            Some(Thing::Session(place, serial)) => Ok((place, serial)),
            _ => Err(ExceptionCode::Unsupported.into()),
        }
    }

    fn facet(&self, cx: &CallContext, extent: Extent) -> Result<Outgoing, Exception> {
        let facet: BlockDeviceClient = self.facets.mint(cx, Thing::Device(extent))?;
        Ok(facet.into())
    }
}

fn exception(error: CallError) -> Exception {
    error.exception().unwrap_or(ExceptionCode::InvalidArgument).into()
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        match self.facets.find(request.context().badge()) {
            Ok(None) => serve_disks(&*self, request).await,
            Ok(Some(Thing::Device(_))) => serve_block_device(&*self, request).await,
            Ok(Some(Thing::Session(..))) => serve_block_session(&*self, request).await,
            Err(exception) => request.fail(exception),
        }
    }

    fn may_wait(&self, _request: &Request) -> bool {
        self.queues.borrow().disks().is_none()
    }

    fn gone(&self, badge: u64) {
        if let Some(Thing::Session(place, serial)) = self.facets.gone(badge) {
            self.queues.borrow_mut().close(place, serial);
        }
    }
}

impl DisksServer for Server {
    async fn list(&self, _cx: &CallContext, cursor: u32) -> Result<ListReply, Exception> {
        let disk = self.disk(cursor as usize).await?;
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
        let disk = number as usize;
        let geometry = Server::disk(self, disk).await?.geometry;
        self.facet(cx, Extent { disk, first: 0, geometry })
    }
}

impl BlockDeviceServer for Server {
    async fn info(&self, cx: &CallContext) -> Result<InfoResults, Exception> {
        let Geometry { sectors, most, read_only, cache, discard, zero, .. } = self.extent(cx)?.geometry;
        let sector_size = self.extent(cx)?.geometry.sector_bytes();
        let depth = self.queues.borrow().depth();
        Ok(InfoResults { sectors, sector_size, most, depth, read_only, cache, discard, zero })
    }

    async fn identity(&self, cx: &CallContext) -> Result<IdentityReply, Exception> {
        let Description { address, namespace, serial, model, .. } =
            Server::disk(self, self.extent(cx)?.disk).await?;
        Ok(IdentityReply { address, namespace, serial, model })
    }

    async fn open(
        &self,
        cx: &CallContext,
        memory: MemoryObjectClient,
        doorbell: SignallerClient,
        entries: u32,
    ) -> Result<OpenAnswer, Exception> {
        let extent = self.extent(cx)?;
        let (place, serial) =
            self.queues.borrow_mut().open(&memory, entries, doorbell, extent).map_err(exception)?;
        let minted = self.facets.mint::<BlockSessionClient>(cx, Thing::Session(place, serial));
        let bell = self.listener.signaller(Bits::ring(place), Bits::lost(place)).map_err(exception);
        match minted.and_then(|session| Ok((session, bell?))) {
            Ok((session, doorbell)) => Ok(OpenAnswer { session: session.into(), doorbell: doorbell.into() }),
            Err(refused) => {
                self.queues.borrow_mut().close(place, serial);
                Err(refused)
            }
        }
    }

    async fn read_only(&self, cx: &CallContext) -> Result<Outgoing, Exception> {
        let mut extent = self.extent(cx)?;
        extent.geometry.read_only = true;
        self.facet(cx, extent)
    }

    async fn part(&self, cx: &CallContext, first: u64, sectors: u64) -> Result<Outgoing, Exception> {
        let mut extent = self.extent(cx)?;
        let inside = first.checked_add(sectors).is_some_and(|end| end <= extent.geometry.sectors);
        if !inside || sectors == 0 {
            return Err(ExceptionCode::InvalidArgument.into());
        }
        extent.first += first;
        extent.geometry.sectors = sectors;
        self.facet(cx, extent)
    }

    async fn health(&self, cx: &CallContext) -> Result<HealthResults, Exception> {
        let health = self.queues.borrow().health(self.extent(cx)?.disk);
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
        let (place, serial) = self.session(cx)?;
        self.queues.borrow_mut().attach(place, serial, memory).map_err(exception)
    }

    async fn detach(&self, cx: &CallContext, buffer: u16) -> Result<(), Exception> {
        let (place, serial) = self.session(cx)?;
        let was_there = self.queues.borrow_mut().detach(place, serial, buffer);
        was_there.then_some(()).ok_or_else(|| ExceptionCode::NotFound.into())
    }
}
