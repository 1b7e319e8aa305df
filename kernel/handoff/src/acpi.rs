//! ACPI, as far as a loader needs it: the root pointer and the processors (ACPI 6.5, sections 5.2.5 to 5.2.12).

use crate::boot::RootPointers;
use crate::bytes::{sums_to_zero, u8_at, u16_at, u32_at, u64_at};
use crate::efi;
use crate::physical::Physical;

/// The root pointer: where it is, and whether that is only a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootPointer {
    /// Physical address.
    pub at: u64,
    /// Its length.
    pub length: u64,
    /// It lies in the boot information and must be moved before the kernel sees it.
    pub is_copy: bool,
}

/// Finds the root pointer: what PVH said, the UEFI configuration table, the BIOS areas, and a copy as the last resort.
pub fn find_root<'m>(physical: &dyn Physical<'m>, places: &RootPointers) -> Option<RootPointer> {
    let efi = efi::Tables::read(physical, places.efi_system_table);
    let direct = [places.direct, efi.acpi_2, efi.acpi_1];
    direct
        .into_iter()
        .find_map(|at| check_root(physical, at, false))
        .or_else(|| scan_bios(physical))
        .or_else(|| check_root(physical, places.copy, true))
}

/// An entry of the MADT that matters to a loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadtEntry {
    /// A processor that can be started.
    Processor {
        /// ACPI's number of it.
        uid: u32,
        /// Its local APIC.
        apic_id: u32,
    },
    /// An I/O APIC at this physical address.
    IoApic(u32),
}

/// The entries of the MADT; none if there is no good one.
pub fn madt<'m>(physical: &dyn Physical<'m>, root: RootPointer) -> MadtEntries<'m> {
    let table = find_table(physical, root, b"APIC").unwrap_or(&[]);
    MadtEntries { rest: table.get(44..).unwrap_or(&[]) }
}

/// Iterator over [`MadtEntry`]; stops at damage.
#[derive(Clone, Debug)]
pub struct MadtEntries<'m> {
    rest: &'m [u8],
}

impl Iterator for MadtEntries<'_> {
    type Item = MadtEntry;

    fn next(&mut self) -> Option<MadtEntry> {
        loop {
            let length = usize::from(u8_at(self.rest, 1)?);
            let entry = self.rest.get(..length).filter(|entry| entry.len() >= 2)?;
            self.rest = self.rest.get(length..)?;
            if let Some(found) = madt_entry(entry) {
                return Some(found);
            }
        }
    }
}

fn madt_entry(entry: &[u8]) -> Option<MadtEntry> {
    const ENABLED: u32 = 1;
    match u8_at(entry, 0)? {
        0 => {
            let apic_id = u32::from(u8_at(entry, 3)?);
            let usable = u32_at(entry, 4)? & ENABLED != 0 && apic_id != 0xff;
            usable.then_some(MadtEntry::Processor { uid: u32::from(u8_at(entry, 2)?), apic_id })
        }
        1 => Some(MadtEntry::IoApic(u32_at(entry, 4)?)),
        9 => {
            let usable = u32_at(entry, 8)? & ENABLED != 0;
            usable.then_some(MadtEntry::Processor { uid: u32_at(entry, 12)?, apic_id: u32_at(entry, 4)? })
        }
        _ => None,
    }
}

/// Checks for a root pointer at `at`.
fn check_root(physical: &dyn Physical<'_>, at: u64, is_copy: bool) -> Option<RootPointer> {
    if at == 0 {
        return None;
    }
    let old = physical.bytes(at, 20)?;
    if !old.starts_with(b"RSD PTR ") || !sums_to_zero(old) {
        return None;
    }
    if u8_at(old, 15)? < 2 {
        return Some(RootPointer { at, length: 20, is_copy });
    }
    let length = u64::from(u32_at(physical.bytes(at, 36)?, 20)?);
    let whole = physical.bytes(at, length).filter(|whole| whole.len() >= 36)?;
    sums_to_zero(whole).then_some(RootPointer { at, length, is_copy })
}

/// The BIOS areas: the first KiB of the extended data area and the 128 KiB below 1 MiB (section 5.2.5.1).
fn scan_bios(physical: &dyn Physical<'_>) -> Option<RootPointer> {
    let segment = physical.bytes(0x40e, 2).and_then(|bytes| u16_at(bytes, 0)).unwrap_or(0);
    let extended = u64::from(segment) << 4;
    let in_extended = (0..1024).step_by(16).map(|at| extended + at).filter(|_| segment != 0);
    in_extended.chain((0xe_0000..0x10_0000).step_by(16)).find_map(|at| check_root(physical, at, false))
}

/// The first table with this signature.
fn find_table<'m>(physical: &dyn Physical<'m>, root: RootPointer, signature: &[u8; 4]) -> Option<&'m [u8]> {
    let pointer = physical.bytes(root.at, root.length)?;
    let extended = u64_at(pointer, 24).filter(|&at| at != 0);
    let (at, entry_length) = match extended {
        Some(at) => (at, 8),
        None => (u64::from(u32_at(pointer, 16)?), 4),
    };
    let list = table(physical, at)?;
    list.get(36..)?.chunks_exact(entry_length).find_map(|entry| {
        let at = u64_at(entry, 0).or_else(|| u32_at(entry, 0).map(u64::from))?;
        table(physical, at).filter(|table| table.starts_with(signature))
    })
}

/// The whole table at `at`, if its sum is right.
fn table<'m>(physical: &dyn Physical<'m>, at: u64) -> Option<&'m [u8]> {
    let length = u64::from(u32_at(physical.bytes(at, 36)?, 4)?);
    physical.bytes(at, length).filter(|table| table.len() >= 36 && sums_to_zero(table))
}

#[cfg(test)]
mod tests;
