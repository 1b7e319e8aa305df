//! What is in a place.

use super::listing::{self, Entry};
use super::path::{Path, Place, is_plain, shown};
use super::walk;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Align, Table, size, timestamp};
use rt::schema::directory::EntryKind;

/// `ls`, of a place, a directory or one file.
pub async fn list(session: &Session, word: &str) -> Result<String, Trouble> {
    let path = walk::path(session, word).await?;
    match path.place {
        Place::Boot if path.names.is_empty() => boot(session).await,
        Place::Store if path.names.is_empty() => {
            Err(Trouble::say("blobs have no list: who knows a hash can have it"))
        }
        Place::Boot | Place::Store => {
            let bytes = walk::source(session, &path).await?.size();
            Ok(format!("{} {}\n", size(bytes), shown(path.last().unwrap_or_default())))
        }
        Place::Volume { .. } => volume(session, &path).await,
    }
}

async fn boot(session: &Session) -> Result<String, Trouble> {
    let mut table = Table::new(&[("SIZE", Align::Right), ("NAME", Align::Left)]);
    for (name, bytes) in session.boot_files().await? {
        table.row([size(bytes), name]);
    }
    Ok(table.render())
}

async fn volume(session: &Session, path: &Path) -> Result<String, Trouble> {
    let directory = match walk::directory(session, path, false).await {
        Ok(directory) => directory,
        // Perhaps it is a file.
        Err(trouble) => match walk::source(session, path).await {
            Ok(file) => {
                return Ok(format!("{} {}\n", size(file.size()), shown(path.last().unwrap_or_default())));
            }
            Err(_) => return Err(trouble),
        },
    };
    let (entries, is_cut) = listing::all(&directory).await.map_err(super::refused_at(path))?;
    if entries.is_empty() {
        return Ok(String::from("(empty)\n"));
    }
    let mut table = Table::new(&[("SIZE", Align::Right), ("MODIFIED", Align::Left), ("NAME", Align::Left)]);
    for entry in &entries {
        table.row(row(entry));
    }
    let mut text = table.render();
    if is_cut {
        text.push_str(&format!("... the first {} names\n", entries.len()));
    }
    Ok(text)
}

fn row(entry: &Entry) -> [String; 3] {
    let has_names = matches!(entry.kind, EntryKind::Directory | EntryKind::Namespace);
    let bytes = if has_names { String::from("-") } else { size(entry.size) };
    let time = if entry.is_dated { timestamp(entry.modified_ns) } else { String::from("-") };
    let end = if has_names { "/" } else { "" };
    [bytes, time, format!("{}{end}", shown(&entry.name))]
}

/// What a word that was begun can become, as far as that can be typed.
pub async fn names(session: &Session, begun: &str) -> Vec<String> {
    let at = begun.rfind(['/', ':']).map_or(0, |at| at + 1);
    let before = begun.get(..at).unwrap_or_default();
    let mut all = Vec::new();
    if before.is_empty() {
        all.extend(places(session));
    }
    let Ok(path) = walk::path(session, before).await else { return all };
    if path.place == Place::Boot {
        let files = session.boot_files().await.unwrap_or_default();
        all.extend(files.into_iter().map(|(name, _)| format!("{before}{name}")));
    } else if let Ok(directory) = walk::directory(session, &path, false).await {
        let (entries, _) = listing::all(&directory).await.unwrap_or_default();
        all.extend(entries.iter().filter(|entry| is_plain(&entry.name)).map(|entry| {
            let end =
                if matches!(entry.kind, EntryKind::Directory | EntryKind::Namespace) { "/" } else { "" };
            format!("{before}{}{end}", entry.name)
        }));
    }
    all
}

fn places(session: &Session) -> Vec<String> {
    let mounts = session.mounts.all();
    let volumes = mounts.iter().map(|mount| format!("{}:", mount.name));
    let boot = session.held.find("boot").map(|_| String::from("boot:"));
    volumes.chain(boot).collect()
}
