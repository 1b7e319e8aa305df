//! The disks that the block service knows, and what is on them.

use super::mounts::GIVEN;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rt::generated::DisksClient;
use rt::generated::disks::{ListReply, PartReply};
use rt::schema::block_device::Content;
use rt::{CallError, ExceptionCode, Lent};

/// Disks, and partitions of each, that are looked at.
const MOST: usize = 1024;

/// A partition, or all of a disk that is not divided.
pub struct Part {
    /// `disk0`, or `disk0.1`.
    pub name: String,
    pub disk: ListReply,
    pub part: PartReply,
}

/// What can be asked for disks.
pub fn client(session: &Session) -> Result<Lent<'static, DisksClient>, Trouble> {
    session.held.client::<DisksClient>("disks")
}

/// Everything that there is.
pub async fn all(disks: &DisksClient) -> Result<Vec<Part>, Trouble> {
    let (mut parts, mut cursor) = (Vec::new(), 0);
    for index in 0..MOST {
        let Some(disk) = found(disks.list(cursor).await)? else { break };
        let next = disk.next;
        of_disk(disks, index, disk, &mut parts).await?;
        if next <= cursor {
            break;
        }
        cursor = next;
    }
    Ok(parts)
}

async fn of_disk(
    disks: &DisksClient,
    index: usize,
    disk: ListReply,
    parts: &mut Vec<Part>,
) -> Result<(), Trouble> {
    let mut cursor = 0;
    for _ in 0..MOST {
        let Some(part) = found(disks.part(disk.number, cursor).await)? else { break };
        let name = match part.number {
            0 => format!("disk{index}"),
            number => format!("disk{index}.{number}"),
        };
        let next = part.next;
        parts.push(Part { name, disk: disk.clone(), part });
        if next <= cursor {
            break;
        }
        cursor = next;
    }
    Ok(())
}

fn found<T>(answer: Result<T, CallError>) -> Result<Option<T>, Trouble> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.exception() == Some(ExceptionCode::NotFound) => Ok(None),
        Err(error) => Err(Trouble::Call(String::from("disks"), error)),
    }
}

/// What they are called, for whoever begins to type it.
pub async fn disk_names(session: &Session) -> Vec<String> {
    let Ok(disks) = client(session) else { return Vec::new() };
    let all = all(&disks).await.unwrap_or_default();
    all.into_iter().map(|part| part.name).collect()
}

/// Whether something is `files:`: a volume that the shell was given, or is about to be, or mounted under that name; else why there is none.
pub async fn volume(session: &Session) -> Result<(), Trouble> {
    if session.mounts.find(GIVEN).is_some_and(|mount| mount.server.is_some()) {
        return Ok(());
    }
    // Without disks to look at it is found out by asking.
    let Ok(disks) = client(session) else { return Ok(()) };
    let all = all(&disks).await?;
    let volumes = || all.iter().filter(|part| part.part.content == Content::Volume);
    if volumes().any(|part| part.part.taken) {
        return Ok(());
    }
    match volumes().count() {
        0 => Err(Trouble::say(
            "there is no volume: no disk has one (`mount` lists disks), `boot:` has the boot files",
        )),
        1 => Ok(()),
        count => Err(Trouble::Say(format!(
            "{count} disks or partitions have a volume, and so none is `files`: `mount` lists them, and mounts one"
        ))),
    }
}
