//! What is made.

use crate::{MARK, Probe};
use alloc::vec::Vec;
use rt::CallError;
use rt::generated::{DirectoryClient, FileClient};
use rt::schema::directory::Creation;

/// Bytes of a message.
pub const PIECE: usize = 4000;
/// Where something is written far behind the rest.
pub const FAR: u64 = 48 << 20;
/// Bytes of the file that has many.
pub const LONG: usize = 60_000;
/// Files of the directory that has many.
pub const MANY: u64 = 300;

/// Writes bytes, a message at a time.
pub async fn write(file: &FileClient, offset: u64, bytes: &[u8]) -> Result<(), CallError> {
    for (at, piece) in (offset..).step_by(PIECE).zip(bytes.chunks(PIECE)) {
        file.write(at, piece).await?;
    }
    Ok(())
}

/// Reads so many bytes, or up to the end.
pub async fn read(file: &FileClient, offset: u64, length: usize) -> Result<Vec<u8>, CallError> {
    let mut all = Vec::new();
    while all.len() < length {
        let left = (length - all.len()).min(PIECE) as u32;
        let piece = file.read(offset + all.len() as u64, left).await?;
        if piece.is_empty() {
            break;
        }
        all.extend(piece);
    }
    Ok(all)
}

/// All of it.
pub async fn make(probe: &Probe) -> Result<(), CallError> {
    let home = probe.root.open_directory(Creation::Always, "home").await?;
    contents(probe, &home).await?;
    names(probe, &home).await?;
    blobs(probe).await?;
    snapshot(probe, &home).await?;
    probe.root.open_directory(Creation::Always, MARK).await?;
    Ok(())
}

async fn contents(probe: &Probe, home: &DirectoryClient) -> Result<(), CallError> {
    let long = home.open_file(Creation::Always, true, "long").await?;
    let bytes = probe.bytes(1, LONG);
    write(&long, 0, &bytes).await?;
    probe.is("what was written is read", read(&long, 0, LONG + 10).await? == bytes, true);
    let middle = probe.bytes(2, 5000);
    write(&long, 10_001, &middle).await?;
    probe.is("and what was written over it", read(&long, 10_001, 5000).await? == middle, true);
    probe.is(
        "what is before that stays",
        read(&long, 0, 10_001).await?.as_slice(),
        bytes.get(..10_001).unwrap_or(&[]),
    );
    let sparse = home.open_file(Creation::Always, true, "sparse").await?;
    write(&sparse, FAR, b"far").await?;
    let stat = sparse.stat().await?;
    probe.is("a file is as long as it reaches", stat.size, FAR + 3);
    probe.is("and takes the room of what was written", stat.stored, 4096);
    probe.is(
        "what was never written is zeros",
        read(&sparse, FAR - 8, 100).await?,
        Vec::from(*b"\0\0\0\0\0\0\0\0far"),
    );
    let run = sparse.next(0).await?;
    probe.is("the first stored bytes are found", (run.start, run.length), (FAR, 3));
    let ends = home.open_file(Creation::Always, true, "ends").await?;
    probe.is("the first is appended at 0", ends.append(b"one ").await?, 0);
    probe.is("the next behind it", ends.append(b"two three").await?, 4);
    ends.truncate(7).await?;
    probe.is("what was cut off is gone", read(&ends, 0, 100).await?, Vec::from(*b"one two"));
    ends.truncate(9).await?;
    probe.is("and does not come back", read(&ends, 0, 100).await?, Vec::from(*b"one two\0\0"));
    ends.sync().await
}

async fn names(probe: &Probe, home: &DirectoryClient) -> Result<(), CallError> {
    let many = home.open_directory(Creation::Always, true, "many").await?;
    for number in 0..MANY {
        let file = many.open_file(Creation::Always, true, &alloc::format!("{number:05}")).await?;
        file.write(0, &number.to_le_bytes()).await?;
    }
    probe.is("a directory counts its entries", many.info().await?.entries, MANY);
    let other = home.open_directory(Creation::Always, true, "other").await?;
    many.rename(&other, false, "00007", "moved").await?;
    many.remove("00008").await?;
    let held = many.open_file(Creation::Existing, true, "00009").await?;
    many.remove("00009").await?;
    held.append(b"more").await?;
    probe.is("who holds a file has it without a name", held.stat().await?.links, 0);
    let new = other.open_file(Creation::Always, true, "new").await?;
    new.write(0, b"instead").await?;
    other.rename(&many, true, "new", "00010").await?;
    probe.is("entries move", (many.info().await?.entries, other.info().await?.entries), (MANY - 3, 1));
    Ok(())
}

async fn blobs(probe: &Probe) -> Result<(), CallError> {
    let bytes = probe.bytes(3, 3000);
    let first = probe.store.put(&bytes).await?;
    let second = probe.store.put(&bytes).await?;
    probe.is("equal bytes have one name", first.hash == second.hash, true);
    probe.is("which finds them", probe.store.get(&first.hash).await?.read(0, 4000).await? == bytes, true);
    probe.root.bind_blob(&first.blob, false, "blob").await?;
    let writer = probe.store.begin().await?;
    let long = probe.bytes(4, LONG);
    for piece in long.chunks(PIECE) {
        writer.write(piece).await?;
    }
    let finished = writer.finish().await?;
    probe.is("a blob is as long as what was written", finished.blob.info().await?.size, LONG as u64);
    drop(finished);
    let dropped = probe.store.collect().await?;
    probe.is("what nobody names or holds is collected", (dropped.blobs, dropped.bytes), (1, LONG as u64));
    Ok(())
}

async fn snapshot(probe: &Probe, home: &DirectoryClient) -> Result<(), CallError> {
    probe.volume.snapshot("first").await?;
    let ends = home.open_file(Creation::Existing, true, "ends").await?;
    write(&ends, 0, b"ONE").await?;
    home.remove("sparse").await
}
