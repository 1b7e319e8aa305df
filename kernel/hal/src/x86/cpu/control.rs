//! Control registers, EFER, the SYSCALL registers: every CPU gets the same settings, whatever the loader left.

use super::probe::features;
use super::tables::{KERNEL_CODE, SYSRET_BASE};
use crate::x86::debug;
use crate::x86::traps::entry::capos_syscall_entry;
use x86_64::VirtAddr;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags, Efer, EferFlags};
use x86_64::registers::model_specific::{LStar, SFMask, Star};
use x86_64::registers::rflags::RFlags;
use x86_64::registers::xcontrol::XCr0;

/// Puts this CPU's mode bits in order. Called once per CPU, before its first user code; NX is set even earlier, see
/// [`enable_no_execute`].
///
/// FSGSBASE stays off: user code that cannot write GS base cannot pose as the kernel to the entry code of NMIs, which tells by
/// the sign of GS base whose it is (traps/entry.rs). FS base belongs to `ThreadControl`.
pub fn init() {
    let found = features();
    let optional = [
        (found.global_pages, Cr4Flags::PAGE_GLOBAL),
        (found.smep, Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
        (found.smap, Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
        (found.umip, Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
        (found.xsave, Cr4Flags::OSXSAVE),
    ];
    let base = Cr4Flags::PHYSICAL_ADDRESS_EXTENSION | Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    let cr4 = optional.into_iter().filter(|(there, _)| *there).fold(base, |all, (_, flag)| all | flag);
    // SAFETY: 4-level paging stays on; each optional bit is set only where CPUID reports it.
    unsafe {
        // Without the bit first: that flushes whatever global translations the loader may have left.
        Cr4::write_raw((cr4 - Cr4Flags::PAGE_GLOBAL).bits());
        Cr4::write_raw(cr4.bits());
    }
    let cr0 = Cr0Flags::PROTECTED_MODE_ENABLE
        | Cr0Flags::MONITOR_COPROCESSOR
        | Cr0Flags::EXTENSION_TYPE
        | Cr0Flags::NUMERIC_ERROR
        | Cr0Flags::WRITE_PROTECT
        | Cr0Flags::PAGING;
    // SAFETY: the state of every 64-bit kernel; supervisor writes to read-only pages now fault, as they should.
    unsafe { Cr0::write_raw(cr0.bits()) };
    if found.xsave {
        // SAFETY: OSXSAVE is set; the mask holds only components that CPUID reports, x87 and SSE always among them.
        unsafe { XCr0::write_raw(u64::from(found.xsave_mask)) };
    }
    init_syscall();
    debug::init();
}

/// Lets page tables carry the no-execute bit: needed before our own tables are loaded.
pub fn enable_no_execute() {
    // SAFETY: the caller checked that there is NX; the other bits stay as they are.
    unsafe { Efer::update(|efer| *efer |= EferFlags::NO_EXECUTE_ENABLE) };
}

/// SYSCALL goes to our entry with interrupts off and no flag of the user's that could matter to the kernel.
fn init_syscall() {
    // SAFETY: the selectors are those of our own descriptor table (cpu/tables.rs).
    unsafe { Star::write_raw(SYSRET_BASE, KERNEL_CODE) };
    LStar::write(VirtAddr::from_ptr(capos_syscall_entry as *const ()));
    SFMask::write(RFlags::all());
    // SAFETY: LSTAR, STAR and SFMASK are set.
    unsafe { Efer::update(|efer| *efer |= EferFlags::SYSTEM_CALL_EXTENSIONS) };
}
