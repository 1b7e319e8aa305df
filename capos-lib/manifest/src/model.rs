//! The manifest as values: what `schema/manifest.capnp` says, owned.

use crate::device::PciMatch;
use crate::facts::{DEVMGR, DEVMGR_CLAIMS};
use alloc::string::String;
use alloc::vec::Vec;

/// A system.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Manifest {
    /// Which it is: "default", "diag", or a lab case's name.
    pub name: String,
    /// What init knows, in this order.
    pub services: Vec<Service>,
    /// What the kernel does when it panics.
    pub on_panic: PanicAction,
    /// Makes runs repeatable in the lab; 0 otherwise.
    pub seed: u64,
    /// What keeps devices from memory that they were not given.
    pub iommu: Iommu,
}

/// What keeps devices from memory that they were not given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Iommu {
    /// An IOMMU where there is one that was seen to; else the kernel.
    #[default]
    Optional,
    /// An IOMMU, or nobody is given a device that reaches memory.
    Required,
}

/// What the kernel does when it panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PanicAction {
    /// Stops, so that a person can read what it said.
    #[default]
    Halt,
    /// Starts the machine again.
    Reboot,
}

/// A program with the capabilities it gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// By which others name it.
    pub name: String,
    /// Boot file of its program.
    pub binary: String,
    /// Arguments, in order.
    pub args: Vec<String>,
    /// Capabilities, in the order of their slots.
    pub caps: Vec<Grant>,
    /// What it serves.
    pub exports: Vec<Export>,
    /// What it may use up.
    pub budget: Budget,
    /// When it is started again.
    pub restart: Restart,
    /// Whether it is started with the system. Otherwise on demand only.
    pub autostart: bool,
    /// How long it waits to be started again.
    pub backoff: Backoff,
    /// How often it may fail.
    pub limit: Limit,
    /// What it promises to its supervisor, if anything.
    pub health: Option<Health>,
    /// How long an instance that was replaced may go on, milliseconds.
    pub drain_ms: u32,
    /// What happens to it when one that it holds an export of was started anew.
    pub follow: Follow,
    /// What happens to others when it is given up.
    pub escalate: Escalate,
}

impl Service {
    /// A service without capabilities, of the program of the same name.
    pub fn new(name: &str) -> Service {
        Service {
            name: String::from(name),
            binary: String::from(name),
            args: Vec::new(),
            caps: Vec::new(),
            exports: Vec::new(),
            budget: Budget::default(),
            restart: Restart::default(),
            autostart: true,
            backoff: Backoff::default(),
            limit: Limit::default(),
            health: None,
            drain_ms: 2000,
            follow: Follow::default(),
            escalate: Escalate::default(),
        }
    }
}

/// One capability of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Under which the service finds it.
    pub name: String,
    /// The interface that the service expects, by name.
    pub interface: String,
    /// Where it comes from.
    pub source: Source,
}

/// Where a capability comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A kernel object, by name: see [`crate::KERNEL_OBJECTS`].
    Kernel(String),
    /// What another service exports.
    Export {
        /// Name of the service.
        service: String,
        /// Name of the export there.
        export: String,
    },
    /// A range of I/O ports.
    IoPort {
        /// The first one.
        base: u16,
        /// How many.
        length: u16,
    },
    /// An ISA interrupt line.
    Irq(u32),
    /// A PCI device that is like any of these, the first one first.
    Pci(Vec<PciMatch>),
}

impl Source {
    /// The service that it is got from, and which of its exports it is. A right to a device is one of who hands devices out.
    pub fn provider(&self) -> Option<(&str, &str)> {
        match self {
            Source::Export { service, export } => Some((service, export)),
            Source::Pci(_) => Some((DEVMGR, DEVMGR_CLAIMS)),
            Source::Kernel(_) | Source::IoPort { .. } | Source::Irq(_) => None,
        }
    }
}

/// Something that a service offers to others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// By which others name it.
    pub name: String,
    /// What it speaks, by name.
    pub interface: String,
}

/// The most that a service may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Pages of memory, page tables and ring blocks included.
    pub memory_pages: u32,
    /// Slots of its capability table.
    pub cap_slots: u32,
    /// Threads.
    pub threads: u32,
    /// Calls that it made and nobody has answered yet.
    pub calls_in_flight: u32,
    /// Calls waiting at its endpoints.
    pub endpoint_entries: u32,
    /// Bytes in the kernel's log.
    pub log_bytes: u32,
    /// 0 to 31; higher goes first.
    pub priority: u8,
    /// Hundredths of one processor's time for all its threads together; 0: no share of its own.
    pub cpu_percent: u16,
    /// Pages that devices may reach; they count as memory, too.
    pub dma_pages: u32,
    /// Interrupts of devices.
    pub vectors: u32,
}

impl Default for Budget {
    /// As in the schema.
    fn default() -> Self {
        Budget {
            memory_pages: 512,
            cap_slots: 64,
            threads: 4,
            calls_in_flight: 256,
            endpoint_entries: 64,
            log_bytes: 65536,
            priority: 10,
            cpu_percent: 0,
            dma_pages: 0,
            vectors: 0,
        }
    }
}

/// When a service that ended is started again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Restart {
    /// It runs once.
    #[default]
    Never,
    /// When it did not end well.
    OnFailure,
    /// Whatever happened.
    Always,
}

/// How long a service waits to be started again: the first time, and twice as long each time in a row. Defaults as in the schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// Milliseconds.
    pub first_ms: u32,
    /// Milliseconds.
    pub longest_ms: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { first_ms: 10, longest_ms: 1000 }
    }
}

/// More failures than this within the window, and the service is given up. Defaults as in the schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// 1 to [`Limit::MOST`].
    pub restarts: u8,
    /// Milliseconds.
    pub window_ms: u32,
}

impl Limit {
    /// So many failures can be remembered.
    pub const MOST: u8 = 16;
}

impl Default for Limit {
    fn default() -> Self {
        Limit { restarts: 6, window_ms: 10_000 }
    }
}

/// What a service that speaks `Control` promises to its supervisor. Defaults as in the schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Health {
    /// After its start it is ready within so many milliseconds.
    pub ready_ms: u32,
    /// So often it is asked whether it is well, milliseconds.
    pub every_ms: u32,
    /// And answers within so many milliseconds.
    pub answer_ms: u32,
}

impl Default for Health {
    fn default() -> Self {
        Health { ready_ms: 5000, every_ms: 1000, answer_ms: 2000 }
    }
}

/// What happens to a service when one that it holds an export of was started anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Follow {
    /// Nothing: its capabilities stay good, and what it called for is its own business.
    #[default]
    Nothing,
    /// It is given a new facet through its `Control`.
    Told,
    /// It is started anew itself.
    Restarted,
}

/// What happens to others when a service is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Escalate {
    /// Nothing: their calls to it end with `disconnected`.
    #[default]
    Nothing,
    /// It and all that need it are started anew together, once.
    Group,
    /// The machine is reset.
    Reboot,
}
