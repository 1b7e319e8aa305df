//! Records that lie, under checksums that are right: what somebody could hand over as a volume.

use capos_fs::key::{self, EntryKey, ObjectId};
use capos_fs::record::{Entry, OBJECT_BYTES, STRETCH_BYTES, Stretch};
use capos_fs::{Kind, Name, Object};
use capos_store::{Change, Need};

use super::{Files, Source, block_on, find};
use crate::command_line::Lie;
use crate::exec::{Context, Failure};

/// Takes what is in `home` and makes it lie: about the file `one`, the file `thief` of the same length, or the directories `a` and `a/b`.
pub fn craft(files: &Files, lie: Lie) -> Result<(), Failure> {
    let object = |path: &str| Ok::<_, Failure>(find(&Source::Now(files), path)?.object);
    let (home, one) = (object("home")?, object("home/one")?);
    match lie {
        Lie::Ring => {
            let (above, below) = (object("home/a")?, object("home/a/b")?);
            name(files, below, b"up", Kind::Directory, above)?;
            change(files, above, |object| object.parent = below)?;
        }
        Lie::Twice => name(files, home, b"twice", Kind::Directory, one)?,
        Lie::Shared => {
            let (stretch, thief) = (stretch(files, one)?, object("home/thief")?);
            put(files, &key::stretch(thief, 0), stretch.encode().bytes())?;
        }
        Lie::Size => change(files, one, |object| (object.size, object.blocks) = (u64::MAX, 1 << 60))?,
        Lie::Outside => {
            let mut stretch = stretch(files, one)?;
            stretch.0[0].address = 1 << 40;
            put(files, &key::stretch(one, 0), stretch.encode().bytes())?;
        }
        Lie::Names => {
            for wrong in [b"a/b".as_slice(), b"..", b"\xff"] {
                name(files, object("home/a")?, wrong, Kind::File, one)?;
            }
        }
    }
    block_on(files.volume().commit()).context("commit")
}

fn put(files: &Files, key: &[u8], value: &[u8]) -> Result<(), Failure> {
    block_on(files.volume().apply(&[Change::put(key, value)], Need::Ordinary)).context("records")
}

fn change(files: &Files, id: ObjectId, change: impl FnOnce(&mut Object)) -> Result<(), Failure> {
    // Past what is remembered of it.
    let mut value = [0; OBJECT_BYTES];
    let length = block_on(files.volume().get(&key::object(id), &mut value)).context("records")?;
    let mut object = Object::decode(&value[..length.unwrap_or_default()]).context("records")?;
    change(&mut object);
    put(files, &key::object(id), &object.encode())
}

/// One name more, whatever it is.
fn name(files: &Files, above: ObjectId, bytes: &[u8], kind: Kind, object: ObjectId) -> Result<(), Failure> {
    let any = EntryKey::new(above, Name::new(b"x").context("a name")?);
    let mut key = any.bytes().to_vec();
    key.pop();
    key.extend(bytes);
    put(files, &key, &Entry { kind, object }.encode())?;
    change(files, above, |directory| directory.size += 1)
}

fn stretch(files: &Files, id: ObjectId) -> Result<Stretch, Failure> {
    let mut value = [0; STRETCH_BYTES];
    let length = block_on(files.volume().get(&key::stretch(id, 0), &mut value)).context("records")?;
    Stretch::decode(&value[..length.unwrap_or_default()]).context("records")
}
