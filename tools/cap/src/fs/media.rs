//! Images that others made: FAT and ISO 9660, to look at.

use std::fs::File;
use std::io::Write;
use std::rc::Rc;

use capos_fs::{Stamp, TimeSource};
use capos_media::{Directory, Entry, Error, Kind, Media, Source, SourceError};

use super::disk::ImageDisk;
use super::tree::{Inside, Tree};
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
pub enum Found {
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

impl Tree for Media<ImageDisk> {
    type Node = Found;

    fn find(&self, path: &str) -> Result<Found, Failure> {
        find(self, path)
    }

    fn directory(&self, found: &Found) -> Option<u64> {
        match found {
            Found::Directory(directory) => Some(directory.object),
            Found::File(_) => None,
        }
    }

    fn inside(&self, found: &Found, path: &str) -> Inside<Found> {
        let Found::Directory(above) = found else { return (Vec::new(), Ok(())) };
        let listing = match block_on(self.list(above)) {
            Ok(listing) => listing,
            Err(error) => return (Vec::new(), Err(failed(path, &error))),
        };
        let mut all = listing.damage().map_or(Ok(()), |damage| Err(failed(path, damage)));
        let mut inside = Vec::new();
        for entry in listing.after("") {
            let found = match entry.kind {
                Kind::File => Ok(Found::File(entry.clone())),
                Kind::Directory => self.directory(above, entry).map(Found::Directory),
            };
            match found {
                Ok(found) => inside.push((entry.name.clone(), found)),
                Err(error) => all = all.and(Err(failed(&format!("{path}/{}", entry.name), &error))),
            }
        }
        (inside, all)
    }

    fn fill(&self, found: &Found, path: &str, file: &mut File) -> Result<(), Failure> {
        copy(self, path, found, file)
    }

    fn show(&self, found: &Found, path: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout();
        copy(self, path, found, &mut out)?;
        out.flush().context("standard output")
    }
}

fn copy(media: &Media<ImageDisk>, path: &str, found: &Found, to: &mut impl Write) -> Result<(), Failure> {
    let Found::File(entry) = found else { return Ok(()) };
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
