//! Every reason for which the loader gives up, as the one line that it prints on COM1.

use core::fmt;

use capos_cpio::CpioError;

use crate::elf::ElfFault;

/// Why the machine is not booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// PVH: the start information is not where the entry says or lacks its magic number.
    BadStartInfo,
    /// Multiboot2: the boot information is damaged.
    BadMultiboot,
    /// The machine said nothing about its memory.
    NoMemoryMap,
    /// More memory regions than we have room for.
    TooManyRegions,
    /// More boot files than we have room for.
    TooManyFiles,
    /// PVH without `-initrd`.
    NoPackage,
    /// The package is not a good archive.
    Package(CpioError),
    /// No boot file is called `kernel.elf`.
    NoKernel,
    /// A module of Multiboot2 has no name.
    NamelessModule,
    /// `kernel.elf` is not a kernel that can be loaded.
    Elf(ElfFault),
    /// No room for this many bytes of something.
    OutOfMemory(&'static str, u64),
    /// The kernel carries no base revision tag: it speaks revision 0.
    NoBaseRevision,
    /// The kernel asks for a revision that the protocol has given up.
    OldBaseRevision(u64),
    /// The kernel asks for the same thing twice.
    DuplicateRequest(&'static str),
    /// The kernel insists on five-level paging.
    FiveLevelPaging,
    /// The entry point that the kernel asks for is not in its code.
    BadEntryPoint(u64),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::BadStartInfo => f.write_str("the PVH start information is damaged"),
            Refusal::BadMultiboot => f.write_str("the Multiboot2 information is damaged"),
            Refusal::NoMemoryMap => f.write_str("the machine gave no memory map"),
            Refusal::TooManyRegions => f.write_str("the memory map has too many regions"),
            Refusal::TooManyFiles => f.write_str("there are too many boot files"),
            Refusal::NoPackage => f.write_str("no boot package: give it with -initrd"),
            Refusal::Package(error) => write!(f, "the boot package is damaged: {error}"),
            Refusal::NoKernel => f.write_str("no boot file is called kernel.elf"),
            Refusal::NamelessModule => f.write_str("a Multiboot2 module has no name: give it after the file"),
            Refusal::Elf(fault) => write!(f, "kernel.elf cannot be loaded: {fault}"),
            Refusal::OutOfMemory(what, bytes) => write!(f, "no memory for {what} ({bytes} bytes)"),
            Refusal::NoBaseRevision => {
                f.write_str("kernel.elf asks for Limine base revision 0; this loader knows 2")
            }
            Refusal::OldBaseRevision(revision) => {
                write!(f, "kernel.elf asks for Limine base revision {revision}; this loader knows 2")
            }
            Refusal::DuplicateRequest(what) => write!(f, "kernel.elf has two {what} requests"),
            Refusal::FiveLevelPaging => {
                f.write_str("kernel.elf insists on five-level paging; this loader has four levels")
            }
            Refusal::BadEntryPoint(address) => {
                write!(f, "the entry point {address:#x} is not in the code of kernel.elf")
            }
        }
    }
}

impl From<ElfFault> for Refusal {
    fn from(fault: ElfFault) -> Self {
        Refusal::Elf(fault)
    }
}

impl From<CpioError> for Refusal {
    fn from(error: CpioError) -> Self {
        Refusal::Package(error)
    }
}
