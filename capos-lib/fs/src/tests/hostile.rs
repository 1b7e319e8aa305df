//! Records that say anything: operations end, with an error or without, and the check names what it finds.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::map::Map;
use super::{NOW, ROOT, directory, file, fresh, make, run};
use crate::{Creation, Fs, Kind, ObjectId, Path};

/// A volume with something of everything.
fn volume() -> Fs<Map> {
    let fs = fresh();
    let below = directory(&fs, ROOT, "d");
    let further = directory(&fs, below, "e");
    file(&fs, further, "f", &[1; 70_000]);
    file(&fs, ROOT, "g", &[2; 100]);
    let space = make(&fs, ROOT, "n", Kind::Namespace);
    let (blob, _) = run(fs.put_blob(&[3; 5000], NOW)).unwrap();
    run(fs.bind(space, b"b", blob, false, NOW)).unwrap();
    run(fs.release(blob));
    file(&fs, ROOT, "held", &[4; 9000]);
    run(fs.open(ROOT, b"held", Kind::File, Creation::Existing, NOW)).unwrap();
    run(fs.remove(ROOT, b"held", NOW)).unwrap();
    run(fs.sync(fs.epoch())).unwrap();
    fs
}

/// Does a little of everything to every object that there may be; what comes of it does not matter.
fn everything(fs: &Fs<Map>) {
    let _ = run(fs.tidy());
    for id in (0..12).map(ObjectId) {
        let mut data = vec![0; 100];
        let _ = run(fs.stat(id));
        let _ = run(fs.list(id, b"", 20));
        let _ = run(fs.read(id, 4000, &mut data));
        let _ = run(fs.read(id, u64::MAX - 10, &mut data));
        let _ = run(fs.run(id, 0));
        let _ = run(fs.write(id, 5000, &data, NOW));
        let _ = run(fs.append(id, &data, NOW));
        let _ = run(fs.clear(id, 10, u64::MAX, NOW));
        let _ = run(fs.truncate(id, 50, NOW));
        let _ = run(fs.blob_hash(id));
        let _ = run(fs.assign(id, 3));
        for (name, other) in [(b"d", ROOT), (b"e", ObjectId(2)), (b"f", ObjectId(3)), (b"b", ObjectId(6))] {
            let _ = run(fs.bind(id, b"x", other, true, NOW));
            let (from, to) = (Path { directory: id, name }, Path { directory: other, name: b"y" });
            let _ = run(fs.rename(from, to, true, NOW));
            let _ = run(fs.open(id, name, Kind::File, Creation::Missing, NOW));
            let _ = run(fs.remove(id, name, NOW));
        }
    }
    let _ = run(fs.put_blob(b"new", NOW));
    let _ = run(fs.collect());
    let _ = run(fs.sync(fs.epoch()));
}

/// What a hostile disk may say where a record is.
#[derive(Clone, Debug)]
enum Spoil {
    Flip(usize, u8),
    Cut(usize),
    Copy(usize),
    Word(usize, u64),
    Key(usize, u8),
    Gone,
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let words = prop_oneof![Just(0), Just(u64::MAX), 0..20u64, any::<u64>()];
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, bits)| Spoil::Flip(at, bits)),
        any::<usize>().prop_map(Spoil::Cut),
        any::<usize>().prop_map(Spoil::Copy),
        (any::<usize>(), words).prop_map(|(at, word)| Spoil::Word(at, word)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Spoil::Key(at, byte)),
        Just(Spoil::Gone),
    ]
}

fn apply(map: &Map, which: usize, spoil: &Spoil) {
    let records: Vec<_> = map.now.borrow().records.clone().into_iter().collect();
    let (mut key, mut value) = records[which % records.len()].clone();
    map.set(&key, None);
    // It may have been cut before.
    value.resize(value.len().max(8), 0);
    match *spoil {
        Spoil::Flip(at, bits) => {
            let at = at % value.len().max(1);
            value[at] ^= bits;
        }
        Spoil::Cut(at) => value.truncate(at % value.len().max(1)),
        Spoil::Copy(other) => value.clone_from(&records[other % records.len()].1),
        Spoil::Word(at, word) => {
            let at = at % (value.len() / 8).max(1) * 8;
            value[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        Spoil::Key(at, byte) => {
            let at = at % key.len();
            key[at] = byte;
        }
        Spoil::Gone => return,
    }
    map.set(&key, Some(&value));
}

proptest! {
    #[test]
    #[cfg_attr(miri, ignore = "takes long")]
    fn operations_on_anything_end(spoils in proptest::collection::vec((any::<usize>(), spoil()), 1..6)) {
        let map = volume().into_volume().hostile();
        spoils.iter().for_each(|(which, spoil)| apply(&map, *which, spoil));
        let _ = run(crate::check(&map));
        if let Ok(fs) = run(Fs::mount(map)) {
            everything(&fs);
            let _ = run(crate::check(fs.volume()));
        }
    }
}
