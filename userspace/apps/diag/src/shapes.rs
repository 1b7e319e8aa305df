//! Kind and columns of every report: the names are those of the JSON fields, which programs rely on.

use Align::{Left, Right};
use capos_text::{Align, Report, Value};

/// What one kind of report looks like.
pub(crate) struct Shape {
    kind: &'static str,
    columns: &'static [(&'static str, Align)],
}

const fn shape(kind: &'static str, columns: &'static [(&'static str, Align)]) -> Shape {
    Shape { kind, columns }
}

impl Shape {
    /// An empty report.
    pub(crate) fn report(&self) -> Report {
        Report::new(self.kind, self.columns)
    }

    /// A report of one row, shown with a line for each column.
    pub(crate) fn of_one(&self, row: impl IntoIterator<Item = Value>) -> Report {
        Report::of_one(self.kind, self.columns, row)
    }
}

pub(crate) const HELP: Shape = shape("help", &[("command", Left), ("tells", Left)]);
pub(crate) const STATUS: Shape = shape(
    "status",
    &[
        ("version", Left),
        ("time", Left),
        ("uptime", Left),
        ("cpus", Left),
        ("processes", Left),
        ("threads", Left),
        ("total_pages", Left),
        ("free_pages", Left),
        ("kernel_pages", Left),
        ("seed", Left),
        ("boot", Left),
    ],
);
pub(crate) const CPU: Shape = shape(
    "cpu",
    &[
        ("cpu", Right),
        ("apic", Right),
        ("idle", Right),
        ("switches", Right),
        ("interrupts", Right),
        ("syscalls", Right),
        ("ipis", Right),
        ("shootdowns", Right),
    ],
);
pub(crate) const CPU_FEATURE: Shape = shape("cpu_feature", &[("feature", Left), ("state", Left)]);
pub(crate) const MEMORY: Shape = shape("memory", &[("total", Right), ("free", Right), ("kernel", Right)]);
pub(crate) const MEMORY_OWNER: Shape =
    shape("memory_owner", &[("process", Right), ("used", Right), ("limit", Right), ("name", Left)]);
pub(crate) const MEMORY_RANGE: Shape = shape("memory_range", &[("size", Right), ("use", Left)]);
pub(crate) const AUDIT: Shape = shape(
    "audit",
    &[
        ("processes", Left),
        ("threads", Left),
        ("endpoints", Left),
        ("facets", Left),
        ("notifications", Left),
        ("alarms", Left),
        ("pending", Left),
        ("slots", Left),
        ("heap_bytes", Left),
        ("disorder", Left),
        ("devices", Left),
        ("device_disorder", Left),
    ],
);
pub(crate) const AUDIT_PROCESS: Shape = shape(
    "audit_process",
    &[
        ("process", Right),
        ("threads", Right),
        ("slots", Right),
        ("pending", Right),
        ("raised", Right),
        ("calls", Right),
        ("receives", Right),
        ("entries", Right),
        ("regions", Right),
        ("mapped", Right),
        ("own", Right),
        ("lent", Right),
        ("orphaned", Right),
        ("books", Left),
        ("name", Left),
    ],
);
pub(crate) const AUDIT_DEVICE: Shape = shape(
    "audit_device",
    &[
        ("address", Left),
        ("mapped", Right),
        ("vectors", Right),
        ("buffers", Right),
        ("queues", Right),
        ("kept", Right),
        ("books", Left),
    ],
);
pub(crate) const AUDIT_INTERFACE: Shape =
    shape("audit_interface", &[("interface", Left), ("capabilities", Right)]);
pub(crate) const ACPI: Shape = shape("acpi", &[("table", Left), ("revision", Right), ("length", Right)]);
pub(crate) const ACPI_FACT: Shape = shape("acpi_fact", &[("table", Left), ("fact", Left)]);
pub(crate) const PCI: Shape = shape(
    "pci",
    &[
        ("address", Left),
        ("behind", Left),
        ("vendor", Left),
        ("device", Left),
        ("class", Left),
        ("header", Left),
        ("buses", Left),
        ("line", Right),
        ("gsi", Right),
        ("msi", Right),
        ("msix", Right),
        ("wrong", Left),
    ],
);
pub(crate) const PCI_BAR: Shape = shape(
    "pci_bar",
    &[("address", Left), ("bar", Right), ("size", Right), ("decodes", Left), ("place", Left)],
);
pub(crate) const PCI_CAPABILITY: Shape =
    shape("pci_capability", &[("address", Left), ("extended", Left), ("id", Left), ("what", Left)]);
pub(crate) const IOMMU: Shape = shape(
    "iommu",
    &[
        ("unit", Right),
        ("type", Left),
        ("state", Left),
        ("interrupts", Left),
        ("bits", Right),
        ("faults", Right),
        ("lost", Right),
        ("last", Left),
    ],
);
pub(crate) const IRQ: Shape = shape(
    "irq",
    &[
        ("source", Left),
        ("gsi", Right),
        ("vector", Right),
        ("count", Right),
        ("masked", Left),
        ("owner", Left),
        ("cpu", Right),
    ],
);
pub(crate) const TIMERS: Shape = shape("timers", &[("fact", Left), ("value", Left)]);
pub(crate) const DEVICE: Shape = shape(
    "device",
    &[
        ("bus", Left),
        ("address", Left),
        ("id", Left),
        ("what", Left),
        ("state", Left),
        ("dma", Left),
        ("interrupts", Right),
    ],
);
pub(crate) const HARDWARE: Shape = shape(
    "hardware",
    &[
        ("cursor", Right),
        ("time", Right),
        ("function", Left),
        ("generation", Right),
        ("event", Left),
        ("detail", Left),
    ],
);
pub(crate) const HARDWARE_LOG: Shape =
    shape("hardware_log", &[("events", Left), ("lost", Left), ("shown", Left)]);
pub(crate) const PROCESS: Shape = shape(
    "process",
    &[
        ("id", Right),
        ("name", Left),
        ("state", Left),
        ("threads", Right),
        ("cpu", Right),
        ("share", Right),
        ("priority", Right),
        ("memory", Right),
        ("lent", Right),
        ("limit", Right),
    ],
);
pub(crate) const BUDGET: Shape = shape(
    "budget",
    &[
        ("id", Right),
        ("name", Left),
        ("slots", Right),
        ("slots_limit", Right),
        ("threads", Right),
        ("threads_limit", Right),
        ("calls", Right),
        ("calls_limit", Right),
        ("entries", Right),
        ("entries_limit", Right),
        ("log", Right),
        ("log_limit", Right),
        ("dma", Right),
        ("dma_limit", Right),
        ("vectors", Right),
        ("vectors_limit", Right),
    ],
);
pub(crate) const HOLDING: Shape = shape(
    "holding",
    &[
        ("process", Right),
        ("name", Left),
        ("count", Right),
        ("interface", Left),
        ("what", Left),
        ("target", Right),
        ("giver", Right),
        ("whole", Left),
    ],
);
pub(crate) const SERVICE: Shape = shape(
    "service",
    &[
        ("name", Left),
        ("state", Left),
        ("process", Right),
        ("epoch", Right),
        ("restarts", Right),
        ("health", Left),
        ("uptime", Right),
        ("last_end", Left),
    ],
);
pub(crate) const DISK: Shape =
    shape("disk", &[("disk", Left), ("address", Left), ("size", Right), ("model", Left), ("serial", Left)]);
pub(crate) const PARTITION: Shape = shape(
    "partition",
    &[("part", Left), ("content", Left), ("size", Right), ("taken", Left), ("name", Left)],
);
pub(crate) const VOLUME: Shape = shape(
    "volume",
    &[("size", Right), ("free", Right), ("held", Right), ("objects", Right), ("commits", Right)],
);
pub(crate) const NETWORK: Shape = shape(
    "network",
    &[
        ("up", Left),
        ("mac", Left),
        ("mtu", Left),
        ("dhcp", Left),
        ("received", Left),
        ("received_bytes", Left),
        ("sent", Left),
        ("sent_bytes", Left),
        ("dropped", Left),
        ("sessions", Left),
        ("sockets", Left),
    ],
);
pub(crate) const NETWORK_ADDRESS: Shape = shape("network_address", &[("role", Left), ("address", Left)]);
pub(crate) const LOG: Shape =
    shape("log", &[("time", Right), ("process", Right), ("level", Left), ("text", Left)]);

#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = Shape> {
    tests::ALL.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Shape {
        /// How many columns it has.
        pub(crate) fn width(&self) -> usize {
            self.columns.len()
        }
    }

    pub(super) const ALL: [Shape; 32] = [
        HELP,
        STATUS,
        CPU,
        CPU_FEATURE,
        MEMORY,
        MEMORY_OWNER,
        MEMORY_RANGE,
        AUDIT,
        AUDIT_PROCESS,
        AUDIT_DEVICE,
        AUDIT_INTERFACE,
        ACPI,
        ACPI_FACT,
        PCI,
        PCI_BAR,
        PCI_CAPABILITY,
        IOMMU,
        IRQ,
        TIMERS,
        DEVICE,
        HARDWARE,
        HARDWARE_LOG,
        PROCESS,
        BUDGET,
        HOLDING,
        SERVICE,
        DISK,
        PARTITION,
        VOLUME,
        NETWORK,
        NETWORK_ADDRESS,
        LOG,
    ];

    #[test]
    fn no_json_object_has_a_name_twice() {
        for shape in ALL {
            let mut names: Vec<&str> = shape.columns.iter().map(|(name, _)| *name).collect();
            names.push("kind");
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{}", shape.kind);
        }
    }

    #[test]
    fn kinds_differ() {
        let mut kinds = ALL.map(|shape| shape.kind).to_vec();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), ALL.len());
    }
}
