//! What a directory has, in the order of its names' bytes.

use crate::error::{Damage, Error};
use crate::fat::FatDirectory;
use crate::iso::{Extent, IsoDirectory};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry as Slot;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Longest name, in bytes of UTF-8.
const NAME_MAX: usize = 255;
/// Most entries: a directory of FAT has at most 65,536 records.
const ENTRIES_MAX: usize = 65_536;
/// Most memory that a listing takes, about.
const WEIGHT_MAX: usize = 16 << 20;
/// And what an entry takes beside its name and what it holds.
const ENTRY_WEIGHT: usize = 160;

/// What a name leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Bytes.
    File,
    /// Further names.
    Directory,
}

/// Where the bytes, or the further names, are.
#[derive(Clone)]
pub(crate) enum Place {
    FatFile(u32),
    FatDirectory(FatDirectory),
    IsoFile(Rc<[Extent]>),
    IsoDirectory(IsoDirectory),
}

impl Place {
    fn weight(&self) -> usize {
        match self {
            Place::FatFile(_) | Place::IsoDirectory(_) => 0,
            Place::FatDirectory(_) => size_of::<hadris_fat::r#async::FileEntry>(),
            Place::IsoFile(extents) => size_of_val::<[Extent]>(extents),
        }
    }
}

/// One name, and what is known of what it leads to.
#[derive(Clone)]
pub struct Entry {
    /// 1 to 255 bytes, without `/` and NUL, and neither `.` nor `..`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file; 0 for a directory.
    pub size: u64,
    /// When it was made, in nanoseconds since 1970, if the medium says so.
    pub created: Option<u64>,
    /// When it was changed.
    pub modified: Option<u64>,
    /// A number that other names do not have.
    pub object: u64,
    pub(crate) place: Place,
}

/// A directory's entries. If it is damaged these are the ones that can be read.
pub struct Listing {
    entries: Vec<Entry>,
    damage: Option<Error>,
    weight: usize,
}

impl Listing {
    /// The entries behind a name, all of them behind nothing.
    #[must_use]
    pub fn after(&self, name: &str) -> &[Entry] {
        let first = self.entries.partition_point(|entry| entry.name.as_str() <= name);
        self.entries.get(first..).unwrap_or_default()
    }

    /// One entry.
    ///
    /// # Errors
    /// `NotFound`; or what hides the rest of the directory, where the name may be.
    pub fn find(&self, name: &str) -> Result<&Entry, Error> {
        let found = self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok();
        let found = found.and_then(|place| self.entries.get(place));
        found.ok_or_else(|| self.damage.clone().unwrap_or(Error::NotFound))
    }

    /// Why there may be more entries than these.
    #[must_use]
    pub fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    /// How many entries can be read.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}

/// A listing in the making.
pub(crate) struct Collector {
    /// Of the directory.
    key: u64,
    entries: BTreeMap<String, Entry>,
    seen: usize,
    weight: usize,
}

/// What is found in a directory.
pub(crate) struct Found {
    pub size: u64,
    pub created: Option<u64>,
    pub modified: Option<u64>,
    pub place: Place,
}

impl Collector {
    pub(crate) fn new(key: u64) -> Self {
        Collector { key, entries: BTreeMap::new(), seen: 0, weight: 0 }
    }

    /// One more. The first counts where a name is there twice: further ones are older versions in ISO 9660, and no sound FAT has them.
    pub(crate) fn add(&mut self, name: &str, found: Found) -> Result<(), Damage> {
        let Found { size, created, modified, place } = found;
        self.seen = self.seen.saturating_add(1);
        let name = usable(name);
        let weight = ENTRY_WEIGHT.saturating_add(name.len()).saturating_add(place.weight());
        if self.seen > ENTRIES_MAX || self.weight.saturating_add(weight) > WEIGHT_MAX {
            return Err(Damage::TooLarge);
        }
        let Slot::Vacant(slot) = self.entries.entry(name) else { return Ok(()) };
        self.weight = self.weight.saturating_add(weight);
        let kind = match place {
            Place::FatFile(_) | Place::IsoFile(_) => Kind::File,
            Place::FatDirectory(_) | Place::IsoDirectory(_) => Kind::Directory,
        };
        let (name, object) = (slot.key().clone(), xxh3_64_with_seed(slot.key().as_bytes(), self.key));
        slot.insert(Entry { name, kind, size, created, modified, object, place });
        Ok(())
    }

    pub(crate) fn finish(self, damage: Option<Error>) -> Listing {
        Listing { entries: self.entries.into_values().collect(), damage, weight: self.weight }
    }
}

/// A name as names are here: media may have others.
fn usable(name: &str) -> String {
    let mut clean = String::with_capacity(name.len().min(NAME_MAX));
    for letter in name.chars() {
        let letter = if matches!(letter, '/' | '\0') { '_' } else { letter };
        if clean.len().saturating_add(letter.len_utf8()) > NAME_MAX {
            break;
        }
        clean.push(letter);
    }
    match clean.as_str() {
        "" => "_".into(),
        "." => "_.".into(),
        ".." => "_..".into(),
        _ => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(first: u32) -> Found {
        Found { size: 1, created: None, modified: None, place: Place::FatFile(first) }
    }

    #[test]
    fn names_are_what_names_are_here() {
        let long = "ä".repeat(200);
        for (name, wanted) in [
            ("a/b\0c", "a_b_c"),
            ("", "_"),
            ("..", "_.."),
            (".", "_."),
            (&long, &"ä".repeat(127)),
            ("...", "..."),
        ] {
            assert_eq!(usable(name), wanted);
        }
    }

    #[test]
    fn listings_are_in_order_and_the_first_counts() {
        let mut all = Collector::new(7);
        for (name, first) in [("b", 2), ("a", 3), ("b", 4), ("C", 5)] {
            all.add(name, found(first)).unwrap();
        }
        let listing = all.finish(None);
        let names = |after| listing.after(after).iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>();
        assert_eq!(
            (names(""), names("a"), names("b")),
            (Vec::from(["C", "a", "b"]), Vec::from(["b"]), Vec::new())
        );
        assert!(matches!(listing.find("b").map(|entry| &entry.place), Ok(Place::FatFile(2))));
        assert_eq!(listing.find("c").err(), Some(Error::NotFound));
        assert_ne!(listing.find("a").map(|it| it.object).ok(), listing.find("b").map(|it| it.object).ok());
    }

    #[test]
    fn a_listing_takes_only_so_much() {
        let mut all = Collector::new(7);
        let refused =
            (0..).map(|number| all.add(&std::format!("{number:0250}"), found(2))).position(|it| it.is_err());
        assert!(refused.is_some_and(|count| count < WEIGHT_MAX / 400));
        let listing = all.finish(Some(Damage::TooLarge.into()));
        assert_eq!(listing.find("x").err(), Some(Damage::TooLarge.into()));
        // Nor does it help that all have one name.
        let mut all = Collector::new(7);
        assert_eq!((0..).position(|_| all.add("same", found(2)).is_err()), Some(ENTRIES_MAX));
    }
}
