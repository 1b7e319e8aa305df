//! Images that others made: FAT and ISO 9660, to look at.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;

use capos_fs::{Stamp, TimeSource};
use capos_media::{Directory, Entry, Error, Kind, Media, Source, SourceError};

use super::disk::ImageDisk;
use super::{block_on, called, names, show};
use crate::exec::{Context, Failure};

/// Bytes that are copied at a time.
const PIECE: usize = 1 << 20;

impl Source for ImageDisk {
    fn bytes(&self) -> u64 {
        ImageDisk::bytes(self)
    }

    async fn read(&self, at: u64, into: &mut [u8]) -> Result<(), SourceError> {
        self.read_at(at, into).map_err(|_| SourceError::Unreadable)
    }
}

/// What a path leads to.
enum Found {
    Directory(Rc<Directory>),
    File(Entry),
}

fn failed(path: &str, error: &Error) -> Failure {
    Failure::new(format!("{}: {error}", called(path)))
}

fn find(media: &Media<ImageDisk>, path: &str) -> Result<Found, Failure> {
    let mut at = media.root();
    let mut names = names(path).peekable();
    while let Some(name) = names.next() {
        let listing = block_on(media.list(&at)).map_err(|error| failed(path, &error))?;
        let entry = listing.find(name).map_err(|error| failed(path, &error))?;
        if names.peek().is_none() && entry.kind == Kind::File {
            return Ok(Found::File(entry.clone()));
        }
        at = media.directory(&at, entry).map_err(|error| failed(path, &error))?;
    }
    Ok(Found::Directory(at))
}

/// Lists a directory, or shows one file.
pub fn list(media: &Media<ImageDisk>, path: &str) -> Result<(), Failure> {
    let directory = match find(media, path)? {
        Found::Directory(directory) => directory,
        Found::File(entry) => {
            show::print(&line(&entry));
            return Ok(());
        }
    };
    let listing = block_on(media.list(&directory)).map_err(|error| failed(path, &error))?;
    show::print(&listing.after("").iter().map(line).collect::<String>());
    listing.damage().map_or(Ok(()), |damage| Err(failed(path, damage)))
}

fn line(entry: &Entry) -> String {
    let word = if entry.is_directory() { "directory" } else { "file" };
    let source = if entry.modified.is_some() { TimeSource::Host } else { TimeSource::Unknown };
    let modified = Stamp { ns: entry.modified.unwrap_or(0), source };
    show::columns(word, entry.size, modified, &entry.name)
}

/// Writes a file to a file, or to standard output.
pub fn get(media: &Media<ImageDisk>, path: &str, to: Option<&Path>) -> Result<(), Failure> {
    let Found::File(entry) = find(media, path)? else {
        return Err(Failure::new(format!("{path} has names and no bytes: `ls` shows them")));
    };
    match to {
        None => copy(media, path, &entry, &mut std::io::stdout())
            .and_then(|()| std::io::stdout().flush().context("standard output")),
        Some(to) => copy(media, path, &entry, &mut File::create(to).context(to.display())?),
    }
}

fn copy(media: &Media<ImageDisk>, path: &str, entry: &Entry, to: &mut impl Write) -> Result<(), Failure> {
    let file = media.file(entry).map_err(|error| failed(path, &error))?;
    let mut data = vec![0; PIECE];
    let mut at = 0;
    while at < file.size {
        let length = block_on(media.read(&file, at, &mut data)).map_err(|error| failed(path, &error))?;
        to.write_all(&data[..length]).context(path)?;
        at += length as u64;
    }
    Ok(())
}
