//! The manifest as values: what `schema/manifest.capnp` says, owned.

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
