//! Who is served what.

use crate::drivers::Driver;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_block::target::{Found, Missed, Target};
use kit::block::{Extent, Server};
use kit::service::{Handler, export_of};
use rt::generated::disks::{DisksServer, ListReply, serve_disks};
use rt::{CallContext, Exception, ExceptionCode, Outgoing, Request, Signal, log};

/// Numbers of disks are the driver's times this, and its own number of the disk.
const DISKS_EACH: u32 = 1 << 16;

/// All drivers, and what exports are.
pub struct Service {
    drivers: Vec<Rc<Driver>>,
    /// By exports: nothing for all disks.
    targets: Vec<Option<Target<'static>>>,
    /// Some driver has its device, or another one.
    news: Signal,
}

impl Service {
    /// Of these.
    pub fn new(drivers: Vec<Rc<Driver>>, targets: Vec<Option<Target<'static>>>) -> Service {
        Service { drivers, targets, news: Signal::new() }
    }

    /// All of them.
    pub fn drivers(&self) -> &[Rc<Driver>] {
        &self.drivers
    }

    /// To be said when a driver has its device.
    pub fn news(&self) {
        self.news.notify();
    }

    /// A disk by its number, and who serves it.
    fn driver(&self, number: u32) -> Option<(&Rc<Driver>, usize)> {
        let driver = self.drivers.get((number / DISKS_EACH) as usize)?;
        Some((driver, (number % DISKS_EACH) as usize))
    }

    /// What a target is, as soon as that can be known: one thing that fits, or none while all drivers have their devices.
    async fn find(&self, target: &Target<'static>) -> Result<(Rc<Server>, Extent), Exception> {
        loop {
            let news = self.news.wait();
            match self.look(target) {
                Ok((server, Found { disk, part })) => {
                    let whole = server.whole(disk).await?;
                    let extent = whole.narrow(|facet| {
                        let facet = match part {
                            Some((first, sectors)) => facet.part(first, sectors)?,
                            None => facet,
                        };
                        Some(if target.read_only { facet.read_only() } else { facet })
                    });
                    return Ok((server, extent.ok_or(ExceptionCode::NotFound)?));
                }
                Err(Missed::Nothing) if !self.drivers.iter().all(|driver| driver.is_known()) => news.await,
                Err(missed) => {
                    log::warn(format_args!("{target:?}: {missed}"));
                    return Err(Exception::from(match missed {
                        Missed::Nothing => ExceptionCode::NotFound,
                        Missed::Several => ExceptionCode::WrongState,
                    }));
                }
            }
        }
    }

    fn look(&self, target: &Target<'static>) -> Result<(Rc<Server>, Found), Missed> {
        let mut found = Err(Missed::Nothing);
        for driver in &self.drivers {
            match (driver.with_disks(|disks| target.find(disks)), &found) {
                (Ok(_), Ok(_)) | (Err(Missed::Several), _) => return Err(Missed::Several),
                (Ok(here), Err(_)) => found = Ok((Rc::clone(&driver.server), here)),
                (Err(Missed::Nothing), _) => {}
            }
        }
        found
    }

    fn server_of(&self, badge: u64) -> Option<&Rc<Server>> {
        let number = Server::number_of(badge)?;
        self.drivers.get(usize::from(number)).map(|driver| &driver.server)
    }
}

impl Handler for Service {
    async fn call(self: Rc<Self>, request: Request) {
        let badge = request.context().badge();
        if let Some(server) = self.server_of(badge) {
            return Rc::clone(server).call(request).await;
        }
        match self.targets.get(export_of(badge) as usize) {
            Some(None) => serve_disks(&*self, request).await,
            Some(Some(target)) => match self.find(target).await {
                Ok((server, extent)) => server.serve_part(extent, request).await,
                Err(exception) => request.fail(exception),
            },
            None => request.fail(ExceptionCode::Unsupported.into()),
        }
    }

    fn may_wait(&self, _request: &Request) -> bool {
        !self.drivers.iter().all(|driver| driver.is_known())
    }

    fn gone(&self, badge: u64) {
        if let Some(server) = self.server_of(badge) {
            server.gone(badge);
        }
    }
}

impl DisksServer for Service {
    /// Those that there are now.
    async fn list(&self, _cx: &CallContext, cursor: u32) -> Result<ListReply, Exception> {
        let mut number = cursor;
        while let Some((driver, index)) = self.driver(number) {
            if index >= driver.count() {
                number = (number / DISKS_EACH + 1) * DISKS_EACH;
                continue;
            }
            let disk = driver.server.disk(index).await?;
            return Ok(ListReply {
                number,
                next: number + 1,
                address: disk.address,
                namespace: disk.namespace,
                sectors: disk.geometry.sectors,
                sector_size: disk.geometry.sector_bytes(),
                serial: disk.serial,
                model: disk.model,
            });
        }
        Err(ExceptionCode::NotFound.into())
    }

    /// As soon as its driver has its device.
    async fn disk(&self, cx: &CallContext, number: u32) -> Result<Outgoing, Exception> {
        let (driver, index) = self.driver(number).ok_or(ExceptionCode::NotFound)?;
        driver.server.disk_of(cx, index).await
    }
}
