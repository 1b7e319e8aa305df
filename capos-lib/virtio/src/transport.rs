//! From a device in whatever state to one whose queues work, as a state machine over register values (virtio 1.2, 3.1, 4.1.4, 4.1.5).
//!
//! The driver asks [`Transport::step`] what to do, does it, and tells the answer. Addresses and sizes of queues are the kernel's to
//! program, since they say where the device reads and writes: the machine asks for that by [`Step::Attach`].

use crate::config::Config;
use crate::register::{Field, Register, features, modern, status};
use crate::{DeviceFault, Interface, Layout};

mod answer;

/// How often the status is looked at after a reset, and the time between: a second in all.
const RESET_LOOKS: u16 = 1000;
const LOOK_EVERY_NS: u64 = 1_000_000;

/// What a driver wants of a device.
#[derive(Clone, Copy, Debug)]
pub struct Wish<const F: usize> {
    /// Features of use to it, where offered. VERSION_1 and ACCESS_PLATFORM need no mention.
    pub features: u64,
    /// Queues from number 0 on, or as a [`Choice`] says, each with the most descriptors that are of use (a power of two).
    pub queues: &'static [u16],
    /// So many of them there have to be. When one of the others is not there, it and those behind it are not set up.
    pub needed: u16,
    /// MSI-X vectors that it has; none when the interrupt is a line. Queue n gets the n-th and changes of the configuration the last, as
    /// far as there are any.
    pub vectors: u16,
    /// What it wants to know of the device configuration.
    pub config: [Field; F],
}

/// What a driver wants only of some devices.
#[derive(Clone, Copy, Debug)]
pub struct Choice<const F: usize> {
    /// Features on the left are of no use without any of those on the right. Asked in this order, of what the rows before have left.
    pub needs: &'static [(u64, u64)],
    /// The device's number of the queue that is wanted at this position, by the features agreed upon and the configuration; none, if there
    /// are no more.
    pub queue: fn(position: u16, features: u64, config: &[u32; F]) -> Option<u16>,
}

/// What the driver is to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Write this value to this register.
    Write(Register, u32),
    /// Read this register and tell [`Transport::value`].
    Read(Register),
    /// Have the kernel set up this queue.
    Attach {
        /// Its number.
        queue: u16,
        /// Its form.
        layout: Layout,
        /// In the modern interface: where it is notified, in the units of the notification capability.
        notify_offset: u16,
    },
    /// Do nothing until then.
    Pause {
        /// On the clock that [`Transport::step`] is told.
        until: u64,
    },
    /// The device works. Nothing to do until it interrupts because of its configuration; see [`Transport::changed`].
    Ready,
    /// It can not be used, until [`Transport::reset`].
    Failed(DeviceFault),
}

/// Queues are named by their positions in the wish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Reset,
    /// So many looks are left.
    AwaitReset(u16),
    Pause(u16),
    Acknowledge,
    Driver,
    /// Of each half of the features, low half first.
    SelectOffered(u8),
    Offered(u8),
    SelectAccepted(u8),
    Accept(u8),
    FeaturesOk,
    FeaturesCheck,
    Config,
    ConfigVector,
    ConfigVectorCheck,
    SelectQueue(u16),
    QueueSize(u16),
    /// With the form.
    QueueVector(u16, Layout),
    QueueVectorCheck(u16, Layout),
    NotifyOffset(u16, Layout),
    Attach(u16, Layout, u16),
    DriverOk,
    /// Whether the device goes along.
    Confirm,
    Ready,
    /// Something changed.
    Check,
    /// Say so to the device.
    Fail(DeviceFault),
    Dead(DeviceFault),
}

/// The state machine.
#[derive(Debug)]
pub struct Transport<const F: usize> {
    interface: Interface,
    wish: Wish<F>,
    choice: Choice<F>,
    phase: Phase,
    /// What we wrote last.
    status: u8,
    offered: u64,
    config: Config<F>,
}

impl<const F: usize> Transport<F> {
    /// A device in an unknown state; the first steps reset it.
    pub const fn new(interface: Interface, wish: Wish<F>) -> Self {
        let config = Config::new(interface, wish.vectors > 0, wish.config);
        let choice = Choice { needs: &[], queue: |position, _, _| Some(position) };
        Transport { interface, wish, choice, phase: Phase::Reset, status: 0, offered: 0, config }
    }

    /// The same, where what is wanted depends on what the device is like.
    pub const fn choosing(self, choice: Choice<F>) -> Self {
        Transport { choice, ..self }
    }

    /// Begins anew. Queues and buffers of before are the driver's only when the next steps have reset the device.
    pub fn reset(&mut self) {
        self.phase = Phase::Reset;
    }

    /// The features agreed upon, when [`Step::Ready`] was reached.
    pub fn features(&self) -> u64 {
        let always = match self.interface {
            Interface::Modern => features::VERSION_1 | features::ACCESS_PLATFORM,
            Interface::Legacy => 0,
        };
        let agreed = self.offered & (self.wish.features | always);
        let judge = |left: u64, (of, any): &(u64, u64)| if left & any == 0 { left & !of } else { left };
        self.choice.needs.iter().fold(agreed, judge)
    }

    /// The configuration, field by field as wished.
    pub const fn config(&self) -> &[u32; F] {
        self.config.values()
    }

    /// The device interrupted because of its configuration, or somebody wonders: looks at its status, and reads the configuration again.
    pub fn changed(&mut self) {
        if self.phase == Phase::Ready {
            self.phase = Phase::Check;
        }
    }

    /// What to do now. Ask again after every step until it is [`Step::Ready`] or [`Step::Failed`].
    pub fn step(&mut self, now: u64) -> Step {
        match self.phase {
            Phase::Reset => {
                self.phase = Phase::AwaitReset(RESET_LOOKS);
                (self.status, self.offered) = (0, 0);
                Step::Write(self.interface.status(), 0)
            }
            Phase::Pause(looks) => {
                self.phase = Phase::AwaitReset(looks);
                Step::Pause { until: now.saturating_add(LOOK_EVERY_NS) }
            }
            Phase::AwaitReset(_) | Phase::FeaturesCheck | Phase::Confirm | Phase::Check => {
                Step::Read(self.interface.status())
            }
            Phase::Acknowledge => self.set(status::ACKNOWLEDGE, Phase::Driver),
            Phase::Driver => self.set(status::DRIVER, self.first_half()),
            Phase::FeaturesOk => self.set(status::FEATURES_OK, Phase::FeaturesCheck),
            Phase::DriverOk => self.set(status::DRIVER_OK, Phase::Confirm),
            Phase::Fail(fault) => self.set(status::FAILED, Phase::Dead(fault)),
            Phase::SelectOffered(half) => {
                self.write(modern::DEVICE_FEATURE_SELECT, half.into(), Phase::Offered(half))
            }
            Phase::SelectAccepted(half) => {
                self.write(modern::DRIVER_FEATURE_SELECT, half.into(), Phase::Accept(half))
            }
            Phase::Offered(_) => Step::Read(self.interface.device_feature()),
            Phase::Accept(half) => self.accept(half),
            Phase::Config => Step::Read(self.config.register()),
            Phase::Ready => Step::Ready,
            Phase::Dead(fault) => Step::Failed(fault),
            _ => self.step_of_queues(),
        }
    }

    fn step_of_queues(&mut self) -> Step {
        match self.phase {
            Phase::ConfigVector => {
                let vector = self.vector(u16::MAX);
                self.write(self.interface.config_vector(), vector.into(), Phase::ConfigVectorCheck)
            }
            Phase::ConfigVectorCheck => Step::Read(self.interface.config_vector()),
            Phase::SelectQueue(queue) => {
                let number = self.number(queue).into();
                self.write(self.interface.queue_select(), number, Phase::QueueSize(queue))
            }
            Phase::QueueSize(_) => Step::Read(self.interface.queue_size()),
            Phase::QueueVector(queue, layout) => {
                let (vector, next) = (self.vector(queue), Phase::QueueVectorCheck(queue, layout));
                self.write(self.interface.queue_vector(), vector.into(), next)
            }
            Phase::QueueVectorCheck(..) => Step::Read(self.interface.queue_vector()),
            Phase::NotifyOffset(..) => Step::Read(modern::QUEUE_NOTIFY_OFFSET),
            Phase::Attach(queue, layout, notify_offset) => {
                self.phase = self.queue(queue.saturating_add(1));
                Step::Attach { queue: self.number(queue), layout, notify_offset }
            }
            _ => Step::Ready,
        }
    }

    /// Sets a bit of the status.
    fn set(&mut self, bit: u8, next: Phase) -> Step {
        self.status |= bit;
        self.write(self.interface.status(), self.status.into(), next)
    }

    fn write(&mut self, register: Register, value: u32, next: Phase) -> Step {
        self.phase = next;
        Step::Write(register, value)
    }

    fn accept(&mut self, half: u8) -> Step {
        let next = match (self.interface, half) {
            (Interface::Legacy, _) => self.begin_config(),
            (Interface::Modern, 0) => Phase::SelectAccepted(1),
            (Interface::Modern, _) => Phase::FeaturesOk,
        };
        let bits = (self.features() >> (32 * u32::from(half))) as u32;
        self.write(self.interface.driver_feature(), bits, next)
    }

    /// The vector of a queue; the last one for those that have none of their own.
    fn vector(&self, queue: u16) -> u16 {
        queue.min(self.wish.vectors.saturating_sub(1))
    }
}
