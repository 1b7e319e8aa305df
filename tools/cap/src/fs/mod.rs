//! `fs mkfs|ls|get|put|snap|check|dump`: volumes in disk images, by the code that the system itself has.

mod check;
mod copy;
mod craft;
mod disk;
mod media;
mod show;
mod slots;
mod snapshots;
mod tree;

use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use capos_fs::{Entry, Error, Fs, Kind, ObjectId, Stamp, TimeSource};
use capos_media::Media;
use capos_store::{Limits, Mounted, StoreError, Volume};
use lab::disk::parse_size;

use crate::command_line::{FsVerb, Image, When};
use crate::exec::{Context, Failure};
use disk::{Access, ImageDisk};

type Files = Fs<Volume<ImageDisk>>;
type Source<'a> = capos_fs::Source<'a, ImageDisk>;

/// Carries out one verb; `Ok(false)` when a check found something.
pub fn carry_out(verb: &FsVerb) -> Result<bool, Failure> {
    match verb {
        FsVerb::Mkfs { image, size, force } => make(image, size.as_deref(), *force)?,
        FsVerb::Ls { image, when, path } => match foreign(image, when)? {
            Some(media) => media::list(&media, path)?,
            None => show::list(&source(&open(image, Access::Read)?.0, when)?, path)?,
        },
        FsVerb::Get { image, when, path, file } => match foreign(image, when)? {
            Some(media) => tree::get(&media, path, file.as_deref())?,
            None => tree::get(&source(&open(image, Access::Read)?.0, when)?, path, file.as_deref())?,
        },
        FsVerb::Put { image, file, path } => change(image, |files| copy::put(files, file, path))?,
        FsVerb::Snap { image, name: None, .. } => snapshots::list(&open(image, Access::Read)?.0),
        FsVerb::Snap { image, name: Some(name), delete: false } => {
            change(image, |files| snapshots::keep(files, name))?;
        }
        FsVerb::Snap { image, name: Some(name), delete: true } => {
            change(image, |files| snapshots::delete(files, name))?;
        }
        FsVerb::Check { image } => {
            let (files, mounted) = mount(image, Access::Read)?;
            return check::check(&files, &mounted);
        }
        FsVerb::Craft { image, lie } => change(image, |files| craft::craft(files, *lie))?,
        FsVerb::Dump { image } => {
            let (files, mounted) = open(image, Access::Read)?;
            return show::dump(&files, &mounted);
        }
    }
    Ok(true)
}

/// Makes an empty volume, and the file that it is in if there is none.
fn make(image: &Image, size: Option<&str>, force: bool) -> Result<(), Failure> {
    if let Some(size) = size {
        let bytes = parse_size(size).ok_or_else(|| {
            Failure::new(format!(
                "`{size}` is not a size like 64M or 1T, or one in bytes that is a multiple of 512"
            ))
        })?;
        disk::create(&image.image, bytes)?;
    }
    let made = fill(image, force);
    if made.is_err() && size.is_some() {
        // It holds nothing, and would be in the way of the next try.
        let _ = std::fs::remove_file(&image.image);
    }
    made
}

fn fill(image: &Image, force: bool) -> Result<(), Failure> {
    let name = image.image.display();
    if !image.image.exists() {
        return Err(Failure::new(format!("{name} is not there: --size SIZE makes it")));
    }
    let disk = ImageDisk::open(image, Access::Write)?;
    if !force && !block_on(capos_store::is_blank(&disk)).context(&name)? {
        return Err(Failure::new(format!(
            "{name} has something on it already; --force puts a volume in its place"
        )));
    }
    block_on(capos_store::format(&disk, random(), None)).context(&name)?;
    let (volume, _) = block_on(Volume::mount(disk, Limits::default())).context(&name)?;
    block_on(Fs::format(&volume, now())).context(&name)?;
    let space = volume.space();
    println!("{name}: a volume of {} blocks, of which {} are free", space.blocks, space.free);
    Ok(())
}

/// Changes a volume, and has its last commit count whatever is spoiled in it later: that is the second time that it is asked for.
fn change(image: &Image, what: impl FnOnce(&Files) -> Result<(), Failure>) -> Result<(), Failure> {
    let (files, _) = open(image, Access::Write)?;
    what(&files)?;
    block_on(files.sync(files.epoch())).context(image.image.display())
}

/// Mounts the volume of an image, and warns if that may not be what was written last.
fn open(image: &Image, access: Access) -> Result<(Files, Mounted), Failure> {
    let (files, mounted) = mount(image, access)?;
    slots::warn(&image.image.display().to_string(), &files, &mounted);
    Ok((files, mounted))
}

/// Mounts the volume of an image.
fn mount(image: &Image, access: Access) -> Result<(Files, Mounted), Failure> {
    let disk = ImageDisk::find(image, access)?;
    let hint = disk.hint();
    let taken = disk.taken().map(String::from);
    let name = image.image.display();
    let mounted = block_on(Volume::mount(disk, Limits::default()));
    let (volume, mounted) = mounted.map_err(|error| match error {
        StoreError::NoVolume(_) if matches!(foreign(image, &When { snapshot: None }), Ok(Some(_))) => {
            Failure::new(format!("{name} has FAT or ISO 9660 on it, which is only read: `ls` and `get` do"))
        }
        StoreError::NoVolume(_) => Failure::new(format!("{name}: {error}{hint}")),
        error => Failure::new(format!("{name}: {error}")),
    })?;
    tell(image, taken.as_deref());
    Ok((block_on(Fs::mount(volume)).context(name)?, mounted))
}

/// Says which partition was taken that nobody asked for.
fn tell(image: &Image, taken: Option<&str>) {
    if let Some(taken) = taken {
        eprintln!("{}: {taken}, the only one with something to look at", image.image.display());
    }
}

/// What is to be looked at.
fn source<'a>(files: &'a Files, when: &When) -> Result<Source<'a>, Failure> {
    let Some(name) = &when.snapshot else { return Ok(Source::Now(files)) };
    let number = files.named(name).ok_or_else(|| snapshots::missing(files, name))?;
    files.source(Some(number)).context(name)
}

/// FAT or ISO 9660, if that is what an image has on it. Neither has snapshots.
fn foreign(image: &Image, when: &When) -> Result<Option<Media<ImageDisk>>, Failure> {
    if when.snapshot.is_some() {
        return Ok(None);
    }
    let disk = ImageDisk::find(image, Access::Read)?;
    let taken = disk.taken().map(String::from);
    match block_on(Media::open(disk)) {
        Ok(media) => {
            tell(image, taken.as_deref());
            Ok(Some(media))
        }
        Err(capos_media::Error::Unknown) => Ok(None),
        Err(error) => Err(Failure::new(format!("{}: {error}", image.image.display()))),
    }
}

/// What a path leads to; the root for one without names.
fn find(source: &Source<'_>, path: &str) -> Result<Entry, Failure> {
    let mut at = Entry { kind: Kind::Namespace, object: ObjectId::ROOT };
    for name in names(path) {
        at = block_on(source.lookup(at.object, name.as_bytes())).map_err(|error| failed(path, error))?;
    }
    Ok(at)
}

/// The names of a path.
fn names(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

fn failed(path: &str, error: Error) -> Failure {
    Failure::new(format!("{}: {error}", called(path)))
}

/// A path as it is shown: that of the root has no names.
fn called(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

fn now() -> Stamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp { ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), source: TimeSource::Host }
}

/// A name for a volume that no other has.
fn random() -> u128 {
    use std::hash::{BuildHasher as _, RandomState};
    let word = || u128::from(RandomState::new().hash_one(now().ns));
    word() << 64 | word()
}

/// Runs a future; a disk image has nobody wait.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = std::task::Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

#[cfg(test)]
mod tests;
