//! What is there, for people.

use std::fmt::Write as _;
use std::io::Write as _;

use capos_fs::{Kind, Listed, Object, ObjectId, Stamp, TimeSource};
use capos_store::Mounted;
use capos_text::shown;

use super::{Files, Source, block_on, failed, find, snapshots};
use crate::exec::{Context, Failure};

/// How many names are asked for at a time.
const MANY: usize = 256;

/// Prints, for whoever reads as much of it as they want.
pub fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Lists a directory or namespace, or shows one file.
pub fn list(source: &Source<'_>, path: &str) -> Result<(), Failure> {
    let entry = find(source, path)?;
    let mut text = String::new();
    if entry.kind.has_names() {
        each(source, entry.object, path, |listed, object| text += &line(object, &listed.name))?;
    } else {
        text = line(&block_on(source.stat(entry.object)).map_err(|error| failed(path, error))?, path);
    }
    print(&text);
    Ok(())
}

fn each(
    source: &Source<'_>,
    directory: ObjectId,
    path: &str,
    mut show: impl FnMut(&Listed, &Object),
) -> Result<(), Failure> {
    let mut after = String::new();
    loop {
        let listing =
            block_on(source.list(directory, after.as_bytes(), MANY)).map_err(|error| failed(path, error))?;
        for listed in &listing.entries {
            let object = block_on(source.stat(listed.entry.object)).map_err(|error| failed(path, error))?;
            show(listed, &object);
            after.clone_from(&listed.name);
        }
        if listing.end {
            return Ok(());
        }
    }
}

fn line(object: &Object, name: &str) -> String {
    columns(word(object.kind), object.size, object.modified, name)
}

/// A line of a list.
pub fn columns(word: &str, size: u64, modified: Stamp, name: &str) -> String {
    format!("{word:<9} {size:>13} {:>19}  {}\n", time(modified), shown(name))
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Blob => "blob",
        Kind::Namespace => "namespace",
    }
}

pub fn time(stamp: Stamp) -> String {
    let seconds = stamp.ns / 1_000_000_000;
    match stamp.source {
        TimeSource::Unknown => format!("{seconds} s after a start"),
        _ => date(seconds),
    }
}

/// Seconds since 1970 as a date: the days of a civil year counted from March (Howard Hinnant, chrono-compatible date algorithms).
fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Shows the volume, and everything that is on it with all that is known of it.
/// False if something could not be read: it is named, and the rest is shown.
pub fn dump(files: &Files, mounted: &Mounted) -> Result<bool, Failure> {
    print(&volume(files, mounted));
    let (mut open, mut is_all) = (vec![("/".to_owned(), ObjectId::ROOT)], true);
    while let Some((path, id)) = open.pop() {
        let mut below = Vec::new();
        if let Err(failure) = dump_one(files, &path, id, &mut below) {
            eprintln!("{failure}");
            is_all = false;
        }
        open.extend(below.into_iter().rev());
    }
    Ok(is_all)
}

/// Shows one object, and adds what has names in it.
fn dump_one(
    files: &Files,
    path: &str,
    id: ObjectId,
    below: &mut Vec<(String, ObjectId)>,
) -> Result<(), Failure> {
    let object = block_on(files.stat(id)).context(path)?;
    print(&everything(path, id.0, &object));
    if !object.kind.has_names() {
        return Ok(());
    }
    let mut after = String::new();
    loop {
        let listing =
            block_on(files.list(id, after.as_bytes(), MANY)).map_err(|error| failed(path, error))?;
        for listed in listing.entries {
            let end = if listed.entry.kind.has_names() { "/" } else { "" };
            below.push((format!("{path}{}{end}", shown(&listed.name)), listed.entry.object));
            after = listed.name;
        }
        if listing.end {
            return Ok(());
        }
    }
}

fn volume(files: &Files, mounted: &Mounted) -> String {
    let volume = files.volume();
    let space = volume.space();
    let mut text =
        format!("volume {:032x}: commit {} in block {}\n", volume.uuid(), mounted.commit, mounted.slot);
    for (number, slot) in mounted.slots.iter().enumerate() {
        let _ = writeln!(text, "  slot {number} {slot}");
    }
    for snapshot in volume.snapshots() {
        let _ = writeln!(text, "  snapshot {}", snapshots::called(&snapshot));
    }
    let _ =
        writeln!(text, "  {} blocks, {} free, {} kept for removals", space.blocks, space.free, space.reserve);
    if let Ok(objects) = block_on(files.objects()) {
        let _ = writeln!(text, "  {objects} objects");
    }
    text
}

fn everything(path: &str, id: u64, object: &Object) -> String {
    let Object { kind, links, domain, size, blocks, created, modified, parent } = object;
    let kind = word(*kind);
    let [made, changed] = [created, modified].map(|stamp| format!("{} ({:?})", time(*stamp), stamp.source));
    format!(
        "{path}\n  {kind}, object {id} in {}: size {size}, {blocks} blocks, {links} names, domain {domain}\n  \
         made {made}, changed {changed}\n",
        parent.0
    )
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01 00:00:00");
        assert_eq!(date(951_782_399), "2000-02-28 23:59:59");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(date(4_107_542_400), "2100-03-01 00:00:00");
    }
}
