//! What the device says, and what follows from it.

use super::{Phase, Transport};
use crate::register::{features, status};
use crate::{DeviceFault, Interface, Layout};

impl<const F: usize> Transport<F> {
    /// The value of the register that [`super::Step::Read`] named.
    pub fn value(&mut self, value: u32) {
        self.phase = match self.answer(value) {
            Ok(phase) => phase,
            // Nobody is there to be told.
            Err(fault @ (DeviceFault::Gone | DeviceFault::ResetStuck)) => Phase::Dead(fault),
            Err(fault) => Phase::Fail(fault),
        };
    }

    fn answer(&mut self, value: u32) -> Result<Phase, DeviceFault> {
        match self.phase {
            Phase::AwaitReset(looks) => match (status_of(value)?, looks.checked_sub(1)) {
                (0, _) => Ok(Phase::Acknowledge),
                (_, Some(looks)) => Ok(Phase::Pause(looks)),
                (_, None) => Err(DeviceFault::ResetStuck),
            },
            Phase::Offered(half) => {
                self.offered |= u64::from(value) << (32 * u32::from(half));
                self.offered_so_far(half)
            }
            Phase::FeaturesCheck => match status_of(value)? {
                status if status & status::FEATURES_OK == 0 => Err(DeviceFault::FeaturesRefused),
                _ => Ok(self.begin_config()),
            },
            Phase::Config => Ok(if self.config.value(value)? { self.after_config() } else { Phase::Config }),
            Phase::ConfigVectorCheck => self.vector_is(u16::MAX, value).map(|()| self.queue(0)),
            Phase::QueueSize(queue) if value as u16 == 0 && queue >= self.wish.needed => Ok(Phase::DriverOk),
            Phase::QueueSize(queue) => self.queue_size(queue, value as u16),
            Phase::QueueVectorCheck(queue, layout) => {
                self.vector_is(queue, value).map(|()| self.before_attach(queue, layout))
            }
            Phase::NotifyOffset(queue, layout) => Ok(Phase::Attach(queue, layout, value as u16)),
            Phase::Confirm => self.is_well(value).map(|()| Phase::Ready),
            Phase::Check => self.is_well(value).map(|()| self.begin_config()),
            // Nobody asked.
            phase => Ok(phase),
        }
    }

    /// Where the features begin: a legacy device has only one half of them.
    pub(super) const fn first_half(&self) -> Phase {
        match self.interface {
            Interface::Modern => Phase::SelectOffered(0),
            Interface::Legacy => Phase::Offered(0),
        }
    }

    fn offered_so_far(&self, half: u8) -> Result<Phase, DeviceFault> {
        match (self.interface, half) {
            (Interface::Legacy, _) => Ok(Phase::Accept(0)),
            (Interface::Modern, 0) => Ok(Phase::SelectOffered(1)),
            (Interface::Modern, _) if self.offered & features::VERSION_1 == 0 => {
                Err(DeviceFault::Lacks(features::VERSION_1))
            }
            (Interface::Modern, _) => Ok(Phase::SelectAccepted(0)),
        }
    }

    /// The configuration is read before DRIVER_OK (3.1.1), and when it changes.
    pub(super) fn begin_config(&mut self) -> Phase {
        if self.config.begin(self.features()) { Phase::Config } else { self.after_config() }
    }

    fn after_config(&self) -> Phase {
        if self.status & status::DRIVER_OK != 0 {
            Phase::Ready
        } else if self.wish.vectors > 0 {
            Phase::ConfigVector
        } else {
            self.queue(0)
        }
    }

    /// Goes on with this queue, or with what comes behind the last.
    pub(super) fn queue(&self, queue: u16) -> Phase {
        let is_wanted = usize::from(queue) < self.wish.queues.len() && self.chosen(queue).is_some();
        if is_wanted { Phase::SelectQueue(queue) } else { Phase::DriverOk }
    }

    fn chosen(&self, queue: u16) -> Option<u16> {
        (self.choice.queue)(queue, self.features(), self.config.values())
    }

    /// The device's number of a queue.
    pub(super) fn number(&self, queue: u16) -> u16 {
        self.chosen(queue).unwrap_or(queue)
    }

    fn queue_size(&self, queue: u16, size: u16) -> Result<Phase, DeviceFault> {
        let most = self.wish.queues.get(usize::from(queue)).copied().unwrap_or(size);
        let there = Layout::new(size);
        let layout = match self.interface {
            _ if size == 0 => return Err(DeviceFault::NoQueue(self.number(queue))),
            Interface::Modern => there.and_then(|it| Layout::new(it.size().min(most))),
            // It can not be changed (2.7.2).
            Interface::Legacy => there,
        };
        let layout = layout.ok_or(DeviceFault::QueueSize(size))?;
        let vectors = self.wish.vectors > 0;
        Ok(if vectors { Phase::QueueVector(queue, layout) } else { self.before_attach(queue, layout) })
    }

    fn before_attach(&self, queue: u16, layout: Layout) -> Phase {
        match self.interface {
            Interface::Modern => Phase::NotifyOffset(queue, layout),
            Interface::Legacy => Phase::Attach(queue, layout, 0),
        }
    }

    /// A device that has no room for a vector says so when it is read back (4.1.5.1.2.2).
    fn vector_is(&self, queue: u16, value: u32) -> Result<(), DeviceFault> {
        let vector = self.vector(queue);
        if value == u32::from(vector) { Ok(()) } else { Err(DeviceFault::NoVector(vector)) }
    }

    fn is_well(&self, value: u32) -> Result<(), DeviceFault> {
        match status_of(value)? {
            status if status == self.status => Ok(()),
            status if status & status::NEEDS_RESET != 0 => Err(DeviceFault::NeedsReset),
            status => Err(DeviceFault::Status(status)),
        }
    }
}

fn status_of(value: u32) -> Result<u8, DeviceFault> {
    match value as u8 {
        status::NOTHING_THERE => Err(DeviceFault::Gone),
        status => Ok(status),
    }
}
