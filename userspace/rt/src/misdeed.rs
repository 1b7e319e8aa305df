//! Things that a process must not do, on purpose. For probes that show what becomes of it.
//!
//! Here and not in a probe because every one of them is unsafe, and because programs other than probes never name this module.

use core::arch::asm;

/// One forbidden thing. The kernel ends a process that does it, with a record of the fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misdeed {
    /// Reads address zero.
    ReadNull,
    /// Reads an address of the kernel.
    ReadKernel,
    /// Reads an address that no processor translates.
    ReadNonCanonical,
    /// Writes to its own program.
    WriteText,
    /// Jumps into its own stack.
    ExecuteData,
    /// Turns interrupts off.
    DisableInterrupts,
    /// Stops the processor.
    Halt,
    /// Writes to an I/O port.
    WritePort,
    /// Executes no instruction.
    Undefined,
    /// Divides by zero.
    DivideByZero,
    /// Calls itself until the stack ends.
    OverflowStack,
    /// Panics.
    Panic,
}

impl Misdeed {
    /// All of them by name.
    pub const ALL: [(&'static str, Misdeed); 12] = [
        ("read-null", Misdeed::ReadNull),
        ("read-kernel", Misdeed::ReadKernel),
        ("read-noncanonical", Misdeed::ReadNonCanonical),
        ("write-text", Misdeed::WriteText),
        ("execute-data", Misdeed::ExecuteData),
        ("cli", Misdeed::DisableInterrupts),
        ("hlt", Misdeed::Halt),
        ("out", Misdeed::WritePort),
        ("undefined", Misdeed::Undefined),
        ("divide", Misdeed::DivideByZero),
        ("stack", Misdeed::OverflowStack),
        ("panic", Misdeed::Panic),
    ];

    /// Does it. Returns if, against all rules, nothing came of it.
    pub fn commit(self) {
        let text = Misdeed::commit as fn(Misdeed) as usize as u64;
        match self {
            Misdeed::ReadNull => read(0),
            Misdeed::ReadKernel => read(0xffff_ffff_8000_0000),
            Misdeed::ReadNonCanonical => read(0x0000_8000_0000_0000),
            // SAFETY: faults, since program text is not writable.
            Misdeed::WriteText => unsafe { asm!("mov byte ptr [{}], 0", in(reg) text, options(nostack)) },
            // SAFETY: faults, since the stack is not executable; a `ret` lies there in case it is.
            Misdeed::ExecuteData => unsafe {
                asm!("push 0xc3", "call rsp", "pop {}", out(reg) _);
            },
            // SAFETY: faults, being privileged.
            Misdeed::DisableInterrupts => unsafe { asm!("cli", options(nomem, nostack)) },
            // SAFETY: faults, being privileged.
            Misdeed::Halt => unsafe { asm!("hlt", options(nomem, nostack)) },
            // SAFETY: faults, since no process has I/O privilege.
            Misdeed::WritePort => unsafe { asm!("out 0x80, al", in("al") 0u8, options(nomem, nostack)) },
            // SAFETY: faults.
            Misdeed::Undefined => unsafe { asm!("ud2", options(nomem, nostack)) },
            // SAFETY: faults; the registers are named.
            Misdeed::DivideByZero => unsafe {
                asm!("div {:r}", in(reg) 0u64, inout("rax") 1u64 => _, inout("rdx") 0u64 => _, options(nomem, nostack));
            },
            Misdeed::OverflowStack => {
                deeper(0);
            }
            Misdeed::Panic => panic!("asked to"),
        }
    }
}

fn read(address: u64) {
    // SAFETY: faults, or reads one byte and forgets it.
    unsafe { asm!("mov {0}, byte ptr [{1}]", out(reg_byte) _, in(reg) address, options(nostack, readonly)) }
}

/// Each level has a frame that the compiler can not do without.
#[inline(never)]
fn deeper(level: u64) -> u64 {
    let frame = core::hint::black_box([level; 64]);
    let below = if level == u64::MAX { 0 } else { deeper(level + 1) };
    below.wrapping_add(core::hint::black_box(frame).iter().sum())
}
