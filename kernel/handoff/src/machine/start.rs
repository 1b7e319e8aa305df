//! From boot information to the kernel's first instruction.

use core::convert::Infallible;

use loader::acpi::{self, MadtEntry, RootPointer};
use loader::boot::{self, Boot, Span, Way};
use loader::elf::KernelFile;
use loader::limine::Feature;
use loader::limine::answer::{self, Facts, Processors};
use loader::limine::arena::Arena;
use loader::limine::scan::Requests;
use loader::map::{Kind, MemoryMap, Want};
use loader::paging::{Access, NoTable, Space};
use loader::physical::Physical;
use loader::{HHDM, PAGE, Refusal, clock, efi, smbios};

use super::apic::{self, LocalApic};
use super::memory::{self, Direct, Pool};
use super::parking::Trampoline;
use super::processor::{self, Features};
use super::serial::say;
use super::{leap, port};

/// Most processors that are started.
const MOST_PROCESSORS: usize = 256;
/// The highest APIC id that the xAPIC can reach.
const MOST_XAPIC_ID: u32 = 254;

unsafe extern "C" {
    static image_start: u8;
    static text_end: u8;
    static rodata_end: u8;
    static image_end: u8;
}

/// The kernel in memory, ready to be asked for its requests.
struct Kernel<'m> {
    file: KernelFile<'m>,
    at: u64,
    image: &'static mut [u8],
    requests: Requests,
    entry: u64,
    stack_length: u64,
}

/// Boots, or says why not.
pub fn boot(way: Way, information: u64) -> Result<Infallible, Refusal> {
    let features = Features::probe();
    let mut direct = Direct::low();
    let mut boot = boot::read(way, &direct, information)?;
    claim(&mut boot)?;
    let space = Space::new(&mut Pool { map: &mut boot.memory }, features.no_execute).map_err(no_table)?;
    direct.cover(&space, &mut boot.memory).map_err(no_table)?;
    settle_files(&mut boot, &direct)?;
    cover_firmware(&mut direct, &space, &mut boot)?;
    let root = acpi::find_root(&direct, &boot.root_pointers);

    let kernel = load(&mut boot, &direct)?;
    map_kernel(&mut boot.memory, &space, &kernel)?;
    map_loader(&mut boot.memory, &space)?;
    silence(&direct, root);
    let stack = new_stack(&mut boot.memory, kernel.stack_length)?;
    answer_all(&mut boot, &direct, &space, &features, root, kernel, stack)
}

/// The last part: responses, other processors, and the jump.
fn answer_all(
    boot: &mut Boot<'static>,
    direct: &Direct,
    space: &Space,
    features: &Features,
    root: Option<RootPointer>,
    kernel: Kernel<'_>,
    stack: u64,
) -> Result<Infallible, Refusal> {
    let root_pointer = settle_root(&mut boot.memory, direct, root)?;
    let room = answer::room(boot.files.all(), boot.command_line, MOST_PROCESSORS);
    let (at, bytes) = memory::allocate(&mut boot.memory, Want::pages(room, Kind::Reclaimable), "responses")?;
    let mut arena = Arena::new(bytes, HHDM + at);

    let mut records = [0; MOST_PROCESSORS];
    let want_processors = kernel.requests.has(Feature::Processors);
    let mut crew = None;
    if want_processors {
        let want_x2apic = kernel.requests.member(kernel.image, Feature::Processors, 0).unwrap_or(0) & 1 != 0;
        if let Some(apic) = LocalApic::open(features, want_x2apic) {
            let gather =
                Gather { boot, direct, space, features, root, apic, stack_length: kernel.stack_length };
            crew = Some((apic, gather.start(&mut arena, &mut records)?));
        }
    }
    let facts = Facts {
        command_line: boot.command_line,
        kernel: boot.files.kernel()?,
        files: &boot.files,
        memory: &boot.memory,
        root_pointer,
        smbios: smbios::find(direct, &boot.root_pointers),
        efi_system_table: boot.root_pointers.efi_system_table,
        boot_time: boot_time(&kernel.requests),
        kernel_address: (kernel.at, kernel.file.base),
        processors: crew.map(|(apic, count)| Processors {
            x2apic: apic.x2apic,
            boot_apic_id: apic.id(),
            records: records.get(..count).unwrap_or(&[]),
        }),
    };
    answer::answer(kernel.image, &kernel.requests, &mut arena, &facts)?;
    for file in boot.files.all() {
        memory::clear_tail(file.at, file.length);
    }
    features.set_page_attributes();
    // SAFETY: the new tables map this code and its stack where they are, and what the protocol promises: the direct map, the kernel,
    // its stack. The entry point was checked to be the kernel's code.
    unsafe {
        processor::load_tables(space.root());
        leap::leap(kernel.entry, stack, 0)
    }
}

/// Takes out of the usable memory what is in use: this image, the boot information, the boot files.
fn claim(boot: &mut Boot<'_>) -> Result<(), Refusal> {
    let Boot { memory, files, package, information, .. } = boot;
    let (start, end) = ((&raw const image_start).addr(), (&raw const image_end).addr());
    memory.claim_usable_parts(start as u64, (end - start) as u64, Kind::Reclaimable)?;
    for span in information {
        memory.claim_usable_parts(span.at, span.length, Kind::Reclaimable)?;
    }
    let in_files = files.all().iter().map(|file| Span { at: file.at, length: file.length });
    for span in package.iter().copied().chain(in_files) {
        memory.claim_usable_parts(span.at, span.length, Kind::KernelAndModules)?;
    }
    Ok(())
}

/// Moves each boot file that does not start on a page, or whose pages are not its own, to fresh pages.
fn settle_files(boot: &mut Boot<'static>, direct: &Direct) -> Result<(), Refusal> {
    let Boot { memory, files, .. } = boot;
    for file in files.all_mut() {
        if file.at % PAGE == 0 && memory.is_all(file.at, file.length, Kind::KernelAndModules) {
            continue;
        }
        let from =
            direct.bytes(file.at, file.length).ok_or(Refusal::OutOfMemory("a boot file", file.length))?;
        let want = Want::pages(file.length.max(1), Kind::KernelAndModules);
        let (at, to) = memory::allocate(memory, want, "a boot file")?;
        to[..from.len()].copy_from_slice(from);
        file.at = at;
    }
    Ok(())
}

/// Brings firmware tables that lie above 4 GiB into reach.
fn cover_firmware(direct: &mut Direct, space: &Space, boot: &mut Boot<'_>) -> Result<(), Refusal> {
    let system = boot.root_pointers.efi_system_table;
    direct.cover_table(space, &mut boot.memory, system).map_err(no_table)?;
    let configuration = efi::configuration_at(direct, system).filter(|_| system != 0).unwrap_or(0);
    direct.cover_table(space, &mut boot.memory, configuration).map_err(no_table)?;
    let tables = efi::Tables::read(direct, system);
    for at in [tables.acpi_2, tables.acpi_1, tables.smbios, tables.smbios_3, boot.root_pointers.direct] {
        direct.cover_table(space, &mut boot.memory, at).map_err(no_table)?;
    }
    Ok(())
}

/// Loads the kernel's file and reads its requests.
fn load(boot: &mut Boot<'static>, direct: &Direct) -> Result<Kernel<'static>, Refusal> {
    let file = boot.files.kernel()?;
    let bytes = direct.bytes(file.at, file.length).ok_or(Refusal::OutOfMemory("kernel.elf", file.length))?;
    let file = KernelFile::parse(bytes)?;
    let want = Want::pages(file.length, Kind::KernelAndModules);
    let (at, image) = memory::allocate(&mut boot.memory, want, "the kernel")?;
    file.load(image)?;
    let requests = Requests::find(image)?;
    answer::check_paging_mode(image, &requests)?;
    let entry = requests.member(image, Feature::EntryPoint, 0).unwrap_or(file.entry);
    if !file.is_code(entry) {
        return Err(Refusal::BadEntryPoint(entry));
    }
    let stack_length = answer::stack_size(image, &requests);
    Ok(Kernel { file, at, image, requests, entry, stack_length })
}

fn map_kernel(memory: &mut MemoryMap, space: &Space, kernel: &Kernel<'_>) -> Result<(), Refusal> {
    for segment in kernel.file.segments() {
        let (first, end) = segment.pages();
        let access = match segment {
            segment if segment.executable => Access::Execute,
            segment if segment.writable => Access::Write,
            _ => Access::Read,
        };
        map(memory, space, first, kernel.at + (first - kernel.file.base), end - first, access)?;
    }
    Ok(())
}

/// Maps this image where it is: the jump and the parked processors run here on the kernel's tables.
fn map_loader(memory: &mut MemoryMap, space: &Space) -> Result<(), Refusal> {
    let borders = [&raw const image_start, &raw const text_end, &raw const rodata_end, &raw const image_end];
    let borders = borders.map(|border| border.addr() as u64);
    for (window, access) in borders.windows(2).zip([Access::Execute, Access::Read, Access::Write]) {
        if let [start, end] = *window {
            map(memory, space, start, start, end - start, access)?;
        }
    }
    Ok(())
}

/// Maps pages, with tables from the map.
pub fn map(
    memory: &mut MemoryMap,
    space: &Space,
    address: u64,
    at: u64,
    length: u64,
    access: Access,
) -> Result<(), Refusal> {
    space.map(&mut Pool { map: memory }, address, Span { at, length }, access).map_err(no_table)
}

/// "Legacy PIC and I/O APIC IRQs are all masked."
fn silence(direct: &Direct, root: Option<RootPointer>) {
    port::mask_pic();
    for entry in root.map(|root| acpi::madt(direct, root)).into_iter().flatten() {
        if let MadtEntry::IoApic(address) = entry {
            apic::mask_io_apic(address);
        }
    }
}

/// A stack; its end, in the direct map.
fn new_stack(map: &mut MemoryMap, length: u64) -> Result<u64, Refusal> {
    let (at, _) = memory::allocate(map, Want::pages(length, Kind::Reclaimable), "a stack")?;
    Ok(HHDM + at + length)
}

/// Physical address of the root pointer, moved out of the boot information if it is only a copy there; 0 without one.
fn settle_root(map: &mut MemoryMap, direct: &Direct, root: Option<RootPointer>) -> Result<u64, Refusal> {
    let Some(root) = root else { return Ok(0) };
    let Some(bytes) = direct.bytes(root.at, root.length).filter(|_| root.is_copy) else { return Ok(root.at) };
    let (at, page) = memory::allocate(map, Want::pages(root.length, Kind::Reclaimable), "the RSDP")?;
    page[..bytes.len()].copy_from_slice(bytes);
    Ok(at)
}

fn boot_time(requests: &Requests) -> Option<i64> {
    if !requests.has(Feature::BootTime) {
        return None;
    }
    port::clock().and_then(clock::unix_time)
}

fn no_table(_: NoTable) -> Refusal {
    Refusal::OutOfMemory("page tables", PAGE)
}

/// What it takes to start the other processors.
struct Gather<'b> {
    boot: &'b mut Boot<'static>,
    direct: &'b Direct,
    space: &'b Space,
    features: &'b Features,
    root: Option<RootPointer>,
    apic: LocalApic,
    stack_length: u64,
}

impl Gather<'_> {
    /// Starts every processor that the MADT names. Says how many run; their records' addresses are in `records`.
    fn start(self, arena: &mut Arena<'_>, records: &mut [u64; MOST_PROCESSORS]) -> Result<usize, Refusal> {
        let own = self.apic.id();
        let mut seen = [0; MOST_PROCESSORS];
        let mut trampoline = None;
        let mut count = 0;
        let mut taken = 0;
        for (uid, apic_id) in self.processors(own) {
            let Some(place) = seen.get_mut(taken) else {
                say(format_args!("only the first {MOST_PROCESSORS} processors are started"));
                break;
            };
            *place = apic_id;
            if seen.iter().take(taken).any(|&other| other == apic_id) {
                continue;
            }
            taken += 1;
            let record = answer::processor_record(arena, uid, apic_id)?;
            if apic_id != own {
                let memory = &mut self.boot.memory;
                let stack = new_stack(memory, self.stack_length)?;
                let trampoline = match &mut trampoline {
                    Some(trampoline) => trampoline,
                    none => none.insert(Trampoline::install(memory, self.space, self.features)?),
                };
                if !trampoline.start(&self.apic, apic_id, stack, record) {
                    say(format_args!("processor {apic_id} does not start"));
                    continue;
                }
            }
            if let Some(place) = records.get_mut(count) {
                *place = record;
                count += 1;
            }
        }
        Ok(count)
    }

    /// The processors that can be reached; the one that boots is always among them, even without tables.
    fn processors(&self, own: u32) -> impl Iterator<Item = (u32, u32)> + use<> {
        let x2apic = self.apic.x2apic;
        let listed = self.root.map(|root| acpi::madt(self.direct, root)).into_iter().flatten();
        let listed = listed.filter_map(move |entry| match entry {
            MadtEntry::Processor { uid, apic_id } if x2apic || apic_id <= MOST_XAPIC_ID => {
                Some((uid, apic_id))
            }
            _ => None,
        });
        let mut own_listed = listed.clone();
        let missing = own_listed.all(|(_, apic_id)| apic_id != own).then_some((0, own));
        missing.into_iter().chain(listed)
    }
}
