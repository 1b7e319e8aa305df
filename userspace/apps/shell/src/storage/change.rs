//! Names made, moved and taken away. What is said to be done is safe.

use super::listing;
use super::path::{Path, Place};
use super::{copy, refused_at, walk};
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::pin::Pin;
use rt::ExceptionCode;
use rt::generated::DirectoryClient;
use rt::schema::directory::{Creation, EntryKind};

/// Directories below each other that are removed together.
const DEEPEST: usize = 256;

/// `mkdir`, and with `p` what is missing above, too.
pub async fn make(session: &Session, letters: &str, words: &[String]) -> Result<String, Trouble> {
    for word in words {
        let path = walk::path(session, word).await?;
        let (first, creation) = match letters.is_empty() {
            true => (path.names.len(), Creation::Always),
            false => (1, Creation::Missing),
        };
        for count in first..=path.names.len().max(first) {
            make_one(session, &path.first(count), creation).await?;
        }
    }
    Ok(String::new())
}

async fn make_one(session: &Session, path: &Path, creation: Creation) -> Result<(), Trouble> {
    let (directory, name) = walk::parent(session, path, true).await?;
    directory.open_directory(creation, true, name).await.map_err(|error| match error.exception() {
        Some(ExceptionCode::WrongState) => Trouble::Say(format!("{path} is no directory")),
        _ => refused_at(path)(error),
    })?;
    directory.sync().await.map_err(refused_at(path))
}

/// `rm`: files and empty directories, with `r` what is below, too, and with `f` it is no error if nothing is there. What can not be removed does not
/// keep the others.
pub async fn remove(session: &Session, letters: &str, words: &[String]) -> Result<String, Trouble> {
    let mut troubles = Vec::new();
    for word in words {
        if let Err(trouble) = remove_one(session, letters, word).await {
            troubles.push(format!("{trouble}"));
        }
    }
    if troubles.is_empty() { Ok(String::new()) } else { Err(Trouble::Say(troubles.join("\n"))) }
}

async fn remove_one(session: &Session, letters: &str, word: &str) -> Result<(), Trouble> {
    let path = walk::path(session, word).await?;
    let (directory, name) = walk::parent(session, &path, true).await?;
    if letters.contains('r') {
        empty(&directory, &path, 0).await?;
    }
    match directory.remove(name).await {
        Err(error) if error.exception() == Some(ExceptionCode::WrongState) => {
            return Err(Trouble::Say(format!("{path} is not empty; `rm -r` removes what is in it, too")));
        }
        Err(error) if letters.contains('f') && error.exception() == Some(ExceptionCode::NotFound) => {}
        removed => removed.map_err(refused_at(&path))?,
    }
    directory.sync().await.map_err(refused_at(&path))
}

/// Removes everything below a directory; what is none, or is not there, has nothing below.
fn empty<'a>(
    above: &'a DirectoryClient,
    path: &'a Path,
    depth: usize,
) -> Pin<Box<dyn Future<Output = Result<(), Trouble>> + 'a>> {
    Box::pin(async move {
        if depth > DEEPEST {
            return Err(Trouble::say("that is too deep to be removed at once"));
        }
        let name = path.last().unwrap_or_default();
        let directory = match above.open_directory(Creation::Existing, true, name).await {
            Ok(directory) => directory,
            Err(error) => match error.exception() {
                Some(ExceptionCode::WrongState | ExceptionCode::NotFound) => return Ok(()),
                _ => return Err(refused_at(path)(error)),
            },
        };
        loop {
            let (entries, more) = listing::all(&directory).await.map_err(refused_at(path))?;
            for entry in &entries {
                let path = path.below(&entry.name);
                if entry.kind == EntryKind::Directory {
                    empty(&directory, &path, depth + 1).await?;
                }
                directory.remove(&entry.name).await.map_err(refused_at(&path))?;
            }
            if !more {
                return Ok(());
            }
        }
    })
}

/// `mv`, within a volume; onto a file it takes its place.
pub async fn rename(session: &Session, from: &str, to: &str) -> Result<String, Trouble> {
    let (from, to) = (walk::path(session, from).await?, walk::path(session, to).await?);
    for path in [&from, &to] {
        if let Place::Volume { snapshot: Some(_), .. } | Place::Boot | Place::Store = path.place {
            return Err(Trouble::Say(format!("{path}: that can only be read")));
        }
    }
    if from.place != to.place {
        return Err(Trouble::say("`mv` moves within one volume; between volumes it is `cp`, and `rm` then"));
    }
    let (source, name) = walk::parent(session, &from, true).await?;
    let (directory, to) = copy::target(session, &from, &to).await?;
    source.rename(&directory, true, name, to.last().unwrap_or_default()).await.map_err(
        |error| match error.exception() {
            Some(ExceptionCode::WrongState) => Trouble::Say(format!(
                "{to} is a directory that is not empty, or one of both is a directory and the other is not"
            )),
            _ => refused_at(&from)(error),
        },
    )?;
    source.sync().await.map_err(refused_at(&from))?;
    directory.sync().await.map_err(refused_at(&to))?;
    Ok(String::new())
}
