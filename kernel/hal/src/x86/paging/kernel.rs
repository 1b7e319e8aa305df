//! The kernel's own address space. The loader's tables are not trusted: under real Limine the direct map and the stack are
//! writable and executable at once.
//!
//! | where | what | how |
//! |---|---|---|
//! | the loader's direct map offset | all RAM the kernel may use | no-execute; read-only where files and the kernel image lie |
//! | [`HEAP_BASE`] | kernel heap, grows | read-write, no-execute |
//! | [`WINDOW_BASE`] | devices and firmware tables | no-execute |
//! | [`STACK_BASE`] | stacks of each CPU with unmapped pages between | read-write, no-execute |
//! | the top 2 GiB | kernel image | by section, never writable and executable |
//!
//! The top-level entries of this half are made at boot and are the same in every address space.

use super::{ENTRIES, KERNEL_HALF, NoTable, PAGE, bits, entry, map_range, table};
use crate::x86::boot::layout::{self, Image};
use crate::x86::cpu::control;
use crate::x86::mem::phys;
use core::sync::atomic::{AtomicU64, Ordering};
use limine::memory_map::{Entry, EntryType};

/// Kernel heap.
pub const HEAP_BASE: u64 = 0xffff_fe00_0000_0000;
/// Devices and firmware tables.
pub const WINDOW_BASE: u64 = 0xffff_fe80_0000_0000;
/// Stacks.
pub const STACK_BASE: u64 = 0xffff_ff00_0000_0000;

static ROOT: AtomicU64 = AtomicU64::new(0);

/// Physical address of the top table.
#[inline]
pub fn root() -> u64 {
    ROOT.load(Ordering::Relaxed)
}

const DATA: u64 = bits::WRITABLE | bits::NO_EXECUTE | bits::GLOBAL;
const CONSTANT: u64 = bits::NO_EXECUTE | bits::GLOBAL;
const CODE: u64 = bits::GLOBAL;

/// Builds the tables and switches to them.
///
/// # Safety
/// On the boot CPU, once, while the loader's tables with its direct map are loaded; `memory` and `image` are what it reported.
pub unsafe fn init(memory: &[&Entry], image: &Image) -> Result<(), NoTable> {
    let root = phys::kernel_frame().ok_or(NoTable)?;
    ROOT.store(root, Ordering::Relaxed);
    for range in memory {
        let flags = match range.entry_type {
            EntryType::USABLE | EntryType::BOOTLOADER_RECLAIMABLE => DATA,
            EntryType::EXECUTABLE_AND_MODULES => CONSTANT,
            _ => continue,
        };
        let (start, end) = (range.base.next_multiple_of(PAGE), (range.base + range.length) / PAGE * PAGE);
        // SAFETY: fresh tables; ranges of the memory map do not overlap.
        unsafe { map_range(root, phys::offset() + start, start, end.saturating_sub(start), flags)? };
    }
    for (section, flags) in [(layout::text(), CODE), (layout::constants(), CONSTANT), (layout::data(), DATA)]
    {
        let pa = section.start - image.virtual_base + image.physical_base;
        // SAFETY: the sections are page aligned and disjoint (kernel.ld).
        unsafe { map_range(root, section.start, pa, section.end - section.start, flags)? };
    }
    for base in [HEAP_BASE, WINDOW_BASE, STACK_BASE] {
        // SAFETY: makes the tables of the region, so that the top-level entry exists from the beginning.
        unsafe { entry(root, base, 1, &mut phys::kernel_frame)? };
    }
    control::enable_no_execute();
    load();
    Ok(())
}

/// Makes this CPU use the kernel's address space.
pub fn load() {
    // SAFETY: the tables map the running code, its stack (through the direct map or our own region) and all data it uses.
    unsafe { load_root(root()) };
}

/// # Safety
/// `root` is a top table whose kernel half is ours.
#[inline]
pub unsafe fn load_root(root: u64) {
    // SAFETY: passed on. A plain write flushes all translations that are not global.
    unsafe { core::arch::asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) };
}

/// Maps one fresh frame at `va` of the kernel half for data.
pub fn map_fresh(va: u64) -> Result<(), NoTable> {
    let frame = phys::kernel_frame().ok_or(NoTable)?;
    // SAFETY: callers own `va`: the heap under its lock, stacks at boot. The frame is nobody else's.
    unsafe { map_range(root(), va, frame, PAGE, DATA) }
}

/// Copies the kernel half into the top table of a new address space.
///
/// # Safety
/// `top` is a fresh frame.
pub unsafe fn share_kernel_half(top: u64) {
    // SAFETY: both are top tables.
    let (from, to) = unsafe { (table(root()), table(top)) };
    for n in KERNEL_HALF..ENTRIES {
        to[n].store(from[n].load(Ordering::Relaxed), Ordering::Relaxed);
    }
}
