//! Processes.

use crate::bytes::{Reader, Writer};
use crate::page::Record;
use core::fmt;

/// Kinds of resource, in the order of `capos_mem::Resource`: memory pages, capability slots, threads, calls in flight, endpoint entries, log
/// bytes a second, DMA pages, vectors.
pub const RESOURCES: usize = 8;

/// Bytes of a name.
const NAME: usize = 32;

/// How much of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Use {
    /// Charged, what was lent included.
    pub used: u64,
    /// Of that, what belongs to the budgets of its children.
    pub lent: u64,
    /// What may be charged.
    pub limit: u64,
}

/// What a process is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// It was made, and not started.
    Made,
    /// It runs, or waits.
    Runs,
    /// It has ended, or is to; not all that it had has been taken back.
    Ends,
    /// Something that this version does not know.
    Other(u8),
}

/// Why it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It does not.
    None,
    /// By itself, with that code.
    Exited(i64),
    /// Somebody ended it.
    Killed,
    /// By that processor exception.
    Faulted(u8),
    /// In a way that this version does not know.
    Other(u8),
}

/// A name for people, at most 31 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; NAME],
    len: u8,
}

impl Name {
    /// That text, or its beginning.
    pub fn new(text: &str) -> Name {
        let text = text.get(..text.floor_char_boundary(NAME - 1)).unwrap_or_default();
        let mut bytes = [0; NAME];
        bytes.iter_mut().zip(text.bytes()).for_each(|(to, byte)| *to = byte);
        // Shorter than `NAME`.
        Name { bytes, len: text.len() as u8 }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or("?")
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// One process. 208 bytes: id, time used, code of its end, then single bytes (life, end, priority, length of the name) and the share in four,
/// 32 bytes of name, and for each resource three words: used, lent, limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    /// No other process ever has it.
    pub id: u64,
    /// Time of processors that was charged to it, nanoseconds.
    pub cpu_ns: u64,
    /// What it is doing.
    pub life: Life,
    /// Why it ends.
    pub end: End,
    /// Highest priority that its threads may have been made with.
    pub priority: u8,
    /// Its share, hundredths of one processor, without what it promised to others; 0: no limit.
    pub cpu_percent: u32,
    /// For people.
    pub name: Name,
    /// What it uses.
    pub budget: [Use; RESOURCES],
}

impl Process {
    /// Pages of memory.
    pub fn memory(&self) -> Use {
        self.resource(0)
    }

    /// Slots of its table.
    pub fn slots(&self) -> Use {
        self.resource(1)
    }

    /// Number `n`, in the order of [`RESOURCES`].
    pub fn resource(&self, n: usize) -> Use {
        self.budget.get(n).copied().unwrap_or_default()
    }
}

impl Record for Process {
    const LEN: usize = 64 + 24 * RESOURCES;

    fn put(&self, to: &mut Writer<'_>) {
        let (end, code) = match self.end {
            End::None => (0, 0),
            End::Exited(code) => (1, code),
            End::Killed => (2, 0),
            End::Faulted(vector) => (3, i64::from(vector)),
            End::Other(end) => (end, 0),
        };
        to.word(self.id);
        to.word(self.cpu_ns);
        to.word(code.cast_unsigned());
        to.byte(match self.life {
            Life::Made => 0,
            Life::Runs => 1,
            Life::Ends => 2,
            Life::Other(life) => life,
        });
        to.byte(end);
        to.byte(self.priority);
        to.byte(self.name.len);
        to.half(self.cpu_percent);
        to.bytes(&self.name.bytes);
        for Use { used, lent, limit } in self.budget {
            to.word(used);
            to.word(lent);
            to.word(limit);
        }
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let (id, cpu_ns, code) = (from.word()?, from.word()?, from.word()?.cast_signed());
        let life = match from.byte()? {
            0 => Life::Made,
            1 => Life::Runs,
            2 => Life::Ends,
            other => Life::Other(other),
        };
        let end = match from.byte()? {
            0 => End::None,
            1 => End::Exited(code),
            2 => End::Killed,
            // What is no vector is no fault.
            3 => End::Faulted(u8::try_from(code).ok()?),
            other => End::Other(other),
        };
        let (priority, len, cpu_percent) = (from.byte()?, from.byte()?, from.half()?);
        let name = Name { bytes: from.array()?, len };
        if usize::from(len) >= NAME {
            return None;
        }
        let mut budget = [Use::default(); RESOURCES];
        for resource in &mut budget {
            *resource = Use { used: from.word()?, lent: from.word()?, limit: from.word()? };
        }
        Some(Process { id, cpu_ns, life, end, priority, cpu_percent, name, budget })
    }
}
