//! The processor's own registers.

use core::arch::asm;
use core::arch::x86_64::__cpuid;

/// Local APIC base and mode.
pub const MSR_APIC_BASE: u32 = 0x1b;
const MSR_PAT: u32 = 0x277;
const MSR_EFER: u32 = 0xc000_0080;
const EFER_NX: u64 = 1 << 11;

/// The page attribute table that the protocol lays down: WB, WT, UC-, UC, WP, WC, and two more UC.
const PAT: u64 = 0x0000_0105_0007_0406;

/// What the processor can do, as far as the loader cares.
#[derive(Clone, Copy)]
pub struct Features {
    /// No-execute pages; the entry code has switched them on if they exist.
    pub no_execute: bool,
    /// The x2APIC.
    pub x2apic: bool,
    /// A local APIC at all.
    pub apic: bool,
    pat: bool,
}

impl Features {
    /// Asks the processor.
    pub fn probe() -> Self {
        let basic = __cpuid(1);
        Features {
            no_execute: read_msr(MSR_EFER) & EFER_NX != 0,
            x2apic: basic.ecx & (1 << 21) != 0,
            apic: basic.edx & (1 << 9) != 0,
            pat: basic.edx & (1 << 16) != 0,
        }
    }

    /// Sets this processor's page attributes as the protocol says.
    pub fn set_page_attributes(&self) {
        if self.pat {
            // SAFETY: the table changes nothing for the pages in use, which all select entry 0, write-back before and after.
            unsafe { write_msr(MSR_PAT, PAT) };
        }
    }
}

/// Reads a model specific register that exists.
pub fn read_msr(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading one of the registers used here has no side effect.
    unsafe {
        asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Writes a model specific register.
///
/// # Safety
/// The register must exist, and the value must be sound for the running code.
pub unsafe fn write_msr(register: u32, value: u64) {
    let (low, high) = (value as u32, (value >> 32) as u32);
    // SAFETY: promised by the caller.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("eax") low, in("edx") high, options(nostack, preserves_flags))
    };
}

/// Loads the top-level page table.
///
/// # Safety
/// The tables must map the running code, its stack and everything that it uses.
pub unsafe fn load_tables(root: u64) {
    // SAFETY: promised by the caller.
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) };
}

/// The address of the last page fault.
pub fn fault_address() -> u64 {
    let address: u64;
    // SAFETY: reading CR2 has no side effect.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack, preserves_flags)) };
    address
}

/// Stops for good.
pub fn stop() -> ! {
    loop {
        // SAFETY: with interrupts off nothing comes after this.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
