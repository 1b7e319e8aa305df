//! Listings.

use super::{kind, source};
use crate::disk::Blocks;
use crate::server::refused;
use capos_fs::{Kind, ObjectId, Source};
use kit::listing::{ENTRIES, Page, Record};
use rt::Exception;

/// The entries behind `after`, as many as fit, and whether these are all.
pub async fn page(from: &Source<'_, Blocks>, id: ObjectId, after: &str) -> Result<(Page, bool), Exception> {
    let listing = from.list(id, after.as_bytes(), ENTRIES).await.map_err(refused)?;
    let mut page = Page::default();
    for listed in &listing.entries {
        // A blob has no number that anybody could do something with.
        let is_blob = listed.entry.kind == Kind::Blob;
        let record = Record {
            object: if is_blob { 0 } else { listed.entry.object.0 },
            size: listed.size,
            modified_ns: listed.modified.ns,
            source: source(listed.modified),
            kind: kind(listed.entry.kind),
            name: &listed.name,
        };
        if !page.add(&record) {
            break;
        }
    }
    let end = listing.end && usize::from(page.count) == listing.entries.len();
    Ok((page, end))
}
