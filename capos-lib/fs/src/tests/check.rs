//! What is broken on purpose is found, and called what it is.

use alloc::string::String;
use alloc::vec::Vec;

use super::map::Map;
use super::{NOW, ROOT, directory, file, fresh, make, run, sound};
use capos_store::Pointer;

use crate::check::{Window, check_records};
use crate::key::{self, EntryKey, ObjectId, Part};
use crate::record::{Orphan, Stretch, VolumeRecord};
use crate::{Domain, Entry, Error, Fault, Finding, Fs, Kind, Name, NameFault, Object, Path};

/// Finds what is wrong once `breaking` has been at it.
fn broken(fs: &Fs<Map>, breaking: impl FnOnce(&Map)) -> Vec<(u64, Fault)> {
    sound(fs);
    breaking(fs.volume());
    let findings = run(crate::check(fs.volume())).unwrap();
    assert!(findings.iter().all(|finding| !alloc::format!("{finding}").is_empty()));
    for most in [1, 2, 3, 5, 100] {
        assert_eq!(in_order(&few(fs, most).0), in_order(&findings), "with {most} objects at a time");
    }
    findings.into_iter().map(|Finding { object, fault }| (object.0, fault)).collect()
}

/// What is found with so many objects kept in mind at a time, and in how many sweeps.
fn few(fs: &Fs<Map>, most: usize) -> (Vec<Finding>, u32) {
    let mut findings = Vec::new();
    let sweeps = run(check_records(fs.volume(), most, &mut |finding| findings.push(finding))).unwrap();
    (findings, sweeps)
}

fn in_order(findings: &[Finding]) -> Vec<String> {
    let mut words: Vec<String> = findings.iter().map(|finding| alloc::format!("{finding:?}")).collect();
    words.sort();
    words
}

fn change(map: &Map, id: ObjectId, change: impl FnOnce(&mut Object)) {
    let key = key::object(id);
    let mut object = Object::decode(&map.now.borrow().records[key.as_slice()]).unwrap();
    change(&mut object);
    map.set(&key, Some(&object.encode()));
    // What was read before is forgotten.
    map.epoch.set(map.epoch.get() + 1);
}

fn entry_key(id: ObjectId, name: &str) -> Vec<u8> {
    EntryKey::new(id, Name::new(name.as_bytes()).unwrap()).bytes().to_vec()
}

#[test]
fn counts() {
    let fs = fresh();
    let below = directory(&fs, ROOT, "d");
    let id = file(&fs, below, "f", &[1; 5000]);
    let found = broken(&fs, |map| {
        change(map, id, |object| {
            object.links = 7;
            object.blocks = 3;
            object.size = 1;
        });
        change(map, below, |object| object.size = 5);
        let numbers = VolumeRecord { next: id.0, objects: 9, collection: 0, counts_names: true };
        map.set(&key::object(ObjectId::VOLUME), Some(&numbers.encode()));
        map.set(
            &key::domain(3),
            Some(&Domain { blocks: 1, objects: 1, names: 4, ..Domain::default() }.encode()),
        );
    });
    assert_eq!(
        found,
        [
            (below.0, Fault::Entries { found: 1, said: 5 }),
            (id.0, Fault::Blocks { found: 2, said: 3 }),
            (id.0, Fault::Number),
            (id.0, Fault::Links { found: 1, said: 7 }),
            (id.0, Fault::Behind(1)),
            (0, Fault::Objects { found: 3, said: 9 }),
            (0, Fault::DomainBlocks { domain: 0, found: 3, said: 2 }),
            (0, Fault::DomainBlocks { domain: 3, found: 0, said: 1 }),
            (0, Fault::DomainObjects { domain: 3, found: 0, said: 1 }),
            (0, Fault::DomainNames { domain: 3, found: 0, said: 4 }),
        ]
    );
}

#[test]
fn references() {
    let fs = fresh();
    let below = directory(&fs, ROOT, "d");
    let gone = file(&fs, below, "gone", b"x");
    let odd = file(&fs, below, "odd", b"");
    let alone = file(&fs, ROOT, "alone", b"");
    let found = broken(&fs, |map| {
        map.set(&key::object(gone), None);
        map.set(&entry_key(below, "odd"), Some(&Entry { kind: Kind::Directory, object: odd }.encode()));
        map.set(&entry_key(ROOT, "alone"), None);
        change(map, ROOT, |root| root.size -= 1);
        map.set(&key::orphan(ObjectId(99)), Some(&Orphan::Whole.encode()));
    });
    let expected = [
        (gone.0, Fault::Missing),
        (below.0, Fault::Dangling(gone)),
        (below.0, Fault::EntryKind(odd, Kind::Directory)),
        (alone.0, Fault::Links { found: 0, said: 1 }),
        (alone.0, Fault::Nameless),
        (99, Fault::Orphan),
    ];
    assert_eq!(found[..6], expected);
}

#[test]
fn directories() {
    let fs = fresh();
    let a = directory(&fs, ROOT, "a");
    let b = directory(&fs, a, "b");
    let found = broken(&fs, |map| {
        // Both are in each other.
        map.set(&entry_key(ROOT, "a"), None);
        change(map, ROOT, |root| root.size = 0);
        map.set(&entry_key(b, "a"), Some(&Entry { kind: Kind::Directory, object: a }.encode()));
        change(map, b, |object| object.size = 1);
    });
    assert_eq!(found, [(a.0, Fault::Parent { found: b, said: ROOT })]);
    change(fs.volume(), a, |object| object.parent = b);
    let found = run(crate::check(fs.volume())).unwrap();
    assert_eq!(found.iter().map(|finding| finding.fault).collect::<Vec<_>>(), [Fault::Ring, Fault::Ring]);
    let (from, to) = (Path { directory: b, name: b"a" }, Path { directory: ROOT, name: b"a" });
    assert!(run(fs.rename(from, to, false, NOW)).is_ok(), "away from the ring");
    let to = Path { directory: b, name: b"c" };
    change(fs.volume(), a, |object| object.parent = b);
    let c = directory(&fs, ROOT, "c");
    let from = Path { directory: ROOT, name: b"c" };
    assert_eq!(run(fs.rename(from, to, false, NOW)), Err(Error::Corrupt), "a ring has no end, {c:?}");
}

#[test]
fn records_and_keys() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", b"x");
    let below = directory(&fs, ROOT, "d");
    let space = make(&fs, ROOT, "n", Kind::Namespace);
    let found = broken(&fs, |map| {
        map.set(b"what", Some(b"is this"));
        map.set(
            &key::stretch(below, 0),
            Some(Stretch([Pointer { address: 1, birth: 1, checksum: 1, twin: 0 }; 16]).encode().bytes()),
        );
        map.set(&key::stretch(id, 0), Some(b"short"));
        let name = [&below.0.to_be_bytes(), [1, b'.'].as_slice()].concat();
        map.set(&name, Some(b""));
        map.set(&entry_key(below, "n"), Some(&Entry { kind: Kind::Namespace, object: space }.encode()));
    });
    let faults: Vec<_> = found.iter().map(|(_, fault)| *fault).collect();
    for fault in [
        Fault::Key,
        Fault::Foreign(Kind::Directory, Part::Stretch),
        Fault::Record(Part::Stretch),
        Fault::Name(NameFault::Dots),
        Fault::EntryKind(space, Kind::Namespace),
    ] {
        assert!(faults.contains(&fault), "{fault:?} of {faults:?}");
    }
    let root = fresh();
    change(root.volume(), ROOT, |object| object.kind = Kind::File);
    let found = run(crate::check(root.volume())).unwrap();
    assert!(found.iter().any(|finding| finding.fault == Fault::Root));
}

#[test]
fn blobs() {
    let fs = fresh();
    let (one, hash) = run(fs.put_blob(b"1", NOW)).unwrap();
    let (two, _) = run(fs.put_blob(b"2", NOW)).unwrap();
    let found = broken(&fs, |map| {
        map.set(&key::blob(&hash), Some(&crate::record::encode_blob(two)));
    });
    let expected = [(two.0, Fault::Index), (one.0, Fault::Unindexed)];
    assert_eq!(
        (found.len(), expected.iter().all(|found_one| found.contains(found_one))),
        (2, true),
        "{found:?}"
    );
    assert!(run(fs.get_blob(&[9; 32])).is_err());
}

#[test]
fn no_more_is_kept_in_mind_than_may_be() {
    let keys: Vec<u64> = (0..1000u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).collect();
    for most in [1, 7, 999, 1000] {
        let (mut window, mut seen, mut sweeps) = (Window::<u64, u32>::new(0, most), Vec::new(), 0);
        while !window.is_done() {
            for key in keys.iter().chain(&keys) {
                window.at(*key).into_iter().for_each(|count| *count += 1);
                assert!(window.things().len() <= most);
            }
            assert!(
                window.things().values().all(|count| *count == 2),
                "each is kept in one sweep, all of it"
            );
            seen.extend(window.things().keys().copied());
            (window, sweeps) = (window.next(), sweeps + 1);
        }
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        assert_eq!((seen, sweeps), (sorted, 1000usize.div_ceil(most)));
    }
}

#[test]
fn as_often_as_needed() {
    let fs = fresh();
    let mut at = ROOT;
    for number in 0..99 {
        at = directory(&fs, at, "d");
        file(&fs, at, "f", &[number]);
    }
    sound(&fs);
    for (most, sweeps) in [(1000, 1), (199, 1), (198, 2), (50, 4), (10, 20)] {
        assert_eq!(few(&fs, most), (Vec::new(), sweeps), "{most} of 199 objects at a time");
    }
}

#[test]
fn a_way_up_that_is_too_long_is_said_to_be() {
    let fs = fresh();
    let mut at = ROOT;
    for _ in 0..300 {
        at = directory(&fs, at, "d");
    }
    sound(&fs);
    let found = few(&fs, 1).0;
    assert!(found.contains(&Finding { object: at, fault: Fault::Far }), "{found:?}");
    assert!(found.iter().all(|finding| finding.fault == Fault::Far));
    assert!(found.len() < 50, "{}", found.len());
    assert_eq!(few(&fs, 8).0, []);
}
