//! Answers of `Directory.list` and `Namespace.list` (schema/directory.capnp).

use alloc::vec::Vec;
use rt::schema::directory::EntryKind;
use rt::schema::file::TimeSource;

/// Bytes of records that fit into an answer beside the rest.
const MOST: usize = 3900;
/// Bytes of a record before its name.
const HEAD: usize = 32;
/// Entries that fit at most, with names of one byte.
pub const ENTRIES: usize = MOST / (HEAD + 8);

/// One entry.
pub struct Record<'a> {
    /// 0 when there is none that anybody could do something with.
    pub object: u64,
    /// Bytes of a file or blob, entries of others.
    pub size: u64,
    /// When it was changed, and how that is known.
    pub modified_ns: u64,
    /// See there.
    pub source: TimeSource,
    /// What the name leads to.
    pub kind: EntryKind,
    /// At most 255 bytes.
    pub name: &'a str,
}

/// Records, as many as fit.
#[derive(Default)]
pub struct Page {
    /// How many.
    pub count: u16,
    /// Their bytes.
    pub records: Vec<u8>,
}

impl Page {
    /// One more; false when it does not fit.
    pub fn add(&mut self, record: &Record) -> bool {
        let Record { object, size, modified_ns, source, kind, name } = record;
        if self.records.len() + HEAD + name.len().next_multiple_of(8) > MOST {
            return false;
        }
        for word in [object, size, modified_ns] {
            self.records.extend(word.to_le_bytes());
        }
        self.records.extend([*kind as u8, *source as u8, name.len() as u8, 0, 0, 0, 0, 0]);
        self.records.extend(name.as_bytes());
        self.records.resize(self.records.len().next_multiple_of(8), 0);
        self.count += 1;
        true
    }
}
