//! Commands (5, 6), but for their numbers.

use crate::queue::Words;

/// Admin commands.
pub mod admin {
    pub const CREATE_SUBMISSIONS: u8 = 0x01;
    pub const LOG_PAGE: u8 = 0x02;
    pub const CREATE_COMPLETIONS: u8 = 0x05;
    pub const IDENTIFY: u8 = 0x06;
    pub const ABORT: u8 = 0x08;
    pub const SET_FEATURES: u8 = 0x09;
    pub const EVENT: u8 = 0x0c;
}

/// I/O commands.
pub mod io {
    pub const FLUSH: u8 = 0x00;
    pub const WRITE: u8 = 0x01;
    pub const READ: u8 = 0x02;
    pub const ZEROES: u8 = 0x08;
    pub const DATASET: u8 = 0x09;
}

/// What Identify is about (5.15.1).
pub mod what {
    pub const NAMESPACE: u32 = 0;
    pub const CONTROLLER: u32 = 1;
    pub const NAMESPACES: u32 = 2;
    pub const DESCRIPTORS: u32 = 3;
}

/// Features (5.21.1).
pub mod feature {
    pub const QUEUES: u32 = 0x07;
    pub const EVENTS: u32 = 0x0b;
}

/// Every namespace.
pub const ALL: u32 = u32::MAX;

/// Write and Write Zeroes: on the medium when it completes (6.15: doubleword 12, bit 30).
pub const FORCE: u64 = 1 << 30;

/// Which word has the first sector, and which how many there are, less one, and flags.
pub const FIRST: usize = 3;
pub const COUNT: usize = 4;

/// A command with one pointer, and doublewords 10 and 11.
const fn command(opcode: u8, namespace: u32, pointer: u64, tenth: u32, eleventh: u32) -> Words {
    let head = opcode as u64 | (namespace as u64) << 32;
    [head, pointer, 0, tenth as u64 | (eleventh as u64) << 32, 0]
}

/// Identify, with the answer at `place`.
pub const fn identify(what: u32, namespace: u32, place: u64) -> Words {
    command(admin::IDENTIFY, namespace, place, what, 0)
}

/// Set Features, of those whose value is one doubleword.
pub const fn set_feature(feature: u32, value: u32) -> Words {
    command(admin::SET_FEATURES, 0, 0, feature, value)
}

/// Create I/O Completion Queue (5.3): contiguous, with interrupts.
pub const fn create_completions(queue: u16, entries: u16, place: u64, vector: u16) -> Words {
    let tenth = queue as u32 | (entries as u32 - 1) << 16;
    command(admin::CREATE_COMPLETIONS, 0, place, tenth, 3 | (vector as u32) << 16)
}

/// Create I/O Submission Queue (5.4): contiguous, with the completion queue of the same number.
pub const fn create_submissions(queue: u16, entries: u16, place: u64) -> Words {
    let tenth = queue as u32 | (entries as u32 - 1) << 16;
    command(admin::CREATE_SUBMISSIONS, 0, place, tenth, 1 | (queue as u32) << 16)
}

/// Get Log Page (5.14): the begin of it, `bytes` long, a multiple of four.
pub const fn log_page(log: u8, bytes: u32, place: u64) -> Words {
    command(admin::LOG_PAGE, ALL, place, log as u32 | (bytes / 4 - 1) << 16, 0)
}

/// Abort (5.1).
pub const fn abort(queue: u16, id: u16) -> Words {
    command(admin::ABORT, 0, 0, queue as u32 | (id as u32) << 16, 0)
}

/// Asynchronous Event Request (5.2).
pub const fn event() -> Words {
    command(admin::EVENT, 0, 0, 0, 0)
}

/// Flush (6.8).
pub const fn flush(namespace: u32) -> Words {
    command(io::FLUSH, namespace, 0, 0, 0)
}

/// Read, Write and Write Zeroes (6.9, 6.15, 6.16) of so many sectors, at least one and at most 65,536.
#[inline]
pub const fn sectors(opcode: u8, namespace: u32, prp: [u64; 2], first: u64, count: u32, flags: u64) -> Words {
    let head = opcode as u64 | (namespace as u64) << 32;
    [head, prp[0], prp[1], first, (count as u64).wrapping_sub(1) & 0xffff | flags]
}

/// Dataset Management (6.7): deallocate the one range that is described there.
pub const fn deallocate(namespace: u32, prp: [u64; 2]) -> Words {
    let head = io::DATASET as u64 | (namespace as u64) << 32;
    [head, prp[0], prp[1], 1 << 2 << 32, 0]
}
