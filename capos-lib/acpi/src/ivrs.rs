//! AMD's I/O virtualization (AMD I/O Virtualization Technology specification 48882, chapter 5): where the IOMMUs are, which functions
//! they serve and under which id, and what memory firmware wants left reachable.

use crate::bytes::{u8_at, u16_at, u32_at, u64_at};
use crate::error::AcpiError;
use crate::ivhd::Devices;
use crate::table::Table;

const FIRST: usize = 48;
/// In the table's flags: the extended features in IVHDs of the later kinds are there.
const EXTENDED: u32 = 1;
const PAGE: u64 = 4096;
/// Descriptions of IOMMUs believed in; servers have four IOMMUs, each described up to three times.
const UNITS_MAX: usize = 64;
/// In the flags of memory: mapped as it is; reads and writes allowed; blocked instead.
const UNITY: u8 = 1;
const READ: u8 = 2;
const WRITE: u8 = 4;
const EXCLUDED: u8 = 8;

/// One block. Kinds that the kernel has no use for are [`IvrsBlock::Other`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IvrsBlock<'m> {
    /// An IOMMU (IVHD).
    Unit(Iommu<'m>),
    /// Memory that some functions use by themselves (IVMD).
    Memory(DefinedMemory),
    /// Some other kind.
    Other(u8),
}

/// An IOMMU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Iommu<'m> {
    /// 0x10, 0x11 or 0x40: the form of the block.
    pub form: u8,
    /// Its flags: what firmware wants the control register to say.
    pub flags: u8,
    /// The function that it is, as bus << 8 | device << 3 | function.
    pub function: u16,
    /// Where its capability is in configuration space.
    pub capability: u16,
    /// Physical address of its registers, a whole page.
    pub registers: u64,
    /// Segment group.
    pub segment: u16,
    /// Its features as form 0x10 tells them; attributes in the others.
    pub features: u32,
    /// Its extended feature register, in forms 0x11 and 0x40 of firmware that vouches for it.
    pub extended_features: Option<u64>,
    /// The functions that it serves.
    pub devices: Devices<'m>,
}

/// Memory that some functions use by themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DefinedMemory {
    /// First and last function, ends included.
    pub functions: (u16, u16),
    /// First byte.
    pub base: u64,
    /// Bytes, not 0.
    pub length: u64,
    /// What they do there.
    pub access: MemoryAccess,
}

/// How functions use memory that firmware defined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryAccess {
    /// At the addresses that it has, and so.
    Direct {
        /// They read it.
        read: bool,
        /// They write it.
        write: bool,
    },
    /// Not through the IOMMU at all.
    Excluded,
    /// Firmware does not say; nothing is to be done.
    None,
}

/// The table of IOMMUs, every block and entry checked.
#[derive(Clone, Copy, Debug)]
pub struct Ivrs<'m> {
    bytes: &'m [u8],
}

impl<'m> Ivrs<'m> {
    /// Views `table` as one; refuses it if some block does not fit, or makes no sense.
    pub fn parse(table: Table<'m>) -> Result<Self, AcpiError> {
        let table = table.named(b"IVRS")?;
        let bytes = table.bytes();
        let mut rest = bytes.get(FIRST..).ok_or(table.bad_entry(bytes.len()))?;
        while !rest.is_empty() {
            let offset = bytes.len() - rest.len();
            let (block, after) = split(rest).ok_or(table.bad_entry(offset))?;
            let before = Ivrs { bytes: bytes.get(..offset).unwrap_or_default() };
            match read(block, false).ok_or(table.bad_entry(offset))? {
                IvrsBlock::Unit(unit) if before.has(&unit) => return Err(table.bad_entry(offset)),
                _ => rest = after,
            }
        }
        Ok(Ivrs { bytes })
    }

    /// Bits of a physical address.
    pub fn physical_bits(&self) -> u32 {
        self.info() >> 8 & 0x7f
    }

    /// Bits of an address before translation.
    pub fn virtual_bits(&self) -> u32 {
        self.info() >> 15 & 0x7f
    }

    /// The blocks in order.
    pub fn blocks(&self) -> impl Iterator<Item = IvrsBlock<'m>> + 'm {
        let extended = self.info() & EXTENDED != 0;
        let mut rest = self.bytes.get(FIRST..).unwrap_or_default();
        core::iter::from_fn(move || {
            let (block, after) = split(rest)?;
            rest = after;
            read(block, extended)
        })
    }

    /// The IOMMUs, each by the newest form of block that describes it: firmware repeats itself for old systems (5.2.2.1).
    pub fn units(&self) -> impl Iterator<Item = Iommu<'m>> + 'm {
        let ivrs = *self;
        self.forms().filter(move |unit| {
            ivrs.forms().filter(|other| other.is(unit)).all(|other| other.form <= unit.form)
        })
    }

    /// Whether there are as many units as there can be, or this one in this form.
    fn has(&self, unit: &Iommu<'_>) -> bool {
        let same = |other: Iommu<'_>| other.is(unit) && other.form == unit.form;
        self.forms().count() >= UNITS_MAX || self.forms().any(same)
    }

    fn forms(&self) -> impl Iterator<Item = Iommu<'m>> + 'm {
        self.blocks().filter_map(|block| match block {
            IvrsBlock::Unit(unit) => Some(unit),
            _ => None,
        })
    }

    fn info(&self) -> u32 {
        u32_at(self.bytes, 36).unwrap_or(0)
    }
}

impl Iommu<'_> {
    /// Whether both describe one IOMMU.
    fn is(&self, other: &Iommu<'_>) -> bool {
        (self.segment, self.function) == (other.segment, other.function)
    }
}

/// The first block and the rest. One has at least its type, flags and length.
fn split(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16_at(rest, 2)?);
    if length < 4 {
        return None;
    }
    rest.split_at_checked(length)
}

/// `None` when a block of a known kind is too short, or says what cannot be.
fn read(block: &[u8], extended: bool) -> Option<IvrsBlock<'_>> {
    Some(match u8_at(block, 0)? {
        form @ 0x10 => IvrsBlock::Unit(unit(block, form, None, 24)?),
        form @ (0x11 | 0x40) => {
            let features = u64_at(block, 24)?;
            IvrsBlock::Unit(unit(block, form, extended.then_some(features), 40)?)
        }
        kind @ 0x20..=0x22 => IvrsBlock::Memory(memory(block, kind)?),
        other => IvrsBlock::Other(other),
    })
}

fn unit(block: &[u8], form: u8, extended_features: Option<u64>, devices: usize) -> Option<Iommu<'_>> {
    Some(Iommu {
        form,
        flags: u8_at(block, 1)?,
        function: u16_at(block, 4)?,
        capability: u16_at(block, 6)?,
        registers: u64_at(block, 8).filter(|address| *address != 0 && address % PAGE == 0)?,
        segment: u16_at(block, 16)?,
        features: u32_at(block, 20)?,
        extended_features,
        devices: Devices::checked(block.get(devices..)?)?,
    })
}

fn memory(block: &[u8], kind: u8) -> Option<DefinedMemory> {
    let (flags, first, last) = (u8_at(block, 1)?, u16_at(block, 4)?, u16_at(block, 6)?);
    let functions = match kind {
        0x20 => (0, u16::MAX),
        0x21 => (first, first),
        _ => (first, last),
    };
    let (base, length) = (u64_at(block, 16)?, u64_at(block, 24)?);
    // The last byte must have an address, and the first function come first.
    base.checked_add(length.checked_sub(1)?)?;
    if functions.0 > functions.1 {
        return None;
    }
    let access = match flags {
        flags if flags & EXCLUDED != 0 => MemoryAccess::Excluded,
        flags if flags & UNITY != 0 => {
            MemoryAccess::Direct { read: flags & READ != 0, write: flags & WRITE != 0 }
        }
        _ => MemoryAccess::None,
    };
    Some(DefinedMemory { functions, base, length, access })
}
