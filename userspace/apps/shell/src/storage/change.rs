//! Names made, moved and taken away. What is said to be done is safe.

use super::listing;
use super::path::{Path, Place, shown};
use super::{copy, refused, walk};
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::pin::Pin;
use rt::ExceptionCode;
use rt::generated::DirectoryClient;
use rt::schema::directory::{Creation, EntryKind};

/// Directories below each other that are removed together.
const DEEPEST: usize = 256;

/// `mkdir`.
pub async fn make(session: &Session, words: &[String]) -> Result<String, Trouble> {
    for word in words {
        let path = walk::path(session, word).await?;
        let (directory, name) = walk::parent(session, &path, true).await?;
        directory.open_directory(Creation::Always, true, name).await.map_err(refused(name))?;
        directory.sync().await.map_err(refused(name))?;
    }
    Ok(String::new())
}

/// `rm`: files and empty directories, and with `-r` what is below, too.
pub async fn remove(session: &Session, words: &[String]) -> Result<String, Trouble> {
    let (below, words) = match words.split_first() {
        Some((word, rest)) if word == "-r" => (true, rest),
        _ => (false, words),
    };
    if words.is_empty() {
        return Err(Trouble::say("rm what?"));
    }
    for word in words {
        let path = walk::path(session, word).await?;
        let (directory, name) = walk::parent(session, &path, true).await?;
        if below {
            empty(&directory, name, 0).await?;
        }
        directory.remove(name).await.map_err(|error| match error.exception() {
            Some(ExceptionCode::WrongState) => {
                Trouble::Say(format!("{} is not empty; `rm -r` removes what is in it, too", shown(name)))
            }
            _ => refused(name)(error),
        })?;
        directory.sync().await.map_err(refused(name))?;
    }
    Ok(String::new())
}

/// Removes everything below a directory; what is none has nothing below.
fn empty<'a>(
    above: &'a DirectoryClient,
    name: &'a str,
    depth: usize,
) -> Pin<Box<dyn Future<Output = Result<(), Trouble>> + 'a>> {
    Box::pin(async move {
        if depth > DEEPEST {
            return Err(Trouble::say("that is too deep to be removed at once"));
        }
        let directory = match above.open_directory(Creation::Existing, true, name).await {
            Ok(directory) => directory,
            Err(error) if error.exception() == Some(ExceptionCode::WrongState) => return Ok(()),
            Err(error) => return Err(refused(name)(error)),
        };
        loop {
            let (entries, more) = listing::all(&directory).await.map_err(refused(name))?;
            for entry in &entries {
                if entry.kind == EntryKind::Directory {
                    empty(&directory, &entry.name, depth + 1).await?;
                }
                directory.remove(&entry.name).await.map_err(refused(&entry.name))?;
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
    if !is_same_volume(&from, &to) {
        return Err(Trouble::say("`mv` moves within one volume; between volumes it is `cp`, and `rm` then"));
    }
    let (source, name) = walk::parent(session, &from, true).await?;
    let (directory, new_name) = copy::target(session, &from, &to).await?;
    source.rename(&directory, true, name, &new_name).await.map_err(|error| match error.exception() {
        Some(ExceptionCode::WrongState) => Trouble::Say(format!(
            "{} is a directory that is not empty, or one of both is a directory and the other is not",
            shown(&new_name)
        )),
        _ => refused(name)(error),
    })?;
    source.sync().await.map_err(refused(name))?;
    directory.sync().await.map_err(refused(&new_name))?;
    Ok(String::new())
}

fn is_same_volume(from: &Path, to: &Path) -> bool {
    matches!(from.place, Place::Volume { snapshot: None, .. }) && from.place == to.place
}
