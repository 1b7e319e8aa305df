//! A disk or part of one, as somebody may use it, and sessions with it: the driver's, handed on.

use crate::drivers::{Driver, Known, TRIES};
use crate::service::{Service, Thing};
use alloc::rc::Rc;
use capos_block::route::Facet;
use kit::block::{Description, Health};
use rt::generated::block_device::{BlockDeviceServer, IdentityReply, OpenAnswer};
use rt::generated::block_session::BlockSessionServer;
use rt::generated::{BlockDeviceClient, BlockSessionClient, MemoryObjectClient, SignallerClient};
use rt::schema::block_device::InfoResults;
use rt::{CallContext, CallError, Exception, ExceptionCode, Outgoing};

/// Some of a disk's sectors.
#[derive(Clone)]
pub struct Extent {
    driver: Rc<Driver>,
    known: Rc<Known>,
    facet: Facet,
}

impl Extent {
    /// All of a disk.
    pub fn whole(driver: &Rc<Driver>, known: Rc<Known>) -> Extent {
        let facet = Facet::whole(0, &known.disk.geometry);
        Extent { driver: Rc::clone(driver), known, facet }
    }

    /// A disk, or part of it: from which sector on, and how many.
    pub fn of(driver: &Rc<Driver>, known: Rc<Known>, part: Option<(u64, u64)>) -> Option<Extent> {
        let whole = Extent::whole(driver, known);
        match part {
            Some((first, sectors)) => whole.narrow(|facet| facet.part(first, sectors)),
            None => Some(whole),
        }
    }

    /// Whether that disk is there, or was last.
    pub fn is_there(&self) -> bool {
        self.driver.has(&self.known)
    }

    /// Whether some sectors are in both.
    pub fn overlaps(&self, other: &Extent) -> bool {
        let known = self.known.continues(&other.known) || other.known.continues(&self.known);
        let same = Rc::ptr_eq(&self.driver, &other.driver) && known;
        same && self.facet.overlaps(&other.facet)
    }

    /// Less of it, or of what may be done with it.
    pub fn narrow(&self, change: impl FnOnce(Facet) -> Option<Facet>) -> Option<Extent> {
        Some(Extent { facet: change(self.facet)?, ..self.clone() })
    }

    /// The same of the driver of now.
    async fn device(&self) -> Result<BlockDeviceClient, CallError> {
        let whole = &self.known.disk.geometry;
        let own = self.facet.geometry(whole);
        let mut device = self.driver.device(&self.known).await?;
        if own.sectors != whole.sectors {
            device = device.part(self.facet.first(), own.sectors).await?;
        }
        if own.read_only && !whole.read_only {
            device = device.read_only().await?;
        }
        Ok(device)
    }

    /// Asks the driver for something, and the next one if it dies over it.
    async fn ask<T>(
        &self,
        ask: impl AsyncFn(&BlockDeviceClient) -> Result<T, CallError>,
    ) -> Result<T, Exception> {
        let mut tries = 0;
        loop {
            let answer = match self.device().await {
                Ok(device) => ask(&device).await,
                Err(error) => Err(error),
            };
            match answer {
                Err(error) if error.is_gone() && tries < TRIES => tries += 1,
                answer => return answer.map_err(|error| error.handed_on()),
            }
        }
    }
}

/// An extent, while somebody calls it.
pub struct Part<'a> {
    pub service: &'a Service,
    pub extent: Extent,
}

impl Part<'_> {
    fn facet(&self, cx: &CallContext, extent: Option<Extent>) -> Result<Outgoing, Exception> {
        self.service.facet(cx, extent.ok_or(ExceptionCode::InvalidArgument)?)
    }
}

impl BlockDeviceServer for Part<'_> {
    async fn info(&self, _cx: &CallContext) -> Result<InfoResults, Exception> {
        let Extent { known, facet, .. } = &self.extent;
        let own = facet.geometry(&known.disk.geometry);
        // A disk may become larger; a part of it stays what it was.
        let sectors = match own.sectors == known.disk.geometry.sectors {
            true => self.extent.ask(async |device: &BlockDeviceClient| device.info().await).await?.sectors,
            false => own.sectors,
        };
        Ok(InfoResults { sectors, read_only: own.read_only, ..known.info })
    }

    async fn identity(&self, _cx: &CallContext) -> Result<IdentityReply, Exception> {
        let Description { address, namespace, serial, model, .. } = &self.extent.known.disk;
        let (serial, model) = (serial.clone(), model.clone());
        Ok(IdentityReply { address: *address, namespace: *namespace, serial, model })
    }

    async fn open(
        &self,
        cx: &CallContext,
        memory: MemoryObjectClient,
        doorbell: SignallerClient,
        entries: u32,
    ) -> Result<OpenAnswer, Exception> {
        self.service.may_open(cx)?;
        let open = async |device: &BlockDeviceClient| device.open(&memory, &doorbell, entries).await;
        let reply = self.extent.ask(open).await?;
        let session = self.service.mint::<BlockSessionClient>(cx, Thing::Session(Rc::new(reply.session)))?;
        let (session, doorbell) = (session.into(), reply.doorbell.into());
        Ok(OpenAnswer { session, doorbell, arrival: reply.arrival })
    }

    async fn read_only(&self, cx: &CallContext) -> Result<Outgoing, Exception> {
        self.facet(cx, self.extent.narrow(|facet| Some(facet.read_only())))
    }

    async fn part(&self, cx: &CallContext, first: u64, sectors: u64) -> Result<Outgoing, Exception> {
        self.facet(cx, self.extent.narrow(|facet| facet.part(first, sectors)))
    }

    async fn health(&self, _cx: &CallContext) -> Result<Health, Exception> {
        self.extent.ask(async |device: &BlockDeviceClient| device.health().await).await
    }
}

/// A session with the driver, while its client calls.
pub struct Open(pub Rc<BlockSessionClient>);

impl BlockSessionServer for Open {
    async fn attach(&self, _cx: &CallContext, memory: MemoryObjectClient) -> Result<u16, Exception> {
        self.0.attach(memory).await.map_err(|error| error.handed_on())
    }

    async fn detach(&self, _cx: &CallContext, buffer: u16) -> Result<(), Exception> {
        self.0.detach(buffer).await.map_err(|error| error.handed_on())
    }
}
