//! From a device that was reset to a controller whose queues work, as a state machine (3.5.1, 7.6.1).
//!
//! The driver asks [`BringUp::step`] what to do, does it, and tells the answer. That the device is reset and lets go of memory is the kernel's
//! to see to (`Device.reset`), before the first step; so is where queues lie.

use crate::admin::{ADMIN_NS, Admin, Task};
use crate::command::{self, ALL, feature, what};
use crate::controller::Controller;
use crate::identify::{Answer, Identity};
use crate::io::IoQueue;
use crate::memory::{Bells, Memory, Places};
use crate::namespace::{self, Namespace, Unusable, command_set};
use crate::queue::{Done, Queue, Words};
use crate::register::{
    CAPABILITIES, CONFIGURATION, Capabilities, ENABLE, FATAL, NOTHING, READY, Register, STATUS,
};
use crate::{DeviceFault, Layout};
use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// Entries of the admin queue.
const ADMIN: u16 = 8;

/// From one look at the status or at completions to the next: half of the time that it has taken so far, within these.
const LOOKS_NS: core::ops::RangeInclusive<u64> = 50_000..=10_000_000;

/// Version of the specification since which namespaces have descriptors.
const DESCRIPTORS_SINCE: u32 = 0x0001_0300;

/// Events that the device is to tell of (5.21.1.11): all of its health, and namespaces that change, if it can.
const HEALTH_EVENTS: u32 = 0x1f;
const NAMESPACE_EVENTS: u32 = 1 << 8;

/// What a driver wants of a controller.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Queues for requests.
    pub queues: u16,
    /// Entries of each, a power of two.
    pub entries: u16,
    /// Interrupts that there are. The admin queue has the first; the n-th queue the n-th after it, as far as there are any.
    pub vectors: u16,
}

/// What the driver is to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Read this register and tell [`BringUp::value`].
    Read(Register),
    /// Write this value to this register.
    Write(Register, u64),
    /// Have the kernel make this queue, and tell [`BringUp::attached`].
    Attach {
        /// Its number.
        queue: u16,
        /// Its form.
        layout: Layout,
    },
    /// Tell the device this of queue 0.
    Tell(Bells),
    /// Do nothing until then.
    Pause {
        /// On the clock that [`BringUp::step`] is told.
        until: u64,
    },
    /// It works: see [`BringUp::finish`].
    Ready,
    /// It can not be used until it was reset.
    Failed(DeviceFault),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Capabilities,
    Idle,
    AttachAdmin,
    Enable,
    /// Since then; none before the first look.
    Enabled(Option<u64>),
    /// The same, between two looks.
    Pause(u64),
    Ask(Ask),
    /// The device has it since then.
    Asked(Ask, u64),
    /// The same, and it is looked whether there still is a device.
    Missed(Ask, u64),
    /// There is.
    Waited(Ask, u64),
    AttachQueue(u16),
    Ready,
    Failed(DeviceFault),
}

/// What the device is asked, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ask {
    Controller,
    Namespaces,
    /// About the n-th of the namespaces.
    Descriptors(u16),
    Namespace(u16),
    Queues,
    Events,
    Completions(u16),
    Submissions(u16),
}

/// The state machine.
#[derive(Debug)]
pub struct BringUp<M> {
    wish: Wish,
    phase: Phase,
    capabilities: Capabilities,
    layout: Layout,
    admin: Option<Queue<M, Task>>,
    identity: Option<Identity>,
    /// Namespaces that there are.
    ids: Vec<u32>,
    namespaces: Vec<Namespace>,
    unusable: Vec<(u32, Unusable)>,
    queues: Vec<IoQueue<M>>,
    /// How many queues the device gives.
    granted: u16,
}

impl<M: Memory> BringUp<M> {
    /// A device that was reset. None when there are no such queues.
    pub fn new(wish: Wish) -> Option<Self> {
        let layout = Layout::new(wish.entries).filter(|_| wish.queues > 0)?;
        Some(BringUp {
            wish,
            phase: Phase::Capabilities,
            capabilities: Capabilities(0),
            layout,
            admin: None,
            identity: None,
            ids: Vec::new(),
            namespaces: Vec::new(),
            unusable: Vec::new(),
            queues: Vec::new(),
            granted: 0,
        })
    }

    /// What to do now. Ask again after every step until it is [`Step::Ready`] or [`Step::Failed`].
    pub fn step(&mut self, now: u64) -> Step {
        match self.phase {
            Phase::Capabilities => Step::Read(CAPABILITIES),
            Phase::Idle => Step::Read(STATUS),
            Phase::AttachAdmin => match Layout::new(self.least(ADMIN)) {
                Some(layout) => Step::Attach { queue: 0, layout },
                None => self.fail(DeviceFault::QueueSize(self.capabilities.entries())),
            },
            Phase::Enable => {
                self.phase = Phase::Enabled(None);
                Step::Write(CONFIGURATION, ENABLE)
            }
            Phase::Enabled(None) => {
                self.phase = Phase::Enabled(Some(now));
                Step::Read(STATUS)
            }
            Phase::Enabled(Some(_)) => Step::Read(STATUS),
            Phase::Pause(since) if now.saturating_sub(since) >= self.capabilities.ready_within() => {
                self.fail(DeviceFault::NotReady)
            }
            Phase::Pause(since) => {
                self.phase = Phase::Enabled(Some(since));
                pause(since, now)
            }
            Phase::Ask(ask) => self.ask(ask, now),
            Phase::Asked(ask, since) => self.look(ask, since, now),
            Phase::Missed(..) => Step::Read(STATUS),
            Phase::Waited(ask, since) => {
                self.phase = Phase::Asked(ask, since);
                pause(since, now)
            }
            Phase::AttachQueue(queue) => Step::Attach { queue, layout: self.layout },
            Phase::Ready => Step::Ready,
            Phase::Failed(fault) => Step::Failed(fault),
        }
    }

    /// The value of the register that [`Step::Read`] named.
    pub fn value(&mut self, value: u64) {
        let next = match self.phase {
            Phase::Capabilities if value as u32 == u32::MAX => Err(DeviceFault::Gone),
            Phase::Capabilities => self.judge(Capabilities(value)),
            Phase::Idle | Phase::Enabled(_) | Phase::Missed(..) if value == NOTHING => Err(DeviceFault::Gone),
            Phase::Idle if value & READY != 0 => Err(DeviceFault::ResetStuck),
            Phase::Idle => Ok(Phase::AttachAdmin),
            Phase::Enabled(_) | Phase::Missed(..) if value & FATAL != 0 => Err(DeviceFault::Fatal),
            Phase::Enabled(_) if value & READY != 0 => Ok(Phase::Ask(Ask::Controller)),
            Phase::Enabled(Some(since)) => Ok(Phase::Pause(since)),
            Phase::Missed(ask, since) => Ok(Phase::Waited(ask, since)),
            // Nobody asked.
            phase => Ok(phase),
        };
        self.phase = next.unwrap_or_else(Phase::Failed);
    }

    fn judge(&mut self, capabilities: Capabilities) -> Result<Phase, DeviceFault> {
        self.capabilities = capabilities;
        // The kernel has looked at the same, and refuses what it can not translate.
        if !capabilities.has_nvm() {
            return Err(DeviceFault::NoCommands);
        }
        if capabilities.page_shift() > 0 {
            return Err(DeviceFault::PageSize(capabilities.page_shift()));
        }
        // As many entries as the device can have (3.1.1: two, at the least).
        let layout = Layout::new(self.least(self.layout.size()));
        self.layout = layout.ok_or(DeviceFault::QueueSize(capabilities.entries()))?;
        Ok(Phase::Idle)
    }

    /// So many entries, or as many as the device can have, as a power of two.
    fn least(&self, wanted: u16) -> u16 {
        let most = self.capabilities.entries();
        let most = if most.is_power_of_two() { most } else { most.next_power_of_two() / 2 };
        wanted.min(u16::try_from(most).unwrap_or(u16::MAX))
    }

    /// The queue that [`Step::Attach`] named is there, in zeroed memory.
    ///
    /// # Errors
    /// There is no memory for what is to be known of it.
    pub fn attached(&mut self, memory: M, layout: Layout, places: Places) -> Result<(), TryReserveError> {
        match self.phase {
            Phase::AttachAdmin => {
                self.admin = Some(Queue::new(memory, layout, 0, places)?);
                self.phase = Phase::Enable;
            }
            Phase::AttachQueue(queue) => {
                self.queues.try_reserve(1)?;
                self.queues.push(Queue::new(memory, layout, queue, places)?);
                self.phase = Phase::Ask(Ask::Completions(queue));
            }
            _ => {}
        }
        Ok(())
    }

    /// When it is ready: the controller at work. None before.
    pub fn finish(self, now: u64) -> Option<Controller<M>> {
        let (admin, identity) = self.admin.zip(self.identity).filter(|_| self.phase == Phase::Ready)?;
        let admin = Admin::new(admin, identity.aborts, now);
        let mut controller = Controller::new(identity, admin, self.queues);
        (controller.namespaces, controller.unusable) = (self.namespaces, self.unusable);
        Some(controller)
    }

    fn fail(&mut self, fault: DeviceFault) -> Step {
        self.phase = Phase::Failed(fault);
        Step::Failed(fault)
    }

    /// Gives the device the command by which it is asked.
    fn ask(&mut self, ask: Ask, now: u64) -> Step {
        let Some(words) = self.words(ask) else { return self.fail(DeviceFault::NamespaceList) };
        let admin = self.admin.as_mut();
        let told = admin.and_then(|admin| {
            admin.submit(Task::SetUp, now, |_| words);
            admin.bells()
        });
        let Some(bells) = told else { return self.fail(DeviceFault::Silent) };
        self.phase = Phase::Asked(ask, now);
        Step::Tell(bells)
    }

    fn words(&self, ask: Ask) -> Option<Words> {
        let admin = self.admin.as_ref()?;
        let answers = place(admin.places(), admin.layout().answers());
        Some(match ask {
            Ask::Controller => command::identify(what::CONTROLLER, 0, answers),
            Ask::Namespaces => command::identify(what::NAMESPACES, 0, answers),
            Ask::Descriptors(n) => command::identify(what::DESCRIPTORS, self.id(n)?, answers),
            Ask::Namespace(n) => command::identify(what::NAMESPACE, self.id(n)?, answers),
            Ask::Queues => {
                // Both kinds, which count from zero (5.21.1.7).
                let count = u32::from(self.wish.queues - 1);
                command::set_feature(feature::QUEUES, count << 16 | count)
            }
            Ask::Events => {
                let offered = self.identity.map_or(0, |identity| identity.events);
                command::set_feature(feature::EVENTS, HEALTH_EVENTS | offered & NAMESPACE_EVENTS)
            }
            Ask::Completions(queue) => {
                let places = self.queues.last()?.places();
                let begin = place(places, self.layout.completions());
                let vector = queue.min(self.wish.vectors.saturating_sub(1));
                command::create_completions(queue, self.layout.size(), begin, vector)
            }
            Ask::Submissions(queue) => {
                let begin = self.queues.last()?.places().queue;
                command::create_submissions(queue, self.layout.size(), begin)
            }
        })
    }

    fn id(&self, n: u16) -> Option<u32> {
        self.ids.get(usize::from(n)).copied()
    }

    /// Looks whether the device has answered.
    fn look(&mut self, ask: Ask, since: u64, now: u64) -> Step {
        let Some(admin) = self.admin.as_mut() else { return self.fail(DeviceFault::Silent) };
        match admin.take() {
            Err(fault) => self.fail(fault),
            Ok(None) if now.saturating_sub(since) >= ADMIN_NS => self.fail(DeviceFault::Silent),
            // Most answer before that.
            Ok(None) if now.saturating_sub(since) < *LOOKS_NS.start() => pause(since, now),
            Ok(None) => {
                self.phase = Phase::Missed(ask, since);
                Step::Read(STATUS)
            }
            Ok(Some(done)) => {
                admin.release();
                self.phase = self.answer(ask, done).unwrap_or_else(Phase::Failed);
                self.step(now)
            }
        }
    }

    fn answer(&mut self, ask: Ask, done: Done<Task>) -> Result<Phase, DeviceFault> {
        let admin = self.admin.as_ref().ok_or(DeviceFault::Silent)?;
        let status = done.status;
        let opcode = match ask {
            // What is wrong with a namespace is no reason to leave the others alone; that events are not told is none, either.
            Ask::Descriptors(_) | Ask::Namespace(_) | Ask::Events => None,
            Ask::Queues => Some(command::admin::SET_FEATURES),
            Ask::Completions(_) => Some(command::admin::CREATE_COMPLETIONS),
            Ask::Submissions(_) => Some(command::admin::CREATE_SUBMISSIONS),
            Ask::Controller | Ask::Namespaces => Some(command::admin::IDENTIFY),
        };
        if let Some(opcode) = opcode.filter(|_| !status.is_done()) {
            return Err(DeviceFault::Refuses { opcode, status: status.0 });
        }
        let answer = Answer::new(admin.memory(), admin.layout());
        Ok(match ask {
            Ask::Controller => {
                self.identity = Some(Identity::read(&answer, self.capabilities)?);
                Phase::Ask(Ask::Namespaces)
            }
            Ask::Namespaces => {
                self.ids = list(&answer)?;
                self.next_namespace(0)
            }
            Ask::Descriptors(n) => {
                let set = if status.is_done() { command_set(&answer) } else { None };
                match set {
                    None | Some(0) => Phase::Ask(Ask::Namespace(n)),
                    Some(set) => self.refused(n, Unusable::CommandSet(set)),
                }
            }
            Ask::Namespace(n) if !status.is_done() => self.refused(n, Unusable::from(status)),
            Ask::Namespace(n) => {
                let (id, identity) = self.id(n).zip(self.identity).ok_or(DeviceFault::NamespaceList)?;
                match Namespace::read(&answer, id, &identity) {
                    Ok(namespace) => {
                        self.namespaces.push(namespace);
                        self.next_namespace(n + 1)
                    }
                    Err(reason) => self.refused(n, reason),
                }
            }
            Ask::Queues => {
                let given = admin.result();
                let granted = (given & 0xffff).min(given >> 16) + 1;
                self.granted = granted.min(self.wish.queues.into()) as u16;
                Phase::Ask(Ask::Events)
            }
            Ask::Events => Phase::AttachQueue(1),
            Ask::Completions(queue) => Phase::Ask(Ask::Submissions(queue)),
            Ask::Submissions(queue) if queue < self.granted => Phase::AttachQueue(queue + 1),
            Ask::Submissions(_) => Phase::Ready,
        })
    }

    /// The n-th one is no disk to us.
    fn refused(&mut self, n: u16, reason: Unusable) -> Phase {
        self.unusable.extend(self.id(n).map(|id| (id, reason)));
        self.next_namespace(n + 1)
    }

    /// Goes on with the n-th namespace, or with what comes behind the last.
    fn next_namespace(&mut self, n: u16) -> Phase {
        let version = self.identity.map_or(0, |identity| identity.version);
        match self.id(n) {
            None => Phase::Ask(Ask::Queues),
            // Each has its place with the kernel when it was identified, whether it is a disk or not.
            Some(_) if usize::from(n) >= namespace::MOST => self.refused(n, Unusable::OneTooMany),
            Some(_) if version >= DESCRIPTORS_SINCE => Phase::Ask(Ask::Descriptors(n)),
            Some(_) => Phase::Ask(Ask::Namespace(n)),
        }
    }
}

/// Until the next look at what was begun then.
fn pause(since: u64, now: u64) -> Step {
    let half = now.saturating_sub(since) / 2;
    Step::Pause { until: now.saturating_add(half.clamp(*LOOKS_NS.start(), *LOOKS_NS.end())) }
}

/// Where something of a queue is for the device: nowhere, if that is the kernel's to say.
fn place(places: Places, offset: u32) -> u64 {
    if places.queue == 0 { 0 } else { places.queue.wrapping_add(offset.into()) }
}

/// The numbers of namespaces (5.15.2.2): increasing, up to a zero. One more than are driven, so that somebody hears of it.
fn list<M: Memory>(answer: &Answer<'_, M>) -> Result<Vec<u32>, DeviceFault> {
    let ids: Vec<u32> =
        (0..=namespace::MOST as u32).map(|n| answer.read32(4 * n)).take_while(|id| *id != 0).collect();
    let is_sound = ids.is_sorted_by(|a, b| a < b) && ids.last().is_none_or(|last| *last < ALL - 1);
    if is_sound { Ok(ids) } else { Err(DeviceFault::NamespaceList) }
}
