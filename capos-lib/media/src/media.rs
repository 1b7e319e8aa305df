//! A medium of one of the formats.

use crate::error::{Damage, Error};
use crate::fat::{self, Fat, FatFile};
use crate::folder::{Entry, Kind, Listing, Place};
use crate::iso::{self, Extent, Iso, Names};
use crate::medium::{Medium, PAGE};
use crate::source::Source;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::fmt;
use hadris_fat::r#async::FatType;

/// How deep directories may be nested: as deep as a path of 260 letters, which is what FAT has (7.2), can lead.
const DEPTH_MAX: u32 = 130;
/// Memory of listings that are kept, about. One is, however large.
const KEPT: usize = 4 << 20;

/// What a medium has on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// FAT with entries of 12 bits.
    Fat12,
    /// Of 16 bits.
    Fat16,
    /// Of 32 bits.
    Fat32,
    /// ISO 9660 with names of its own.
    Iso,
    /// With those of Rock Ridge.
    RockRidge,
    /// With those of Joliet.
    Joliet,
}

enum Layout {
    Fat(Fat),
    Iso(Iso),
}

/// A medium.
pub struct Media<S> {
    medium: Medium<S>,
    layout: Layout,
    /// Listings of directories by their keys.
    kept: RefCell<VecDeque<(u64, Rc<Listing>)>>,
}

/// A directory, and how it was come to.
pub struct Directory {
    place: Place,
    /// What tells it from other directories.
    key: u64,
    depth: u32,
    above: Option<Rc<Directory>>,
    /// A number that others do not have.
    pub object: u64,
    /// When it was made, in nanoseconds since 1970, if the medium says so.
    pub created: Option<u64>,
    /// When it was changed.
    pub modified: Option<u64>,
}

/// A file.
#[derive(Clone)]
pub struct File {
    place: FilePlace,
    /// Bytes.
    pub size: u64,
    /// A number that others do not have.
    pub object: u64,
    /// When it was made, in nanoseconds since 1970, if the medium says so.
    pub created: Option<u64>,
    /// When it was changed.
    pub modified: Option<u64>,
}

#[derive(Clone)]
enum FilePlace {
    Fat(Rc<FatFile>),
    Iso(Rc<[Extent]>),
}

impl<S: Source> Media<S> {
    /// What is on a medium, found by its content.
    ///
    /// # Errors
    /// `Unknown` when it is neither of the formats, `Damaged` when it says that it is and can not be.
    pub async fn open(source: S) -> Result<Media<S>, Error> {
        let medium = Medium::new(source);
        let layout = match look_at(&medium).await? {
            Some(boot) => Layout::Fat(Fat::open(&medium, &boot).await?),
            None => Layout::Iso(Iso::open(&medium).await?),
        };
        Ok(Media { medium, layout, kept: RefCell::default() })
    }

    /// Which format it has.
    #[must_use]
    pub fn format(&self) -> Format {
        match &self.layout {
            Layout::Fat(fat) => match fat.kind() {
                FatType::Fat12 => Format::Fat12,
                FatType::Fat16 => Format::Fat16,
                FatType::Fat32 => Format::Fat32,
            },
            Layout::Iso(iso) => match iso.names() {
                Names::Plain => Format::Iso,
                Names::RockRidge => Format::RockRidge,
                Names::Joliet => Format::Joliet,
            },
        }
    }

    /// Where everything begins.
    #[must_use]
    pub fn root(&self) -> Rc<Directory> {
        let (place, key) = match &self.layout {
            Layout::Fat(fat) => {
                let (root, key) = fat.root();
                (Place::FatDirectory(root), key)
            }
            Layout::Iso(iso) => {
                let (root, key) = iso.root();
                (Place::IsoDirectory(root), key)
            }
        };
        Rc::new(Directory { place, key, depth: 0, above: None, object: 0, created: None, modified: None })
    }

    /// What a directory has.
    ///
    /// # Errors
    /// When nothing of it can be read.
    pub async fn list(&self, directory: &Directory) -> Result<Rc<Listing>, Error> {
        if let Some(listing) = self.kept(directory.key) {
            return Ok(listing);
        }
        // What the formats' readers keep is large, and each call of a service is moved with all that it may need.
        let listing = Box::pin(self.look(directory)).await?;
        let listing = Rc::new(listing);
        // What the device did not give back it may give the next time.
        if !matches!(listing.damage(), Some(Error::Source(_))) {
            self.keep(directory.key, &listing);
        }
        Ok(listing)
    }

    async fn look(&self, directory: &Directory) -> Result<Listing, Error> {
        match (&self.layout, &directory.place) {
            (Layout::Fat(fat), Place::FatDirectory(place)) => {
                fat.list(&self.medium, place, directory.key).await
            }
            (Layout::Iso(iso), Place::IsoDirectory(place)) => {
                iso.list(&self.medium, *place, directory.key).await
            }
            _ => Err(Error::Kind),
        }
    }

    fn kept(&self, key: u64) -> Option<Rc<Listing>> {
        let mut kept = self.kept.borrow_mut();
        let place = kept.iter().position(|(other, _)| *other == key)?;
        let found = kept.remove(place)?;
        let listing = Rc::clone(&found.1);
        kept.push_front(found);
        Some(listing)
    }

    fn keep(&self, key: u64, listing: &Rc<Listing>) {
        let mut kept = self.kept.borrow_mut();
        kept.push_front((key, Rc::clone(listing)));
        let mut weight = 0_usize;
        let fits = kept.iter().position(|(_, listing)| {
            weight = weight.saturating_add(listing.weight()).saturating_add(PAGE as usize);
            weight > KEPT
        });
        if let Some(fits) = fits {
            kept.truncate(fits.max(1));
        }
    }

    /// The directory of an entry.
    ///
    /// # Errors
    /// When it is a file's, or the directory is one of those that it was come to through.
    pub fn directory(&self, above: &Rc<Directory>, entry: &Entry) -> Result<Rc<Directory>, Error> {
        let key = match (&self.layout, &entry.place) {
            (Layout::Fat(fat), Place::FatDirectory(place)) => fat.key(place),
            (Layout::Iso(iso), Place::IsoDirectory(place)) => iso.key(*place),
            _ => return Err(Error::Kind),
        };
        let mut passed = Some(above);
        while let Some(directory) = passed {
            if directory.key == key {
                return Err(Damage::Loop.into());
            }
            passed = directory.above.as_ref();
        }
        let depth = above.depth.saturating_add(1);
        if depth > DEPTH_MAX {
            return Err(Damage::TooDeep.into());
        }
        let (place, above) = (entry.place.clone(), Some(Rc::clone(above)));
        let Entry { object, created, modified, .. } = *entry;
        Ok(Rc::new(Directory { place, key, depth, above, object, created, modified }))
    }

    /// The file of an entry.
    ///
    /// # Errors
    /// When it is a directory's.
    pub fn file(&self, entry: &Entry) -> Result<File, Error> {
        let place = match (&self.layout, &entry.place) {
            (Layout::Fat(fat), Place::FatFile(first)) => {
                FilePlace::Fat(Rc::new(FatFile { first: *first, chain: fat.chain(*first, entry.size) }))
            }
            (Layout::Iso(_), Place::IsoFile(extents)) => FilePlace::Iso(Rc::clone(extents)),
            _ => return Err(Error::Kind),
        };
        let Entry { size, object, created, modified, .. } = *entry;
        Ok(File { place, size, object, created, modified })
    }

    /// Reads bytes of a file: how many; fewer at its end.
    ///
    /// # Errors
    /// When one of them can not be read; others can, perhaps.
    pub async fn read(&self, file: &File, at: u64, into: &mut [u8]) -> Result<usize, Error> {
        let wanted = file.size.saturating_sub(at).min(into.len() as u64) as usize;
        let mut done = 0_usize;
        while let Some(left) = into.get_mut(done..wanted).filter(|left| !left.is_empty()) {
            let (start, count) = self.find(file, at.saturating_add(done as u64), left.len() as u64).await?;
            let piece =
                left.get_mut(..count as usize).filter(|piece| !piece.is_empty()).ok_or(Damage::Short)?;
            self.medium.read(start, piece).await?;
            done = done.saturating_add(piece.len());
        }
        Ok(wanted)
    }

    async fn find(&self, file: &File, at: u64, most: u64) -> Result<(u64, u64), Error> {
        match (&self.layout, &file.place) {
            (Layout::Fat(fat), FilePlace::Fat(file)) => {
                fat.find(&self.medium, (&file.chain, file.first), at, most).await
            }
            (_, FilePlace::Iso(extents)) => iso::find(extents, at, most),
            _ => Err(Error::Kind),
        }
    }
}

/// The boot sector if it is FAT's; none for ISO 9660.
async fn look_at<S: Source>(medium: &Medium<S>) -> Result<Option<[u8; 512]>, Error> {
    let mut magic = [0; 5];
    if medium.bytes() > iso::DESCRIPTORS.saturating_add(PAGE) {
        medium.read(iso::DESCRIPTORS.saturating_add(1), &mut magic).await?;
    }
    if magic == *iso::MAGIC {
        return Ok(None);
    }
    let mut boot = [0; 512];
    if medium.bytes() < PAGE {
        return Err(Error::Unknown);
    }
    medium.read(0, &mut boot).await?;
    if fat::looks_like(&boot) { Ok(Some(boot)) } else { Err(Error::Unknown) }
}

impl Entry {
    /// Whether a name leads to a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Format::Fat12 => "FAT12",
            Format::Fat16 => "FAT16",
            Format::Fat32 => "FAT32",
            Format::Iso => "ISO 9660",
            Format::RockRidge => "ISO 9660 with Rock Ridge",
            Format::Joliet => "ISO 9660 with Joliet",
        })
    }
}
