//! SMBIOS entry points: from UEFI's configuration table, else by the search that BIOS machines need (SMBIOS 3.6, section 5.2).

use crate::boot::RootPointers;
use crate::bytes::{sums_to_zero, u8_at};
use crate::efi;
use crate::physical::Physical;

/// Physical addresses of the entry points; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryPoints {
    /// The 32-bit one, `_SM_`.
    pub entry_32: u64,
    /// The 64-bit one, `_SM3_`.
    pub entry_64: u64,
}

/// Finds both entry points.
pub fn find(physical: &dyn Physical<'_>, places: &RootPointers) -> EntryPoints {
    if places.efi_system_table != 0 {
        let efi = efi::Tables::read(physical, places.efi_system_table);
        return EntryPoints { entry_32: efi.smbios, entry_64: efi.smbios_3 };
    }
    let scan = |anchor: &[u8], length_at: usize| {
        (0xf_0000..0x10_0000u64)
            .step_by(16)
            .find(|&at| is_entry(physical, at, anchor, length_at))
            .unwrap_or(0)
    };
    EntryPoints { entry_32: scan(b"_SM_", 5), entry_64: scan(b"_SM3_", 6) }
}

fn is_entry(physical: &dyn Physical<'_>, at: u64, anchor: &[u8], length_at: usize) -> bool {
    let Some(start) = physical.bytes(at, 16).filter(|start| start.starts_with(anchor)) else { return false };
    let length = u64::from(u8_at(start, length_at).unwrap_or(0));
    length >= 16 && physical.bytes(at, length).is_some_and(sums_to_zero)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::physical::fake::Fake;

    #[test]
    fn both_entry_points_are_found() {
        let mut old = [0u8; 32];
        old[..6].copy_from_slice(b"_SM_\0\x1f");
        old[4] = old.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)).wrapping_neg();
        let mut new = [0u8; 24];
        new[..7].copy_from_slice(b"_SM3_\0\x18");
        new[5] = new.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)).wrapping_neg();
        let fake = Fake(vec![(0xf_5a00, &old), (0xf_6000, &new)]);
        let found = find(&fake, &RootPointers::default());
        assert_eq!(found, EntryPoints { entry_32: 0xf_5a00, entry_64: 0xf_6000 });
    }

    #[test]
    fn bad_sums_are_passed_over() {
        let mut old = [0u8; 32];
        old[..6].copy_from_slice(b"_SM_\0\x1f");
        let found = find(&Fake(vec![(0xf_5a00, &old)]), &RootPointers::default());
        assert_eq!(found, EntryPoints::default());
    }
}
