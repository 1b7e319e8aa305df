//! Everything that can be seen of a volume.

use std::collections::BTreeMap;

use capos_fs::{Error, Fs, Kind, ObjectId, Source};
use capos_store::{Disk, Volume};

/// What is under a path.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// How many names a file has.
    pub links: u32,
    /// Whose quota it counts for.
    pub domain: u32,
    /// Its bytes; none of what has names.
    pub data: Vec<u8>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sum =
            self.data.iter().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        let Node { kind, links, domain, data } = self;
        write!(f, "{kind:?} of {} bytes ({sum:08x}), {links} names, domain {domain}", data.len())
    }
}

/// All paths and what is there.
pub type Dump = BTreeMap<String, Node>;

/// How many names are asked for at a time.
const SOME: usize = 7;

/// Whose quotas are looked at.
pub(crate) const DOMAINS: std::ops::Range<u32> = 1..4;

/// What stands for a domain's quota, which has no name: the most that it may have, and how many names it has.
pub(crate) fn quota(domain: u32, blocks: u64, objects: u64, names: u64) -> (String, Node) {
    let data = [blocks.to_le_bytes(), objects.to_le_bytes(), names.to_le_bytes()].concat();
    (format!("#{domain}"), Node { kind: Kind::Namespace, links: 0, domain, data })
}

/// What a name begins with that is in a snapshot.
pub(crate) fn in_snapshot(name: &str) -> String {
    format!("@{name}/")
}

/// Looks at everything, through the operations that a service would use: names, quotas, and what snapshots have.
pub async fn dump<D: Disk>(fs: &Fs<Volume<D>>) -> Result<Dump, Error> {
    let mut dump = Dump::new();
    walk(&Source::Now(fs), "", &mut dump).await?;
    for number in DOMAINS {
        let domain = fs.domain(number).await?;
        if (domain.blocks_most, domain.objects_most) != (0, 0) {
            dump.extend([quota(number, domain.blocks_most, domain.objects_most, domain.names)]);
        }
    }
    for snapshot in fs.volume().snapshots().iter().filter(|snapshot| !snapshot.deleting) {
        let then = fs.source(Some(snapshot.id))?;
        walk(&then, &in_snapshot(&String::from_utf8_lossy(&snapshot.note)), &mut dump).await?;
    }
    Ok(dump)
}

async fn node<D: Disk>(source: &Source<'_, D>, id: ObjectId) -> Result<Node, Error> {
    let object = source.stat(id).await?;
    let mut data = Vec::new();
    if !object.kind.has_names() {
        data = vec![0; usize::try_from(object.size).map_err(|_| Error::Range)?];
        source.read(id, 0, &mut data).await?;
    }
    // Whose blobs are depends on who put them first.
    let domain = if object.kind == Kind::Blob { 0 } else { object.domain };
    Ok(Node { kind: object.kind, links: object.links, domain, data })
}

async fn walk<D: Disk>(source: &Source<'_, D>, prefix: &str, dump: &mut Dump) -> Result<(), Error> {
    let mut open = vec![(prefix.to_owned(), ObjectId::ROOT)];
    while let Some((path, directory)) = open.pop() {
        let mut after = String::new();
        loop {
            let listing = source.list(directory, after.as_bytes(), SOME).await?;
            for listed in listing.entries {
                let path = format!("{path}{}", listed.name);
                let id = listed.entry.object;
                if listed.entry.kind.has_names() {
                    open.push((format!("{path}/"), id));
                }
                dump.insert(path, node(source, id).await?);
                after = listed.name;
            }
            if listing.end {
                break;
            }
        }
    }
    Ok(())
}
