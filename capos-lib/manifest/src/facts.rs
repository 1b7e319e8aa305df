//! What a manifest is checked against: the machine, its boot files, and what the kernel and init offer.

use alloc::string::String;
use alloc::vec::Vec;
use capos_abi::RingShape;

/// Kernel objects that a service may be granted by name, with their interfaces. Port ranges and interrupt lines are named by their
/// numbers instead, so that nobody gets all of them.
pub const KERNEL_OBJECTS: &[(&str, &str)] = &[
    ("log", "LogSink"),
    ("log_reader", "LogReader"),
    ("boot", "BootPackage"),
    ("spawner", "ProcessSpawner"),
    ("timer", "Timer"),
    ("wall_clock", "WallClock"),
    ("entropy", "EntropySource"),
    ("entropy_sink", "EntropySink"),
    ("system", "SystemInfo"),
    ("power", "Power"),
    ("inspector", "Inspector"),
    ("devices", "DeviceManager"),
    ("hardware_log", "HardwareAuditLog"),
];

/// I/O ports that the kernel keeps for itself, ends included: DMA controllers and their page registers, interrupt controllers,
/// timer, clock chip, keyboard controller's command port and port A, PCI configuration. The kernel refuses them whatever a manifest
/// says (kernel/hal has its own list; a test in tools/cap compares both); here the refusal has a line.
pub const RESERVED_PORTS: [(u16, u16); 11] = [
    (0x0000, 0x001f),
    (0x00c0, 0x00df),
    (0x0080, 0x008f),
    (0x0020, 0x0021),
    (0x00a0, 0x00a1),
    (0x0040, 0x0043),
    (0x0070, 0x0071),
    (0x0064, 0x0064),
    (0x0092, 0x0092),
    (0x0510, 0x051b),
    (0x0cf8, 0x0cff),
];

/// The name of the first process, which is a service that no manifest lists.
pub const INIT: &str = "init";

/// The name of the service that looks after all others. Init starts it in every system, so no manifest lists it either.
pub const SUPERVISOR: &str = "supervisor";

/// Pages that it may use, whatever a manifest says.
pub const SUPERVISOR_PAGES: u32 = 1024;

/// For how much it can wait at a time: the end of each service, and an answer of each that promises to be healthy. A thread has so many operations
/// in flight as its ring takes submissions; some are for its own calls, for who calls it, and for a replacement beside what it replaces.
pub const MOST_WAITS: usize = RingShape::DEFAULT.sq_entries as usize - 8;

/// What it exports. The numbers of the exports are the order here.
pub const SUPERVISOR_EXPORTS: &[(&str, &str)] =
    &[("services", "Services"), ("names", "Names"), ("processes", "Processes")];

/// The name of the service that hands devices out, in systems that have one.
pub const DEVMGR: &str = "devmgr";

/// Its export through which a driver gets a device, and the interface of that.
pub const DEVMGR_CLAIMS: &str = "claims";
pub(crate) const DEVICE_CLAIM: &str = "DeviceClaim";

/// What the kernel knows about classes of devices, by name (a test in tools/cap compares with the kernel's).
pub const POLICIES: &[&str] = &["virtio", "edu", "nvme", "e1000e", "plain"];

/// The policy of devices that reach no memory.
pub(crate) const PLAIN: &str = "plain";

/// Interrupts of devices that the kernel has for all together (kernel/hal has the same number; a test in tools/cap compares both).
pub const VECTORS: u32 = 192;

/// What is there. On the host, what will be.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Names of the boot files.
    pub files: Vec<String>,
    /// Pages of memory that services can use together.
    pub memory_pages: u64,
    /// Kernel objects by name, with the names of their interfaces.
    pub objects: &'static [(&'static str, &'static str)],
}

impl Facts {
    /// With this version's kernel objects.
    pub fn new(files: Vec<String>, memory_pages: u64) -> Facts {
        Facts { files, memory_pages, objects: KERNEL_OBJECTS }
    }

    /// The interface of a kernel object.
    pub(crate) fn object(&self, name: &str) -> Option<&'static str> {
        self.objects.iter().find(|(known, _)| *known == name).map(|(_, interface)| *interface)
    }
}
