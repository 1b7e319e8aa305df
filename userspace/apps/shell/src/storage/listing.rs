//! What a directory's listing says (schema/directory.capnp, `Directory.list`). Whoever serves it may say anything.

use alloc::string::String;
use alloc::vec::Vec;
use rt::CallError;
use rt::generated::DirectoryClient;
use rt::schema::directory::EntryKind;

/// Bytes of a record before its name.
const HEAD: usize = 32;

/// Entries of one directory that are looked at.
const MOST: usize = 100_000;

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub name: String,
    pub kind: EntryKind,
    /// Bytes, or names.
    pub size: u64,
    pub modified_ns: u64,
    /// The time of day was known.
    pub is_dated: bool,
}

/// All entries; whether there are more than anybody would want to see.
pub async fn all(directory: &DirectoryClient) -> Result<(Vec<Entry>, bool), CallError> {
    let (mut entries, mut is_end) = (Vec::new(), false);
    while !is_end && entries.len() < MOST {
        let after = entries.last().map_or("", |last: &Entry| &last.name);
        let (more, end) = page(directory, after).await?;
        entries.extend(more);
        is_end = end;
    }
    Ok((entries, !is_end))
}

/// Some entries whose names are behind `after`; whether they are the last ones.
pub async fn page(directory: &DirectoryClient, after: &str) -> Result<(Vec<Entry>, bool), CallError> {
    let page = directory.list(after).await?;
    let mut entries = parse(&page.records, page.count);
    // It goes on behind the last name, or not at all.
    entries.retain(|entry| *entry.name > *after);
    let end = page.end || entries.is_empty();
    Ok((entries, end))
}

fn parse(records: &[u8], count: u16) -> Vec<Entry> {
    let (mut entries, mut rest) = (Vec::new(), records);
    for _ in 0..count {
        let Some((entry, behind)) = one(rest) else { break };
        entries.push(entry);
        rest = behind;
    }
    entries
}

/// The first record, and what is behind it.
fn one(records: &[u8]) -> Option<(Entry, &[u8])> {
    let (head, rest) = records.split_at_checked(HEAD)?;
    let word = |at: usize| Some(u64::from_le_bytes(*head.get(at..)?.first_chunk()?));
    let [kind, source, length] = *head.get(24..)?.first_chunk()?;
    let name = rest.get(..usize::from(length))?;
    let kind = EntryKind::from_wire(kind.into()).ok()?;
    let name = String::from(core::str::from_utf8(name).ok()?);
    let entry = Entry { name, kind, size: word(8)?, modified_ns: word(16)?, is_dated: source != 0 };
    Some((entry, rest.get(usize::from(length).next_multiple_of(8)..)?))
}

#[cfg(test)]
mod tests {
    use super::{Entry, parse};
    use alloc::vec;
    use alloc::vec::Vec;
    use rt::schema::directory::EntryKind;

    fn record(name: &str) -> Vec<u8> {
        let mut bytes: Vec<u8> = [7u64, 1000, 5].iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend([0, 2, name.len() as u8, 0, 0, 0, 0, 0]);
        bytes.extend(name.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn records_are_read_one_after_the_other() {
        let bytes = [record("a"), record("twelve bytes")].concat();
        let entry = |name: &str| Entry {
            name: name.into(),
            kind: EntryKind::File,
            size: 1000,
            modified_ns: 5,
            is_dated: true,
        };
        assert_eq!(parse(&bytes, 2), [entry("a"), entry("twelve bytes")]);
        assert_eq!(parse(&bytes, 1).len(), 1);
        assert_eq!(parse(&bytes, 9).len(), 2, "no more than there are");
        assert_eq!(parse(&bytes[..bytes.len() - 8], 2).len(), 1, "cut");
    }

    #[test]
    fn nonsense_ends_it() {
        let mut bytes = record("a");
        bytes[24] = 9;
        assert_eq!(parse(&bytes, 1), []);
        let mut bytes = record("a");
        bytes[32] = 0xff;
        assert_eq!(parse(&bytes, 1), []);
        assert_eq!(parse(&vec![0xff; 4000], 100), []);
        assert_eq!(parse(&[], 5), []);
    }
}
