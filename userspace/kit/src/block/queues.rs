//! The clients of a server, and what they have under way.

mod flow;
mod ports;

use super::memory::{Found, Memory};
use super::server::Extent;
use super::{Description, Disk, Health};
use crate::port::Port;
use alloc::vec;
use alloc::vec::Vec;
use capos_block::Geometry;
use capos_block::route::{Facet, Router, SessionId};
use ports::Ports;
use rt::generated::{DmaPoolClient, MemoryObjectClient, SignallerClient};
use rt::{CallError, ExceptionCode, log};

/// Buffers of one session.
const BUFFERS: usize = 32;

/// A session, as its facet names it: its place, and which of all that were there.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub(super) id: SessionId,
    pub(super) serial: u64,
}

/// All sessions, and all requests under way.
pub(super) struct Queues {
    ports: Ports,
    router: Router<Memory>,
    /// What the device has, or had last.
    disks: Option<Vec<Description>>,
    health: Vec<Option<Health>>,
    /// By what the device of now finds memory, the number of its life, and which life was the first of these disks.
    pool: Option<DmaPoolClient>,
    /// It was heard here first that the device is gone.
    loss: Option<CallError>,
    life: u64,
    first_life: u64,
    /// Of the device of now, or of the last one.
    arrival: u32,
}

fn exception(code: ExceptionCode) -> CallError {
    CallError::Exception(code.into())
}

fn router(disks: &[Description], depth: u16) -> Result<Router<Memory>, CallError> {
    let disks = disks.iter().map(|disk| disk.geometry).collect();
    Router::new(disks, depth, Ports::SESSIONS).map_err(|_| exception(ExceptionCode::OutOfMemory))
}

impl Queues {
    /// Without a device.
    pub fn new() -> Result<Queues, CallError> {
        let (ports, router) = (Ports::new(), router(&[], 0)?);
        Ok(Queues {
            ports,
            router,
            disks: None,
            health: Vec::new(),
            pool: None,
            loss: None,
            life: 0,
            first_life: 0,
            arrival: 0,
        })
    }

    /// The disks; none before there was a device.
    pub fn disks(&self) -> Option<&[Description]> {
        self.disks.as_deref()
    }

    /// Whether there is a device now.
    pub fn is_up(&self) -> bool {
        self.pool.is_some()
    }

    /// Requests under way at a time.
    pub fn depth(&self) -> u32 {
        self.router.depth() as u32
    }

    /// Which arrival of the device sessions are with.
    pub fn arrival(&self) -> u32 {
        self.arrival
    }

    pub fn health(&self, disk: usize) -> Option<Health> {
        self.health.get(disk).copied().flatten()
    }

    pub fn set_health(&mut self, disk: usize, health: Health) {
        if let Some(place) = self.health.get_mut(disk) {
            *place = Some(health);
        }
    }

    /// All of a disk.
    pub fn whole(&self, disk: usize) -> Option<Extent> {
        let (geometry, number) = (self.router.disks().get(disk)?, u16::try_from(disk).ok()?);
        Some(Extent { facet: Facet::whole(number, geometry), life: self.first_life })
    }

    /// What part of a disk is like, if the disk is still the one that it was of.
    pub fn geometry(&self, extent: &Extent) -> Option<Geometry> {
        let disk = self.router.disks().get(extent.facet.disk())?;
        (extent.life == self.first_life).then(|| extent.facet.geometry(disk))
    }

    /// Begins a session.
    pub fn open(
        &mut self,
        memory: &MemoryObjectClient,
        entries: u32,
        peer: SignallerClient,
        extent: &Extent,
    ) -> Result<Place, CallError> {
        self.geometry(extent).ok_or(exception(ExceptionCode::Disconnected))?;
        let port = Port::accept(memory, entries, &capos_block::DEPTHS, peer)?;
        let budget = u16::try_from(entries).unwrap_or(u16::MAX);
        let opened = self.router.open(&extent.facet, budget, self.ports.out());
        let id = opened.map_err(|_| exception(ExceptionCode::BudgetExhausted))?;
        Ok(Place { id, serial: self.ports.open(id, port, extent.facet.disk()) })
    }

    /// Whether that session has not ended.
    pub fn has(&self, place: Place) -> bool {
        self.ports.disk(place).is_some()
    }

    /// The client of a session is given a doorbell, whose loss we hear of.
    pub fn gave_doorbell(&mut self, place: Place) {
        self.ports.gave_doorbell(place.id);
    }

    /// Ends a session, if it is still that one. What is under way for it goes on, and is answered to nobody.
    pub fn close(&mut self, place: Place) {
        if self.ports.disk(place).is_some() {
            self.ports.close(place.id);
            self.router.close(place.id);
            self.let_go();
        }
    }

    /// Takes memory up for a session. If there is a device it has to know it; else the next one is told.
    pub fn attach(&mut self, place: Place, object: MemoryObjectClient, size: u64) -> Result<u16, CallError> {
        self.ports.disk(place).ok_or(exception(ExceptionCode::Disconnected))?;
        let found = match self.pool.as_ref().map(|pool| Found::of(pool, &object)) {
            None => None,
            Some(Ok(found)) => Some(found),
            // What is asked with it from now on is for the next device.
            Some(Err(error)) if error.is_gone() => {
                self.end();
                self.loss = Some(error);
                None
            }
            Some(Err(error)) => return Err(error),
        };
        let token = found.as_ref().map(|found| found.token);
        let memory = Memory { object, found };
        let number = self.router.attach(place.id, size, memory, BUFFERS);
        let number = number.map_err(|_| exception(ExceptionCode::BudgetExhausted))?;
        if let Some((_, known)) = self.router.buffer(number) {
            *known = token;
        }
        Ok(number)
    }

    /// Lets go of it. False when there is none.
    pub fn detach(&mut self, place: Place, buffer: u16) -> bool {
        let is_there = self.ports.disk(place).is_some();
        let detached = is_there && self.router.detach(place.id, buffer).is_ok();
        self.let_go();
        detached
    }

    /// Of memory that nobody uses any more.
    #[inline]
    fn let_go(&mut self) {
        while self.router.released().is_some() {}
    }

    /// There is a device, after a reset or a new one: [`up`](Self::up) is next.
    pub fn begin<D: Disk>(&mut self, disk: &D) -> Result<(), CallError> {
        self.life += 1;
        let is_same = self.is_same(disk);
        if !is_same || self.arrival != disk.arrival() {
            // Whoever asked meant another disk; or the same one, which had no power meanwhile: he is to begin anew, and to hear of that.
            self.ports.close_all();
            self.router = router(disk.disks(), disk.depth())?;
            self.arrival = disk.arrival();
        }
        self.disks = Some(disk.disks().to_vec());
        if !is_same {
            self.health = vec![None; disk.disks().len()];
            self.first_life = self.life;
        }
        Ok(())
    }

    fn is_same<D: Disk>(&self, disk: &D) -> bool {
        let Some(before) = &self.disks else { return false };
        let name =
            |disk: &Description| (disk.address, disk.namespace, disk.serial.clone(), disk.model.clone());
        let named = before.iter().map(name).eq(disk.disks().iter().map(name));
        let kept = before.iter().zip(disk.disks());
        let kept = kept.into_iter().all(|(old, new)| new.geometry.continues(&old.geometry));
        named && kept && u32::from(disk.depth()) >= self.depth()
    }

    /// The device is told of all memory, and asked what was not answered.
    pub fn up(&mut self, pool: DmaPoolClient) -> Result<(), CallError> {
        for (_, memory, token) in self.router.buffers() {
            match Found::of(&pool, &memory.object) {
                Ok(found) => {
                    *token = Some(found.token);
                    memory.found = Some(found);
                }
                Err(error) if error.is_gone() => return Err(error),
                // What is under way with it fails.
                Err(error) => log::warn(format_args!("a client's memory is refused: {error}")),
            }
        }
        let geometries: Vec<_> = self.disks.iter().flatten().map(|disk| disk.geometry).collect();
        let up = self.router.up(&geometries, &mut self.ports);
        up.map_err(|_| exception(ExceptionCode::Disconnected))?;
        self.pool = Some(pool);
        self.ports.wake_all();
        Ok(())
    }

    /// Whether who drives the device is still to hear that it is gone.
    pub fn is_lost(&self) -> bool {
        self.loss.is_some()
    }

    /// That the device is gone, for who drives it and does not know yet.
    pub fn loss(&mut self) -> Option<CallError> {
        self.loss.take()
    }

    /// There is none any more.
    pub fn end(&mut self) {
        self.loss = None;
        self.pool = None;
        self.router.down(&mut self.ports);
        self.router.buffers().for_each(|(_, memory, _)| memory.found = None);
        self.let_go();
    }
}
