//! Many names, and names far below each other.

use super::{NOW, ROOT, directory, fresh, make, run, sound};
use crate::{Error, Kind, Path};

#[test]
#[cfg_attr(miri, ignore = "takes long")]
fn a_hundred_thousand_files_in_one_directory() {
    let fs = fresh();
    let below = directory(&fs, ROOT, "d");
    for number in 0..100_000u32 {
        make(&fs, below, &alloc::format!("{}", number.wrapping_mul(2_654_435_761)), Kind::File);
    }
    let (mut after, mut count) = (alloc::string::String::new(), 0);
    loop {
        let listing = run(fs.list(below, after.as_bytes(), 100)).unwrap();
        assert!(listing.entries.iter().all(|listed| listed.name > after));
        count += listing.entries.len();
        let Some(last) = listing.entries.last() else { break };
        after = last.name.clone();
    }
    assert_eq!((count, run(fs.stat(below)).unwrap().size), (100_000, 100_000));
    sound(&fs);
}

#[test]
#[cfg_attr(miri, ignore = "takes long")]
fn a_tree_of_ten_thousand_directories_below_each_other() {
    let fs = fresh();
    let mut at = ROOT;
    for _ in 0..10_000 {
        at = directory(&fs, at, "d");
    }
    sound(&fs);
    let first = run(fs.lookup(ROOT, b"d")).unwrap().object;
    let (from, to) = (Path { directory: ROOT, name: b"d" }, Path { directory: at, name: b"x" });
    assert_eq!(run(fs.rename(from, to, false, NOW)), Err(Error::Cycle));
    let beside = directory(&fs, ROOT, "e");
    let (from, to) = (Path { directory: first, name: b"d" }, Path { directory: beside, name: b"x" });
    run(fs.rename(from, to, false, NOW)).unwrap();
    sound(&fs);
}
