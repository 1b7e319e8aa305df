//! An entry of the table (UEFI 2.10, 5.3.3).

use crate::bytes::{array, guid, u64};
use core::fmt;
use uguid::Guid;

/// A part of the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Partition {
    /// Its place in the table, from 1 on: as other systems number them.
    pub number: u32,
    /// What it is for; zero in a table without GUIDs.
    pub kind: Guid,
    /// Which one it is; zero as well.
    pub id: Guid,
    /// Its first sector.
    pub first: u64,
    /// Its last sector.
    pub last: u64,
    /// What people call it.
    pub name: Name,
}

impl Partition {
    /// `None` of an entry that is not used.
    pub(crate) fn parse(number: u32, entry: &[u8]) -> Option<Partition> {
        let kind = guid(entry, 0)?;
        let units = array::<{ 2 * Name::UNITS }>(entry, 56)?;
        let partition = Partition {
            number,
            kind,
            id: guid(entry, 16)?,
            first: u64(entry, 32)?,
            last: u64(entry, 40)?,
            name: Name::from_bytes(&units),
        };
        (kind != Guid::ZERO).then_some(partition)
    }

    /// One of a table that has neither GUIDs nor names.
    pub(crate) const fn without_name(number: u32, first: u64, last: u64) -> Partition {
        Partition { number, kind: Guid::ZERO, id: Guid::ZERO, first, last, name: Name([0; Name::UNITS]) }
    }

    /// How many sectors it has.
    pub fn sectors(&self) -> u64 {
        // A table that has one of 2^64 sectors, or with a last one before the first, is refused.
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// A name of up to 36 UTF-16 units, which may be anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Name([u16; Name::UNITS]);

impl Name {
    const UNITS: usize = 36;

    fn from_bytes(bytes: &[u8; 2 * Name::UNITS]) -> Name {
        let mut units = [0; Name::UNITS];
        for (unit, pair) in units.iter_mut().zip(bytes.as_chunks().0) {
            *unit = u16::from_le_bytes(*pair);
        }
        Name(units)
    }

    /// Whether it is that and nothing else. What is no text equals none.
    pub fn is(&self, text: &str) -> bool {
        self.decoded().eq(text.chars().map(Some))
    }

    /// `None` for what is no character.
    fn decoded(&self) -> impl Iterator<Item = Option<char>> {
        let units = self.0.iter().copied().take_while(|unit| *unit != 0);
        char::decode_utf16(units).map(Result::ok)
    }
}

/// For people: what could do something to a terminal, or is no character, is replaced.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            |it: Option<char>| it.filter(|it| !it.is_control()).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.decoded().try_for_each(|it| fmt::Write::write_char(f, shown(it)))
    }
}
