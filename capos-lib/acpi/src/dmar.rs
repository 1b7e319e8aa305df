//! Intel's DMA remapping units (VT-d specification 4.1, chapter 8): where they are, which functions they serve, and what memory firmware
//! wants left reachable.

use crate::bytes::{u8_at, u16_at, u64_at};
use crate::error::AcpiError;
use crate::scope::Scopes;
use crate::table::Table;

const FIRST: usize = 48;
const INTERRUPT_REMAPPING: u8 = 1;
const X2APIC_OPT_OUT: u8 = 2;
/// In the flags of a unit: everything on its segment that no other unit names.
const INCLUDE_ALL: u8 = 1;
/// In the flags of an ATSR: every root port.
const ALL_PORTS: u8 = 1;
const PAGE: u64 = 4096;
/// Units believed in; large servers have a few dozen.
const UNITS_MAX: usize = 128;

/// One remapping structure. Kinds that the kernel has no use for are [`DmarEntry::Other`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DmarEntry<'m> {
    /// A remapping unit (DRHD, 8.3).
    Unit(RemappingUnit<'m>),
    /// Memory that some functions use by themselves (RMRR, 8.4).
    Reserved(ReservedMemory<'m>),
    /// Root ports below which functions may translate by themselves (ATSR, 8.5).
    RootPorts {
        /// Segment group.
        segment: u16,
        /// All of the segment; then there are no scopes.
        all: bool,
        /// Which.
        scopes: Scopes<'m>,
    },
    /// Some other kind.
    Other(u16),
}

/// A remapping unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemappingUnit<'m> {
    /// Segment group.
    pub segment: u16,
    /// Physical address of its registers, a whole page.
    pub registers: u64,
    /// Whether it serves all functions of the segment that no other unit names.
    pub include_all: bool,
    /// The functions that it serves, and with `include_all` the I/O APICs and HPETs.
    pub scopes: Scopes<'m>,
}

/// Memory that some functions use by themselves, such as the frame buffer of integrated graphics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReservedMemory<'m> {
    /// Segment group.
    pub segment: u16,
    /// First byte.
    pub base: u64,
    /// Last byte.
    pub limit: u64,
    /// By whom.
    pub scopes: Scopes<'m>,
}

/// The table of remapping units, every structure and scope checked.
#[derive(Clone, Copy, Debug)]
pub struct Dmar<'m> {
    bytes: &'m [u8],
}

impl<'m> Dmar<'m> {
    /// Views `table` as one; refuses it if some structure does not fit, or makes no sense.
    pub fn parse(table: Table<'m>) -> Result<Self, AcpiError> {
        let table = table.named(b"DMAR")?;
        let bytes = table.bytes();
        let mut rest = bytes.get(FIRST..).ok_or(table.bad_entry(bytes.len()))?;
        while !rest.is_empty() {
            let offset = bytes.len() - rest.len();
            let (entry, after) = split(rest).ok_or(table.bad_entry(offset))?;
            let before = Dmar { bytes: bytes.get(..offset).unwrap_or_default() };
            match read(entry).ok_or(table.bad_entry(offset))? {
                DmarEntry::Unit(unit) if before.has(&unit) => return Err(table.bad_entry(offset)),
                _ => rest = after,
            }
        }
        Ok(Dmar { bytes })
    }

    /// Bits of a physical address, by which DMA reaches memory.
    pub fn address_bits(&self) -> u16 {
        u16::from(u8_at(self.bytes, 36).unwrap_or(0)) + 1
    }

    /// Whether the platform can remap interrupts; each unit says it of itself, too.
    pub fn remaps_interrupts(&self) -> bool {
        self.flags() & INTERRUPT_REMAPPING != 0
    }

    /// Whether firmware asks for processors to stay out of x2APIC mode.
    pub fn opts_out_of_x2apic(&self) -> bool {
        self.flags() & X2APIC_OPT_OUT != 0
    }

    /// The structures in order.
    pub fn entries(&self) -> impl Iterator<Item = DmarEntry<'m>> + 'm {
        let mut rest = self.bytes.get(FIRST..).unwrap_or_default();
        core::iter::from_fn(move || {
            let (entry, after) = split(rest)?;
            rest = after;
            read(entry)
        })
    }

    /// The remapping units in order.
    pub fn units(&self) -> impl Iterator<Item = RemappingUnit<'m>> + 'm {
        self.entries().filter_map(|entry| match entry {
            DmarEntry::Unit(unit) => Some(unit),
            _ => None,
        })
    }

    /// Whether there are as many units as there can be, or one with the same registers.
    fn has(&self, unit: &RemappingUnit<'_>) -> bool {
        self.units().count() >= UNITS_MAX || self.units().any(|other| other.registers == unit.registers)
    }

    fn flags(&self) -> u8 {
        u8_at(self.bytes, 37).unwrap_or(0)
    }
}

/// The first structure and the rest. One has at least its type and length.
fn split(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16_at(rest, 2)?);
    if length < 4 {
        return None;
    }
    rest.split_at_checked(length)
}

/// `None` when a structure of a known kind is too short, or says what cannot be.
fn read(entry: &[u8]) -> Option<DmarEntry<'_>> {
    Some(match u16_at(entry, 0)? {
        0 => DmarEntry::Unit(RemappingUnit {
            include_all: u8_at(entry, 4)? & INCLUDE_ALL != 0,
            segment: u16_at(entry, 6)?,
            registers: u64_at(entry, 8).filter(|address| *address != 0 && address % PAGE == 0)?,
            scopes: Scopes::checked(entry.get(16..)?)?,
        }),
        1 => {
            let (base, limit) = (u64_at(entry, 8)?, u64_at(entry, 16)?);
            let scopes = Scopes::checked(entry.get(24..)?)?;
            if base > limit {
                return None;
            }
            DmarEntry::Reserved(ReservedMemory { segment: u16_at(entry, 6)?, base, limit, scopes })
        }
        2 => DmarEntry::RootPorts {
            all: u8_at(entry, 4)? & ALL_PORTS != 0,
            segment: u16_at(entry, 6)?,
            scopes: Scopes::checked(entry.get(8..)?)?,
        },
        other => DmarEntry::Other(other),
    })
}
