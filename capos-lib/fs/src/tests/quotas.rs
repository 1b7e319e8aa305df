//! What domains may use.

use super::{NOW, ROOT, crash, directory, file, fresh, make, run, sound};
use crate::{Creation, Domain, Error, Kind, Path};

#[test]
fn a_domain_cannot_use_more_than_its_quota() {
    let fs = fresh();
    let below = directory(&fs, ROOT, "d");
    run(fs.assign(below, 5)).unwrap();
    run(fs.set_quota(5, 3, 3)).unwrap();
    let id = file(&fs, below, "f", &[1; 12_288]);
    assert_eq!(run(fs.append(id, b"x", NOW)), Err(Error::Quota));
    run(fs.write(id, 0, &[2; 12_288], NOW)).unwrap();
    make(&fs, below, "g", Kind::File);
    assert_eq!(run(fs.open(below, b"h", Kind::File, Creation::Missing, NOW)), Err(Error::Quota));
    sound(&fs);
    assert_eq!(run(fs.domain(5)), Ok(Domain { blocks: 3, objects: 3, blocks_most: 3, objects_most: 3 }));
    run(fs.clear(id, 0, 4096, NOW)).unwrap();
    run(fs.append(id, b"x", NOW)).unwrap();
    run(fs.remove(below, b"f", NOW)).unwrap();
    assert_eq!(run(fs.domain(5)).unwrap().blocks, 0);
    run(fs.sync(fs.epoch())).unwrap();
    let fs = crash(fs);
    assert_eq!(run(fs.domain(5)), Ok(Domain { blocks: 0, objects: 2, blocks_most: 3, objects_most: 3 }));
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
