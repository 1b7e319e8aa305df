//! Volumes at their ends: as small and as large as there are, full, with many names and deep trees, spoiled, or none at all.

use crate::Probe;
use crate::before::{PIECE, read};
use crate::crafted;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use probe::Fields;
use rt::generated::DirectoryClient;
use rt::schema::directory::{Creation, EntryKind};
use rt::{CallError, ExceptionCode};

/// Names that are allowed, however they look.
const ODD: [&str; 9] = [
    "...",
    " ",
    "\u{1}\u{7}\u{1b}[2J\u{1b}]0;x\u{7}",
    "a\nb\r\n",
    "\u{202e}txt.exe",
    "a\u{308}",
    "\u{e4}",
    "\\..\\..\\etc",
    "-rf *?$(x)`y`\"'",
];

/// What there is to be looked at.
pub async fn look(probe: &Probe, mode: &str, count: u64) -> Result<(), CallError> {
    match mode {
        lie if lie.starts_with("crafted-") => {
            crafted::look(probe, lie.trim_start_matches("crafted-")).await?
        }
        "full" => full(probe).await?,
        "many" => many(probe, count).await?,
        "deep" => deep(probe, count).await?,
        "names" => names(probe).await?,
        "spoiled" => spoiled(probe).await?,
        "refused" => return refused(probe, ExceptionCode::Malformed).await,
        "failing" => return refused(probe, ExceptionCode::DeviceFault).await,
        _ => some(probe).await?,
    }
    probe.root.sync().await?;
    let space = probe.volume.space().await?;
    let fields = Fields::new().value("blocks", space.blocks).value("free", space.free);
    probe.report.event("files.made", fields.value("objects", space.objects));
    Ok(())
}

/// A file, on whatever disk.
async fn some(probe: &Probe) -> Result<(), CallError> {
    let home = probe.root.open_directory(Creation::Missing, "home").await?;
    let file = home.open_file(Creation::Always, true, "some").await?;
    let bytes = probe.bytes(1, PIECE);
    file.write(0, &bytes).await?;
    file.sync().await?;
    probe.is("what was synced is read", read(&file, 0, PIECE + 1).await? == bytes, true);
    sound(probe).await
}

async fn sound(probe: &Probe) -> Result<(), CallError> {
    probe.is("nothing is wrong on the disk", probe.volume.check(0).await?.finding, String::new());
    Ok(())
}

/// Whoever finds the volume full is told so, keeps what is there, and makes room.
async fn full(probe: &Probe) -> Result<(), CallError> {
    let home = probe.root.open_directory(Creation::Missing, "home").await?;
    let kept = home.open_file(Creation::Always, true, "kept").await?;
    let bytes = probe.bytes(1, PIECE);
    kept.write(0, &bytes).await?;
    let large = home.open_file(Creation::Always, true, "large").await?;
    let mut written = 0u64;
    let refused = loop {
        match large.append(&probe.bytes(written, PIECE)).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    probe.refuses::<()>("more than fits", Err(refused), ExceptionCode::OutOfMemory);
    probe.is("most of it fits", written > 100, true);
    probe.is("the file is as long as what fitted", large.stat().await?.size, written * PIECE as u64);
    large.sync().await?;
    probe.is("what was there stays", read(&kept, 0, PIECE).await? == bytes, true);
    let last = read(&large, (written - 1) * PIECE as u64, PIECE).await?;
    probe.is("so does what came last", last == probe.bytes(written - 1, PIECE), true);
    sound(probe).await?;
    drop(large);
    home.remove("large").await?;
    probe.root.sync().await?;
    let again = home.open_file(Creation::Always, true, "again").await?;
    for piece in 0..written / 2 {
        again.append(&probe.bytes(piece, PIECE)).await?;
    }
    again.sync().await?;
    sound(probe).await
}

/// The name of an entry among many.
fn number(entry: u64) -> String {
    format!("{entry:08}")
}

/// So many files in one directory.
async fn many(probe: &Probe, count: u64) -> Result<(), CallError> {
    let all = probe.root.open_directory(Creation::Always, "all").await?;
    for entry in 0..count {
        // In an order that is not that of the names.
        let name = number(entry.wrapping_mul(2_654_435_761) % count);
        drop(all.open_file(Creation::Missing, true, &name).await?);
    }
    let found = all.info().await?.entries;
    probe.is("each has an entry", found, count);
    let (mut after, mut listed, mut in_order) = (String::new(), 0u64, true);
    loop {
        let page = all.list(&after).await?;
        listed += u64::from(page.count);
        if page.end {
            break;
        }
        let last = crate::after::last_name(&page.records).unwrap_or_default();
        in_order &= last > after;
        after = last;
    }
    probe.is("each is listed once, in order", (listed, in_order), (count, true));
    for entry in (0..count).step_by(1000) {
        all.remove(&number(entry)).await?;
    }
    let left = count - count.div_ceil(1000);
    probe.is("some are removed", all.info().await?.entries, left);
    let gone = all.stat(&number(0)).await;
    probe.refuses("one of these", gone, ExceptionCode::NotFound);
    probe.is("its neighbour is there", all.stat(&number(1)).await?.kind, EntryKind::File);
    sound(probe).await
}

/// Directories in each other, and a file at the end.
async fn deep(probe: &Probe, count: u64) -> Result<(), CallError> {
    let mut at = probe.root.open_directory(Creation::Always, "deep").await?;
    for _ in 0..count {
        at = at.open_directory(Creation::Always, true, "d").await?;
    }
    at.open_file(Creation::Always, true, "end").await?.write(0, b"end").await?;
    probe.root.sync().await?;
    let top = probe.root.open_directory(Creation::Existing, "deep").await?;
    let mut down = top.open_directory(Creation::Existing, true, "d").await?;
    for _ in 1..count {
        down = down.open_directory(Creation::Existing, true, "d").await?;
    }
    let end = down.open_file(Creation::Existing, false, "end").await?;
    probe.is("what is at the end is found", read(&end, 0, 10).await?, Vec::from(*b"end"));
    let ring = top.rename(&down, false, "d", "ring").await;
    probe.refuses("a directory below itself, however deep", ring, ExceptionCode::InvalidArgument);
    sound(probe).await
}

/// Names are bytes of UTF-8, and mean nothing.
async fn names(probe: &Probe) -> Result<(), CallError> {
    let home = probe.root.open_directory(Creation::Always, "home").await?;
    let longest = "\u{e4}".repeat(127) + "x";
    let mut all: Vec<&str> = Vec::from(ODD);
    all.push(&longest);
    for (place, name) in (0u64..).zip(&all) {
        home.open_file(Creation::Always, true, name).await?.write(0, &place.to_le_bytes()).await?;
    }
    probe.is("each is another name", home.info().await?.entries, all.len() as u64);
    for (place, name) in (0u64..).zip(&all) {
        let file = home.open_file(Creation::Existing, false, name).await?;
        probe.is("and leads to its file", read(&file, 0, 9).await?, Vec::from(place.to_le_bytes()));
    }
    all.sort_unstable();
    let last = all.last().map(|name| String::from(*name));
    let listed = crate::after::last_name(&home.list("").await?.records);
    probe.is("they are listed as they are, by their bytes", listed, last);
    for wrong in ["", ".", "..", "a/b", "a\0", "/"] {
        let made = home.open_file(Creation::Always, true, wrong).await;
        probe.refuses("no name", made, ExceptionCode::InvalidArgument);
    }
    let long = home.open_file(Creation::Always, true, &(longest + "x")).await;
    probe.refuses("256 bytes", long, ExceptionCode::InvalidArgument);
    sound(probe).await
}

/// The host spoiled a block of data of `one`, and left `two` alone.
async fn spoiled(probe: &Probe) -> Result<(), CallError> {
    let open = async |name: &'static str| -> Result<_, CallError> {
        let home: DirectoryClient = probe.root.open_directory(Creation::Existing, "home").await?;
        home.open_file(Creation::Existing, true, name).await
    };
    let one = open("one").await?;
    probe.refuses("what the disk spoiled", one.read(0, 100).await, ExceptionCode::DeviceFault);
    let two = open("two").await?;
    probe.is("the rest is served", read(&two, 0, 100).await?, Vec::from(*b"two is sound"));
    let found = probe.volume.check(0).await?;
    probe.is("a check names it", found.finding.contains("is corrupt"), true);
    let next = probe.volume.check(found.next).await?;
    probe.is("and nothing else", next.finding, String::new());
    // Whoever writes it anew has it again.
    one.truncate(0).await?;
    one.write(0, &probe.bytes(1, PIECE)).await?;
    one.write(PIECE as u64, &probe.bytes(2, 96)).await?;
    let anew = read(&one, 0, PIECE).await;
    probe.is("what was written over it is read", anew.is_ok_and(|read| read == probe.bytes(1, PIECE)), true);
    Ok(())
}

/// There is no volume, for that reason.
async fn refused(probe: &Probe, why: ExceptionCode) -> Result<(), CallError> {
    for _ in 0..2 {
        let listed = probe.root.list("").await;
        probe.refuses("names of what is no volume", listed, why);
        let put = probe.store.put(b"x").await;
        probe.refuses("blobs in it", put.map(drop), why);
        let space = probe.volume.space().await;
        probe.refuses("its space", space.map(drop), why);
    }
    probe.report.event("files.unmounted", Fields::new());
    Ok(())
}
