//! The drivers, and what is known of their disks.

use crate::service::Service;
use crate::tables::{self, Contents};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_block::Geometry;
use capos_block::content::Content;
use capos_block::target::{Candidate, Part};
use capos_gpt::{Refusal, Table};
use core::cell::{Cell, RefCell};
use kit::block::{Description, IoError, continues, geometry};
use rt::generated::disks::{ListReply, PartReply};
use rt::generated::{BlockDeviceClient, DisksClient, TimerClient};
use rt::schema::block_device::InfoResults;
use rt::{CallError, ExceptionCode, Signal, log};

/// Time before a driver is tried again that was of no use, nanoseconds: twice as long each time that it is of no use again, up to [`EMPTY_NS`]. One that
/// died is there again when calls of it are answered.
const AGAIN_NS: u64 = 1_000_000;

/// Time before a device is asked again that has no disk, or none that can be served.
const EMPTY_NS: u64 = 1_000_000_000;

/// Times that a driver is asked for a disk in a row while it dies over it.
pub const TRIES: u32 = 16;

/// A disk, and what is on it.
#[derive(PartialEq, Eq, Debug)]
pub struct Known {
    number: u32,
    pub info: InfoResults,
    pub disk: Description,
    content: Content,
    parts: Vec<Part>,
}

impl Known {
    /// Whether that disk can be the one that was known `before`, and which may have become larger since.
    pub fn continues(&self, before: &Known) -> bool {
        let name = |known: &Known| (known.number, known.disk.address, known.disk.namespace, known.content);
        let texts = |known: &Known| (known.disk.serial.clone(), known.disk.model.clone());
        let named = name(self) == name(before) && texts(self) == texts(before);
        named && self.parts == before.parts && continues(&self.info, &before.info)
    }

    /// The partition with the first number at or after `cursor`; number 0 is all of a disk without a table.
    pub fn part(&self, cursor: u32) -> Option<PartReply> {
        if cursor == 0 && self.parts.is_empty() {
            let (sectors, content) = (self.disk.geometry.sectors, self.content);
            return Some(PartReply { sectors, content, ..PartReply::default() });
        }
        let parts = self.parts.iter().filter(|part| part.partition.number >= cursor);
        let part = parts.min_by_key(|part| part.partition.number)?;
        Some(PartReply {
            number: part.partition.number,
            first: part.partition.first,
            sectors: part.partition.sectors(),
            content: part.content,
            name: format!("{}", part.partition.name),
            ..PartReply::default()
        })
    }
}

/// What is in the place of one driver, whoever that is now.
pub struct Driver {
    name: &'static str,
    disks: RefCell<Rc<DisksClient>>,
    timer: Rc<TimerClient>,
    known: RefCell<Vec<Rc<Known>>>,
    /// Numbers and serial numbers of what it says is a disk, and can be none: people are told once.
    refused: RefCell<Vec<(u32, String)>>,
    is_known: Cell<bool>,
    is_settled: Cell<bool>,
    /// It may have other disks than it had.
    changed: Signal,
}

impl Driver {
    /// The one by that name.
    pub fn new(name: &'static str, disks: DisksClient, timer: Rc<TimerClient>) -> Driver {
        let (is_known, is_settled) = (Cell::new(false), Cell::new(false));
        let (disks, known, refused) = (RefCell::new(Rc::new(disks)), RefCell::default(), RefCell::default());
        Driver { name, disks, timer, known, refused, is_known, is_settled, changed: Signal::new() }
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Another instance is in that place.
    pub fn replace(&self, disks: DisksClient) {
        *self.disks.borrow_mut() = Rc::new(disks);
        self.changed.notify();
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
        look(&mut known.iter().map(|known| Candidate {
            address: known.disk.address,
            namespace: known.disk.namespace,
            serial: &known.disk.serial,
            content: known.content,
            parts: &known.parts,
        }))
    }

    /// A disk that it has, or had last.
    pub fn known(&self, index: usize) -> Option<Rc<Known>> {
        self.known.borrow().get(index).cloned()
    }

    /// Whether it has that disk, or had it last.
    pub fn has(&self, disk: &Known) -> bool {
        self.known.borrow().iter().any(|known| known.continues(disk))
    }

    /// All of a disk, from whoever is in that place now, as soon as he has a device. `notFound` when it is another disk.
    pub async fn device(&self, known: &Known) -> Result<BlockDeviceClient, CallError> {
        let disks = Rc::clone(&self.disks.borrow());
        let device = disks.disk(known.number).await?;
        let (identity, info) = (device.identity().await?, device.info().await?);
        let Description { address, namespace, serial, model, .. } = &known.disk;
        let is_it = (identity.address, identity.namespace) == (*address, *namespace)
            && (&identity.serial, &identity.model) == (serial, model)
            && continues(&info, &known.info);
        if info != known.info || !is_it {
            self.changed.notify();
        }
        if is_it {
            return Ok(device);
        }
        Err(CallError::Exception(ExceptionCode::NotFound.into()))
    }

    /// Learns which disks it has, as soon as there are some. That there is none is news, too.
    async fn learn(&self, service: &Service) -> Result<(), IoError> {
        let disks = Rc::clone(&self.disks.borrow());
        loop {
            let all = self.look(&disks).await?;
            let (is_none, is_odd) = (all.is_empty(), !self.refused.borrow().is_empty());
            let is_first = (!is_none || is_odd) && !self.is_known.replace(true);
            if is_first && !is_none {
                log::info(format_args!("{}: {}", self.name, names(&all)));
            }
            // Those that stay are those that they were.
            *self.known.borrow_mut() = all;
            self.is_settled.set(true);
            service.news();
            if !is_none {
                return Ok(());
            }
            // There may never be a device; or there is one, and it has no disk, or none that can be served.
            if is_odd || found(disks.disk(0).await)?.is_none() {
                self.wait(EMPTY_NS).await?;
            }
        }
    }

    /// All disks that there are. What can be none is passed over: the others are served.
    async fn look(&self, disks: &DisksClient) -> Result<Vec<Rc<Known>>, IoError> {
        let (mut all, mut odd, mut cursor) = (Vec::new(), Vec::new(), 0);
        while let Some(next) = found(disks.list(cursor).await)? {
            let device = Rc::new(disks.disk(next.number).await?);
            let info = device.info().await?;
            let is_behind = next.next > cursor;
            cursor = next.next;
            match geometry(&info).filter(|_| is_behind) {
                Some(geometry) => all.push(self.know(device, next, info, geometry).await?),
                None => odd.push((next.number, next.serial)),
            }
            if !is_behind {
                // The list would have no end.
                break;
            }
        }
        self.refuse(odd);
        Ok(all)
    }

    /// One of them, as it was before or as it is now.
    async fn know(
        &self,
        device: Rc<BlockDeviceClient>,
        next: ListReply,
        info: InfoResults,
        geometry: Geometry,
    ) -> Result<Rc<Known>, IoError> {
        let ListReply { number, address, namespace, serial, model, .. } = next;
        let disk = Description { geometry, address, namespace, serial, model };
        let before = self.known.borrow().iter().find(|it| (&it.disk, &it.info) == (&disk, &info)).cloned();
        if let Some(before) = before {
            return Ok(before);
        }
        let Contents { table, parts, content } = tables::read(device, &disk.geometry).await?;
        self.tell(&disk, &table);
        Ok(Rc::new(Known { number, info, disk, content, parts }))
    }

    /// These are no disks, by the device's fault or the driver's.
    fn refuse(&self, odd: Vec<(u32, String)>) {
        let before = self.refused.replace(odd);
        for (number, serial) in self.refused.borrow().iter() {
            if !before.iter().any(|it| (it.0, &it.1) == (*number, serial)) {
                log::warn(format_args!(
                    "{} disk {number} ({serial}) is no disk: none has such sectors",
                    self.name
                ));
            }
        }
    }

    async fn wait(&self, ns: u64) -> Result<(), CallError> {
        let until = self.timer.now_blocking()?.saturating_add(ns);
        self.timer.sleep_until(until).await
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

/// What is there; nothing when it is `notFound`.
fn found<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Err(error) if error.exception() == Some(ExceptionCode::NotFound) => Ok(None),
        answer => answer.map(Some),
    }
}

/// Follows whoever is in that place, for ever.
pub async fn follow(driver: Rc<Driver>, service: Rc<Service>) {
    let mut again = AGAIN_NS;
    loop {
        let changed = driver.changed.wait();
        match driver.learn(&service).await {
            Ok(()) => {
                again = AGAIN_NS;
                changed.await;
                continue;
            }
            Err(error) if error.is_loss() => again = AGAIN_NS,
            Err(error) => {
                log::warn(format_args!("{}: {error}", driver.name));
                again = (again * 2).min(EMPTY_NS);
            }
        }
        if driver.wait(again).await.is_err() {
            return;
        }
    }
}

fn names(disks: &[Rc<Known>]) -> String {
    let name =
        |known: &Rc<Known>| alloc::format!("{} ({} sectors)", known.disk.serial, known.disk.geometry.sectors);
    disks.iter().map(name).collect::<Vec<_>>().join(", ")
}
