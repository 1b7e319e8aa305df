//! Files in and out.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use capos_fs::{Creation, Entry, Kind, ObjectId};
use capos_store::BLOCK;

use super::tree::{Inside, Tree, left};
use super::{Files, Source, block_on, called, failed, find, names, now};
use crate::exec::{Context, Failure};

/// Bytes that are copied at a time, which is as much as is written as a whole.
const PIECE: usize = 1 << 20;

/// How many names are asked for at a time.
const MANY: usize = 256;

impl Tree for Source<'_> {
    type Node = Entry;

    fn find(&self, path: &str) -> Result<Entry, Failure> {
        find(self, path)
    }

    fn directory(&self, entry: &Entry) -> Option<u64> {
        entry.kind.has_names().then_some(entry.object.0)
    }

    fn inside(&self, entry: &Entry, path: &str) -> Inside<Entry> {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let listing = match block_on(self.list(entry.object, after.as_bytes(), MANY)) {
                Ok(listing) => listing,
                Err(error) => return (found, Err(failed(path, error))),
            };
            let is_end = listing.end || listing.entries.is_empty();
            found.extend(listing.entries.into_iter().map(|listed| (listed.name, listed.entry)));
            if is_end {
                return (found, Ok(()));
            }
            after = found.last().map_or_else(String::new, |(name, _)| name.clone());
        }
    }

    fn fill(&self, entry: &Entry, path: &str, file: &mut File) -> Result<(), Failure> {
        fill_out(self, path, entry.object, file)
    }

    fn show(&self, entry: &Entry, path: &str) -> Result<(), Failure> {
        write_out(self, path, entry.object, &mut std::io::stdout())
    }
}

fn fill_out(source: &Source<'_>, path: &str, object: ObjectId, file: &mut File) -> Result<(), Failure> {
    let size = block_on(source.stat(object)).map_err(|error| failed(path, error))?.size;
    // Holes stay holes.
    file.set_len(size).context(path)?;
    let mut data = vec![0; PIECE];
    let mut at = 0;
    while let Some(run) = block_on(source.run(object, at)).map_err(|error| failed(path, error))? {
        let length = usize::try_from(run.length).unwrap_or(PIECE).min(PIECE);
        let read = block_on(source.read(object, run.start, &mut data[..length]));
        let length = read.map_err(|error| failed(path, error))?;
        file.seek(SeekFrom::Start(run.start)).context(path)?;
        file.write_all(&data[..length]).context(path)?;
        at = run.start + length as u64;
    }
    Ok(())
}

fn write_out(source: &Source<'_>, path: &str, object: ObjectId, to: &mut impl Write) -> Result<(), Failure> {
    let mut data = vec![0; PIECE];
    let mut at = 0;
    loop {
        let length = block_on(source.read(object, at, &mut data)).map_err(|error| failed(path, error))?;
        if length == 0 {
            return to.flush().context("standard output");
        }
        to.write_all(&data[..length]).context("standard output")?;
        at += length as u64;
    }
}

/// Copies a file, or a folder with all that is in it but links, and what is neither file nor folder: these are named in the end. Directories on
/// the way are made. What is there under the name of a file is replaced in one step.
pub fn put(files: &Files, from: &Path, path: &str) -> Result<(), Failure> {
    let mut open = vec![(from.to_owned(), path.to_owned())];
    let mut failures = Vec::new();
    while let Some((from, path)) = open.pop() {
        if from.is_dir() {
            directory(files, names(&path), &path)?;
            match inside(&from, &path, &mut failures) {
                Ok(found) => open.extend(found),
                Err(failure) => failures.push(failure),
            }
            continue;
        }
        match File::open(&from).context(from.display()) {
            Ok(source) => put_file(files, (source, &from), &path)?,
            Err(failure) => failures.push(failure),
        }
    }
    block_on(files.sync(files.epoch())).map_err(|error| failed(path, error))?;
    if failures.is_empty() { Ok(()) } else { Err(left(&failures, called(path))) }
}

/// What is in a folder, and where it gets. A link may lead anywhere, also to a folder that it is in.
fn inside(from: &Path, path: &str, failures: &mut Vec<Failure>) -> Result<Vec<(PathBuf, String)>, Failure> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(from).context(from.display())? {
        let entry = entry.context(from.display())?;
        let (at, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type().context(at.display())?;
        let why = match name.to_str() {
            _ if kind.is_symlink() => "it is a link, which a volume does not have",
            _ if !kind.is_dir() && !kind.is_file() => "it is neither file nor folder",
            None => "no UTF-8",
            Some(name) => {
                found.push((at, format!("{path}/{name}")));
                continue;
            }
        };
        failures.push(Failure::new(format!("{}: {why}", at.display())));
    }
    Ok(found)
}

fn directory<'a>(
    files: &Files,
    names: impl Iterator<Item = &'a str>,
    path: &str,
) -> Result<ObjectId, Failure> {
    let mut at = ObjectId::ROOT;
    for name in names {
        let there = block_on(files.lookup(at, name.as_bytes()));
        at = match there {
            Ok(entry) if entry.kind.has_names() => entry.object,
            _ => {
                let opened = files.open(at, name.as_bytes(), Kind::Directory, Creation::Missing, now());
                let opened = block_on(opened).map_err(|error| failed(path, error))?.object;
                block_on(files.release(opened));
                opened
            }
        };
    }
    Ok(at)
}

/// The name that a file has until it is there.
const PART: &[u8] = b".part of a file that is being put here";

fn put_file(files: &Files, (mut source, from): (File, &Path), path: &str) -> Result<(), Failure> {
    let mut names = names(path);
    let name = names.next_back().ok_or_else(|| Failure::new("the root is no file: say under which name"))?;
    let above = directory(files, names, path)?;
    let part = files.open(above, PART, Kind::File, Creation::Missing, now());
    let part = block_on(part).map_err(|error| failed(path, error))?.object;
    let done = fill(files, part, (&mut source, from), path).and_then(|()| {
        let old = capos_fs::Path { directory: above, name: PART };
        let new = capos_fs::Path { directory: above, name: name.as_bytes() };
        block_on(files.rename(old, new, true, now())).map_err(|error| failed(path, error))
    });
    block_on(files.release(part));
    if done.is_err() {
        // What was written so far is of no use to anybody.
        let _ = block_on(files.remove(above, PART, now()));
        let _ = block_on(files.sync(files.epoch()));
    }
    done
}

fn fill(
    files: &Files,
    part: ObjectId,
    (source, from): (&mut File, &Path),
    path: &str,
) -> Result<(), Failure> {
    let about = |error| failed(path, error);
    block_on(files.truncate(part, 0, now())).map_err(about)?;
    let (mut data, mut at) = (Vec::with_capacity(PIECE), 0);
    loop {
        data.clear();
        let length = source.take(PIECE as u64).read_to_end(&mut data).context(from.display())?;
        if length == 0 {
            return block_on(files.truncate(part, at, now())).map_err(about);
        }
        // What is zeros is a hole: whoever reads it can not tell, and it takes no room.
        let is_hole = |block: &&[u8]| block.iter().all(|byte| *byte == 0);
        for run in data.chunks(BLOCK).collect::<Vec<_>>().chunk_by(|a, b| is_hole(a) == is_hole(b)) {
            let bytes: usize = run.iter().map(|block| block.len()).sum();
            if !run.first().is_some_and(is_hole) {
                block_on(files.write(part, at, &run.concat(), now())).map_err(about)?;
            }
            at += bytes as u64;
        }
    }
}
