//! Which functions an IOMMU serves: the device entries of an IVHD (specification 48882, 5.2.2.1).

use crate::bytes::{u8_at, u16_at};

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IvhdEntry {
    /// Functions that it serves.
    Functions {
        /// First and last, ends included, as bus << 8 | device << 3 | function.
        range: (u16, u16),
        /// The id that their requests carry instead of their own: that of the bridge before them.
        alias: Option<u16>,
        /// What firmware wants of their interrupts.
        settings: u8,
    },
    /// Something that is no function but signals like one.
    Special {
        /// What it is.
        kind: SpecialKind,
        /// The MADT's id of the I/O APIC, or the number of the event timer.
        id: u8,
        /// The id that its requests carry.
        source: u16,
        /// What firmware wants of its interrupts.
        settings: u8,
    },
    /// Some other kind.
    Other(u8),
}

/// What is no function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpecialKind {
    /// An I/O APIC.
    IoApic,
    /// An event timer.
    Hpet,
    /// Some other kind.
    Other(u8),
}

const PAD: u8 = 0;
const RANGE_END: u8 = 4;
/// A name of ACPI's name space, whose length is in the entry.
const NAMED: u8 = 240;

/// The entries of an IOMMU, all checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Devices<'m>(&'m [u8]);

impl<'m> Devices<'m> {
    /// `None` if some entry does not fit, or a range has no end.
    pub(crate) fn checked(bytes: &'m [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (_, rest) = next(rest)?;
        }
        Some(Devices(bytes))
    }

    /// The entries in order; beginning and end of a range are one, and padding is left out.
    pub fn iter(&self) -> impl Iterator<Item = IvhdEntry> + 'm {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            loop {
                let (entry, after) = next(rest)?;
                rest = after;
                if entry != IvhdEntry::Other(PAD) {
                    return Some(entry);
                }
            }
        })
    }

    /// The id that requests of `function` carry, if the IOMMU serves it. The last entry that names it counts.
    pub fn id_of(&self, function: u16) -> Option<u16> {
        let names = |entry| match entry {
            IvhdEntry::Functions { range: (first, last), alias, .. }
                if (first..=last).contains(&function) =>
            {
                Some(alias.unwrap_or(function))
            }
            _ => None,
        };
        self.iter().filter_map(names).last()
    }
}

/// The first entry, two in case of a range, and the rest.
fn next(rest: &[u8]) -> Option<(IvhdEntry, &[u8])> {
    let (entry, mut after) = split(rest)?;
    let (first, settings) = (u16_at(entry, 1), u8_at(entry, 3));
    let functions = |last: u16, alias| {
        let range = (first?, last);
        (range.0 <= last).then_some(IvhdEntry::Functions { range, alias, settings: settings? })
    };
    let found = match u8_at(entry, 0)? {
        1 => IvhdEntry::Functions { range: (0, u16::MAX), alias: None, settings: settings? },
        2 | 70 => functions(first?, None)?,
        66 => functions(first?, Some(u16_at(entry, 5)?))?,
        kind @ (3 | 67 | 71) => {
            let last;
            (last, after) = range_end(after)?;
            functions(last, if kind == 67 { Some(u16_at(entry, 5)?) } else { None })?
        }
        // An end without a beginning.
        RANGE_END => return None,
        72 => IvhdEntry::Special {
            kind: match u8_at(entry, 7)? {
                1 => SpecialKind::IoApic,
                2 => SpecialKind::Hpet,
                other => SpecialKind::Other(other),
            },
            id: u8_at(entry, 4)?,
            source: u16_at(entry, 5)?,
            settings: settings?,
        },
        other => IvhdEntry::Other(other),
    };
    Some((found, after))
}

/// The end of a range: the next entry, padding aside.
fn range_end(mut rest: &[u8]) -> Option<(u16, &[u8])> {
    loop {
        let (entry, after) = split(rest)?;
        match u8_at(entry, 0)? {
            PAD => rest = after,
            RANGE_END => return Some((u16_at(entry, 1)?, after)),
            _ => return None,
        }
    }
}

/// The first entry and the rest. The upper bits of the type give the length, except of named devices.
fn split(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match u8_at(rest, 0)? {
        NAMED => 22 + usize::from(u8_at(rest, 21)?),
        kind => 4 << (kind >> 6),
    };
    rest.split_at_checked(length)
}
