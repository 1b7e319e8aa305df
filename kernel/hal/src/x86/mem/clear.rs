//! Clearing pages, which is most of what making memory costs.
//!
//! Processors with fast string instructions (ERMS, Intel SDM vol. 1, 7.3.9.3) are best at it themselves. On others a string instruction
//! moves word by word; there vector registers are used, if nobody needs what is in them: a thread that makes a system call has given
//! them up (`capos_abi::syscall`).

use crate::x86::cpu::local;
use crate::x86::cpu::probe::features;
use crate::x86::paging::PAGE;
use core::arch::asm;

/// State component of AVX in XCR0.
const AVX: u32 = 1 << 2;

/// Clears `pages` pages.
///
/// # Safety
/// They belong to the caller alone.
#[inline]
pub unsafe fn pages(start: *mut u8, pages: u64) {
    let features = features();
    // SAFETY: passed on; the registers are free, and there are such.
    unsafe {
        if features.fast_strings || !local::vectors_are_free() {
            by_string(start, pages);
        } else if features.xsave_mask & AVX != 0 {
            by_avx(start, pages);
        } else {
            by_sse(start, pages);
        }
    }
}

unsafe fn by_string(start: *mut u8, pages: u64) {
    // SAFETY: as the caller says. The direction flag is clear in the kernel.
    unsafe {
        asm!(
            "rep stosq",
            inout("rcx") pages * (PAGE / 8) => _,
            inout("rdi") start => _,
            in("rax") 0,
            options(nostack, preserves_flags)
        );
    }
}

unsafe fn by_avx(start: *mut u8, pages: u64) {
    // SAFETY: as the caller says. The compiler itself uses no vector registers in the kernel.
    unsafe {
        asm!(
            "vpxor xmm0, xmm0, xmm0",
            "2:",
            ".set at, 0",
            ".rept 32",
            "vmovdqa [{to} + at], ymm0",
            ".set at, at + 32",
            ".endr",
            "add {to}, 1024",
            "cmp {to}, {end}",
            "jne 2b",
            "vzeroupper",
            to = inout(reg) start => _,
            end = in(reg) start.wrapping_add((pages * PAGE) as usize),
            options(nostack)
        );
    }
}

unsafe fn by_sse(start: *mut u8, pages: u64) {
    // SAFETY: as in `by_avx`.
    unsafe {
        asm!(
            "xorps xmm0, xmm0",
            "2:",
            ".set at, 0",
            ".rept 32",
            "movaps [{to} + at], xmm0",
            ".set at, at + 16",
            ".endr",
            "add {to}, 512",
            "cmp {to}, {end}",
            "jne 2b",
            to = inout(reg) start => _,
            end = in(reg) start.wrapping_add((pages * PAGE) as usize),
            options(nostack)
        );
    }
}
