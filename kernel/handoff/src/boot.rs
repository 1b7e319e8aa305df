//! What either way of entry tells: the same facts, whoever brought us here.

use capos_cpio::Archive;

use crate::map::MemoryMap;
use crate::physical::Physical;
use crate::{Refusal, multiboot2, pvh};

/// Most boot files, the kernel included.
pub const MAX_FILES: usize = 512;

/// The boot file that is the kernel.
pub const KERNEL_FILE: &[u8] = b"kernel.elf";

/// A boot file in physical memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct File<'m> {
    /// Its name, without folders.
    pub name: &'m [u8],
    /// What stood after the name, for Multiboot2 modules.
    pub arguments: &'m [u8],
    /// Physical address of its bytes.
    pub at: u64,
    /// How many bytes.
    pub length: u64,
}

/// The boot files.
#[derive(Clone, Debug)]
pub struct Files<'m> {
    list: [File<'m>; MAX_FILES],
    count: usize,
}

impl Default for Files<'_> {
    fn default() -> Self {
        Files { list: [File::default(); MAX_FILES], count: 0 }
    }
}

impl<'m> Files<'m> {
    /// Appends a file.
    pub fn push(&mut self, file: File<'m>) -> Result<(), Refusal> {
        let place = self.list.get_mut(self.count).ok_or(Refusal::TooManyFiles)?;
        *place = file;
        self.count += 1;
        Ok(())
    }

    /// All files, in the order in which they came.
    pub fn all(&self) -> &[File<'m>] {
        self.list.get(..self.count).unwrap_or(&[])
    }

    /// All files, to say that one of them was moved.
    pub fn all_mut(&mut self) -> &mut [File<'m>] {
        self.list.get_mut(..self.count).unwrap_or(&mut [])
    }

    /// The file that is the kernel.
    pub fn kernel(&self) -> Result<File<'m>, Refusal> {
        self.all().iter().find(|file| file.name == KERNEL_FILE).copied().ok_or(Refusal::NoKernel)
    }

    /// Every file but the kernel.
    pub fn modules(&self) -> impl Iterator<Item = &File<'m>> {
        self.all().iter().filter(|file| file.name != KERNEL_FILE)
    }

    /// Appends the regular files of the archive at `at`.
    pub fn push_archive(&mut self, physical: &dyn Physical<'m>, at: u64, length: u64) -> Result<(), Refusal> {
        let archive = physical.bytes(at, length).ok_or(Refusal::NoPackage)?;
        for entry in Archive::new(archive).entries() {
            let entry = entry?;
            if entry.is_file() {
                self.push(File {
                    name: entry.base_name().as_bytes(),
                    arguments: b"",
                    at: at + entry.data_offset() as u64,
                    length: entry.data().len() as u64,
                })?;
            }
        }
        Ok(())
    }
}

/// A range of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub at: u64,
    /// How many bytes.
    pub length: u64,
}

/// The most ranges that boot information occupies.
pub const MAX_SPANS: usize = 4;

/// Where ACPI's root pointer may be, in the order in which places are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootPointers {
    /// PVH says it, or 0.
    pub direct: u64,
    /// The UEFI system table, or 0.
    pub efi_system_table: u64,
    /// A copy in the boot information, or 0.
    pub copy: u64,
}

/// Everything that the way of entry told.
#[derive(Clone, Debug)]
pub struct Boot<'m> {
    /// The kernel's command line.
    pub command_line: &'m [u8],
    /// The machine's memory.
    pub memory: MemoryMap,
    /// The boot files.
    pub files: Files<'m>,
    /// The package that all files are in, where there is one.
    pub package: Option<Span>,
    /// Where the boot information itself lies, which must not be overwritten while it is in use.
    pub information: [Span; MAX_SPANS],
    /// Where to look for ACPI.
    pub root_pointers: RootPointers,
}

/// How the loader was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the PVH note.
    Pvh,
    /// As a Multiboot2 kernel.
    Multiboot2,
}

/// Reads the boot information at `at`.
pub fn read<'m>(way: Way, physical: &dyn Physical<'m>, at: u64) -> Result<Boot<'m>, Refusal> {
    match way {
        Way::Pvh => pvh::read(physical, at),
        Way::Multiboot2 => multiboot2::read(physical, at),
    }
}
