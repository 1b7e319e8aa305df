//! What the supervisor knows.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_manifest::Service;
use capos_restart::{Action, Supervision};
use core::cell::{Cell, RefCell};
use rt::generated::{ControlClient, KeeperClient, MemoryObjectClient, ProcessHandleClient, TimerClient};
use rt::{Env, EnvError, Signal};

/// What init gives.
pub struct Given {
    pub keeper: KeeperClient,
    pub timer: TimerClient,
    pub manifest: MemoryObjectClient,
    pub manifest_bytes: u64,
}

impl Given {
    /// Takes it.
    pub fn take(env: &mut Env) -> Result<Given, EnvError> {
        let bytes = env.args().find_map(|arg| arg.strip_prefix("--manifest-bytes=")?.parse().ok());
        Ok(Given {
            keeper: env.client("keeper")?,
            timer: env.client("timer")?,
            manifest: env.client("manifest")?,
            manifest_bytes: bytes.unwrap_or(0),
        })
    }
}

/// A process of a service.
pub struct Known {
    pub process: u64,
    /// Boot file.
    pub program: String,
    pub handle: ProcessHandleClient,
    /// How to speak to it, if it promised to answer.
    pub control: Option<ControlClient>,
    /// It waited for a device when it answered last.
    pub waits: Cell<bool>,
}

/// A service and which of its instances.
pub type Which = (usize, u32);

/// Everything.
pub struct State {
    pub keeper: KeeperClient,
    pub timer: TimerClient,
    /// As the manifest has them, in its order.
    pub services: Vec<Service>,
    machine: RefCell<Supervision>,
    queue: RefCell<VecDeque<Action>>,
    known: RefCell<BTreeMap<Which, Rc<Known>>>,
    /// Boot files that are to become services, until they are started.
    pub wanted: RefCell<BTreeMap<usize, String>>,
    /// What came of replacements, by service: which instance serves, or that none of them does.
    pub replaced: RefCell<BTreeMap<usize, Option<u32>>>,
    /// Something happened.
    pub changed: Signal,
}

impl State {
    /// At the beginning.
    pub fn new(
        given: Given,
        services: Vec<Service>,
        machine: Supervision,
        known: BTreeMap<Which, Rc<Known>>,
    ) -> State {
        let state = State {
            keeper: given.keeper,
            timer: given.timer,
            services,
            machine: RefCell::new(machine),
            queue: RefCell::default(),
            known: RefCell::new(known),
            wanted: RefCell::default(),
            replaced: RefCell::default(),
            changed: Signal::new(),
        };
        // What taking over has led to.
        state.event(|_, _| ());
        state
    }

    /// Something happened now: tells the machine, and takes note of what has to be done.
    pub fn event<T>(&self, event: impl FnOnce(&mut Supervision, u64) -> T) -> T {
        let now = self.now();
        let mut machine = self.machine.borrow_mut();
        let result = event(&mut machine, now);
        self.queue.borrow_mut().extend(machine.actions());
        drop(machine);
        self.changed.notify();
        result
    }

    /// Looks at the machine.
    pub fn look<T>(&self, look: impl FnOnce(&Supervision) -> T) -> T {
        look(&self.machine.borrow())
    }

    /// What has to be done next.
    pub fn next_action(&self) -> Option<Action> {
        self.queue.borrow_mut().pop_front()
    }

    /// Nanoseconds since boot. The kernel answers at once.
    pub fn now(&self) -> u64 {
        self.timer.now_blocking().unwrap_or(0)
    }

    /// The name of a service.
    pub fn name(&self, service: usize) -> &str {
        self.services.get(service).map_or("?", |service| service.name.as_str())
    }

    /// The number of a service.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.services.iter().position(|service| service.name == name)
    }

    /// Takes note of a process.
    pub fn know(&self, which: Which, known: Known) {
        self.known.borrow_mut().insert(which, Rc::new(known));
    }

    /// A process that runs, or has run and is not buried.
    pub fn known(&self, which: Which) -> Option<Rc<Known>> {
        self.known.borrow().get(&which).cloned()
    }

    /// All of them.
    pub fn all_known(&self) -> Vec<Which> {
        self.known.borrow().keys().copied().collect()
    }

    /// Forgets one.
    pub fn forget(&self, which: Which) {
        self.known.borrow_mut().remove(&which);
    }
}
