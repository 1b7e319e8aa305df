//! PVH: what a virtual machine monitor leaves in `hvm_start_info` (Xen, public/arch-x86/hvm/start_info.h, version 1).

use crate::Refusal;
use crate::boot::{Boot, Files, RootPointers, Span};
use crate::bytes::{u32_at, u64_at};
use crate::map::{Kind, MemoryMap};
use crate::physical::{self, Physical};

const MAGIC: u32 = 0x336e_c578;
/// Version 1 brought the memory map.
const LEAST_VERSION: u32 = 1;
const LENGTH: u64 = 56;
const MODULE_LENGTH: u64 = 32;
const MEMORY_ENTRY_LENGTH: usize = 24;
const MAX_COMMAND_LINE: u64 = 4096;

/// Reads the start information at `at`. The first module is the package of boot files.
pub fn read<'m>(physical: &dyn Physical<'m>, at: u64) -> Result<Boot<'m>, Refusal> {
    let info = StartInfo::read(physical, at).ok_or(Refusal::BadStartInfo)?;
    let memory = MemoryMap::from_firmware(memory_entries(info.memory))?;
    let package = info.package.ok_or(Refusal::NoPackage)?;
    let mut files = Files::default();
    files.push_archive(physical, package.at, package.length)?;
    Ok(Boot {
        command_line: info.command_line,
        memory,
        files,
        package: Some(package),
        information: info.spans,
        root_pointers: RootPointers { direct: info.root_pointer, ..RootPointers::default() },
    })
}

struct StartInfo<'m> {
    command_line: &'m [u8],
    memory: &'m [u8],
    package: Option<Span>,
    root_pointer: u64,
    spans: [Span; crate::boot::MAX_SPANS],
}

impl<'m> StartInfo<'m> {
    fn read(physical: &dyn Physical<'m>, at: u64) -> Option<Self> {
        let info = physical.bytes(at, LENGTH)?;
        if u32_at(info, 0)? != MAGIC || u32_at(info, 4)? < LEAST_VERSION {
            return None;
        }
        let modules = u32_at(info, 12)?;
        let modules_at = u64_at(info, 16)?;
        let command_line_at = u64_at(info, 24)?;
        let memory_at = u64_at(info, 40)?;
        let memory_length = u64::from(u32_at(info, 48)?) * MEMORY_ENTRY_LENGTH as u64;

        let package = if modules == 0 { None } else { Some(first_module(physical, modules_at)?) };
        let command_line = match command_line_at {
            0 => b"",
            at => physical::string(physical, at, MAX_COMMAND_LINE)?,
        };
        Some(StartInfo {
            command_line,
            memory: physical.bytes(memory_at, memory_length)?,
            package,
            root_pointer: u64_at(info, 32)?,
            spans: [
                Span { at, length: LENGTH },
                Span { at: modules_at, length: u64::from(modules) * MODULE_LENGTH },
                Span { at: command_line_at, length: command_line.len() as u64 + 1 },
                Span { at: memory_at, length: memory_length },
            ],
        })
    }
}

fn first_module(physical: &dyn Physical<'_>, at: u64) -> Option<Span> {
    let module = physical.bytes(at, MODULE_LENGTH)?;
    Some(Span { at: u64_at(module, 0)?, length: u64_at(module, 8)? })
}

fn memory_entries(table: &[u8]) -> impl Iterator<Item = (u64, u64, Kind)> + Clone {
    table
        .chunks_exact(MEMORY_ENTRY_LENGTH)
        .filter_map(|entry| Some((u64_at(entry, 0)?, u64_at(entry, 8)?, Kind::from_e820(u32_at(entry, 16)?))))
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use capos_cpio::Writer;

    use super::*;
    use crate::physical::fake::Fake;

    const INFO: u64 = 0x1000;
    const MODULES: u64 = 0x2000;
    const MEMORY: u64 = 0x3000;
    const LINE: u64 = 0x4000;
    const PACKAGE: u64 = 0x20_0000;

    fn info(version: u32, modules: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [MAGIC, version, 0, modules] {
            bytes.extend(word.to_le_bytes());
        }
        for word in [MODULES, LINE, 0xf_0000, MEMORY, 2] {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }

    fn package() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut sink = |piece: &[u8]| bytes.extend_from_slice(piece);
        let mut writer = Writer::new(&mut sink);
        writer.file("boot/kernel.elf", b"kernel").unwrap();
        writer.file("init", b"init!").unwrap();
        writer.finish();
        bytes
    }

    fn memory() -> Vec<u8> {
        let entries = [(0u64, 0x9_fc00u64, 1u64), (0x10_0000, 0x700_0000, 1)];
        entries.iter().flat_map(|&(a, b, c)| [a, b, c]).flat_map(u64::to_le_bytes).collect()
    }

    fn with<R>(info: &[u8], check: impl FnOnce(&Fake<'_>) -> R) -> R {
        let package = package();
        let module: Vec<u8> =
            [PACKAGE, package.len() as u64, 0, 0].into_iter().flat_map(u64::to_le_bytes).collect();
        let memory = memory();
        let mut line = b"panic=halt seed=1\0".to_vec();
        line.resize(4096, 0xaa);
        let ranges: Vec<(u64, &[u8])> =
            vec![(INFO, info), (MODULES, &module), (MEMORY, &memory), (LINE, &line), (PACKAGE, &package)];
        check(&Fake(ranges))
    }

    #[test]
    fn a_good_start_is_read() {
        with(&info(1, 1), |fake| {
            let boot = read(fake, INFO).unwrap();
            assert_eq!(boot.command_line, b"panic=halt seed=1");
            assert_eq!(boot.root_pointers.direct, 0xf_0000);
            assert_eq!(boot.files.all().len(), 2);
            let kernel = boot.files.kernel().unwrap();
            assert_eq!((kernel.at % 4096, kernel.length), (0, 6));
            assert_eq!(boot.files.modules().next().unwrap().name, b"init");
            assert_eq!(boot.memory.regions().iter().filter(|r| r.kind == Kind::Usable).count(), 2);
        });
    }

    #[test]
    fn no_package_is_refused() {
        with(&info(1, 0), |fake| assert_eq!(read(fake, INFO).unwrap_err(), Refusal::NoPackage));
    }

    #[test]
    fn old_and_foreign_information_is_refused() {
        with(&info(0, 1), |fake| assert_eq!(read(fake, INFO).unwrap_err(), Refusal::BadStartInfo));
        let mut foreign = info(1, 1);
        foreign[0] = 0;
        with(&foreign, |fake| assert_eq!(read(fake, INFO).unwrap_err(), Refusal::BadStartInfo));
        with(&info(1, 1), |fake| assert_eq!(read(fake, 0x9999).unwrap_err(), Refusal::BadStartInfo));
    }
}
