//! From the loader's jump to the kernel core, in order.

use super::layout::Image;
use super::{info, requests};
use crate::x86::cpu::fpu;
use crate::x86::cpu::probe::features;
use crate::x86::mem::{heap, phys};
use crate::x86::paging::kernel;
use crate::x86::panic::refuse;
use crate::x86::traps::entry::capos_resume;
use crate::x86::{acpi, apic, console, iommu, panic, pci, smp, start, time, traps};
use core::arch::naked_asm;
use limine::memory_map::Entry;

/// Where the loader jumps to, on its own stack with interrupts off.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "cld", "call {begin}", begin = sym begin)
}

/// Everything that needs the loader's tables and stack.
extern "sysv64" fn begin() -> ! {
    console::init();
    check_loader();
    if let Some(missing) = features().missing() {
        refuse(format_args!("this processor lacks {missing}"));
    }
    let Some(direct_map) = requests::DIRECT_MAP.get_response() else {
        refuse(format_args!("the loader gave no direct map"))
    };
    let Some(address) = requests::ADDRESS.get_response() else {
        refuse(format_args!("the loader gave no kernel address"))
    };
    let memory = memory_map();
    phys::init_early(direct_map.offset(), memory);
    let image = Image { physical_base: address.physical_base(), virtual_base: address.virtual_base() };
    // SAFETY: first and only time, on the loader's tables.
    if unsafe { kernel::init(memory, &image) }.is_err() || !phys::init(memory) || !heap::init() {
        refuse(format_args!("too little memory for the kernel itself"));
    }
    match smp::make_stacks(0) {
        // SAFETY: the stack is fresh; what is on the old one is not used again.
        Some(stacks) => unsafe { continue_on(stacks.main, proceed) },
        None => refuse(format_args!("too little memory for the kernel's stacks")),
    }
}

/// Calls `next` on another stack.
///
/// # Safety
/// `stack` is the top of a mapped, unused stack.
pub unsafe fn continue_on(stack: u64, next: extern "sysv64" fn() -> !) -> ! {
    // SAFETY: the caller says so; nothing returns to the old stack.
    unsafe {
        core::arch::asm!("mov rsp, {}", "xor ebp, ebp", "call {}", in(reg) stack, in(reg) next, options(noreturn))
    }
}

fn check_loader() {
    // A loader that knows the revision sets the field to 0; one that does not know any leaves it.
    let known = requests::BASE_REVISION.is_supported();
    match requests::BASE_REVISION.loaded_revision() {
        Some(loaded) if !known || loaded != requests::REVISION => refuse(format_args!(
            "the loader uses Limine base revision {loaded}, {} is needed",
            requests::REVISION
        )),
        None if !known => {
            refuse(format_args!("the loader does not know Limine base revision {}", requests::REVISION))
        }
        _ => {}
    }
}

fn memory_map() -> &'static [&'static Entry] {
    match requests::MEMORY_MAP.get_response() {
        Some(map) => map.entries(),
        None => refuse(format_args!("the loader gave no memory map")),
    }
}

/// The rest, on the kernel's own stack and tables.
extern "sysv64" fn proceed() -> ! {
    traps::init();
    smp::adopt_boot_cpu();
    panic::find_symbols();
    acpi::init();
    apic::init();
    smp::begin_cpu();
    fpu::init();
    acpi::init_interrupts();
    pci::init();
    let date =
        requests::DATE.get_response().map(|date| date.timestamp().as_secs()).filter(|seconds| *seconds > 0);
    if time::init(date).is_err() {
        refuse(format_args!("no clock of known rate: neither HPET nor PIT answers, and CPUID does not tell"));
    }
    time::init_cpu();
    iommu::init();
    if info::collect(memory_map()).is_err() {
        refuse(format_args!("too little memory for the boot files"));
    }
    if smp::start_others() {
        info::reclaim(memory_map());
    }
    start::call_kernel_main();
    smp::release_others();
    (start::handlers().kick)();
    // SAFETY: GS base is this CPU's structure.
    unsafe { capos_resume() }
}
