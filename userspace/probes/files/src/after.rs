//! What is left after a reset.

use crate::Probe;
use crate::before::{LONG, MANY, read};
use alloc::string::String;
use alloc::vec::Vec;
use rt::generated::{BlobClient, DirectoryClient};
use rt::schema::directory::{Creation, EntryKind};
use rt::{CallError, ExceptionCode};

/// All of it.
pub async fn look(probe: &Probe) -> Result<(), CallError> {
    let home = probe.root.open_directory(Creation::Existing, "home").await?;
    contents(probe, &home).await?;
    names(probe, &home).await?;
    let blob = probe.root.resolve(false, "blob").await?;
    probe.is("a blob has its name", blob.kind, EntryKind::Blob);
    snapshot(probe).await?;
    let found = probe.volume.check(0).await?;
    probe.is("nothing is wrong on the disk", found.finding, String::new());
    Ok(())
}

async fn contents(probe: &Probe, home: &DirectoryClient) -> Result<(), CallError> {
    let long = home.open_file(Creation::Existing, false, "long").await?;
    let (before, over) = (probe.bytes(1, LONG), probe.bytes(2, 5000));
    let mut wanted = before;
    wanted.splice(10_001..15_001, over);
    probe.is("a file is as it was synced", read(&long, 0, LONG + 10).await? == wanted, true);
    let ends = home.open_file(Creation::Existing, false, "ends").await?;
    probe.is("so is what was written last", read(&ends, 0, 100).await?, Vec::from(*b"ONE two\0\0"));
    probe.refuses("what was removed is gone", home.stat("sparse").await, ExceptionCode::NotFound);
    Ok(())
}

async fn names(probe: &Probe, home: &DirectoryClient) -> Result<(), CallError> {
    let many = home.open_directory(Creation::Existing, false, "many").await?;
    let (mut after, mut count) = (String::new(), 0u64);
    loop {
        let page = many.list(&after).await?;
        count += u64::from(page.count);
        if page.end {
            break;
        }
        after = last_name(&page.records).unwrap_or_default();
    }
    probe.is("each entry is listed once", (count, many.info().await?.entries), (MANY - 3, MANY - 3));
    let other = home.open_directory(Creation::Existing, false, "other").await?;
    let moved = other.open_file(Creation::Existing, false, "moved").await?;
    probe.is("what was moved is what it was", moved.read(0, 100).await?, Vec::from(7u64.to_le_bytes()));
    let replaced = many.open_file(Creation::Existing, false, "00010").await?;
    probe.is("what was replaced is the other", replaced.read(0, 100).await?, Vec::from(*b"instead"));
    Ok(())
}

/// The name of the last record of a listing.
pub fn last_name(records: &[u8]) -> Option<String> {
    names_of(records).pop()
}

/// The names of a listing.
pub fn names_of(records: &[u8]) -> Vec<String> {
    let (mut rest, mut names) = (records, Vec::new());
    while let Some((head, behind)) = rest.split_at_checked(32) {
        let length = head.get(26).map_or(0, |length| usize::from(*length));
        let name = behind.get(..length).and_then(|name| core::str::from_utf8(name).ok());
        names.extend(name.map(String::from));
        rest = behind.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    names
}

async fn snapshot(probe: &Probe) -> Result<(), CallError> {
    let first = probe.volume.list_snapshots("").await?;
    probe.is("a snapshot has its name", first.name.as_str(), "first");
    let past = probe.volume.open_snapshot("first").await?;
    let home = past.namespace.open_directory(Creation::Existing, "home").await?;
    let ends = home.open_file(Creation::Existing, false, "ends").await?;
    probe.is("it is as it was", read(&ends, 0, 100).await?, Vec::from(*b"one two\0\0"));
    probe.is("what was removed later is there", home.stat("sparse").await?.kind, EntryKind::File);
    let changed = home.open_file(Creation::Existing, true, "ends").await;
    probe.refuses("and nobody changes it", changed, ExceptionCode::Denied);
    let old = past.namespace.resolve(false, "blob").await?;
    let old = BlobClient::from(old.object);
    let bound = probe.root.bind_blob(&old, false, "old").await;
    probe.refuses("nor names anew what it keeps", bound, ExceptionCode::InvalidArgument);
    drop(old);
    let removed = probe.volume.remove_snapshot("first").await;
    probe.refuses("what somebody has open stays", removed, ExceptionCode::WrongState);
    drop((ends, home, past));
    let before = probe.volume.space().await?.free;
    probe.volume.remove_snapshot("first").await?;
    let after = probe.volume.space().await?.free;
    probe.is("what only it held is free again", after > before, true);
    Ok(())
}
