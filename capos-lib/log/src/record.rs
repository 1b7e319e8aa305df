//! What one record says, and its fixed part as it lies in the buffer.

/// How much a record matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// Something does not work.
    Error = 0,
    /// Something should not happen.
    Warn = 1,
    /// Something worth knowing.
    Info = 2,
    /// Something for those who look for a fault.
    Debug = 3,
}

impl Level {
    /// Every level, the most important first.
    pub const ALL: [Level; 4] = [Self::Error, Self::Warn, Self::Info, Self::Debug];

    /// Reads the byte that stands for a level in the buffer; a stranger is `Debug`, so that no record is lost over it.
    pub(crate) fn from_byte(byte: u8) -> Level {
        Self::ALL.get(usize::from(byte)).copied().unwrap_or(Level::Debug)
    }

    /// Its name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// A record to be appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewRecord<'a> {
    /// When, in nanoseconds since boot.
    pub time_ns: u64,
    /// Which process wrote it; 0 is the kernel.
    pub process: u64,
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub text: &'a str,
}

/// A record as it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// When, in nanoseconds since boot.
    pub time_ns: u64,
    /// Which process wrote it; 0 is the kernel.
    pub process: u64,
    /// How much it matters.
    pub level: Level,
    /// What it says, cut to the reader's buffer.
    pub text: &'a str,
    /// The cursor to go on with.
    pub next: u64,
    /// How many records at or after the cursor were overwritten before they were read.
    pub lost: u64,
}

/// What a record takes of the buffer beside its text, bytes.
pub const RECORD_OVERHEAD: usize = 24;

/// The fixed part of a record: time, process, text length, level, three bytes of nothing.
pub(crate) struct Header {
    pub time_ns: u64,
    pub process: u64,
    pub text_len: u32,
    pub level: Level,
}

impl Header {
    pub fn to_bytes(&self) -> [u8; RECORD_OVERHEAD] {
        let mut out = [0; RECORD_OVERHEAD];
        let level = [self.level as u8, 0, 0, 0];
        let (time, process, len) =
            (self.time_ns.to_le_bytes(), self.process.to_le_bytes(), self.text_len.to_le_bytes());
        let source = time.iter().chain(&process).chain(&len).chain(&level);
        out.iter_mut().zip(source).for_each(|(to, from)| *to = *from);
        out
    }

    pub fn from_bytes(bytes: &[u8; RECORD_OVERHEAD]) -> Self {
        let [t0, t1, t2, t3, t4, t5, t6, t7, p0, p1, p2, p3, p4, p5, p6, p7, l0, l1, l2, l3, level, ..] =
            *bytes;
        Header {
            time_ns: u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            process: u64::from_le_bytes([p0, p1, p2, p3, p4, p5, p6, p7]),
            text_len: u32::from_le_bytes([l0, l1, l2, l3]),
            level: Level::from_byte(level),
        }
    }
}
