//! The record of a fault: what the kernel told, as it is kept for people who ask later.

use crate::last::Last;
use crate::words::{Reader, Writer};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Of this layout.
const VERSION: u64 = 2;

/// Longest text that is kept of a program's name.
const NAME: usize = 64;

/// Return addresses that are kept; the kernel tells no more.
const FRAMES: usize = 32;

/// A fault.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Crash {
    /// Boot file that it ran.
    pub program: String,
    /// When it was noticed, since boot.
    pub time_ns: u64,
    /// Exception.
    pub vector: u32,
    /// What the processor said about it.
    pub error_code: u64,
    /// The address that was touched, for a page fault.
    pub address: u64,
    /// Thread.
    pub thread: u64,
    /// In the order of [`Crash::NAMES`].
    pub registers: [u64; Crash::NAMES.len()],
    /// Return addresses, innermost first.
    pub backtrace: Vec<u64>,
    /// The instance that it ended, and what that did last.
    pub last: Last,
}

impl Crash {
    /// Registers.
    pub const NAMES: [&str; 19] = [
        "rip", "rsp", "rbp", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15", "rflags", "fsbase",
    ];

    /// Where it happened.
    pub fn rip(&self) -> u64 {
        self.registers.first().copied().unwrap_or(0)
    }

    /// For keeping.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.words(&[VERSION, self.time_ns, u64::from(self.vector)]);
        out.words(&[self.error_code, self.address, self.thread]);
        out.words(&self.registers);
        out.text(self.program.get(..self.program.floor_char_boundary(NAME)).unwrap_or(""));
        let frames = self.backtrace.get(..FRAMES).unwrap_or(&self.backtrace);
        out.word(frames.len() as u64);
        out.words(frames);
        self.last.encode_to(&mut out);
        out.bytes
    }

    /// What was kept, if it is sound.
    pub fn decode(bytes: &[u8]) -> Option<Crash> {
        let mut from = Reader::new(bytes);
        if from.word()? != VERSION {
            return None;
        }
        let (time_ns, vector) = (from.word()?, from.number()?);
        let (error_code, address, thread) = (from.word()?, from.word()?, from.word()?);
        let mut registers = [0; Crash::NAMES.len()];
        for register in &mut registers {
            *register = from.word()?;
        }
        let program = from.text(NAME)?;
        let frames = usize::try_from(from.word()?).ok().filter(|frames| *frames <= FRAMES)?;
        let backtrace = (0..frames).map(|_| from.word()).collect::<Option<Vec<u64>>>()?;
        let last = Last::decode_from(&mut from)?;
        Some(Crash { program, time_ns, vector, error_code, address, thread, registers, backtrace, last })
    }

    /// The cause in words.
    pub fn cause(&self) -> String {
        let name = match self.vector {
            0 => "division by zero",
            1 => "debug exception",
            3 => "breakpoint",
            6 => "undefined instruction",
            13 => "general protection",
            14 => return self.page_fault(),
            16 | 19 => "floating point",
            17 => "alignment",
            vector => return format!("exception {vector}"),
        };
        String::from(name)
    }

    /// Error code of a page fault: SDM volume 3, 4.7.
    fn page_fault(&self) -> String {
        let bit = |n: u32| self.error_code & 1 << n != 0;
        let what = match (bit(4), bit(1)) {
            (true, _) => "executing",
            (_, true) => "writing",
            _ => "reading",
        };
        let why = if bit(0) { "which is protected" } else { "where nothing is mapped" };
        format!("page fault {what} {:#x}, {why}", self.address)
    }
}
