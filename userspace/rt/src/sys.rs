//! The two system calls (architecture, section 3).

use capos_abi::syscall;
use core::arch::asm;

pub use capos_abi::syscall::FOREVER;

/// `cap_enter`: hands every queued submission to the kernel and waits for `min_complete` completions at most `timeout_ns`.
///
/// Returns the number of completions waiting, or a negative [`capos_abi::TransportError`].
#[inline]
pub fn cap_enter(min_complete: u64, timeout_ns: u64) -> i64 {
    call(syscall::CAP_ENTER, min_complete, timeout_ns)
}

/// A system call that comes back. It keeps what a call of a C function keeps (capos_abi::syscall).
#[inline]
fn call(number: u64, first: u64, second: u64) -> i64 {
    let result: i64;
    // SAFETY: the kernel writes only ring memory, which Rust code reaches through raw pointers alone while an operation on it is
    // in flight.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            inlateout("rdi") first => _,
            inlateout("rsi") second => _,
            clobber_abi("sysv64"),
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
    call(number, 0, 0)
}
