//! Who is served what.

use crate::device::{Extent, Open, Part};
use crate::drivers::{Driver, Known};
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_block::target::{Found, Missed, Target};
use core::cell::RefCell;
use kit::facets::Facets;
use kit::service::{Handler, export_of};
use rt::generated::block_device::serve_block_device;
use rt::generated::block_session::serve_block_session;
use rt::generated::disks::{DisksServer, ListReply, PartReply, serve_disks};
use rt::generated::{BlockDeviceClient, BlockSessionClient, DisksClient};
use rt::{CallContext, Cap, Client, Exception, ExceptionCode, Outgoing, Request, Signal, log};

/// Numbers of disks are the driver's times this, and its own number of the disk.
const DISKS_EACH: u32 = 1 << 16;

/// Facets at a time, sessions among them, those of one client, and sessions of one client: the rest is there for others.
const FACETS: usize = 1024;
const FACETS_EACH: usize = 64;
const SESSIONS_EACH: usize = 8;

/// A disk, or part of one, by a name.
pub struct Export {
    name: &'static str,
    target: Target<'static>,
    /// What it is, since somebody asked for it.
    chosen: RefCell<Option<Extent>>,
}

impl Export {
    /// What a target is.
    pub fn new(name: &'static str, target: Target<'static>) -> Export {
        Export { name, target, chosen: RefCell::default() }
    }

    /// What it is, if that is still there: another one that comes later is not taken for it.
    fn chosen(&self) -> Option<Extent> {
        self.chosen.borrow().clone().filter(Extent::is_there)
    }
}

/// What a facet stands for.
#[derive(Clone)]
pub enum Thing {
    /// A disk, or part of it.
    Device(Extent),
    /// A session with a driver. It ends with its facet.
    Session(Rc<BlockSessionClient>),
}

/// All drivers, and what exports are.
pub struct Service {
    drivers: Vec<Rc<Driver>>,
    /// Nothing for all disks.
    exports: Vec<Option<Export>>,
    facets: Facets<Thing>,
    /// Some driver has its device, or another one.
    news: Signal,
}

impl Service {
    /// Of these.
    pub fn new(drivers: Vec<Rc<Driver>>, exports: Vec<Option<Export>>) -> Service {
        Service { drivers, exports, facets: Facets::new(FACETS, FACETS_EACH), news: Signal::new() }
    }

    /// All of them.
    pub fn drivers(&self) -> &[Rc<Driver>] {
        &self.drivers
    }

    /// To be said when a driver has its device, or none.
    pub fn news(&self) {
        self.news.notify();
    }

    /// Whether who calls may have another session.
    pub fn may_open(&self, cx: &CallContext) -> Result<(), Exception> {
        let count = self.facets.count(cx, |thing| matches!(thing, Thing::Session(_)));
        if count < SESSIONS_EACH { Ok(()) } else { Err(ExceptionCode::BudgetExhausted.into()) }
    }

    /// A facet in the name of who calls.
    pub fn mint<C: Client>(&self, cx: &CallContext, thing: Thing) -> Result<C, Exception> {
        self.facets.mint(cx, thing)
    }

    /// A facet for part of a disk.
    pub fn facet(&self, cx: &CallContext, extent: Extent) -> Result<Outgoing, Exception> {
        let facet: BlockDeviceClient = self.mint(cx, Thing::Device(extent))?;
        Ok(facet.into())
    }

    /// Who has the disk of that number, and which of his it is, if it is there.
    fn driver(&self, number: u32) -> Option<(&Rc<Driver>, Option<Rc<Known>>)> {
        let driver = self.drivers.get((number / DISKS_EACH) as usize)?;
        Some((driver, driver.known((number % DISKS_EACH) as usize)))
    }

    /// What an export is: that which it was before, or what its target is now.
    async fn find(&self, export: &Export) -> Result<Extent, Exception> {
        match export.chosen() {
            Some(chosen) => Ok(chosen),
            None => self.choose(export).await,
        }
    }

    /// What a target is, as soon as that can be known: one thing that fits, or none while all drivers have their devices. What is known by what is on
    /// it may be anywhere: there is one when no driver may have another. None and several may change with what is plugged in, and are waited out.
    async fn choose(&self, export: &Export) -> Result<Extent, Exception> {
        let by_content = export.target.is_by_content();
        loop {
            let news = self.news.wait();
            let all = |is: fn(&Driver) -> bool| self.drivers.iter().all(|driver| is(driver));
            match self.look(&export.target) {
                _ if by_content && !all(Driver::is_settled) => news.await,
                Ok(found) => {
                    *export.chosen.borrow_mut() = Some(found.clone());
                    return Ok(found);
                }
                Err(Missed::Nothing) if by_content || !all(Driver::is_known) => news.await,
                Err(missed) => {
                    log::warn(format_args!("{}: {missed}", export.name));
                    match missed {
                        Missed::Several if by_content => news.await,
                        Missed::Several => return Err(ExceptionCode::WrongState.into()),
                        Missed::Nothing => return Err(ExceptionCode::NotFound.into()),
                    }
                }
            }
        }
    }

    fn look(&self, target: &Target<'static>) -> Result<Extent, Missed> {
        let mut found = Err(Missed::Nothing);
        for driver in &self.drivers {
            match (driver.with_disks(|disks| target.find(disks)), &found) {
                (Ok(_), Ok(_)) | (Err(Missed::Several), _) => return Err(Missed::Several),
                (Ok(here), Err(_)) => found = extent(driver, target, &here).ok_or(Missed::Nothing),
                (Err(Missed::Nothing), _) => {}
            }
        }
        found
    }

    /// Waits until it is known of all drivers whether they have a device.
    async fn settled(&self) {
        loop {
            let news = self.news.wait();
            if self.drivers.iter().all(|driver| driver.is_settled()) {
                return;
            }
            news.await;
        }
    }

    /// Whether somebody has it, or some of it, by name.
    fn is_taken(&self, extent: &Extent) -> bool {
        self.exports.iter().flatten().filter_map(Export::chosen).any(|its| its.overlaps(extent))
    }
}

/// What a target is of a driver's disks.
fn extent(driver: &Rc<Driver>, target: &Target<'static>, found: &Found) -> Option<Extent> {
    let extent = Extent::of(driver, driver.known(found.disk)?, found.part)?;
    extent.narrow(|facet| Some(if target.read_only { facet.read_only() } else { facet }))
}

impl Handler for Service {
    async fn call(self: Rc<Self>, request: Request) {
        let badge = request.context().badge();
        match self.facets.find(badge) {
            Ok(Some(Thing::Device(extent))) => {
                serve_block_device(&Part { service: &self, extent }, request).await;
            }
            Ok(Some(Thing::Session(session))) => serve_block_session(&Open(session), request).await,
            Ok(None) => match self.exports.get(export_of(badge) as usize) {
                Some(None) => serve_disks(&*self, request).await,
                Some(Some(export)) => match self.find(export).await {
                    Ok(extent) => serve_block_device(&Part { service: &self, extent }, request).await,
                    Err(exception) => request.fail(exception),
                },
                None => request.fail(ExceptionCode::Unsupported.into()),
            },
            Err(exception) => request.fail(exception),
        }
    }

    fn may_wait(&self, _request: &Request) -> bool {
        !self.drivers.iter().all(|driver| driver.is_known())
    }

    fn gone(&self, badge: u64) {
        drop(self.facets.gone(badge));
    }

    fn given(&self, name: &str, _epoch: u32, capability: Cap) -> Result<(), Exception> {
        let Some(driver) = self.drivers.iter().find(|driver| driver.name() == name) else {
            return Err(ExceptionCode::Unsupported.into());
        };
        driver.replace(DisksClient::from(capability));
        Ok(())
    }
}

impl DisksServer for Service {
    /// Those that there are now, when it is known of all drivers whether they have a device.
    async fn list(&self, _cx: &CallContext, cursor: u32) -> Result<ListReply, Exception> {
        self.settled().await;
        let mut number = cursor;
        while let Some((_, known)) = self.driver(number) {
            let Some(known) = known else {
                number = (number / DISKS_EACH + 1) * DISKS_EACH;
                continue;
            };
            let disk = &known.disk;
            return Ok(ListReply {
                number,
                next: number + 1,
                address: disk.address,
                namespace: disk.namespace,
                sectors: disk.geometry.sectors,
                sector_size: disk.geometry.sector_bytes(),
                serial: disk.serial.clone(),
                model: disk.model.clone(),
            });
        }
        Err(ExceptionCode::NotFound.into())
    }

    /// As soon as its driver has its device.
    async fn disk(&self, cx: &CallContext, number: u32) -> Result<Outgoing, Exception> {
        loop {
            let news = self.news.wait();
            let (driver, known) = self.driver(number).ok_or(ExceptionCode::NotFound)?;
            match known {
                Some(known) => return self.facet(cx, Extent::whole(driver, known)),
                None if driver.is_known() => return Err(ExceptionCode::NotFound.into()),
                None => news.await,
            }
        }
    }

    async fn part(&self, _cx: &CallContext, disk: u32, cursor: u32) -> Result<PartReply, Exception> {
        self.settled().await;
        let (driver, known) = self.driver(disk).ok_or(ExceptionCode::NotFound)?;
        let known = known.ok_or(ExceptionCode::NotFound)?;
        let part = known.part(cursor).ok_or(ExceptionCode::NotFound)?;
        let (first, sectors) = (part.first, part.sectors);
        let extent = Extent::of(driver, known, (part.number > 0).then_some((first, sectors)));
        let taken = extent.is_some_and(|extent| self.is_taken(&extent));
        Ok(PartReply { next: part.number.saturating_add(1), taken, ..part })
    }
}
