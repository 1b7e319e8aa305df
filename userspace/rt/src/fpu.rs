//! Control words and registers of the x87 and SSE units: a thread's own, across system calls and interruptions.

use core::arch::asm;

/// The x87 control word and MXCSR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct ControlWords {
    /// Precision, rounding and masked exceptions of the x87 unit.
    pub x87: u16,
    /// The same and more for SSE. Reserved bits must be zero: setting one is a fault.
    pub mxcsr: u32,
}

/// Works for `rounds` rounds under these control words, sleeps for `sleep_ns`, works again, and says which words it found then. The
/// caller's own are in force again afterwards.
pub fn hold(words: ControlWords, rounds: u64, sleep_ns: u64) -> ControlWords {
    let none = ControlWords { x87: 0, mxcsr: 0 };
    // The caller's own, those to hold, those found.
    let mut all = [none, words, none];
    // SAFETY: Rust code runs under its own control words again behind the block, and there is none inside. The system call is
    // `cap_enter`, and keeps what the block keeps its operands in.
    unsafe {
        asm!(
            "fnstcw [r12]", "stmxcsr [r12 + 4]",
            "fldcw [r12 + 8]", "ldmxcsr [r12 + 12]",
            "mov rcx, r13", "2: dec rcx", "jnz 2b",
            "xor eax, eax", "mov edi, 0xffffffff", "mov rsi, r14", "syscall",
            "mov rcx, r13", "3: dec rcx", "jnz 3b",
            "fnstcw [r12 + 16]", "stmxcsr [r12 + 20]",
            "fldcw [r12]", "ldmxcsr [r12 + 4]",
            in("r12") all.as_mut_ptr(), in("r13") rounds.max(1), in("r14") sleep_ns,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
    let [_, _, found] = all;
    found
}

/// Clears the vector registers, sleeps, and gives all bits that are set in any of them then: bits of somebody else's.
pub fn leftovers(sleep_ns: u64) -> u64 {
    let found: u64;
    // SAFETY: the system call is `cap_enter`; what it and the block change is named.
    unsafe {
        asm!(
            "pxor xmm0, xmm0",
            "pxor xmm1, xmm1",
            "pxor xmm2, xmm2",
            "pxor xmm3, xmm3",
            "pxor xmm4, xmm4",
            "pxor xmm5, xmm5",
            "pxor xmm6, xmm6",
            "pxor xmm7, xmm7",
            "pxor xmm8, xmm8",
            "pxor xmm9, xmm9",
            "pxor xmm10, xmm10",
            "pxor xmm11, xmm11",
            "pxor xmm12, xmm12",
            "pxor xmm13, xmm13",
            "pxor xmm14, xmm14",
            "pxor xmm15, xmm15",
            "xor eax, eax", "mov edi, 0xffffffff", "syscall",
            "por xmm0, xmm1",
            "por xmm0, xmm2",
            "por xmm0, xmm3",
            "por xmm0, xmm4",
            "por xmm0, xmm5",
            "por xmm0, xmm6",
            "por xmm0, xmm7",
            "por xmm0, xmm8",
            "por xmm0, xmm9",
            "por xmm0, xmm10",
            "por xmm0, xmm11",
            "por xmm0, xmm12",
            "por xmm0, xmm13",
            "por xmm0, xmm14",
            "por xmm0, xmm15",
            "movhlps xmm1, xmm0", "por xmm0, xmm1", "movq rax, xmm0",
            lateout("rax") found, inlateout("rsi") sleep_ns => _,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
    found
}
