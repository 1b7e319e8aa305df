//! UEFI's configuration table: where ACPI and SMBIOS are on machines that GRUB booted from UEFI (UEFI 2.10, section 4.6).
//!
//! GRUB also copies the ACPI root pointer into the boot information, but a copy's address tells the kernel nothing, so the original
//! is taken.

use crate::bytes::{u32_at, u64_at};
use crate::physical::Physical;

const SIGNATURE: &[u8; 8] = b"IBI SYST";
const SYSTEM_TABLE_LENGTH: u64 = 120;
const ENTRY_LENGTH: u64 = 24;
/// Firmware has some twenty; more than this is damage.
const MAX_ENTRIES: u64 = 1024;

const ACPI_2: [u8; 16] = guid(0x8868_e871, 0xe4f1, 0x11d3, [0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81]);
const ACPI_1: [u8; 16] = guid(0xeb9d_2d30, 0x2d88, 0x11d3, [0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d]);
const SMBIOS: [u8; 16] = guid(0xeb9d_2d31, 0x2d88, 0x11d3, [0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d]);
const SMBIOS_3: [u8; 16] =
    guid(0xf2fd_1544, 0x9794, 0x4a2c, [0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3, 0x94]);

/// Physical addresses from the configuration table; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// ACPI root pointer of revision 2 or later.
    pub acpi_2: u64,
    /// ACPI 1.0 root pointer.
    pub acpi_1: u64,
    /// 32-bit SMBIOS entry point.
    pub smbios: u64,
    /// 64-bit SMBIOS entry point.
    pub smbios_3: u64,
}

impl Tables {
    /// Reads the configuration table of the system table at `at`; everything is 0 if there is no good one.
    pub fn read(physical: &dyn Physical<'_>, at: u64) -> Tables {
        configuration(physical, at).map(find).unwrap_or_default()
    }
}

/// Where the configuration table is, as the system table at `at` says.
pub fn configuration_at(physical: &dyn Physical<'_>, at: u64) -> Option<u64> {
    u64_at(physical.bytes(at, SYSTEM_TABLE_LENGTH)?, 112)
}

fn configuration<'m>(physical: &dyn Physical<'m>, at: u64) -> Option<&'m [u8]> {
    if at == 0 {
        return None;
    }
    let system = physical.bytes(at, SYSTEM_TABLE_LENGTH)?;
    if !system.starts_with(SIGNATURE) {
        return None;
    }
    let entries = u64::from(u32_at(system, 104)?);
    (entries <= MAX_ENTRIES).then_some(())?;
    physical.bytes(u64_at(system, 112)?, entries * ENTRY_LENGTH)
}

fn find(configuration: &[u8]) -> Tables {
    let mut tables = Tables::default();
    for entry in configuration.chunks_exact(ENTRY_LENGTH as usize) {
        let (id, address) = entry.split_at(16);
        let place = match id {
            id if id == ACPI_2 => &mut tables.acpi_2,
            id if id == ACPI_1 => &mut tables.acpi_1,
            id if id == SMBIOS => &mut tables.smbios,
            id if id == SMBIOS_3 => &mut tables.smbios_3,
            _ => continue,
        };
        *place = u64_at(address, 0).unwrap_or(0);
    }
    tables
}

/// A GUID as it lies in memory: the first three parts little endian.
const fn guid(a: u32, b: u16, c: u16, d: [u8; 8]) -> [u8; 16] {
    let (a, b, c) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes());
    [a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]]
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::physical::fake::Fake;

    fn system(entries: u32, configuration: u64) -> Vec<u8> {
        let mut bytes = vec![0; SYSTEM_TABLE_LENGTH as usize];
        bytes[..8].copy_from_slice(SIGNATURE);
        bytes[104..108].copy_from_slice(&entries.to_le_bytes());
        bytes[112..120].copy_from_slice(&configuration.to_le_bytes());
        bytes
    }

    fn entry(id: [u8; 16], at: u64) -> Vec<u8> {
        [&id[..], &at.to_le_bytes()].concat()
    }

    #[test]
    fn tables_are_found_by_their_ids() {
        let configuration =
            [entry(SMBIOS, 3), entry([9; 16], 9), entry(ACPI_2, 1), entry(ACPI_1, 2), entry(SMBIOS_3, 4)]
                .concat();
        let system = system(5, 0x9000);
        // The firmware of a machine with much memory keeps its tables above 4 GiB.
        let fake = Fake(vec![(0x1_4000_0000, &system), (0x9000, &configuration)]);
        let tables = Tables::read(&fake, 0x1_4000_0000);
        assert_eq!(tables, Tables { acpi_2: 1, acpi_1: 2, smbios: 3, smbios_3: 4 });
    }

    #[test]
    fn damage_gives_nothing() {
        let nothing = Tables::default();
        assert_eq!(Tables::read(&Fake(vec![]), 0), nothing);
        assert_eq!(Tables::read(&Fake(vec![]), 0x5000), nothing);
        let mut unsigned = system(1, 0x9000);
        unsigned[0] = 0;
        let configuration = entry(ACPI_2, 1);
        let at =
            |system: &[u8]| Tables::read(&Fake(vec![(0x5000, system), (0x9000, &configuration)]), 0x5000);
        assert_eq!(at(&unsigned), nothing);
        assert_eq!(at(&system(u32::MAX, 0x9000)), nothing);
        assert_eq!(at(&system(2, 0x9000)), nothing);
        assert_eq!(at(&system(1, 0x9000)).acpi_2, 1);
    }
}
