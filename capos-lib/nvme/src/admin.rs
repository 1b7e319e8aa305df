//! The admin queue of a controller at work: aborts, events, and the log of its health.

use crate::command;
use crate::health::{self, Health};
use crate::memory::{Bells, Memory};
use crate::queue::{Done, Queue};
use crate::{DeviceFault, PAGE};

/// What the device may take for an admin command, but for those that wait for events.
pub const ADMIN_NS: u64 = 10_000_000_000;

/// What an admin command is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Task {
    /// To set up.
    #[default]
    SetUp,
    /// Waits for an event.
    Event,
    /// Reads the log that an event named.
    Log(Event),
    /// Reads the log of its health.
    Health,
    /// Has it give a command up.
    Abort,
}

/// What the device told without being asked, or was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// How it is.
    Health(Health),
    /// It made an error that no command tells of (5.2, error status), of this kind.
    Error(u8),
    /// Some namespace is not as it was, or is there or not any more.
    Namespaces,
    /// Something else: the completion of the request (5.2.1).
    Other(u32),
}

/// The queue, and what is out.
#[derive(Debug)]
pub struct Admin<M> {
    queue: Queue<M, Task>,
    /// Aborts that may be out, and are.
    most_aborts: u16,
    aborts: u16,
    /// A command waits for an event.
    waits: bool,
}

impl<M: Memory> Admin<M> {
    /// Over a queue by which all was set up; waits for events, if the device can tell of any.
    pub fn new(queue: Queue<M, Task>, most_aborts: u16, now: u64) -> Self {
        let mut admin = Admin { queue, most_aborts, aborts: 0, waits: false };
        admin.await_event(now);
        admin
    }

    fn await_event(&mut self, now: u64) {
        self.waits |= self.queue.submit(Task::Event, now, |_| command::event());
    }

    /// Asks for the log of its health; false when there is no room now.
    pub fn ask_health(&mut self, now: u64) -> bool {
        self.read_log(health::LOG, Task::Health, now)
    }

    /// A log into the list of the command that asks for it.
    fn read_log(&mut self, log: u8, task: Task, now: u64) -> bool {
        self.queue.submit(task, now, |own| command::log_page(log, health::BYTES, own.token()))
    }

    /// Has the device give up a command; false when it can not be asked now.
    pub fn abort(&mut self, queue: u16, id: u16, now: u64) -> bool {
        let is_asked = self.aborts < self.most_aborts
            && self.queue.submit(Task::Abort, now, |_| command::abort(queue, id));
        self.aborts += u16::from(is_asked);
        is_asked
    }

    /// What the device is to be told.
    pub fn bells(&mut self) -> Option<Bells> {
        self.queue.bells()
    }

    /// Takes what came back, up to something of interest.
    ///
    /// # Errors
    /// What the device did wrong.
    pub fn take(&mut self, now: u64) -> Result<Option<Event>, DeviceFault> {
        // As many as there can be, so that a device that completes them as they come is left in time.
        for _ in 0..self.queue.layout().size() {
            let Some(done) = self.queue.take()? else { break };
            if let Some(event) = self.event(done, now) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn event(&mut self, done: Done<Task>, now: u64) -> Option<Event> {
        let is_done = done.status.is_done();
        self.queue.release();
        self.waits &= done.load != Task::Event;
        match done.load {
            Task::SetUp => None,
            // One that it does not take is not given again: it tells of nothing.
            Task::Event if !is_done => None,
            Task::Event => {
                let told = self.queue.result();
                let (event, log) = (Event::of(told), (told >> 16) as u8);
                // The device does not tell of the like again before its log was read (5.2).
                let reads = log != 0 && self.read_log(log, Task::Log(event), now);
                if !reads {
                    self.await_event(now);
                    return Some(event);
                }
                None
            }
            Task::Log(event) => {
                self.await_event(now);
                Some(match event {
                    Event::Health(_) if is_done => Event::Health(self.health(done.id)),
                    event => event,
                })
            }
            Task::Health => is_done.then(|| Event::Health(self.health(done.id))),
            Task::Abort => {
                self.aborts -= 1;
                None
            }
        }
    }

    /// The log that a command has read.
    fn health(&self, id: u16) -> Health {
        let list = Queue::<M, Task>::list(id);
        Health::read(|at| self.queue.memory().read_own(list + at))
    }

    /// Whether there is nothing to take.
    pub fn is_quiet(&self) -> bool {
        self.queue.is_quiet()
    }

    /// Whether the device owes something.
    pub fn is_busy(&self) -> bool {
        self.queue.in_flight() > u16::from(self.waits)
    }

    /// Whether the device had its time for something.
    pub fn is_late(&mut self, now: u64) -> bool {
        let late = |since: u64| now.saturating_sub(since) >= ADMIN_NS;
        self.queue.flights().any(|(_, slot)| slot.load != Task::Event && late(slot.since))
    }
}

impl Event {
    /// Of a completion's first doubleword: type, more about it (5.2.1).
    fn of(told: u32) -> Event {
        match (told & 7, (told >> 8) as u8) {
            (0, kind) => Event::Error(kind),
            (1, _) => Event::Health(Health::default()),
            (2, 0) => Event::Namespaces,
            _ => Event::Other(told),
        }
    }
}

// A log is no longer than a list, and no list crosses a page.
const _: () =
    assert!(health::BYTES <= crate::memory::LIST_BYTES && PAGE.is_multiple_of(crate::memory::LIST_BYTES));
