//! `rm`. What is said to be done is safe.

use super::descent::Descent;
use super::path::Path;
use super::{listing, refused_at, walk};
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rt::generated::DirectoryClient;
use rt::schema::directory::{Creation, EntryKind};
use rt::{CallError, ExceptionCode};

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
    if path.is_directory || letters.contains('r') {
        match directory.open_directory(Creation::Existing, true, name).await {
            Ok(_) if !letters.contains('r') => {}
            Ok(below) => empty(below, &path).await?,
            Err(error) => match error.exception() {
                // Then it is a file.
                Some(ExceptionCode::WrongState) if path.is_directory => {
                    return Err(Trouble::Say(format!("{path} is no directory")));
                }
                Some(ExceptionCode::WrongState | ExceptionCode::NotFound) => {}
                _ => return Err(refused_at(&path)(error)),
            },
        }
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

/// Removes everything below a directory.
async fn empty(first: DirectoryClient, path: &Path) -> Result<(), Trouble> {
    let mut descent = Descent::new(first, true);
    loop {
        match step(&mut descent).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err((name, error)) => {
                let at = descent.path(path);
                let at = name.map_or_else(|| at.clone(), |name| at.below(&name));
                return Err(refused_at(&at)(error));
            }
        }
    }
}

/// What was refused, and about which name in the directory if not itself.
type Refused = (Option<String>, CallError);

/// Removes what there is at a place, and goes on to the next one: below it, where there is something, else above. False when all is gone.
async fn step(descent: &mut Descent) -> Result<bool, Refused> {
    let here = descent.here().await.map_err(|error| (None, error))?;
    if let Some(name) = clear(here).await? {
        descent.enter(Creation::Existing, &name).await.map_err(|error| (Some(name), error))?;
        return Ok(true);
    }
    let Some(name) = descent.leave() else { return Ok(false) };
    let above = descent.here().await.map_err(|error| (None, error))?;
    match above.remove(&name).await {
        // Somebody put something there meanwhile: it is found again above.
        Err(error) if error.exception() != Some(ExceptionCode::WrongState) => Err((Some(name), error)),
        _ => Ok(true),
    }
}

/// Removes files and empty directories; tells of a directory that is not empty.
async fn clear(here: &DirectoryClient) -> Result<Option<String>, Refused> {
    loop {
        let (entries, _) = listing::page(here, "").await.map_err(|error| (None, error))?;
        if entries.is_empty() {
            return Ok(None);
        }
        for entry in entries {
            match here.remove(&entry.name).await {
                Ok(()) => {}
                Err(error) => match error.exception() {
                    Some(ExceptionCode::WrongState) if entry.kind == EntryKind::Directory => {
                        return Ok(Some(entry.name));
                    }
                    // Somebody else was faster.
                    Some(ExceptionCode::NotFound) => {}
                    _ => return Err((Some(entry.name), error)),
                },
            }
        }
    }
}
