//! The jump out of the loader, in the state that the protocol lays down for every processor.

use core::arch::asm;

use loader::HHDM;

unsafe extern "C" {
    /// The descriptors of the entry code.
    static segments: [u64; SEGMENTS];
}

const SEGMENTS: usize = 7;

#[repr(C, packed)]
struct Pointer {
    limit: u16,
    base: u64,
}

/// Jumps to `entry` with an empty stack, `argument` in RDI, and every other register zero.
///
/// # Safety
/// The page tables that are loaded must map the kernel, the stack below `stack` and the direct map; `entry` must be code that expects
/// the protocol's state.
pub unsafe fn leap(entry: u64, stack: u64, argument: u64) -> ! {
    // The kernel may give up the low half at once, so the descriptors are named by their address in the direct map.
    let base = HHDM + (&raw const segments).addr() as u64;
    let pointer = Pointer { limit: (SEGMENTS * 8 - 1) as u16, base };
    // SAFETY: promised by the caller. "An invalid return address of 0 is pushed to the stack before jumping to the kernel."
    unsafe {
        asm!(
            "cli",
            "cld",
            "lgdt [rdx]",
            "mov rsp, rsi",
            "push 0",
            "push rax",
            "push 2",
            "popfq",
            "xor eax, eax",
            "xor ebx, ebx",
            "xor ecx, ecx",
            "xor edx, edx",
            "xor esi, esi",
            "xor ebp, ebp",
            "xor r8d, r8d",
            "xor r9d, r9d",
            "xor r10d, r10d",
            "xor r11d, r11d",
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            "ret",
            in("rax") entry,
            in("rsi") stack,
            in("rdi") argument,
            in("rdx") &raw const pointer,
            options(noreturn),
        )
    }
}
