//! From boot information to the kernel's first instruction.

use core::convert::Infallible;

use loader::acpi::{self, RootPointer};
use loader::boot::{self, Boot, Span, Way};
use loader::elf::KernelFile;
use loader::limine::Feature;
use loader::limine::answer::{self, Facts};
use loader::limine::arena::Arena;
use loader::limine::scan::Requests;
use loader::map::{Kind, Want};
use loader::paging::{Access, NoTable, Space};
use loader::physical::Physical;
use loader::{HHDM, PAGE, Refusal, smbios};

use super::crew::{Crew, MOST_PROCESSORS};
use super::memory::{self, Direct, Pool};
use super::processor::{self, Features};
use super::{entry, files, firmware, leap};

unsafe extern "C" {
    static image_start: u8;
    static text_end: u8;
    static rodata_end: u8;
    static image_end: u8;
}

/// What the loader works with.
pub struct Loader {
    /// What the processor can do.
    pub features: Features,
    /// The physical memory within reach.
    pub direct: Direct,
    /// What the way of entry told; its memory map is where all memory comes from.
    pub boot: Boot<'static>,
    /// The address space that the kernel gets.
    pub space: Space,
    /// ACPI.
    pub root: Option<RootPointer>,
}

/// The kernel in memory, with what it asks for.
pub struct Kernel {
    file: KernelFile<'static>,
    at: u64,
    /// Its memory.
    pub image: &'static mut [u8],
    /// Its requests.
    pub requests: Requests,
    entry: u64,
    /// The size of stack that it wants.
    pub stack_length: u64,
}

/// Boots, or says why not.
pub fn boot(way: Way, information: u64) -> Result<Infallible, Refusal> {
    let mut loader = Loader::new(way, information)?;
    let kernel = loader.load_kernel()?;
    loader.map_kernel(&kernel)?;
    loader.map_itself()?;
    firmware::silence(&loader);
    loader.enter(kernel)
}

impl Loader {
    /// Reads the boot information, brings all memory into reach and the boot files onto pages of their own.
    fn new(way: Way, information: u64) -> Result<Loader, Refusal> {
        let features = Features::probe();
        let mut direct = Direct::low();
        let mut boot = boot::read(way, &direct, information)?;
        files::claim(&mut boot, itself())?;
        let space = Space::new(&mut Pool { map: &mut boot.memory }, features.no_execute).map_err(no_table)?;
        direct.cover(&space, &mut boot.memory).map_err(no_table)?;
        files::settle(&mut boot, &direct)?;
        firmware::cover(&mut direct, &space, &mut boot).map_err(no_table)?;
        let root = acpi::find_root(&direct, &boot.root_pointers);
        Ok(Loader { features, direct, boot, space, root })
    }

    /// Loads the kernel's file and reads its requests.
    fn load_kernel(&mut self) -> Result<Kernel, Refusal> {
        let file = self.boot.files.kernel()?;
        let bytes =
            self.direct.bytes(file.at, file.length).ok_or(Refusal::OutOfMemory("kernel.elf", file.length))?;
        let file = KernelFile::parse(bytes)?;
        let (at, image) = self.allocate(file.length, Kind::KernelAndModules, "the kernel")?;
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

    fn map_kernel(&mut self, kernel: &Kernel) -> Result<(), Refusal> {
        for segment in kernel.file.segments() {
            let (first, end) = segment.pages();
            let access = match segment {
                segment if segment.executable => Access::Execute,
                segment if segment.writable => Access::Write,
                _ => Access::Read,
            };
            let at = kernel.at + (first - kernel.file.base);
            self.map(first, Span { at, length: end - first }, access)?;
        }
        Ok(())
    }

    /// Maps this image where it is: the jump and the parked processors run here on the kernel's tables.
    fn map_itself(&mut self) -> Result<(), Refusal> {
        let borders =
            [&raw const image_start, &raw const text_end, &raw const rodata_end, &raw const image_end];
        let borders = borders.map(|border| border.addr() as u64);
        for (part, access) in borders.windows(2).zip([Access::Execute, Access::Read, Access::Write]) {
            if let [start, end] = *part {
                self.map(start, Span { at: start, length: end - start }, access)?;
            }
        }
        Ok(())
    }

    /// The last part: the other processors, the responses, and the jump.
    fn enter(mut self, kernel: Kernel) -> Result<Infallible, Refusal> {
        let stack = self.new_stack(kernel.stack_length)?;
        let root_pointer = firmware::settle_root(&mut self)?;
        let room = answer::room(self.boot.files.all(), self.boot.command_line, MOST_PROCESSORS);
        let (at, bytes) = self.allocate(room, Kind::Reclaimable, "responses")?;
        let mut arena = Arena::new(bytes, HHDM + at);
        let crew = Crew::gather(&mut self, &kernel, &mut arena)?;
        let facts = Facts {
            command_line: self.boot.command_line,
            kernel: self.boot.files.kernel()?,
            files: &self.boot.files,
            memory: &self.boot.memory,
            root_pointer,
            smbios: smbios::find(&self.direct, &self.boot.root_pointers),
            efi_system_table: self.boot.root_pointers.efi_system_table,
            boot_time: firmware::boot_time(&kernel.requests),
            kernel_address: (kernel.at, kernel.file.base),
            processors: crew.as_ref().map(Crew::tell),
        };
        answer::answer(kernel.image, &kernel.requests, &mut arena, &facts)?;
        files::clear_tails(&self.boot.files);
        assert!(entry::stack_is_whole(), "the boot stack is too small");
        self.features.set_page_attributes();
        // SAFETY: the new tables map this code and its stack where they are, and what the protocol promises: the direct map, the
        // kernel, its stack. The entry point was checked to be the kernel's code.
        unsafe {
            processor::load_tables(self.space.root());
            leap::leap(kernel.entry, stack, 0)
        }
    }

    /// Maps pages at `address`.
    pub fn map(&mut self, address: u64, from: Span, access: Access) -> Result<(), Refusal> {
        let mut pool = Pool { map: &mut self.boot.memory };
        self.space.map(&mut pool, address, from, access).map_err(no_table)
    }

    /// Allocates whole pages, zeroed.
    pub fn allocate(
        &mut self,
        length: u64,
        kind: Kind,
        what: &'static str,
    ) -> Result<(u64, &'static mut [u8]), Refusal> {
        memory::allocate(&mut self.boot.memory, Want::pages(length, kind), what)
    }

    /// A stack; its end, in the direct map.
    pub fn new_stack(&mut self, length: u64) -> Result<u64, Refusal> {
        let (at, _) = self.allocate(length, Kind::Reclaimable, "a stack")?;
        Ok(HHDM + at + length)
    }
}

/// Where this image lies.
fn itself() -> Span {
    let (start, end) = ((&raw const image_start).addr(), (&raw const image_end).addr());
    Span { at: start as u64, length: (end - start) as u64 }
}

fn no_table(_: NoTable) -> Refusal {
    Refusal::OutOfMemory("page tables", PAGE)
}
