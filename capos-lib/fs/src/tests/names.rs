//! Names in directories and namespaces.

use super::{LATER, NOW, ROOT, crash, directory, file, fresh, lookup, make, names, read, run, sound};
use crate::{Creation, Error, Kind, NameFault, ObjectId, Path};

fn path(directory: ObjectId, name: &str) -> Path<'_> {
    Path { directory, name: name.as_bytes() }
}

#[test]
fn names_are_made_as_was_asked() {
    let fs = fresh();
    let open = |name: &[u8], kind, creation| run(fs.open(ROOT, name, kind, creation, NOW));
    assert_eq!(open(b"f", Kind::File, Creation::Existing), Err(Error::NotFound));
    let made = open(b"f", Kind::File, Creation::Missing).unwrap();
    assert_eq!(open(b"f", Kind::File, Creation::Missing), Ok(made));
    assert_eq!(open(b"f", Kind::File, Creation::Existing), Ok(made));
    assert_eq!(open(b"f", Kind::File, Creation::Always), Err(Error::Exists));
    for creation in [Creation::Existing, Creation::Missing] {
        assert_eq!(open(b"f", Kind::Directory, creation), Err(Error::Kind));
    }
    assert_eq!(open(b"b", Kind::Blob, Creation::Always), Err(Error::Kind));
    assert_eq!(open(b"a/b", Kind::File, Creation::Missing), Err(Error::Name(NameFault::Byte)));
    assert_eq!(run(fs.open(made.object, b"x", Kind::File, Creation::Missing, NOW)), Err(Error::Kind));
    assert_eq!(run(fs.open(ObjectId(99), b"x", Kind::File, Creation::Missing, NOW)), Err(Error::NotFound));
    let below = directory(&fs, ROOT, "d");
    assert_eq!(run(fs.open(below, b"n", Kind::Namespace, Creation::Missing, NOW)), Err(Error::Kind));
    sound(&fs);
}

#[test]
fn listings_go_on_behind_a_name() {
    let fs = fresh();
    for name in ["b", "a", "c", "aa", "ä"] {
        file(&fs, ROOT, name, name.as_bytes());
    }
    assert_eq!(names(&fs, ROOT), ["a", "aa", "b", "c", "ä"]);
    let listing = run(fs.list(ROOT, b"a", 2)).unwrap();
    assert_eq!((listing.entries[0].name.as_str(), listing.entries[0].size, listing.end), ("aa", 2, false));
    run(fs.remove(ROOT, b"b", NOW)).unwrap();
    let listing = run(fs.list(ROOT, b"b", 9)).unwrap();
    assert_eq!((listing.entries.len(), listing.end), (2, true));
    assert!(run(fs.list(ROOT, "ä".as_bytes(), 9)).unwrap().entries.is_empty());
}

#[test]
fn directories_go_when_they_are_empty() {
    let fs = fresh();
    let below = directory(&fs, ROOT, "d");
    file(&fs, below, "f", b"x");
    assert_eq!(run(fs.remove(ROOT, b"d", NOW)), Err(Error::NotEmpty));
    run(fs.remove(below, b"f", NOW)).unwrap();
    run(fs.remove(ROOT, b"d", NOW)).unwrap();
    assert_eq!(run(fs.remove(ROOT, b"d", NOW)), Err(Error::NotFound));
    assert_eq!((run(fs.stat(below)), run(fs.objects()).unwrap()), (Err(Error::NotFound), 1));
    sound(&fs);
    assert!(directory(&fs, ROOT, "d") > below, "no number is given twice");
}

#[test]
fn renames_replace_in_one_step() {
    let fs = fresh();
    let below = directory(&fs, ROOT, "d");
    let one = file(&fs, ROOT, "one", b"1");
    file(&fs, below, "two", b"2");
    assert_eq!(run(fs.rename(path(ROOT, "one"), path(below, "two"), false, NOW)), Err(Error::Exists));
    run(fs.rename(path(ROOT, "one"), path(below, "two"), true, LATER)).unwrap();
    assert_eq!(
        (lookup(&fs, below, "two").unwrap().object, names(&fs, ROOT).as_slice()),
        (one, &["d".into()][..])
    );
    assert_eq!(run(fs.stat(below)).unwrap().modified, LATER);
    sound(&fs);
    run(fs.rename(path(below, "two"), path(below, "three"), false, NOW)).unwrap();
    run(fs.rename(path(below, "three"), path(below, "three"), false, NOW)).unwrap();
    assert_eq!(run(fs.rename(path(below, "two"), path(below, "x"), false, NOW)), Err(Error::NotFound));
    assert_eq!(read(&fs, lookup(&fs, below, "three").unwrap().object), b"1");
    sound(&fs);
}

#[test]
fn renames_keep_kinds_apart() {
    let fs = fresh();
    let (full, empty) = (directory(&fs, ROOT, "full"), directory(&fs, ROOT, "empty"));
    file(&fs, full, "f", b"x");
    file(&fs, ROOT, "f", b"y");
    let rename = |from, to| run(fs.rename(path(ROOT, from), path(ROOT, to), true, NOW));
    assert_eq!((rename("f", "empty"), rename("empty", "f")), (Err(Error::Kind), Err(Error::Kind)));
    assert_eq!(rename("empty", "full"), Err(Error::NotEmpty));
    rename("full", "empty").unwrap();
    assert_eq!(
        (lookup(&fs, ROOT, "empty").unwrap().object, run(fs.stat(empty))),
        (full, Err(Error::NotFound))
    );
    sound(&fs);
    make(&fs, ROOT, "space", Kind::Namespace);
    let to = Path { directory: full, name: b"space" };
    assert_eq!(run(fs.rename(path(ROOT, "space"), to, false, NOW)), Err(Error::Kind));
}

#[test]
fn no_directory_comes_below_itself() {
    let fs = fresh();
    let a = directory(&fs, ROOT, "a");
    let b = directory(&fs, a, "b");
    let c = directory(&fs, b, "c");
    for to in [a, b, c] {
        assert_eq!(run(fs.rename(path(ROOT, "a"), path(to, "x"), false, NOW)), Err(Error::Cycle));
    }
    assert_eq!(run(fs.rename(path(a, "b"), path(c, "x"), false, NOW)), Err(Error::Cycle));
    run(fs.rename(path(b, "c"), path(ROOT, "c"), false, NOW)).unwrap();
    run(fs.rename(path(ROOT, "a"), path(c, "a"), false, NOW)).unwrap();
    assert_eq!(run(fs.stat(a)).unwrap().parent, c);
    assert_eq!(run(fs.rename(path(ROOT, "c"), path(b, "x"), false, NOW)), Err(Error::Cycle));
    sound(&fs);
}

#[test]
fn a_file_goes_with_its_last_name_and_its_last_holder() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", b"still here");
    for _ in 0..2 {
        run(fs.open(ROOT, b"f", Kind::File, Creation::Existing, NOW)).unwrap();
    }
    run(fs.remove(ROOT, b"f", NOW)).unwrap();
    run(fs.append(id, b"!", NOW)).unwrap();
    run(fs.release(id));
    assert_eq!(read(&fs, id), b"still here!");
    sound(&fs);
    run(fs.release(id));
    assert_eq!((run(fs.stat(id)), run(fs.objects()).unwrap()), (Err(Error::NotFound), 1));
    run(fs.release(id));
    sound(&fs);
}

#[test]
fn a_crash_takes_what_was_held_without_a_name() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &[7; 2_000_000]);
    run(fs.open(ROOT, b"f", Kind::File, Creation::Existing, NOW)).unwrap();
    file(&fs, ROOT, "g", b"x");
    run(fs.rename(path(ROOT, "g"), path(ROOT, "f"), true, NOW)).unwrap();
    run(fs.sync(fs.epoch())).unwrap();
    assert_eq!(read(&fs, id).len(), 2_000_000);
    let fs = crash(fs);
    assert_eq!((run(fs.stat(id)), run(fs.objects()).unwrap()), (Err(Error::NotFound), 2));
    assert_eq!(fs.volume().now.borrow().blocks.len(), 1);
    sound(&fs);
}

#[test]
fn a_large_file_goes_in_steps() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &[7; 3 << 20]);
    fs.volume().fails_in.set(3);
    run(fs.remove(ROOT, b"f", NOW)).unwrap();
    assert!(run(fs.stat(id)).unwrap().blocks > 0, "the name is gone, and the rest is left");
    sound(&fs);
    run(fs.tidy()).unwrap();
    assert_eq!((run(fs.stat(id)), run(fs.objects()).unwrap()), (Err(Error::NotFound), 1));
    sound(&fs);
}

#[test]
fn namespaces_give_files_more_names() {
    let fs = fresh();
    let below = directory(&fs, ROOT, "d");
    let id = file(&fs, below, "f", b"x");
    run(fs.bind(ROOT, b"same", id, false, NOW)).unwrap();
    assert_eq!(run(fs.stat(id)).unwrap().links, 2);
    assert_eq!(run(fs.bind(ROOT, b"same", id, false, NOW)), Err(Error::Exists));
    run(fs.bind(ROOT, b"same", id, true, NOW)).unwrap();
    assert_eq!(run(fs.bind(below, b"same", id, false, NOW)), Err(Error::Kind));
    assert_eq!(run(fs.bind(ROOT, b"d", id, true, NOW)), Err(Error::Kind));
    assert_eq!(run(fs.bind(ROOT, b"x", below, false, NOW)), Err(Error::Kind));
    sound(&fs);
    run(fs.remove(below, b"f", NOW)).unwrap();
    assert_eq!((read(&fs, id), run(fs.stat(id)).unwrap().links), (b"x".to_vec(), 1));
    let other = file(&fs, ROOT, "other", b"y");
    run(fs.bind(ROOT, b"same", other, true, NOW)).unwrap();
    assert_eq!(run(fs.stat(id)), Err(Error::NotFound));
    sound(&fs);
    run(fs.rename(path(ROOT, "same"), path(ROOT, "other"), true, NOW)).unwrap();
    assert_eq!((names(&fs, ROOT).len(), run(fs.stat(other)).unwrap().links), (2, 1));
    sound(&fs);
}

#[test]
fn a_held_file_can_be_named_again() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", b"x");
    run(fs.open(ROOT, b"f", Kind::File, Creation::Existing, NOW)).unwrap();
    run(fs.remove(ROOT, b"f", NOW)).unwrap();
    run(fs.bind(ROOT, b"g", id, false, NOW)).unwrap();
    run(fs.release(id));
    run(fs.sync(fs.epoch())).unwrap();
    let fs = crash(fs);
    assert_eq!(read(&fs, id), b"x");
    sound(&fs);
}
