//! What init holds for the services and for their supervisor.

use crate::instances::Instances;
use crate::kernel::Kernel;
use crate::plan::Plan;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_manifest::Service;
use core::cell::{Cell, RefCell};
use rt::generated::{EndpointClient, MemoryObjectClient, ProcessHandleClient};
use rt::{CallError, Signal};

/// Calls that may wait for the supervisor.
const DEPTH: u32 = 128;

/// Calls of the supervisor that may wait for init.
const KEEPER_DEPTH: u32 = 64;

/// Pages of notes that are kept of each service.
pub const PAGES: usize = 6;

/// One service.
pub struct Entry {
    pub service: Service,
    /// Where its exports are called; none when it has none, and when nobody will serve it.
    pub endpoint: RefCell<Option<Rc<EndpointClient>>>,
    /// The boot file that is started next.
    pub program: RefCell<String>,
    pub instances: RefCell<Instances>,
    /// What supervisors leave to each other. It is not for init to read.
    pub notes: RefCell<[Vec<u8>; PAGES]>,
}

/// The supervisor that there is now.
#[derive(Default)]
pub struct Supervisor {
    pub handle: RefCell<Option<Rc<ProcessHandleClient>>>,
    pub process: Cell<u64>,
    pub since_ns: Cell<u64>,
    pub deaths: Cell<u32>,
    /// Calls of it that init is at. They are finished even when it dies over them; the next one begins when all is settled.
    pub in_hand: Cell<usize>,
    pub settled: Signal,
}

impl Supervisor {
    /// The badge of what the one that there is now calls us with. One that is dead has another.
    pub fn badge(&self) -> u64 {
        u64::from(self.deaths.get())
    }
}

/// Everything.
pub struct State {
    pub kernel: Kernel,
    /// The manifest as it lies on the boot medium, and how many bytes it has.
    pub manifest: (MemoryObjectClient, u64),
    pub entries: Vec<Entry>,
    /// Where the supervisor is called; there as long as init is, so that calls wait for the next one.
    pub supervisor_endpoint: EndpointClient,
    /// Where the supervisor calls init.
    pub keeper: EndpointClient,
    pub supervisor: Supervisor,
    /// Tells facets of one client apart.
    facets: Cell<u16>,
}

impl State {
    /// Makes the endpoints; nothing is started yet.
    pub async fn new(kernel: Kernel, plan: Plan) -> Result<State, CallError> {
        let supervisor_endpoint = kernel.endpoints().create(DEPTH).await?;
        let keeper = kernel.endpoints().create(KEEPER_DEPTH).await?;
        let mut entries = Vec::new();
        for service in plan.manifest.services {
            let entry = Entry {
                program: RefCell::new(service.binary.clone()),
                service,
                endpoint: RefCell::default(),
                instances: RefCell::default(),
                notes: RefCell::default(),
            };
            entry.open(&kernel).await?;
            entries.push(entry);
        }
        let (supervisor, facets) = (Supervisor::default(), Cell::new(0));
        Ok(State { kernel, manifest: plan.file, entries, supervisor_endpoint, keeper, supervisor, facets })
    }

    /// One service by its number in the manifest.
    pub fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    /// One service by its name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.service.name == name)
    }

    /// All services, in the order of the manifest.
    pub fn services(&self) -> impl Iterator<Item = &Service> + Clone {
        self.entries.iter().map(|entry| &entry.service)
    }

    /// A number for facets of one client. When they come around, the first have long been gone.
    pub fn next_facet(&self) -> u16 {
        let number = self.facets.get();
        self.facets.set(number.wrapping_add(1));
        number
    }
}

impl Entry {
    /// Makes its endpoint, if it needs one and has none.
    pub async fn open(&self, kernel: &Kernel) -> Result<(), CallError> {
        if self.service.exports.is_empty() || self.endpoint.borrow().is_some() {
            return Ok(());
        }
        let depth = self.service.budget.endpoint_entries.clamp(1, 1024);
        let endpoint = kernel.endpoints().create(depth).await?;
        *self.endpoint.borrow_mut() = Some(Rc::new(endpoint));
        Ok(())
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> Option<Rc<EndpointClient>> {
        self.endpoint.borrow().clone()
    }
}
