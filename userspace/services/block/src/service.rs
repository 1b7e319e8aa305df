//! Who is served what.

use crate::drivers::Driver;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_block::content::Content;
use capos_block::target::{Found, Missed, Target};
use core::cell::RefCell;
use kit::block::{Description, Extent, Server};
use kit::service::{Handler, export_of};
use rt::generated::disks::{DisksServer, ListReply, PartReply, serve_disks};
use rt::schema::block_device::Content as Shown;
use rt::{CallContext, Exception, ExceptionCode, Outgoing, Request, Signal, log};

/// Numbers of disks are the driver's times this, and its own number of the disk.
const DISKS_EACH: u32 = 1 << 16;

/// A disk, or part of one, by a name.
pub struct Export {
    name: &'static str,
    target: Target<'static>,
    /// What it is, since somebody asked for it.
    chosen: RefCell<Option<Chosen>>,
}

/// A disk, and which part of it.
struct Chosen {
    driver: Rc<Driver>,
    disk: Description,
    found: Found,
}

impl Export {
    /// What a target is.
    pub fn new(name: &'static str, target: Target<'static>) -> Export {
        Export { name, target, chosen: RefCell::default() }
    }

    fn choose(&self, driver: &Rc<Driver>, found: Found) {
        let disk = driver.disk(found.disk);
        *self.chosen.borrow_mut() = disk.map(|disk| Chosen { driver: Rc::clone(driver), disk, found });
    }

    /// What it is, if that is still there: another one that comes later is not taken for it.
    fn chosen(&self) -> Option<(Rc<Driver>, Found)> {
        let chosen = self.chosen.borrow();
        let chosen = chosen.as_ref().filter(|it| it.driver.has(it.found.disk, &it.disk))?;
        Some((Rc::clone(&chosen.driver), chosen.found))
    }
}

/// All drivers, and what exports are.
pub struct Service {
    drivers: Vec<Rc<Driver>>,
    /// Nothing for all disks.
    exports: Vec<Option<Export>>,
    /// Some driver has its device, or another one.
    news: Signal,
}

impl Service {
    /// Of these.
    pub fn new(drivers: Vec<Rc<Driver>>, exports: Vec<Option<Export>>) -> Service {
        Service { drivers, exports, news: Signal::new() }
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

    /// What an export is: that which it was before, or what its target is now.
    async fn find(&self, export: &Export) -> Result<(Rc<Server>, Extent), Exception> {
        let (driver, Found { disk, part }) = match export.chosen() {
            Some(chosen) => chosen,
            None => self.choose(export).await?,
        };
        let whole = driver.server.whole(disk).await?;
        let extent = whole.narrow(|facet| {
            let facet = match part {
                Some((first, sectors)) => facet.part(first, sectors)?,
                None => facet,
            };
            Some(if export.target.read_only { facet.read_only() } else { facet })
        });
        Ok((Rc::clone(&driver.server), extent.ok_or(ExceptionCode::NotFound)?))
    }

    /// What a target is, as soon as that can be known: one thing that fits, or none while all drivers have their devices. What is known by what is on
    /// it may be anywhere: there is one when no driver may have another. None and several may change with what is plugged in, and are waited out.
    async fn choose(&self, export: &Export) -> Result<(Rc<Driver>, Found), Exception> {
        let by_content = export.target.is_by_content();
        loop {
            let news = self.news.wait();
            let all = |is: fn(&Driver) -> bool| self.drivers.iter().all(|driver| is(driver));
            match self.look(&export.target) {
                _ if by_content && !all(Driver::is_settled) => news.await,
                Ok((driver, found)) => {
                    export.choose(&driver, found);
                    return Ok((driver, found));
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

    fn look(&self, target: &Target<'static>) -> Result<(Rc<Driver>, Found), Missed> {
        let mut found = Err(Missed::Nothing);
        for driver in &self.drivers {
            match (driver.with_disks(|disks| target.find(disks)), &found) {
                (Ok(_), Ok(_)) | (Err(Missed::Several), _) => return Err(Missed::Several),
                (Ok(here), Err(_)) => found = Ok((Rc::clone(driver), here)),
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

    /// Whether it is what somebody has by name.
    fn is_taken(&self, driver: &Rc<Driver>, disk: usize, part: Option<(u64, u64)>) -> bool {
        let exports = self.exports.iter().flatten().filter_map(Export::chosen);
        exports.into_iter().any(|(its, found)| Rc::ptr_eq(&its, driver) && found == Found { disk, part })
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
        match self.exports.get(export_of(badge) as usize) {
            Some(None) => serve_disks(&*self, request).await,
            Some(Some(export)) => match self.find(export).await {
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
    /// Those that there are now, when it is known of all drivers whether they have a device.
    async fn list(&self, _cx: &CallContext, cursor: u32) -> Result<ListReply, Exception> {
        self.settled().await;
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

    async fn part(&self, _cx: &CallContext, disk: u32, cursor: u32) -> Result<PartReply, Exception> {
        self.settled().await;
        let (driver, index) = self.driver(disk).ok_or(ExceptionCode::NotFound)?;
        let found = driver.with_disks(|disks| {
            let disk = disks.nth(index)?;
            if cursor == 0 && disk.parts.is_empty() {
                let sectors = driver.disk(index)?.geometry.sectors;
                return Some(PartReply { sectors, content: shown(disk.content), ..PartReply::default() });
            }
            let parts = disk.parts.iter().filter(|part| part.partition.number >= cursor);
            let part = parts.min_by_key(|part| part.partition.number)?;
            Some(PartReply {
                number: part.partition.number,
                first: part.partition.first,
                sectors: part.partition.sectors(),
                content: shown(part.content),
                name: format!("{}", part.partition.name),
                ..PartReply::default()
            })
        });
        let part = found.ok_or(ExceptionCode::NotFound)?;
        let taken = self.is_taken(driver, index, (part.number > 0).then_some((part.first, part.sectors)));
        Ok(PartReply { next: part.number.saturating_add(1), taken, ..part })
    }
}

fn shown(content: Content) -> Shown {
    match content {
        Content::Unknown => Shown::Unknown,
        Content::Volume => Shown::Volume,
        Content::Fat => Shown::Fat,
        Content::Iso9660 => Shown::Iso9660,
    }
}
