//! Code of which every instruction and every register is known, for debuggers to be tried on.
//!
//! Here and not in a probe because it is assembly, and because programs other than probes never name this module.

use core::arch::naked_asm;

/// What [`spin`] puts into `rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15` before its loop.
pub const REGISTERS: [u64; 15] =
    [0xa1, 0xb1, 0xc1, 0xd1, 0x51, 0x71, 0xb0, 0x81, 0x91, 0x1001, 0x1101, 0x1201, 0x1301, 0x1401, 0x1501];

/// Bytes of the instructions before the loop of [`spin`].
const BEFORE: u64 = 15 * 7;

/// Offsets in the loop of [`spin`] where an instruction begins: a `nop` of two bytes, one of one, and the jump back.
pub const LOOP: [u64; 3] = [0, 2, 3];

/// Never ends, and changes no register.
#[unsafe(naked)]
pub extern "C" fn spin() -> ! {
    naked_asm!(
        // Each of seven bytes: REX.W, opcode, register, and 32 bits.
        "mov rax, 0xa1",
        "mov rbx, 0xb1",
        "mov rcx, 0xc1",
        "mov rdx, 0xd1",
        "mov rsi, 0x51",
        "mov rdi, 0x71",
        "mov rbp, 0xb0",
        "mov r8, 0x81",
        "mov r9, 0x91",
        "mov r10, 0x1001",
        "mov r11, 0x1101",
        "mov r12, 0x1201",
        "mov r13, 0x1301",
        "mov r14, 0x1401",
        "mov r15, 0x1501",
        "2:",
        // Not `pause`: emulators leave their loop for it and forget the trap behind it.
        ".byte 0x66, 0x90",
        "nop",
        "jmp 2b",
    )
}

/// Where the loop of [`spin`] begins.
pub fn spin_loop() -> u64 {
    let entry = spin as extern "C" fn() -> ! as usize as u64;
    entry + BEFORE
}
