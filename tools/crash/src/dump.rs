//! Everything that can be seen of a volume.

use std::collections::BTreeMap;

use capos_fs::{Error, Fs, Kind, ObjectId, Volume};

/// What is under a path.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// How many names a file has.
    pub links: u32,
    /// Its bytes; none of what has names.
    pub data: Vec<u8>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sum =
            self.data.iter().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        write!(f, "{:?} of {} bytes ({sum:08x}), {} names", self.kind, self.data.len(), self.links)
    }
}

/// All paths and what is there.
pub type Dump = BTreeMap<String, Node>;

/// Looks at everything, through the operations that a service would use.
pub async fn dump<V: Volume>(fs: &Fs<V>) -> Result<Dump, Error> {
    let mut dump = Dump::new();
    let mut open = vec![(String::new(), ObjectId::ROOT)];
    while let Some((path, directory)) = open.pop() {
        let mut after = String::new();
        loop {
            let listing = fs.list(directory, after.as_bytes(), 7).await?;
            for listed in listing.entries {
                let path = format!("{path}{}", listed.name);
                let id = listed.entry.object;
                if listed.entry.kind.has_names() {
                    open.push((format!("{path}/"), id));
                }
                dump.insert(path, node(fs, id).await?);
                after = listed.name;
            }
            if listing.end {
                break;
            }
        }
    }
    Ok(dump)
}

async fn node<V: Volume>(fs: &Fs<V>, id: ObjectId) -> Result<Node, Error> {
    let object = fs.stat(id).await?;
    let mut data = Vec::new();
    if !object.kind.has_names() {
        data = vec![0; usize::try_from(object.size).map_err(|_| Error::Range)?];
        fs.read(id, 0, &mut data).await?;
    }
    Ok(Node { kind: object.kind, links: object.links, data })
}
