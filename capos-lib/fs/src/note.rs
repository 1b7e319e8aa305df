//! Snapshots by their names: what their notes say.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Error, NameFault};
use crate::time::{Stamp, TimeSource};
use capos_store::{NOTE_MAX, Snapshot};

/// Bytes of a note before the name: when it was made, and how that was known.
const HEAD: usize = 10;
/// Longest name.
const NAME_MAX: usize = NOTE_MAX - HEAD;

/// What a snapshot's note says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// When it was made.
    pub at: Stamp,
    /// What it is called.
    pub name: String,
}

impl Note {
    /// Of a snapshot that is made now.
    ///
    /// # Errors
    /// `Name` for what cannot be one.
    pub fn new(name: &str, now: Stamp) -> Result<Note, Error> {
        match name.len() {
            0 => Err(Error::Name(NameFault::Empty)),
            _ if matches!(name, "." | "..") => Err(Error::Name(NameFault::Dots)),
            // Whoever writes one means some of the volume, and gets all of it.
            _ if name.contains(['/', '\0']) => Err(Error::Name(NameFault::Byte)),
            1..=NAME_MAX => Ok(Note { at: now, name: String::from(name) }),
            _ => Err(Error::Name(NameFault::Long)),
        }
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(NOTE_MAX);
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
