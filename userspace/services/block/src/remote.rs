//! The disks of a driver, as the server around them knows a device's: what is submitted goes into a session's queue.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use capos_block::{DEPTHS, Geometry, Request, Tag};
use core::fmt;
use kit::block::{Description, Disk, End, Finder, Over, Refusal, Server, Session};
use rt::generated::{BlockDeviceClient, BlockSessionClient, DisksClient};
use rt::schema::block_device::InfoResults;
use rt::{CallError, ExceptionCode};

/// Requests that are under way at a time. A driver that takes fewer has the rest wait here.
const DEPTH: u16 = 256;

/// Why a driver is of no use any more; another one may be.
#[derive(Debug)]
pub enum Fault {
    /// It is gone.
    Gone,
    /// It does not keep to what queues are.
    Queue(End),
    /// It completed what it was not asked.
    Stray(u32),
    /// Its disk can not be like that.
    Nonsense,
    /// It refuses something.
    Call(CallError),
}

impl Fault {
    /// Whether it is just that the driver is not there any more.
    pub fn is_loss(&self) -> bool {
        match self {
            Fault::Gone | Fault::Queue(End::Gone) => true,
            Fault::Call(error) => error.exception() == Some(ExceptionCode::Disconnected),
            _ => false,
        }
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        Fault::Call(error)
    }
}

impl From<End> for Fault {
    fn from(end: End) -> Self {
        Fault::Queue(end)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Gone => f.write_str("it is gone"),
            Fault::Queue(end) => write!(f, "its queue: {end}"),
            Fault::Stray(id) => write!(f, "it completed {id:#x}, which it was not asked"),
            Fault::Nonsense => f.write_str("its disk can not be as it says"),
            Fault::Call(error) => error.fmt(f),
        }
    }
}

/// One session with each disk of a driver, from its beginning to its end.
pub struct Remote {
    server: Rc<Server>,
    /// Whole disks, for who wants another session.
    pub devices: Rc<Vec<BlockDeviceClient>>,
    sessions: Vec<Session>,
    disks: Vec<Description>,
    /// By tags: how often each was used, so that what is completed twice is known, and of which disk it is, as long as it is under way.
    asked: Vec<(u16, Option<usize>)>,
    /// By what its loss is told.
    life: u64,
    is_gone: bool,
}

impl Remote {
    /// Opens a session with each disk, as soon as the driver has its device: in its life of that number.
    pub async fn open(driver: &DisksClient, server: &Rc<Server>, number: u32) -> Result<Remote, Fault> {
        let (mut devices, mut disks, mut depth) = (Vec::new(), Vec::new(), u32::from(DEPTH));
        let mut cursor = 0;
        loop {
            let next = match driver.list(cursor).await {
                Ok(next) => next,
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) && cursor > 0 => break,
                Err(error) => return Err(error.into()),
            };
            let device = driver.disk(next.number).await?;
            let info = device.info().await?;
            depth = depth.min(info.depth);
            let geometry = geometry(&info).filter(|_| next.next > cursor).ok_or(Fault::Nonsense)?;
            let (address, namespace) = (next.address, next.namespace);
            disks.push(Description { geometry, address, namespace, serial: next.serial, model: next.model });
            devices.push(device);
            cursor = next.next;
        }
        if !DEPTHS.contains(&depth) {
            return Err(Fault::Nonsense);
        }
        let (mut sessions, mut life) = (Vec::new(), 0);
        for device in &devices {
            let (doorbell, lost) = server.doorbell(number)?;
            sessions.push(Session::open(device, depth.next_power_of_two(), doorbell).await?);
            life = lost;
        }
        let (server, devices) = (Rc::clone(server), Rc::new(devices));
        let asked = vec![(0, None); DEPTH.into()];
        Ok(Remote { server, devices, sessions, disks, asked, life, is_gone: false })
    }

    /// How the driver's disks come to know memory.
    pub fn finder(&self) -> Finder {
        let controls: Vec<Rc<BlockSessionClient>> =
            self.sessions.iter().map(|session| Rc::clone(session.control())).collect();
        Finder::Sessions(controls)
    }
}

/// What a driver says of a disk, if there are such.
fn geometry(info: &InfoResults) -> Option<Geometry> {
    let InfoResults { sectors, sector_size, most, read_only, cache, discard, zero, .. } = *info;
    let is_size = sector_size.is_power_of_two() && (512..=4096).contains(&sector_size);
    let sector_shift = sector_size.trailing_zeros() as u8;
    let geometry = Geometry { sectors, sector_shift, most, read_only, cache, discard, zero };
    (is_size && sectors > 0 && most > 0).then_some(geometry)
}

impl Disk for Remote {
    type Fault = Fault;

    fn disks(&self) -> &[Description] {
        &self.disks
    }

    fn depth(&self) -> u16 {
        DEPTH
    }

    #[inline]
    fn submit(
        &mut self,
        tag: Tag,
        disk: usize,
        request: &Request,
        token: u64,
        _now: u64,
    ) -> Result<(), Refusal> {
        let (Some(session), Some(asked)) =
            (self.sessions.get_mut(disk), self.asked.get_mut(usize::from(tag)))
        else {
            return Err(Refusal::Busy);
        };
        // The number that the driver knows the memory by; what the offset is in it is not ours to add.
        let buffer = token.wrapping_sub(request.offset.into()) as u16;
        let stamp = asked.0.wrapping_add(1);
        let id = u32::from(stamp) << 16 | u32::from(tag);
        match session.push(&Request { id, buffer, ..*request }) {
            Ok(true) => {
                *asked = (stamp, Some(disk));
                Ok(())
            }
            Ok(false) => Err(Refusal::Busy),
            Err(_) => {
                self.is_gone = true;
                Err(Refusal::Busy)
            }
        }
    }

    #[inline]
    fn publish(&mut self) -> Result<(), Fault> {
        let listener = self.server.listener();
        self.sessions.iter_mut().for_each(|session| session.send(listener));
        Ok(())
    }

    #[inline]
    fn take(&mut self, _now: u64) -> Result<Option<Over>, Fault> {
        for (number, session) in self.sessions.iter_mut().enumerate() {
            let Some(done) = session.take()? else { continue };
            let tag = done.id as Tag;
            let asked = self.asked.get_mut(usize::from(tag));
            let asked = asked.filter(|asked| **asked == ((done.id >> 16) as u16, Some(number)));
            asked.ok_or(Fault::Stray(done.id))?.1 = None;
            return Ok(Some(Over { tag, status: done.status, detail: done.detail }));
        }
        // What it answered before it went was taken first.
        if self.is_gone { Err(Fault::Gone) } else { Ok(None) }
    }

    #[inline]
    fn may_sleep(&mut self) -> Result<bool, Fault> {
        let mut all = !self.is_gone;
        for session in &mut self.sessions {
            all &= session.may_sleep()?;
        }
        self.publish()?;
        Ok(all)
    }

    fn interrupted(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn gone(&mut self, lives: u64) -> Result<(), Fault> {
        self.is_gone |= lives & self.life != 0;
        Ok(())
    }

    fn deadline(&self) -> Option<u64> {
        None
    }

    fn on_timeout(&mut self, _now: u64) -> Result<(), Fault> {
        Ok(())
    }
}
