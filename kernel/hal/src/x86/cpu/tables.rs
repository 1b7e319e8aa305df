//! Descriptor tables of one CPU: GDT with its TSS, and the stacks that the TSS names.

use core::cell::UnsafeCell;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, FS, GS, SS, Segment};
use x86_64::instructions::tables::{lgdt, load_tss};
use x86_64::registers::segmentation::SegmentSelector;
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::{Descriptor, DescriptorFlags};
use x86_64::structures::tss::TaskStateSegment;

/// Kernel code segment.
pub const KERNEL_CODE: u16 = 0x08;
/// Kernel data segment.
pub const KERNEL_DATA: u16 = 0x10;
/// User data segment, with the user's privilege level.
pub const USER_DATA: u16 = 0x18 | 3;
/// User code segment, with the user's privilege level.
pub const USER_CODE: u16 = 0x20 | 3;
/// SYSRET takes SS from here + 8 and CS from here + 16 (Intel SDM vol. 2, SYSRET).
pub const SYSRET_BASE: u16 = 0x10 | 3;
const TASK: u16 = 0x28;

/// Indices into the interrupt stack table.
pub mod ist {
    /// Double fault: whatever stack there was is bad.
    pub const DOUBLE_FAULT: u16 = 0;
    /// Non-maskable interrupt: comes at any instruction, also before the kernel has its stack.
    pub const NMI: u16 = 1;
    /// Machine check: likewise.
    pub const MACHINE_CHECK: u16 = 2;
    /// Debug exception: a watched stack slot that is read by `mov ss` makes it come at the first instruction of the kernel, which
    /// for a system call is before there is a kernel stack.
    pub const DEBUG: u16 = 3;
    /// How many.
    pub const COUNT: usize = 4;
}

/// GDT and TSS of one CPU. Written by that CPU alone.
pub struct Tables {
    gdt: UnsafeCell<[u64; 7]>,
    task: UnsafeCell<TaskStateSegment>,
}

impl Tables {
    /// Empty, for a static.
    pub const fn new() -> Self {
        Tables { gdt: UnsafeCell::new([0; 7]), task: UnsafeCell::new(TaskStateSegment::new()) }
    }

    /// Fills the tables and loads them.
    ///
    /// # Safety
    /// Once per CPU, on the CPU that owns these tables; `stacks` are the tops of mapped stacks that nobody else uses.
    pub unsafe fn load(&'static self, stacks: [u64; ist::COUNT]) {
        let task = self.task.get();
        for (n, top) in stacks.into_iter().enumerate() {
            // SAFETY: we are the only user of this TSS, and it is not loaded yet.
            unsafe { (*task).interrupt_stack_table[n] = VirtAddr::new(top) };
        }
        // SAFETY: the TSS is in a static.
        let (low, high) = match unsafe { Descriptor::tss_segment_unchecked(task) } {
            Descriptor::SystemSegment(low, high) => (low, high),
            Descriptor::UserSegment(low) => (low, 0),
        };
        let entries = [
            0,
            DescriptorFlags::KERNEL_CODE64.bits(),
            DescriptorFlags::KERNEL_DATA.bits(),
            DescriptorFlags::USER_DATA.bits(),
            DescriptorFlags::USER_CODE64.bits(),
            low,
            high,
        ];
        // SAFETY: as for the TSS.
        unsafe { *self.gdt.get() = entries };
        let limit = u16::try_from(size_of_val(&entries) - 1).unwrap_or(0);
        // SAFETY: the table is complete, in a static, and its selectors are the constants above.
        unsafe {
            lgdt(&DescriptorTablePointer { limit, base: VirtAddr::from_ptr(self.gdt.get()) });
            CS::set_reg(SegmentSelector(KERNEL_CODE));
            SS::set_reg(SegmentSelector(KERNEL_DATA));
            let none = SegmentSelector::NULL;
            DS::set_reg(none);
            ES::set_reg(none);
            FS::set_reg(none);
            GS::set_reg(none);
            load_tss(SegmentSelector(TASK));
        }
    }

    /// Where the processor pushes its frame when it leaves user mode: the end of the frame in the running thread's context.
    #[inline]
    pub fn set_entry_frame(&self, end: u64) {
        // SAFETY: only the owning CPU calls this, and the processor reads the field only on entry from user mode. Contexts lie in
        // the kernel half, so the address is canonical.
        unsafe { (*self.task.get()).privilege_stack_table[0] = VirtAddr::new_unsafe(end) };
    }
}
