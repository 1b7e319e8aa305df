//! Files on a volume that is a map.

extern crate std;

mod blobs;
mod check;
mod files;
mod held;
mod hostile;
mod locks;
mod map;
mod names;
mod quotas;
mod records;
mod scale;

use alloc::string::String;
use alloc::vec::Vec;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use crate::{Creation, Entry, Error, Fs, Kind, ObjectId, Stamp, TimeSource};
use map::Map;

/// Runs a future that nothing holds up.
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100 {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
    panic!("it waits for something");
}

pub(super) const NOW: Stamp = Stamp { ns: 1_700_000_000_000_000_000, source: TimeSource::Rtc };
pub(super) const LATER: Stamp = Stamp { ns: 5_000, source: TimeSource::Unknown };
pub(super) const ROOT: ObjectId = ObjectId::ROOT;

pub(super) fn fresh() -> Fs<Map> {
    let map = Map::new(1 << 20);
    run(Fs::format(&map, NOW)).unwrap();
    run(Fs::mount(map)).unwrap()
}

pub(super) fn make(fs: &Fs<Map>, directory: ObjectId, name: &str, kind: Kind) -> ObjectId {
    let entry = run(fs.open(directory, name.as_bytes(), kind, Creation::Always, NOW)).unwrap();
    run(fs.release(entry.object));
    entry.object
}

pub(super) fn file(fs: &Fs<Map>, directory: ObjectId, name: &str, data: &[u8]) -> ObjectId {
    let id = make(fs, directory, name, Kind::File);
    run(fs.write(id, 0, data, NOW)).unwrap();
    id
}

pub(super) fn directory(fs: &Fs<Map>, above: ObjectId, name: &str) -> ObjectId {
    make(fs, above, name, Kind::Directory)
}

pub(super) fn read(fs: &Fs<Map>, id: ObjectId) -> Vec<u8> {
    let size = run(fs.stat(id)).unwrap().size as usize;
    let mut data = alloc::vec![0xee; size + 10];
    let length = run(fs.read(id, 0, &mut data)).unwrap();
    assert_eq!(length, size);
    data.truncate(length);
    data
}

pub(super) fn names(fs: &Fs<Map>, id: ObjectId) -> Vec<String> {
    let listing = run(fs.list(id, b"", 1000)).unwrap();
    listing.entries.into_iter().map(|listed| listed.name).collect()
}

pub(super) fn lookup(fs: &Fs<Map>, id: ObjectId, name: &str) -> Result<Entry, Error> {
    run(fs.lookup(id, name.as_bytes()))
}

/// Everything fits, and every block that is stored is one that something points to.
pub(super) fn sound(fs: &Fs<Map>) {
    let _turn = run(fs.begin()).unwrap();
    run(fs.put_counters()).unwrap();
    assert_eq!(run(crate::check(fs.volume())).unwrap(), []);
    fs.volume().all_blocks_are_used();
}

/// As after pulling the plug: what was not committed is gone, and nobody holds anything.
pub(super) fn crash(fs: Fs<Map>) -> Fs<Map> {
    let fs = run(Fs::mount(fs.into_volume().crash())).unwrap();
    run(fs.tidy()).unwrap();
    fs
}
