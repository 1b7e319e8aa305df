//! Listings, as records in a message (schema/directory.capnp, `Directory.list`).

use crate::source::Source;
use alloc::vec::Vec;
use capos_fs::{Kind, Listed, ObjectId};
use rt::Exception;

/// Bytes of records that fit into an answer beside the rest.
const MOST: usize = 3900;
/// Bytes of a record before its name.
const HEAD: usize = 32;
/// Entries that fit at most, with names of one byte.
const ENTRIES: usize = MOST / (HEAD + 8);

/// Some entries.
pub struct Page {
    pub count: u16,
    pub end: bool,
    pub records: Vec<u8>,
}

/// The entries behind `after`, as many as fit.
pub async fn page(source: &Source<'_>, id: ObjectId, after: &str) -> Result<Page, Exception> {
    let listing = source.list(id, after, ENTRIES).await?;
    let (mut records, mut count) = (Vec::with_capacity(MOST), 0);
    for listed in &listing.entries {
        if records.len() + HEAD + listed.name.len().next_multiple_of(8) > MOST {
            break;
        }
        add(&mut records, listed);
        count += 1;
    }
    let end = listing.end && usize::from(count) == listing.entries.len();
    Ok(Page { count, end, records })
}

fn add(records: &mut Vec<u8>, listed: &Listed) {
    let Listed { name, entry, size, modified } = listed;
    // A blob has no number that anybody could do something with.
    let object = if entry.kind == Kind::Blob { 0 } else { entry.object.0 };
    for word in [object, *size, modified.ns] {
        records.extend(word.to_le_bytes());
    }
    records.extend([entry.kind as u8, modified.source as u8, name.len() as u8, 0, 0, 0, 0, 0]);
    records.extend(name.as_bytes());
    records.resize(records.len().next_multiple_of(8), 0);
}
