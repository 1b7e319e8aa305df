//! Writing the responses. Layouts are those of PROTOCOL.md; every one of them is a row of 64-bit words.

use super::Feature;
use super::arena::Arena;
use super::scan::Requests;
use crate::boot::File;
use crate::map::{MAX_REGIONS, MemoryMap};
use crate::smbios::EntryPoints;
use crate::{HHDM, NAME, Refusal, VERSION};

/// The least stack of the protocol.
pub const LEAST_STACK: u64 = 64 << 10;

/// The most that a stack size request gets.
pub const MOST_STACK: u64 = 16 << 20;

/// Length of a processor's record.
pub const PROCESSOR_LENGTH: u64 = 32;

/// Where in a processor's record the address is written that starts it.
pub const PROCESSOR_GOTO: u64 = 16;

/// What there is to tell.
pub struct Facts<'a> {
    /// The kernel's command line.
    pub command_line: &'a [u8],
    /// The kernel's own file.
    pub kernel: File<'a>,
    /// All boot files, the kernel among them.
    pub files: &'a crate::boot::Files<'a>,
    /// The map as the kernel shall see it.
    pub memory: &'a MemoryMap,
    /// Physical address of ACPI's root pointer, or 0.
    pub root_pointer: u64,
    /// SMBIOS.
    pub smbios: EntryPoints,
    /// Physical address of UEFI's system table, or 0.
    pub efi_system_table: u64,
    /// UNIX time at boot.
    pub boot_time: Option<i64>,
    /// Where the kernel lies: physical and virtual.
    pub kernel_address: (u64, u64),
    /// The processors that run, if they were asked for.
    pub processors: Option<Processors<'a>>,
}

/// The processors that run.
pub struct Processors<'a> {
    /// x2APIC mode is on.
    pub x2apic: bool,
    /// Local APIC id of the processor that boots.
    pub boot_apic_id: u32,
    /// Addresses of the records made by [`processor_record`].
    pub records: &'a [u64],
}

/// Bytes that the responses can need at most.
pub fn room(files: &[File<'_>], command_line: &[u8], processors: usize) -> u64 {
    let texts: usize = files.iter().map(|file| file.name.len() + file.arguments.len()).sum();
    let records = files.len() * 160 + MAX_REGIONS * 32 + processors * 40 + 1024;
    (texts + 3 * command_line.len() + records) as u64
}

/// The stack that the kernel wants, in bytes.
pub fn stack_size(image: &[u8], requests: &Requests) -> u64 {
    let wanted = requests.member(image, Feature::StackSize, 0).unwrap_or(0);
    wanted.clamp(LEAST_STACK, MOST_STACK).next_multiple_of(crate::PAGE)
}

/// Refuses what this loader cannot give: five levels of paging and nothing less.
pub fn check_paging_mode(image: &[u8], requests: &Requests) -> Result<(), Refusal> {
    let has_least = requests.revision(image, Feature::PagingMode).is_some_and(|revision| revision >= 1);
    let least = requests.member(image, Feature::PagingMode, 2).filter(|_| has_least).unwrap_or(0);
    if least > 0 { Err(Refusal::FiveLevelPaging) } else { Ok(()) }
}

/// Makes the record of a processor: its numbers, and the place where the kernel writes where it shall go.
pub fn processor_record(arena: &mut Arena<'_>, uid: u32, apic_id: u32) -> Result<u64, Refusal> {
    arena.words(&[u64::from(apic_id) << 32 | u64::from(uid), 0, 0, 0])
}

/// Answers every request that there is something to say to.
pub fn answer(
    image: &mut [u8],
    requests: &Requests,
    arena: &mut Arena<'_>,
    facts: &Facts<'_>,
) -> Result<(), Refusal> {
    for known in &super::FEATURES {
        if requests.has(known.feature)
            && let Some(address) = response(known.feature, arena, facts)?
        {
            requests.respond(image, known.feature, address);
        }
    }
    Ok(())
}

/// Address of the response to one request; `None` leaves it null.
fn response(feature: Feature, arena: &mut Arena<'_>, facts: &Facts<'_>) -> Result<Option<u64>, Refusal> {
    let direct = |physical: u64| if physical == 0 { 0 } else { HHDM + physical };
    let words = match feature {
        Feature::BootloaderInfo => {
            let (name, version) = (arena.string(NAME.as_bytes())?, arena.string(VERSION.as_bytes())?);
            arena.words(&[0, name, version])
        }
        Feature::FirmwareType => arena.words(&[0, if facts.efi_system_table == 0 { 0 } else { 2 }]),
        Feature::StackSize | Feature::EntryPoint => arena.words(&[0]),
        Feature::DirectMap => arena.words(&[0, HHDM]),
        Feature::PagingMode => arena.words(&[1, 0]),
        Feature::Processors => match &facts.processors {
            Some(processors) => processor_list(arena, processors),
            None => return Ok(None),
        },
        Feature::MemoryMap => memory_map(arena, facts.memory),
        Feature::KernelFile => {
            let file = file(arena, &facts.kernel, facts.command_line)?;
            arena.words(&[0, file])
        }
        Feature::CommandLine => {
            let line = arena.string(facts.command_line)?;
            arena.words(&[0, line])
        }
        Feature::Modules => modules(arena, facts),
        Feature::RootPointer if facts.root_pointer == 0 => return Ok(None),
        Feature::RootPointer => arena.words(&[0, direct(facts.root_pointer)]),
        Feature::Smbios if facts.smbios == EntryPoints::default() => return Ok(None),
        Feature::Smbios => arena.words(&[0, direct(facts.smbios.entry_32), direct(facts.smbios.entry_64)]),
        Feature::EfiSystemTable if facts.efi_system_table == 0 => return Ok(None),
        Feature::EfiSystemTable => arena.words(&[0, direct(facts.efi_system_table)]),
        Feature::BootTime => match facts.boot_time {
            Some(time) => arena.words(&[0, time.cast_unsigned()]),
            None => return Ok(None),
        },
        Feature::KernelAddress => arena.words(&[0, facts.kernel_address.0, facts.kernel_address.1]),
    };
    words.map(Some)
}

fn processor_list(arena: &mut Arena<'_>, processors: &Processors<'_>) -> Result<u64, Refusal> {
    let list = arena.words(processors.records)?;
    let flags = u64::from(processors.boot_apic_id) << 32 | u64::from(processors.x2apic);
    arena.words(&[0, flags, processors.records.len() as u64, list])
}

fn memory_map(arena: &mut Arena<'_>, memory: &MemoryMap) -> Result<u64, Refusal> {
    let regions = memory.regions();
    let list = arena.list(regions.len())?;
    for (index, region) in regions.iter().enumerate() {
        let entry = arena.words(&[region.base, region.end - region.base, region.kind as u64])?;
        arena.set(list + 8 * index as u64, entry);
    }
    arena.words(&[0, regions.len() as u64, list])
}

fn modules(arena: &mut Arena<'_>, facts: &Facts<'_>) -> Result<u64, Refusal> {
    let count = facts.files.modules().count();
    let list = arena.list(count)?;
    for (index, module) in facts.files.modules().enumerate() {
        let file = file(arena, module, module.arguments)?;
        arena.set(list + 8 * index as u64, file);
    }
    arena.words(&[0, count as u64, list])
}

/// A file record. Of media, disks and partitions there is nothing to say.
fn file(arena: &mut Arena<'_>, file: &File<'_>, command_line: &[u8]) -> Result<u64, Refusal> {
    let path = arena.path(file.name)?;
    let command_line = arena.string(command_line)?;
    arena.words(&[0, HHDM + file.at, file.length, path, command_line, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}
