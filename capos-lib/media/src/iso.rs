//! ISO 9660 (ECMA-119) with Rock Ridge (IEEE P1282) or Joliet.
//!
//! `hadris-iso` reads directories, each look with an image of its own: as in `fat.rs`. It has a directory in memory as a whole, so its size is looked
//! at before. Files are read here.

use crate::error::{Damage, Error};
use crate::folder::{Collector, Found, Listing, Place};
use crate::medium::{Look, Medium, Reader};
use crate::source::Source;
use crate::time;
use alloc::borrow::Cow;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use hadris_iso::r#async::IsoImage;
use hadris_iso::r#async::directory::DirectoryRef;
use hadris_iso::r#async::io::LogicalSector;
use hadris_iso::r#async::read::DirEntry;
use hadris_iso::file::EntryType;

/// Bytes of a logical sector.
const SECTOR: u64 = 2048;
/// Where volume descriptors begin, and what each has behind its kind (8.1).
pub(crate) const DESCRIPTORS: u64 = 16 * SECTOR;
pub(crate) const MAGIC: &[u8; 5] = b"CD001";
/// Where the first of them, the primary one, says how long the path table is (8.4.14), in both byte orders.
const PATH_TABLE: (u64, u64) = (DESCRIPTORS + 132, 8);
/// Bytes of a directory at most: 16,000 entries with the names that Rock Ridge gives them.
const DIRECTORY_MAX: usize = 2 << 20;
/// Where the time is in a directory's record (9.1.5).
const RECORD_TIME: usize = 18;
/// Kinds of files in `PX` (Rock Ridge, 4.1.1), as POSIX has them.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

/// A part of a file.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// Where it lies.
    start: u64,
    length: u64,
}

/// Which directory.
#[derive(Clone, Copy)]
pub(crate) struct IsoDirectory {
    sector: usize,
    bytes: usize,
}

/// Whose names are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Plain,
    RockRidge,
    Joliet,
}

/// An image.
pub(crate) struct Iso {
    root: IsoDirectory,
    names: Names,
}

impl IsoDirectory {
    fn of(place: DirectoryRef) -> IsoDirectory {
        IsoDirectory { sector: place.extent.0, bytes: place.size }
    }
}

impl Iso {
    pub(crate) async fn open<S: Source>(medium: &Medium<S>) -> Result<Iso, Error> {
        // It says again what directories say. Nobody here needs it, but its reader would have all of it in memory, 4 GiB perhaps, at each look.
        medium.hide(PATH_TABLE.0, PATH_TABLE.1);
        let look = Look::new();
        let image = IsoImage::open(Reader::new(medium, &look)).await.map_err(|error| look.why(error))?;
        let root = image.root_dirs().try_best_choice().ok_or(Error::Unknown)?;
        let names = match root.entry_type() {
            EntryType::Joliet { .. } => Names::Joliet,
            kind if kind.supports_rrip() => Names::RockRidge,
            _ => Names::Plain,
        };
        Ok(Iso { root: IsoDirectory::of(root.dir_ref()), names })
    }

    pub(crate) fn names(&self) -> Names {
        self.names
    }

    /// The root, and what tells it from other directories.
    pub(crate) fn root(&self) -> (IsoDirectory, u64) {
        (self.root, self.key(self.root))
    }

    /// What tells a directory from others: where it lies.
    pub(crate) fn key(&self, directory: IsoDirectory) -> u64 {
        directory.sector as u64
    }

    /// What a directory has.
    pub(crate) async fn list<S: Source>(
        &self,
        medium: &Medium<S>,
        directory: IsoDirectory,
        key: u64,
    ) -> Result<Listing, Error> {
        if directory.bytes > DIRECTORY_MAX {
            return Err(Damage::TooLarge.into());
        }
        let look = Look::new();
        let image = IsoImage::open(Reader::new(medium, &look)).await.map_err(|error| look.why(error))?;
        let place = DirectoryRef { extent: LogicalSector(directory.sector), size: directory.bytes };
        let entries = image.open_dir(place).read_entries().await.map_err(|error| look.why(error))?;
        let mut all = Collector::new(key);
        for entry in entries.iter().filter(|entry| self.is_shown(entry)) {
            let place = if entry.is_directory() {
                let place = entry.as_dir_ref(&image).await.map_err(|error| look.why(error))?;
                Place::IsoDirectory(IsoDirectory::of(place))
            } else {
                Place::IsoFile(extents(entry))
            };
            let modified = stamp(entry);
            let size = if entry.is_directory() { 0 } else { entry.total_size() };
            let added = all.add(&self.name(entry), Found { size, created: None, modified, place });
            if let Err(why) = added {
                return Ok(all.finish(Some(why.into())));
            }
        }
        Ok(all.finish(None))
    }

    /// Files and directories are; links would lead to names that are somebody else's to look up, and devices to what is not there.
    fn is_shown(&self, entry: &DirEntry) -> bool {
        let rock_ridge = entry.rrip.as_ref().filter(|_| self.names == Names::RockRidge);
        let is_plain = rock_ridge.is_none_or(|known| {
            let kind = known.posix_attributes.map(|posix| posix.file_mode.read() & KIND);
            known.symlink_target.is_none() && kind.is_none_or(|kind| matches!(kind, REGULAR | DIRECTORY))
        });
        is_plain && !entry.is_special()
    }

    fn name<'a>(&self, entry: &'a DirEntry) -> Cow<'a, str> {
        let given = entry.rrip.as_ref().and_then(|known| known.alternate_name.as_deref());
        match (self.names, given) {
            (Names::RockRidge, Some(name)) => Cow::Borrowed(name),
            (Names::Joliet, _) => Cow::Owned(without_version(&entry.record.joliet_name()).to_string()),
            _ => Cow::Owned(plain(entry.name())),
        }
    }
}

/// A name of the standard's own (7.5.1): without version, and without a dot that separates nothing.
fn plain(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let name = without_version(&name);
    let bare = name.strip_suffix('.').filter(|bare| !bare.is_empty());
    bare.unwrap_or(name).to_string()
}

fn without_version(name: &str) -> &str {
    match name.rsplit_once(';') {
        Some((bare, version)) if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) => {
            bare
        }
        _ => name,
    }
}

fn extents(entry: &DirEntry) -> Rc<[Extent]> {
    let extent = |it: hadris_iso::r#async::read::Extent| Extent {
        start: (it.sector.0 as u64).saturating_mul(SECTOR),
        length: it.length.into(),
    };
    entry.extents().map(extent).collect()
}

fn stamp(entry: &DirEntry) -> Option<u64> {
    time::of_iso(*entry.record.to_bytes().get(RECORD_TIME..)?.first_chunk()?)
}

/// Where byte `at` of a file lies, and how many are behind it there, `most` at most.
pub(crate) fn find(extents: &[Extent], at: u64, most: u64) -> Result<(u64, u64), Error> {
    let mut left = at;
    for extent in extents {
        if left < extent.length {
            return Ok((extent.start.saturating_add(left), (extent.length - left).min(most)));
        }
        left -= extent.length;
    }
    Err(Damage::Short.into())
}

#[cfg(test)]
mod tests {
    use super::{Extent, find, plain};

    #[test]
    fn names_lose_versions_and_lone_dots() {
        for (name, wanted) in [
            ("README.TXT;1", "README.TXT"),
            ("README.;1", "README"),
            ("A;B", "A;B"),
            (".", "."),
            ("X;12", "X"),
        ] {
            assert_eq!(plain(name.as_bytes()), wanted);
        }
    }

    #[test]
    fn bytes_are_in_extents() {
        let extents = [(2048, 100), (8192, 0), (4096, 50)].map(|(start, length)| Extent { start, length });
        assert_eq!(find(&extents, 0, 1000), Ok((2048, 100)));
        assert_eq!(find(&extents, 99, 1000), Ok((2147, 1)));
        assert_eq!(find(&extents, 100, 20), Ok((4096, 20)));
        assert_eq!(find(&extents, 149, 20), Ok((4145, 1)));
        assert!(find(&extents, 150, 20).is_err());
    }
}
