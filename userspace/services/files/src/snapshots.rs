//! Snapshots by their names, and who has them open.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use capos_fs::{Stamp, TimeSource};
use capos_store::{NOTE_MAX, Snapshot};
use core::cell::RefCell;

/// Bytes of a note before the name: when it was made, and how that was known.
const HEAD: usize = 10;
/// Longest name.
pub const NAME_MAX: usize = NOTE_MAX - HEAD;

/// What a snapshot's note says.
pub struct Note {
    pub at: Stamp,
    pub name: String,
}

impl Note {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.name.len());
        bytes.extend(self.at.ns.to_le_bytes());
        bytes.extend((self.at.source as u16).to_le_bytes());
        bytes.extend(self.name.as_bytes());
        bytes
    }

    /// None of what is no note of ours.
    pub fn of(snapshot: &Snapshot) -> Option<Note> {
        let (ns, rest) = snapshot.note.split_first_chunk()?;
        let (source, name) = rest.split_first_chunk()?;
        let source = TimeSource::from_number(u16::from_le_bytes(*source))?;
        let name = String::from(core::str::from_utf8(name).ok()?);
        Some(Note { at: Stamp { ns: u64::from_le_bytes(*ns), source }, name })
    }
}

/// How many facets there are of what each snapshot keeps.
#[derive(Default)]
pub struct Open(RefCell<BTreeMap<u64, usize>>);

impl Open {
    /// One more.
    pub fn add(&self, snapshot: Option<u64>) {
        if let Some(snapshot) = snapshot {
            *self.0.borrow_mut().entry(snapshot).or_default() += 1;
        }
    }

    /// One less.
    pub fn remove(&self, snapshot: Option<u64>) {
        let mut open = self.0.borrow_mut();
        let Some(count) = snapshot.and_then(|snapshot| open.get_mut(&snapshot)) else { return };
        *count -= 1;
        if *count == 0 {
            open.retain(|_, count| *count > 0);
        }
    }

    /// Whether there is any.
    pub fn is_open(&self, snapshot: u64) -> bool {
        self.0.borrow().contains_key(&snapshot)
    }
}
