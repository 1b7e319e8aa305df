//! The Limine boot protocol, base revision 2, from the loader's side (PROTOCOL.md of Limine 8).
//!
//! [`scan`] finds the requests in the loaded image, [`answer`] writes the responses into an [`arena::Arena`] and their addresses into
//! the requests. A request that is not known here keeps its null response, as the protocol says.

pub mod answer;
pub mod arena;
pub mod scan;

/// The base revision that is spoken here.
pub const BASE_REVISION: u64 = 2;

/// What a kernel can ask for and gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Feature {
    /// Name and version of the loader.
    BootloaderInfo,
    /// BIOS or UEFI.
    FirmwareType,
    /// A stack of the kernel's choice.
    StackSize,
    /// Offset of the direct map.
    DirectMap,
    /// Four or five levels.
    PagingMode,
    /// The other processors, parked.
    Processors,
    /// The memory map.
    MemoryMap,
    /// Another entry point than the file's.
    EntryPoint,
    /// The kernel's own file.
    KernelFile,
    /// The kernel's command line alone.
    CommandLine,
    /// The boot files.
    Modules,
    /// ACPI's root pointer.
    RootPointer,
    /// SMBIOS entry points.
    Smbios,
    /// UEFI's system table.
    EfiSystemTable,
    /// The date at boot.
    BootTime,
    /// Where the kernel lies.
    KernelAddress,
}

/// A feature with the last two words of its id, and its name for people.
pub struct Known {
    /// The feature.
    pub feature: Feature,
    /// The words that distinguish it.
    pub id: [u64; 2],
    /// What a refusal calls it.
    pub name: &'static str,
}

const fn known(feature: Feature, first: u64, second: u64, name: &'static str) -> Known {
    Known { feature, id: [first, second], name }
}

/// The two words with which every request starts.
pub const COMMON_MAGIC: [u64; 2] = [0xc7b1_dd30_df4c_8b88, 0x0a82_e883_a194_f07b];

/// Every feature, at the index of its number.
pub const FEATURES: [Known; 16] = [
    known(Feature::BootloaderInfo, 0xf550_38d8_e2a1_202f, 0x2794_26fc_f5f5_9740, "bootloader info"),
    known(Feature::FirmwareType, 0x8c2f_75d9_0bef_28a8, 0x7045_a468_8eac_00c3, "firmware type"),
    known(Feature::StackSize, 0x224e_f046_0a8e_8926, 0xe1cb_0fc2_5f46_ea3d, "stack size"),
    known(Feature::DirectMap, 0x48dc_f1cb_8ad2_b852, 0x6398_4e95_9a98_244b, "HHDM"),
    known(Feature::PagingMode, 0x95c1_a0ed_ab09_44cb, 0xa4e5_cb38_42f7_488a, "paging mode"),
    known(Feature::Processors, 0x95a6_7b81_9a1b_857e, 0xa0b6_1b72_3b6a_73e0, "MP"),
    known(Feature::MemoryMap, 0x67cf_3d9d_378a_806f, 0xe304_acdf_c50c_3c62, "memory map"),
    known(Feature::EntryPoint, 0x13d8_6c03_5a1c_d3e1, 0x2b0c_aa89_d8f3_026a, "entry point"),
    known(Feature::KernelFile, 0xad97_e90e_83f1_ed67, 0x31eb_5d1c_5ff2_3b69, "kernel file"),
    known(Feature::CommandLine, 0x4b16_1536_e598_651e, 0xb390_ad4a_2f1f_303a, "command line"),
    known(Feature::Modules, 0x3e7e_2797_02be_32af, 0xca1c_4f3b_d128_0cee, "module"),
    known(Feature::RootPointer, 0xc5e7_7b6b_397e_7b43, 0x2763_7845_accd_cf3c, "RSDP"),
    known(Feature::Smbios, 0x9e90_46f1_1e09_5391, 0xaa4a_520f_efbd_e5ee, "SMBIOS"),
    known(Feature::EfiSystemTable, 0x5ceb_a516_3eaa_f6d6, 0x0a69_8161_0cf6_5fcc, "EFI system table"),
    known(Feature::BootTime, 0x5027_46e1_84c0_88aa, 0xfbc5_ec83_e632_7893, "boot time"),
    known(Feature::KernelAddress, 0x71ba_7686_3cc5_5f63, 0xb264_4a48_c516_a487, "kernel address"),
];

#[cfg(test)]
mod tests;
