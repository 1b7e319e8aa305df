//! The interrupt controllers (5.2.12): processors, I/O APICs, and how the legacy lines are wired.

use crate::bytes::{u8_at, u16_at, u32_at, u64_at};
use crate::error::AcpiError;
use crate::table::Table;

const FIRST: usize = 44;
const OVERRIDE: u8 = 2;
const PCAT_COMPATIBLE: u32 = 1;
const ENABLED: u32 = 1;
const ONLINE_CAPABLE: u32 = 2;

/// How a line signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signalling {
    /// Active when low.
    pub active_low: bool,
    /// By level instead of by edge.
    pub level: bool,
}

impl Signalling {
    /// What ISA lines do unless told otherwise.
    pub const ISA: Signalling = Signalling { active_low: false, level: false };
    /// What the lines of PCI do unless told otherwise (PCI 3.0, 2.2.6).
    pub const PCI: Signalling = Signalling { active_low: true, level: true };

    /// From the flags of a table; "as the bus does" and reserved values mean the way of `bus`.
    fn of(flags: u16, bus: Signalling) -> Self {
        let either = |value: u16, bus| match value & 3 {
            1 => false,
            3 => true,
            _ => bus,
        };
        Signalling { active_low: either(flags, bus.active_low), level: either(flags >> 2, bus.level) }
    }
}

/// Where an ISA line arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IsaRoute {
    /// Global system interrupt.
    pub gsi: u32,
    /// How it signals.
    pub signalling: Signalling,
}

/// One entry. Kinds that the kernel has no use for are [`MadtEntry::Other`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MadtEntry {
    /// A processor, by local APIC or x2APIC.
    Processor {
        /// Its APIC id.
        apic_id: u32,
        /// Whether it may be started.
        enabled: bool,
        /// Whether it may be added later.
        online_capable: bool,
    },
    /// An I/O APIC.
    IoApic {
        /// Its id.
        id: u8,
        /// Physical address of its registers.
        address: u32,
        /// Its first global system interrupt.
        gsi_base: u32,
    },
    /// An ISA line that is not wired one to one.
    Override {
        /// The ISA line.
        irq: u8,
        /// Where it arrives.
        route: IsaRoute,
    },
    /// A global system interrupt that is a non-maskable interrupt.
    NmiSource {
        /// Which.
        gsi: u32,
        /// How it signals.
        signalling: Signalling,
    },
    /// A local APIC input that is wired to the non-maskable interrupt.
    LocalNmi {
        /// Firmware's number of the processor; `None` is all.
        processor: Option<u32>,
        /// Which input: 0 or 1.
        lint: u8,
        /// How it signals.
        signalling: Signalling,
    },
    /// Where the local APIC really is.
    AddressOverride(u64),
    /// Some other kind.
    Other(u8),
}

/// The table of interrupt controllers, every entry checked.
#[derive(Clone, Copy, Debug)]
pub struct Madt<'m> {
    bytes: &'m [u8],
}

impl<'m> Madt<'m> {
    /// Views `table` as one; refuses it if some entry does not fit.
    pub fn parse(table: Table<'m>) -> Result<Self, AcpiError> {
        let table = table.named(b"APIC")?;
        let mut rest = table.bytes().get(FIRST..).ok_or(table.bad_entry(table.bytes().len()))?;
        while !rest.is_empty() {
            let offset = table.bytes().len() - rest.len();
            let (entry, after) = split(rest).ok_or(table.bad_entry(offset))?;
            read(entry).ok_or(table.bad_entry(offset))?;
            rest = after;
        }
        Ok(Madt { bytes: table.bytes() })
    }

    /// Physical address of the local APICs.
    pub fn local_apic(&self) -> u64 {
        let moved = self.entries().find_map(|entry| match entry {
            MadtEntry::AddressOverride(address) => Some(address),
            _ => None,
        });
        moved.unwrap_or_else(|| u32_at(self.bytes, 36).map_or(0, u64::from))
    }

    /// Whether there are also the two 8259 interrupt controllers, to be masked.
    pub fn has_legacy_pics(&self) -> bool {
        u32_at(self.bytes, 40).unwrap_or(0) & PCAT_COMPATIBLE != 0
    }

    /// The entries in order.
    pub fn entries(&self) -> impl Iterator<Item = MadtEntry> + 'm {
        let mut rest = self.bytes.get(FIRST..).unwrap_or_default();
        core::iter::from_fn(move || {
            let (entry, after) = split(rest)?;
            rest = after;
            read(entry)
        })
    }

    /// APIC ids of the processors that may be started.
    pub fn processors(&self) -> impl Iterator<Item = u32> + 'm {
        self.entries().filter_map(|entry| match entry {
            MadtEntry::Processor { apic_id, enabled: true, .. } => Some(apic_id),
            _ => None,
        })
    }

    /// Where ISA line `irq` arrives: where an override says, else at the interrupt of the same number.
    pub fn isa(&self, irq: u8) -> IsaRoute {
        self.route(irq, Signalling::ISA)
    }

    /// The same of an ISA line that firmware has wired lines of PCI to.
    pub fn pci(&self, irq: u8) -> IsaRoute {
        self.route(irq, Signalling::PCI)
    }

    fn route(&self, irq: u8, bus: Signalling) -> IsaRoute {
        let mut rest = self.bytes.get(FIRST..).unwrap_or_default();
        while let Some((entry, after)) = split(rest) {
            if entry.first() == Some(&OVERRIDE)
                && let Some((line, route)) = wired(entry, bus)
                && line == irq
            {
                return route;
            }
            rest = after;
        }
        IsaRoute { gsi: u32::from(irq), signalling: bus }
    }
}

/// The ISA line of an override, and where it arrives.
fn wired(entry: &[u8], bus: Signalling) -> Option<(u8, IsaRoute)> {
    let signalling = Signalling::of(u16_at(entry, 8)?, bus);
    Some((u8_at(entry, 3)?, IsaRoute { gsi: u32_at(entry, 4)?, signalling }))
}

/// The first entry and the rest. An entry has at least its type and length.
fn split(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u8_at(rest, 1)?);
    if length < 2 {
        return None;
    }
    rest.split_at_checked(length)
}

/// `None` when an entry of a known kind is too short.
fn read(entry: &[u8]) -> Option<MadtEntry> {
    let processor = |apic_id: u32, flags: u32| MadtEntry::Processor {
        apic_id,
        enabled: flags & ENABLED != 0,
        online_capable: flags & ONLINE_CAPABLE != 0,
    };
    Some(match u8_at(entry, 0)? {
        0 => processor(u32::from(u8_at(entry, 3)?), u32_at(entry, 4)?),
        1 => MadtEntry::IoApic {
            id: u8_at(entry, 2)?,
            address: u32_at(entry, 4)?,
            gsi_base: u32_at(entry, 8)?,
        },
        OVERRIDE => {
            let (irq, route) = wired(entry, Signalling::ISA)?;
            MadtEntry::Override { irq, route }
        }
        3 => MadtEntry::NmiSource {
            gsi: u32_at(entry, 4)?,
            signalling: Signalling::of(u16_at(entry, 2)?, Signalling::ISA),
        },
        4 => {
            let number = u8_at(entry, 2)?;
            MadtEntry::LocalNmi {
                processor: (number != u8::MAX).then_some(u32::from(number)),
                signalling: Signalling::of(u16_at(entry, 3)?, Signalling::ISA),
                lint: u8_at(entry, 5)?,
            }
        }
        5 => MadtEntry::AddressOverride(u64_at(entry, 4)?),
        9 => processor(u32_at(entry, 4)?, u32_at(entry, 8)?),
        10 => {
            let number = u32_at(entry, 4)?;
            MadtEntry::LocalNmi {
                processor: (number != u32::MAX).then_some(number),
                signalling: Signalling::of(u16_at(entry, 2)?, Signalling::ISA),
                lint: u8_at(entry, 8)?,
            }
        }
        other => MadtEntry::Other(other),
    })
}
