//! What domains may use.

use super::{NOW, ROOT, crash, directory, file, fresh, make, run, sound};
use crate::key;
use crate::record::VolumeRecord;
use crate::{Creation, Domain, Error, Fs, Kind, ObjectId, Path};

#[test]
fn a_domain_cannot_use_more_than_its_quota() {
    let fs = fresh();
    let below = directory(&fs, ROOT, "d");
    run(fs.assign(below, 5)).unwrap();
    run(fs.set_quota(5, 3, 3)).unwrap();
    let most = Domain { blocks_most: 3, objects_most: 3, ..Domain::default() };
    let id = file(&fs, below, "f", &[1; 12_288]);
    assert_eq!(run(fs.append(id, b"x", NOW)), Err(Error::Quota));
    run(fs.write(id, 0, &[2; 12_288], NOW)).unwrap();
    make(&fs, below, "g", Kind::File);
    assert_eq!(run(fs.open(below, b"h", Kind::File, Creation::Missing, NOW)), Err(Error::Quota));
    sound(&fs);
    assert_eq!(run(fs.domain(5)), Ok(Domain { blocks: 3, objects: 3, names: 2, ..most }));
    run(fs.clear(id, 0, 4096, NOW)).unwrap();
    run(fs.append(id, b"x", NOW)).unwrap();
    run(fs.remove(below, b"f", NOW)).unwrap();
    assert_eq!(run(fs.domain(5)).unwrap().blocks, 0);
    run(fs.sync(fs.epoch())).unwrap();
    let fs = crash(fs);
    assert_eq!(run(fs.domain(5)), Ok(Domain { objects: 2, names: 1, ..most }));
    sound(&fs);
}

#[test]
fn what_is_held_counts_until_it_goes() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &[1; 12_288]);
    run(fs.open(ROOT, b"f", Kind::File, Creation::Existing, NOW)).unwrap();
    run(fs.remove(ROOT, b"f", NOW)).unwrap();
    assert_eq!(run(fs.domain(0)).unwrap().blocks, 3);
    run(fs.release(id));
    assert_eq!(run(fs.domain(0)), Ok(Domain { blocks: 0, objects: 1, ..Domain::default() }));
}

#[test]
fn nothing_moves_to_another_domain() {
    let fs = fresh();
    let (below, beside) = (directory(&fs, ROOT, "d"), directory(&fs, ROOT, "e"));
    run(fs.assign(below, 5)).unwrap();
    file(&fs, below, "f", b"x");
    assert_eq!(run(fs.assign(below, 6)), Err(Error::NotEmpty));
    let (from, to) = (Path { directory: below, name: b"f" }, Path { directory: beside, name: b"f" });
    assert_eq!(run(fs.rename(from, to, false, NOW)), Err(Error::Domain));
    let further = directory(&fs, below, "g");
    assert_eq!(run(fs.stat(further)).unwrap().domain, 5);
    run(fs.set_quota(7, 0, 1)).unwrap();
    run(fs.assign(beside, 7)).unwrap();
    let other = directory(&fs, ROOT, "h");
    assert_eq!(run(fs.assign(other, 7)), Err(Error::Quota));
    sound(&fs);
}

#[test]
fn names_count_for_the_domain_of_their_namespace() {
    let fs = fresh();
    let space = make(&fs, ROOT, "n", Kind::Namespace);
    run(fs.assign(space, 5)).unwrap();
    run(fs.set_quota(5, 1, 2)).unwrap();
    let outside = file(&fs, ROOT, "f", &[1; 5000]);
    let (blob, _) = run(fs.put_blob(b"blob", NOW)).unwrap();
    let names = || run(fs.domain(5)).unwrap().names;
    run(fs.bind(space, b"a", outside, false, NOW)).unwrap();
    run(fs.bind(space, b"b", blob, false, NOW)).unwrap();
    assert_eq!((run(fs.bind(space, b"c", outside, false, NOW)), names()), (Err(Error::Quota), 2));
    assert_eq!(run(fs.open(space, b"c", Kind::File, Creation::Missing, NOW)), Err(Error::Quota));
    sound(&fs);
    // Another name for what it had is none more.
    let other = file(&fs, ROOT, "g", b"x");
    run(fs.bind(space, b"a", other, true, NOW)).unwrap();
    let path = |name| Path { directory: space, name };
    run(fs.rename(path(b"b"), path(b"c"), false, NOW)).unwrap();
    assert_eq!(names(), 2);
    sound(&fs);
    // What goes with its last name was another domain's.
    run(fs.remove(ROOT, b"g", NOW)).unwrap();
    run(fs.remove(space, b"a", NOW)).unwrap();
    assert_eq!((run(fs.stat(other)), names()), (Err(Error::NotFound), 1));
    run(fs.bind(space, b"a", outside, false, NOW)).unwrap();
    sound(&fs);
    for name in [b"a", b"c"] {
        run(fs.remove(space, name, NOW)).unwrap();
    }
    run(fs.remove(ROOT, b"n", NOW)).unwrap();
    assert_eq!(run(fs.domain(5)), Ok(Domain { blocks_most: 1, objects_most: 2, ..Domain::default() }));
    run(fs.sync(fs.epoch())).unwrap();
    sound(&crash(fs));
}

#[test]
fn a_volume_that_did_not_count_names_counts_them_from_now_on() {
    let fs = fresh();
    let space = make(&fs, ROOT, "n", Kind::Namespace);
    run(fs.assign(space, 5)).unwrap();
    run(fs.set_quota(5, 1, 3)).unwrap();
    let id = file(&fs, space, "f", b"x");
    run(fs.bind(space, b"g", id, false, NOW)).unwrap();
    run(fs.sync(fs.epoch())).unwrap();
    let map = fs.into_volume();
    for number in [0, 5] {
        let record = map.now.borrow().records[key::domain(number).as_slice()].clone();
        let mut old = record[..40].to_vec();
        old[4] = 4;
        map.set(&key::domain(number), Some(&old));
    }
    let numbers = key::object(ObjectId::VOLUME);
    let mut old = map.now.borrow().records[numbers.as_slice()].clone();
    old[8] = 1;
    assert!(!VolumeRecord::decode(&old).unwrap().counts_names);
    map.set(&numbers, Some(&old));
    assert_eq!(run(crate::check(&map)).unwrap(), []);
    let before = map.now.borrow().clone();
    let fs = run(Fs::mount(map)).unwrap();
    assert_eq!((run(fs.domain(5)).unwrap().names, run(fs.domain(0)).unwrap().names), (2, 1));
    assert!(*fs.volume().now.borrow() == before, "who only looks writes nothing");
    run(fs.bind(space, b"h", id, false, NOW)).unwrap();
    assert_eq!(run(fs.bind(space, b"i", id, false, NOW)), Err(Error::Quota));
    run(fs.sync(fs.epoch())).unwrap();
    let fs = crash(fs);
    let now = fs.volume().now.borrow().records[numbers.as_slice()].clone();
    assert!(VolumeRecord::decode(&now).unwrap().counts_names);
    assert_eq!(run(fs.domain(5)).unwrap().names, 3);
    sound(&fs);
}
