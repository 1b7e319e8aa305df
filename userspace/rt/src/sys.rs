//! The two system calls (architecture, section 3).

use capos_abi::syscall;
use core::arch::asm;

pub use capos_abi::syscall::FOREVER;

/// `cap_enter`: hands every queued submission to the kernel and waits for `min_complete` completions at most `timeout_ns`.
///
/// Returns the number of completions waiting, or a negative [`capos_abi::TransportError`].
#[inline]
pub fn cap_enter(min_complete: u64, timeout_ns: u64) -> i64 {
    let result: i64;
    // SAFETY: the kernel preserves rbx, rbp, rsp and r12..r15 and clobbers what is named here (capos_abi::syscall). It writes
    // only ring memory, which Rust code reaches through raw pointers alone while an operation on it is in flight.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") syscall::CAP_ENTER => result,
            inlateout("rdi") min_complete => _,
            inlateout("rsi") timeout_ns => _,
            lateout("rdx") _, lateout("rcx") _, lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
            lateout("xmm0") _, lateout("xmm1") _, lateout("xmm2") _, lateout("xmm3") _,
            lateout("xmm4") _, lateout("xmm5") _, lateout("xmm6") _, lateout("xmm7") _,
            lateout("xmm8") _, lateout("xmm9") _, lateout("xmm10") _, lateout("xmm11") _,
            lateout("xmm12") _, lateout("xmm13") _, lateout("xmm14") _, lateout("xmm15") _,
            options(nostack),
        );
    }
    result
}

/// `exit`: ends the whole process.
pub fn exit(code: i64) -> ! {
    loop {
        // SAFETY: the call does not return; the loop is for the type.
        unsafe {
            asm!("syscall", inlateout("rax") syscall::EXIT => _, inlateout("rdi") code => _, lateout("rcx") _, lateout("r11") _, options(nostack));
        }
    }
}

/// A system call by its number, for probes that try what is not there. Gives the kernel's answer.
pub fn unknown(number: u64) -> i64 {
    let result: i64;
    // SAFETY: as in `cap_enter`; with a number that means nothing the kernel only answers.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            inlateout("rdi") 0u64 => _,
            inlateout("rsi") 0u64 => _,
            lateout("rdx") _, lateout("rcx") _, lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            options(nostack),
        );
    }
    result
}
