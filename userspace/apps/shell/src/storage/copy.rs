//! A file copied, as a whole or not at all.

use super::path::{Path, Place, shown};
use super::walk::{self, Source};
use super::{interruptible, refused, refused_at};
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use capos_text::size;
use core::fmt::Write as _;
use rt::generated::{DirectoryClient, FileClient, MemoryObjectClient, StoreClient};
use rt::region::Region;
use rt::schema::directory::Creation;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, ExceptionCode};

/// Bytes that are moved at a time.
const PIECE: u64 = 256 << 10;

/// Bytes that one read of a boot file gives.
const READ: u32 = 3072;

/// Names that a copy may have before it is whole.
const TRIES: u32 = 100;

/// A file to another name, or into a directory; to `store:` as a blob.
pub async fn copy(session: &Session, from: &Path, to: &Path) -> Result<String, Trouble> {
    let source = interruptible(session, walk::source(session, from)).await?;
    if to.place == Place::Store {
        return interruptible(session, store(session, &source)).await;
    }
    let (directory, to) = interruptible(session, target(session, from, to)).await?;
    let total = as_a_whole(session, &directory, &to, async |file| fill(file, &source).await).await?;
    Ok(format!("{} in {}\n", size(total), shown(to.last().unwrap_or_default())))
}

/// The directory that something gets into, and its path there: in a directory it keeps the name that it has.
pub async fn target(session: &Session, from: &Path, to: &Path) -> Result<(DirectoryClient, Path), Trouble> {
    if to.place == Place::Boot {
        return Err(Trouble::say("boot files can only be read"));
    }
    match walk::directory(session, to, true).await {
        Ok(directory) => Ok((directory, to.below(from.last().unwrap_or_default()))),
        Err(trouble) if to.is_directory => Err(trouble),
        Err(_) => Ok((walk::parent(session, to, true).await?.0, to.clone())),
    }
}

/// Makes a file that has its name when all of it is there, and safe; before that, nothing has changed. What `fill` says.
pub async fn as_a_whole<T>(
    session: &Session,
    directory: &DirectoryClient,
    path: &Path,
    fill: impl AsyncFnOnce(&FileClient) -> Result<T, CallError>,
) -> Result<T, Trouble> {
    let filled = whole(session, directory, path, fill).await?;
    directory.sync().await.map_err(refused_at(path))?;
    Ok(filled)
}

/// The same, but not safe yet.
pub async fn whole<T>(
    session: &Session,
    directory: &DirectoryClient,
    path: &Path,
    fill: impl AsyncFnOnce(&FileClient) -> Result<T, CallError>,
) -> Result<T, Trouble> {
    let name = path.last().unwrap_or_default();
    let (file, part) = fresh(directory).await.map_err(|error| match error.exception() {
        Some(ExceptionCode::Exists) => Trouble::Say(format!(
            "{path}: beside it are {TRIES} copies that were cut short; remove .part-1 to .part-{TRIES}"
        )),
        _ => refused_at(path)(error),
    })?;
    let filled = interruptible(session, async {
        let filled = fill(&file).await.map_err(refused_at(path))?;
        directory.rename(directory, true, &part, name).await.map_err(|error| match error.exception() {
            Some(ExceptionCode::WrongState) => Trouble::Say(format!("{path} is no file")),
            _ => refused_at(path)(error),
        })?;
        Ok(filled)
    });
    let filled = filled.await;
    if filled.is_err() {
        // What is left of it is of no use; if it stays, it shows what it is.
        let _ = directory.remove(&part).await;
    }
    filled
}

/// A file of a name that nobody has.
async fn fresh(directory: &DirectoryClient) -> Result<(FileClient, String), CallError> {
    let mut number = 1;
    loop {
        let part = format!(".part-{number}");
        match directory.open_file(Creation::Always, true, &part).await {
            Ok(file) => return Ok((file, part)),
            Err(error) if error.exception() == Some(ExceptionCode::Exists) && number < TRIES => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Memory that both sides know.
struct Buffer {
    object: MemoryObjectClient,
    region: Region,
}

impl Buffer {
    async fn new() -> Result<Buffer, CallError> {
        let object = rt::threads::memory().create_object(PIECE).await?;
        let region = Region::map(&object, 0, PIECE, Protection::ReadWrite)?;
        Ok(Buffer { object, region })
    }
}

/// Copies all bytes. Holes of a file stay holes.
pub async fn fill(to: &FileClient, source: &Source) -> Result<u64, CallError> {
    let buffer = Buffer::new().await?;
    to.attach(&buffer.object).await?;
    match source {
        Source::File(file, _) => file.attach(&buffer.object).await?,
        Source::Blob(blob, _) => blob.attach(&buffer.object).await?,
        Source::Boot(..) => {}
    }
    let mut offset = 0;
    while offset < source.size() {
        let (start, length) = match source {
            Source::File(file, size) => match file.next(offset).await {
                Ok(run) if run.start < *size => (run.start.max(offset), run.length),
                Ok(_) => break,
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => break,
                Err(error) => return Err(error),
            },
            _ => (offset, u64::MAX),
        };
        let wanted = length.min(PIECE).min(source.size() - start).max(1) as u32;
        let read = read(source, &buffer, start, wanted).await?;
        if read == 0 {
            break;
        }
        to.write_from(start, 0, read).await?;
        offset = start + u64::from(read);
    }
    to.truncate(source.size()).await?;
    Ok(source.size())
}

/// Brings some bytes to the beginning of the buffer.
async fn read(source: &Source, buffer: &Buffer, offset: u64, most: u32) -> Result<u32, CallError> {
    match source {
        Source::File(file, _) => file.read_into(offset, 0, most).await,
        Source::Blob(blob, _) => blob.read_into(offset, 0, most).await,
        Source::Boot(object, _) => {
            let mut have = 0;
            while have < most {
                let piece = object.read(offset + u64::from(have), (most - have).min(READ)).await?;
                if piece.is_empty() {
                    break;
                }
                buffer.region.write(have.into(), &piece);
                have += piece.len() as u32;
            }
            Ok(have)
        }
    }
}

/// Makes a blob of it, and tells its hash. Nothing names it: it stays as long as something does, or `store:` is not collected.
async fn store(session: &Session, source: &Source) -> Result<String, Trouble> {
    let about = || refused("store");
    let store = session.held.client::<StoreClient>("store")?;
    let writer = store.begin().await.map_err(about())?;
    let mut offset = 0;
    while offset < source.size() {
        let piece = source.read(offset, READ).await.map_err(about())?;
        if piece.is_empty() {
            break;
        }
        writer.write(&piece).await.map_err(about())?;
        offset += piece.len() as u64;
    }
    let finished = writer.finish().await.map_err(about())?;
    let mut text = String::from("store:");
    for byte in &finished.hash {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    Ok(text)
}
