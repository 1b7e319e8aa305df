//! What is done to a volume.

use capos_fs::{Creation, Error, Fs, Kind, ObjectId, Path, Stamp, TimeSource};
use capos_store::{Disk, StoreError, Volume};

/// One operation. Paths begin at the root and have `/` between names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Makes something that is not there.
    Make(Kind, String),
    /// Writes so many bytes of a value at an offset.
    Write(String, u64, usize, u8),
    /// Appends so many bytes of a value.
    Append(String, usize, u8),
    /// Makes a file that long.
    Truncate(String, u64),
    /// Makes a hole.
    Clear(String, u64, u64),
    /// Takes a name away.
    Remove(String),
    /// Moves a name, perhaps over another.
    Rename(String, String, bool),
    /// Puts a blob of so many bytes of a value and names it.
    Blob(String, usize, u8),
    /// Gives a file or blob another name.
    Bind(String, String, bool),
    /// Holds a file until the end.
    Hold(String),
    /// Collects blobs.
    Collect,
    /// Keeps everything as it is now, durably, under a name.
    Snapshot(String),
    /// Drops what is kept under a name, durably.
    Drop(String),
    /// Has what is made in an empty directory count for a domain.
    Assign(String, u32),
    /// Sets how many blocks and objects a domain may have at most.
    Quota(u32, u64, u64),
    /// Makes everything durable.
    Sync,
}

/// What came of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// It was done, or refused for this reason.
    Same(Result<(), Error>),
    /// There was no room, on the disk or in a quota, and nothing was done.
    Full,
}

/// Bytes that tell where they were written: no block is like another.
pub fn pattern(offset: u64, length: usize, value: u8) -> Vec<u8> {
    (offset..).take(length).map(|at| value ^ (at / 4096) as u8 ^ (at as u8).wrapping_mul(31)).collect()
}

/// Splits a path into where it is and its name.
pub(crate) fn split(path: &str) -> (Option<&str>, &str) {
    path.rsplit_once('/').map_or((None, path), |(above, name)| (Some(above), name))
}

impl Op {
    /// From what a machine says: `write d/f 4000 300 9`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Op, String> {
        let words: Vec<&str> = text.split(' ').collect();
        words_of(&words).ok_or_else(|| format!("`{text}` is no operation"))
    }

    /// Whether it is durable, with all before, when it is done.
    pub fn is_durable(&self) -> bool {
        matches!(self, Op::Sync | Op::Snapshot(_) | Op::Drop(_))
    }

    /// Does it.
    pub async fn carry_out<D: Disk>(&self, fs: &Fs<Volume<D>>, number: usize) -> Expect {
        match self.try_out(fs, Stamp { ns: number as u64, source: TimeSource::Host }).await {
            Err(Error::Volume(StoreError::Full) | Error::Quota) => Expect::Full,
            done => Expect::Same(done),
        }
    }

    async fn try_out<D: Disk>(&self, fs: &Fs<Volume<D>>, now: Stamp) -> Result<(), Error> {
        match self {
            Op::Make(kind, path) => {
                let (above, name) = place(fs, path).await?;
                let made = fs.open(above, name.as_bytes(), *kind, Creation::Always, now).await?;
                fs.release(made.object).await;
            }
            Op::Write(path, offset, length, value) => {
                let data = pattern(*offset, *length, *value);
                fs.write(find(fs, path).await?, *offset, &data, now).await?;
            }
            Op::Append(path, length, value) => {
                let file = find(fs, path).await?;
                let end = fs.stat(file).await?.size;
                fs.append(file, &pattern(end, *length, *value), now).await?;
            }
            Op::Truncate(path, size) => fs.truncate(find(fs, path).await?, *size, now).await?,
            Op::Clear(path, offset, length) => fs.clear(find(fs, path).await?, *offset, *length, now).await?,
            Op::Remove(path) => {
                let (above, name) = place(fs, path).await?;
                fs.remove(above, name.as_bytes(), now).await?;
            }
            Op::Rename(from, to, replace) => {
                let (directory, name) = place(fs, from).await?;
                let from = Path { directory, name: name.as_bytes() };
                let (directory, name) = place(fs, to).await?;
                fs.rename(from, Path { directory, name: name.as_bytes() }, *replace, now).await?;
            }
            Op::Blob(path, length, value) => {
                let (above, name) = place(fs, path).await?;
                let (blob, _) = fs.put_blob(&pattern(0, *length, *value), now).await?;
                let bound = fs.bind(above, name.as_bytes(), blob, false, now).await;
                fs.release(blob).await;
                bound?;
            }
            Op::Bind(from, to, replace) => {
                let object = find(fs, from).await?;
                let (above, name) = place(fs, to).await?;
                fs.bind(above, name.as_bytes(), object, *replace, now).await?;
            }
            Op::Hold(path) => {
                let (above, name) = place(fs, path).await?;
                fs.open(above, name.as_bytes(), Kind::File, Creation::Existing, now).await?;
            }
            Op::Collect => {
                fs.collect().await?;
            }
            Op::Snapshot(name) => {
                if snapshot(fs, name).is_some() {
                    return Err(Error::Exists);
                }
                fs.snapshot(name.as_bytes()).await?;
            }
            Op::Drop(name) => fs.delete_snapshot(snapshot(fs, name).ok_or(Error::NotFound)?).await?,
            Op::Assign(path, domain) => fs.assign(find(fs, path).await?, *domain).await?,
            Op::Quota(domain, blocks, objects) => fs.set_quota(*domain, *blocks, *objects).await?,
            Op::Sync => fs.sync(fs.epoch()).await?,
        }
        Ok(())
    }
}

fn words_of(words: &[&str]) -> Option<Op> {
    let path = |at: usize| words.get(at).map(|path| (*path).to_owned());
    let number = |at: usize| words.get(at)?.parse::<u64>().ok();
    let length = |at: usize| number(at).map(|length| length as usize);
    let value = |at: usize| number(at).map(|value| value as u8);
    let replaces = |at: usize| Some(*words.get(at)? == "replace");
    Some(match *words.first()? {
        "file" => Op::Make(Kind::File, path(1)?),
        "directory" => Op::Make(Kind::Directory, path(1)?),
        "namespace" => Op::Make(Kind::Namespace, path(1)?),
        "write" => Op::Write(path(1)?, number(2)?, length(3)?, value(4)?),
        "append" => Op::Append(path(1)?, length(2)?, value(3)?),
        "truncate" => Op::Truncate(path(1)?, number(2)?),
        "clear" => Op::Clear(path(1)?, number(2)?, number(3)?),
        "remove" => Op::Remove(path(1)?),
        "rename" => Op::Rename(path(1)?, path(2)?, replaces(3)?),
        "blob" => Op::Blob(path(1)?, length(2)?, value(3)?),
        "bind" => Op::Bind(path(1)?, path(2)?, replaces(3)?),
        "hold" => Op::Hold(path(1)?),
        "collect" => Op::Collect,
        "snapshot" => Op::Snapshot(path(1)?),
        "drop" => Op::Drop(path(1)?),
        "assign" => Op::Assign(path(1)?, number(2)? as u32),
        "quota" => Op::Quota(number(1)? as u32, number(2)?, number(3)?),
        "sync" => Op::Sync,
        _ => return None,
    })
}

/// The number of a snapshot that is not on its way out.
fn snapshot<D: Disk>(fs: &Fs<Volume<D>>, name: &str) -> Option<u64> {
    let snapshots = fs.volume().snapshots();
    let is_it = |snapshot: &&capos_store::Snapshot| !snapshot.deleting && snapshot.note == name.as_bytes();
    snapshots.iter().find(is_it).map(|snapshot| snapshot.id)
}

async fn find<D: Disk>(fs: &Fs<Volume<D>>, path: &str) -> Result<ObjectId, Error> {
    let mut at = ObjectId::ROOT;
    for name in path.split('/') {
        at = fs.lookup(at, name.as_bytes()).await?.object;
    }
    Ok(at)
}

async fn place<'a, D: Disk>(fs: &Fs<Volume<D>>, path: &'a str) -> Result<(ObjectId, &'a str), Error> {
    let (above, name) = split(path);
    match above {
        Some(above) => Ok((find(fs, above).await?, name)),
        None => Ok((ObjectId::ROOT, name)),
    }
}
