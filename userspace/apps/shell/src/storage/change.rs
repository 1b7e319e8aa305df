//! Names made and moved. What is said to be done is safe.

use super::path::{Path, Place};
use super::{copy, refused_at, walk};
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use rt::ExceptionCode;
use rt::schema::directory::Creation;

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

/// `mv`, within a volume; onto a file it takes its place.
pub async fn rename(session: &Session, from: &str, to: &str) -> Result<String, Trouble> {
    let (from, to) = (walk::path(session, from).await?, walk::path(session, to).await?);
    for path in [&from, &to] {
        if let Place::Volume { snapshot: Some(_), .. } | Place::Boot | Place::Store = path.place {
            return Err(Trouble::Say(format!("{path}: that can only be read")));
        }
    }
    if from.place != to.place {
        return Err(Trouble::say(
            "`mv` moves within one volume; between volumes it is `cp -r`, and `rm -r` then",
        ));
    }
    let (source, name) = walk::parent(session, &from, true).await?;
    if from.is_directory {
        // Whoever writes `a/` means a directory.
        walk::directory(session, &from, false).await?;
    }
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
