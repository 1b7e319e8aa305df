//! A controller that is up, as the server wants it.

use crate::error::Error;
use crate::pair::{Pair, Ring};
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use capos_block::{Request, Tag};
use capos_nvme::{Controller, Event, Register};
use kit::block::{Description, Disk, Health, Over, Refusal, Server};
use rt::generated::{DeviceMmioClient, InterruptClient};
use rt::log;

/// CSTS (3.1.6).
const STATUS: Register = Register { offset: 0x1c, width: 4 };

/// How often it is asked how it is while it is at work, nanoseconds.
const HEALTH_NS: u64 = 60_000_000_000;

/// A controller, and all that is held for it.
pub struct Nvme {
    pub controller: Controller<Ring>,
    /// By their numbers.
    pub pairs: Vec<Pair>,
    window: DeviceMmioClient,
    disks: Vec<Description>,
    arrival: u32,
    depth: u16,
    server: Rc<Server>,
    /// It may have told something of itself since that was looked for.
    may_tell: bool,
    /// Given up, nobody would be interrupted.
    _interrupts: Vec<InterruptClient>,
    now: u64,
    /// When it was asked how it is.
    asked: Option<u64>,
}

impl Nvme {
    /// With what was set up.
    pub fn new(
        controller: Controller<Ring>,
        (pairs, interrupts): (Vec<Pair>, Vec<InterruptClient>),
        window: DeviceMmioClient,
        (address, arrival): (u32, u32),
        server: Rc<Server>,
    ) -> Nvme {
        let (identity, depth) = (controller.identity(), controller.depth());
        let describe = |namespace: &capos_nvme::Namespace| Description {
            geometry: namespace.geometry,
            address,
            namespace: namespace.id,
            serial: identity.serial.to_string(),
            model: identity.model.to_string(),
        };
        let disks = controller.namespaces().iter().map(describe).collect();
        let (now, asked, may_tell, _interrupts) = (0, None, true, interrupts);
        Nvme { controller, pairs, window, disks, arrival, depth, server, may_tell, _interrupts, now, asked }
    }

    /// Asks how it is, if that was some time ago. The answer is an event.
    fn ask_health(&mut self) {
        if self.asked.is_none_or(|asked| self.now.saturating_sub(asked) >= HEALTH_NS)
            && self.controller.ask_health(self.now)
        {
            self.asked = Some(self.now);
        }
    }

    /// Whether all was heard that the device told of itself, and an interrupt tells of what comes next.
    fn has_told_all(&mut self) -> Result<bool, Error> {
        if self.asked.is_none() {
            self.ask_health();
            self.publish()?;
        }
        if self.controller.may_sleep() {
            return Ok(true);
        }
        self.listen()?;
        self.publish()?;
        Ok(self.controller.may_sleep())
    }

    /// Hears what the device tells of itself.
    fn listen(&mut self) -> Result<(), Error> {
        while let Some(event) = self.controller.event(self.now)? {
            match event {
                Event::Health(health) => self.note(&health),
                Event::Namespaces => return Err(Error::Namespaces),
                Event::Error(kind) => log::warn(format_args!("the device tells of error {kind}")),
                Event::Other(told) => log::info(format_args!("the device tells {told:#x}")),
            }
        }
        Ok(())
    }

    fn note(&self, health: &capos_nvme::Health) {
        if health.warning != 0 {
            log::warn(format_args!("the device warns: {health}"));
        }
        let told = Health {
            warnings: health.warning.into(),
            kelvin: health.temperature,
            spare_percent: health.spare,
            used_percent: health.used,
            media_errors: health.media_errors,
            power_on_hours: health.hours,
            unsafe_shutdowns: health.unsafe_shutdowns,
        };
        // One controller, one health.
        (0..self.disks.len()).for_each(|disk| self.server.set_health(disk, told));
    }
}

impl Disk for Nvme {
    type Fault = Error;

    fn disks(&self) -> &[Description] {
        &self.disks
    }

    fn arrival(&self) -> u32 {
        self.arrival
    }

    fn depth(&self) -> u16 {
        self.depth
    }

    #[inline]
    fn submit(
        &mut self,
        tag: Tag,
        disk: usize,
        request: &Request,
        token: u64,
        now: u64,
    ) -> Result<(), Refusal> {
        self.controller.submit(disk as u16, tag, request, token, now).map_err(|refusal| match refusal {
            capos_nvme::Refusal::Busy => Refusal::Busy,
            capos_nvme::Refusal::Over(status) => Refusal::Over(status),
        })
    }

    #[inline]
    fn publish(&mut self) -> Result<(), Error> {
        let pairs = &self.pairs;
        self.controller.tell(|queue, bells| match pairs.get(usize::from(queue)) {
            Some(pair) => pair.tell(bells),
            None => Ok(()),
        })
    }

    #[inline]
    fn take(&mut self, now: u64) -> Result<Option<Over>, Error> {
        self.now = now;
        let finished = self.controller.take(now)?;
        Ok(finished.map(|it| Over { tag: it.tag, status: it.status, detail: it.detail }))
    }

    #[inline]
    fn may_sleep(&mut self) -> Result<bool, Error> {
        // It interrupts for that, too: there is nothing new where it did not.
        if self.may_tell {
            let has_told_all = self.asked.is_some() && self.controller.may_sleep() || self.has_told_all()?;
            self.may_tell = !has_told_all;
        }
        Ok(!self.may_tell)
    }

    fn interrupted(&mut self) -> Result<(), Error> {
        // A message has nothing to be let go of.
        self.may_tell = true;
        Ok(())
    }

    fn deadline(&self) -> Option<u64> {
        self.controller.deadline()
    }

    fn on_timeout(&mut self, now: u64) -> Result<(), Error> {
        self.now = now;
        let status = self.window.read_blocking(STATUS.offset, STATUS.width)?;
        let before = self.controller.counters().aborted;
        self.controller.on_timeout(status, now)?;
        if self.controller.counters().aborted > before {
            log::warn(format_args!("a command takes too long, it is to be given up"));
        }
        self.ask_health();
        self.listen()?;
        self.publish()
    }
}
