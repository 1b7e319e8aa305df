//! One driver after the other, in the same place.

use crate::remote::{Fault, Remote};
use crate::service::Service;
use crate::tables::{self, Contents};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_block::content::Content;
use capos_block::target::{Candidate, Part};
use capos_gpt::{Refusal, Table};
use core::cell::{Cell, RefCell};
use kit::block::{Description, Disk, Health, Server, Stop};
use rt::generated::{BlockDeviceClient, DisksClient, TimerClient};
use rt::{CallError, ExceptionCode, log, spawn};

/// Time before a driver is tried again that was of no use, nanoseconds. One that died is there again when calls of it are answered.
const AGAIN_NS: u64 = 1_000_000;

/// Time before a device is asked again that has no disk.
const EMPTY_NS: u64 = 1_000_000_000;

/// A disk, and what is on it.
struct Known {
    disk: Description,
    content: Content,
    parts: Vec<Part>,
}

/// What is in the place of one driver.
pub struct Driver {
    name: &'static str,
    disks: DisksClient,
    timer: Rc<TimerClient>,
    /// Who serves its disks.
    pub server: Rc<Server>,
    known: RefCell<Vec<Known>>,
    is_known: Cell<bool>,
    is_settled: Cell<bool>,
}

impl Driver {
    /// The one by that name.
    pub fn new(
        name: &'static str,
        disks: DisksClient,
        timer: Rc<TimerClient>,
        number: u8,
    ) -> Result<Driver, CallError> {
        let server = Rc::new(Server::numbered(Rc::clone(&timer), number)?);
        let (known, is_known, is_settled) = (RefCell::default(), Cell::new(false), Cell::new(false));
        Ok(Driver { name, disks, timer, server, known, is_known, is_settled })
    }

    /// Whether it ever had a device.
    pub fn is_known(&self) -> bool {
        self.is_known.get()
    }

    /// Whether it is known if there is a device for it.
    pub fn is_settled(&self) -> bool {
        self.is_settled.get()
    }

    /// Looks at its disks.
    pub fn with_disks<T>(&self, look: impl FnOnce(&mut dyn Iterator<Item = Candidate<'_>>) -> T) -> T {
        let known = self.known.borrow();
        look(&mut known.iter().map(|Known { disk, content, parts }| Candidate {
            address: disk.address,
            namespace: disk.namespace,
            serial: &disk.serial,
            content: *content,
            parts,
        }))
    }

    /// Whether a disk is that one.
    pub fn has(&self, index: usize, disk: &Description) -> bool {
        self.known.borrow().get(index).is_some_and(|known| known.disk == *disk)
    }

    /// One of its disks.
    pub fn disk(&self, index: usize) -> Option<Description> {
        self.known.borrow().get(index).map(|known| known.disk.clone())
    }

    /// How many disks it has, or had last.
    pub fn count(&self) -> usize {
        self.known.borrow().len()
    }

    /// Learns what its disks are divided into, if they are not those of before.
    async fn learn(&self, remote: &Remote) -> Result<(), Fault> {
        let is_same = {
            let known = self.known.borrow();
            self.is_known() && known.iter().map(|known| &known.disk).eq(remote.disks())
        };
        if is_same {
            return Ok(());
        }
        let mut all = Vec::new();
        for (disk, device) in remote.disks().iter().zip(remote.devices.iter()) {
            let Contents { table, parts, content } = tables::read(device, &disk.geometry).await?;
            self.tell(disk, &table);
            all.push(Known { disk: disk.clone(), content, parts });
        }
        *self.known.borrow_mut() = all;
        Ok(())
    }

    /// What people should know of a table.
    fn tell(&self, disk: &Description, table: &Result<Table, Refusal>) {
        let Description { namespace, serial, .. } = disk;
        let warn = |what: &str, why: &dyn core::fmt::Display| {
            log::warn(format_args!("{} disk {namespace} ({serial}): {what}{why}", self.name));
        };
        match table {
            Ok(table) => {
                let Table { mbr, primary, backup, .. } = table;
                let copies = [
                    ("the first sector: ", mbr),
                    ("the first table: ", primary),
                    ("the second table: ", backup),
                ];
                for (what, fault) in copies {
                    fault.iter().for_each(|fault| warn(what, fault));
                }
            }
            Err(Refusal::Absent | Refusal::Shape) => {}
            Err(refusal) => warn("", refusal),
        }
    }
}

/// Follows whoever is in that place, for ever.
pub async fn follow(driver: Rc<Driver>, service: Rc<Service>) {
    let mut life = 0u32;
    loop {
        life = life.wrapping_add(1);
        let Err(fault) = once(&driver, &service, life).await;
        if !fault.is_loss() {
            log::warn(format_args!("{}: {fault}", driver.name));
        }
        let again = driver.timer.now_blocking().unwrap_or(0).saturating_add(AGAIN_NS);
        if driver.timer.sleep_until(again).await.is_err() {
            return;
        }
    }
}

/// From a driver's device to its end.
async fn once(driver: &Rc<Driver>, service: &Service, life: u32) -> Result<core::convert::Infallible, Fault> {
    until_there(driver, service).await?;
    let mut remote = Remote::open(&driver.disks, &driver.server, life).await?;
    driver.learn(&remote).await?;
    driver.is_settled.set(true);
    if !driver.is_known.replace(true) {
        log::info(format_args!("{}: {}", driver.name, names(remote.disks())));
    }
    spawn(tell_health(Rc::clone(&driver.server), Rc::clone(&remote.devices)));
    let finder = remote.finder();
    service.news();
    match driver.server.drive(&mut remote, finder).await {
        Stop::Fault(fault) => Err(fault),
        Stop::Call(error) => Err(error.into()),
    }
}

/// Waits until there is a disk. That there is none is news, too.
async fn until_there(driver: &Driver, service: &Service) -> Result<(), CallError> {
    loop {
        if !is_none(&driver.disks.list(0).await)? {
            return Ok(());
        }
        // One that was unplugged is not there any more.
        driver.known.borrow_mut().clear();
        driver.is_settled.set(true);
        service.news();
        // There may never be a device; or there is one, and it has no disk.
        if is_none(&driver.disks.disk(0).await)? {
            let now = driver.timer.now_blocking()?;
            driver.timer.sleep_until(now.saturating_add(EMPTY_NS)).await?;
        }
    }
}

/// Whether a driver answers that there is no disk.
fn is_none<T>(answer: &Result<T, CallError>) -> Result<bool, CallError> {
    match answer {
        Err(error) if error.exception() == Some(ExceptionCode::NotFound) => Ok(true),
        Err(error) => Err(error.clone()),
        Ok(_) => Ok(false),
    }
}

/// Asks once in each life of a driver; a device that says nothing is no less of a device.
async fn tell_health(server: Rc<Server>, devices: Rc<Vec<BlockDeviceClient>>) {
    for (number, device) in devices.iter().enumerate() {
        let (Ok(health), Ok(_)) = (device.health().await, server.disk(number).await) else { continue };
        server.set_health(
            number,
            Health {
                warnings: health.warnings,
                kelvin: health.kelvin,
                spare_percent: health.spare_percent,
                used_percent: health.used_percent,
                media_errors: health.media_errors,
                power_on_hours: health.power_on_hours,
                unsafe_shutdowns: health.unsafe_shutdowns,
            },
        );
    }
}

fn names(disks: &[Description]) -> String {
    let name = |disk: &Description| alloc::format!("{} ({} sectors)", disk.serial, disk.geometry.sectors);
    disks.iter().map(name).collect::<Vec<_>>().join(", ")
}
