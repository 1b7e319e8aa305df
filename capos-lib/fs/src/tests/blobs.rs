//! Blobs, and those that nobody needs.

use alloc::vec;

use core::pin::pin;
use core::task::{Context, Waker};

use super::map::Map;
use super::{NOW, ROOT, crash, fresh, make, read, run, sound};
use crate::{Collected, Error, Fs, Kind, ObjectId, Path};
use capos_store::StoreError;

/// FIPS 180-4's own example.
const ABC: [u8; 32] = [
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0,
    0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
];

#[test]
fn equal_blobs_are_stored_once() {
    let fs = fresh();
    let (blob, hash) = run(fs.put_blob(b"abc", NOW)).unwrap();
    assert_eq!((hash, run(fs.blob_hash(blob))), (ABC, Ok(ABC)));
    assert_eq!(run(fs.put_blob(b"abc", NOW)), Ok((blob, ABC)));
    let mut writer = run(fs.begin_blob(NOW)).unwrap();
    for piece in [b"a", b"b", b"c"] {
        run(fs.write_blob(&mut writer, piece, NOW)).unwrap();
    }
    sound(&fs);
    assert_eq!(run(fs.finish_blob(writer)), Ok((blob, ABC)));
    assert_eq!((run(fs.get_blob(&ABC)), run(fs.get_blob(&[0; 32]))), (Ok(blob), Err(Error::NotFound)));
    assert_eq!((read(&fs, blob), run(fs.objects()).unwrap()), (b"abc".to_vec(), 2));
    let (none, _) = run(fs.put_blob(b"", NOW)).unwrap();
    assert_eq!(read(&fs, none), b"");
    sound(&fs);
}

#[test]
fn large_blobs_are_written_in_pieces_and_whole_or_not_there() {
    let fs = fresh();
    let data = vec![9; 3 << 20];
    let (blob, hash) = run(fs.put_blob(&data, NOW)).unwrap();
    assert!(read(&fs, blob) == data);
    let mut writer = run(fs.begin_blob(NOW)).unwrap();
    run(fs.write_blob(&mut writer, &data[..2 << 20], NOW)).unwrap();
    run(fs.sync(fs.epoch())).unwrap();
    let fs = crash(fs);
    assert_eq!((run(fs.objects()).unwrap(), run(fs.get_blob(&hash))), (2, Ok(blob)));
    sound(&fs);
    let mut writer = run(fs.begin_blob(NOW)).unwrap();
    run(fs.write_blob(&mut writer, b"never", NOW)).unwrap();
    run(fs.drop_blob(writer));
    assert_eq!(run(fs.objects()).unwrap(), 2);
    fs.volume().fails_in.set(4);
    assert_eq!(run(fs.put_blob(&data[1..], NOW)), Err(Error::Volume(StoreError::Full)));
    assert_eq!(run(fs.objects()).unwrap(), 2);
    sound(&fs);
}

/// Moves a blob's name from a namespace that a collection looks at late to one that it looks at early, beginning after so many of its steps; then both go
/// on, so many steps for one of the collection's. None when it was over before.
fn move_while_collecting(steps: u32, speed: u32, verb: Verb) -> Option<()> {
    let fs = fresh();
    let early = make(&fs, ROOT, "early", Kind::Namespace);
    // What it goes over between the two.
    for name in ["x", "y", "z"] {
        make(&fs, ROOT, name, Kind::File);
    }
    let late = make(&fs, ROOT, "late", Kind::Namespace);
    let (blob, hash) = run(fs.put_blob(b"wanted", NOW)).unwrap();
    run(fs.bind(late, b"b", blob, false, NOW)).unwrap();
    run(fs.release(blob));
    fs.volume().slow.set(true);
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut collect = pin!(fs.collect());
        if (0..steps).any(|_| collect.as_mut().poll(&mut context).is_ready()) {
            return None;
        }
        let mut change = pin!(change(&fs, verb, blob, (early, late)));
        let (mut collected, mut changed) = (false, false);
        while !(collected && changed) {
            for _ in 0..speed {
                changed = changed || change.as_mut().poll(&mut context).is_ready();
            }
            collected = collected || collect.as_mut().poll(&mut context).is_ready();
        }
    }
    assert_eq!(run(fs.lookup(early, b"b")).unwrap().object, blob, "{verb:?} after {steps} steps");
    assert_eq!(run(fs.get_blob(&hash)), Ok(blob), "{verb:?} after {steps} steps");
    run(fs.release(blob));
    assert_eq!(read(&fs, blob), b"wanted");
    sound(&fs);
    Some(())
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    Rename,
    Bind,
    Put,
}

async fn change(fs: &Fs<Map>, verb: Verb, blob: ObjectId, (early, late): (ObjectId, ObjectId)) {
    let (from, to) = (Path { directory: late, name: b"b" }, Path { directory: early, name: b"b" });
    match verb {
        Verb::Rename => return fs.rename(from, to, false, NOW).await.unwrap(),
        Verb::Bind => fs.bind(early, b"b", blob, false, NOW).await.unwrap(),
        Verb::Put => {
            let (again, _) = fs.put_blob(b"wanted", NOW).await.unwrap();
            assert_eq!(again, blob);
            fs.bind(early, b"b", again, false, NOW).await.unwrap();
            fs.release(again).await;
        }
    }
    fs.remove(late, b"b", NOW).await.unwrap();
}

#[test]
fn a_blob_whose_name_moves_meanwhile_is_not_collected() {
    for verb in [Verb::Rename, Verb::Bind, Verb::Put] {
        for speed in [1, 4, 100] {
            let tried = (0..).map_while(|steps| move_while_collecting(steps, speed, verb)).count();
            assert!(tried > 10, "{verb:?}: {tried}");
        }
    }
}

#[test]
fn blobs_go_that_nobody_holds_or_names() {
    let fs = fresh();
    let space = make(&fs, ROOT, "n", Kind::Namespace);
    let put = |data: &[u8]| run(fs.put_blob(data, NOW)).unwrap();
    let (named, held, loose) = (put(b"named"), put(b"held"), put(&[5; 10_000]));
    run(fs.bind(space, b"b", named.0, false, NOW)).unwrap();
    run(fs.release(named.0));
    run(fs.release(loose.0));
    assert_eq!(run(fs.collect()), Ok(Collected { blobs: 1, bytes: 10_000 }));
    assert_eq!(run(fs.get_blob(&loose.1)), Err(Error::NotFound));
    assert_eq!((read(&fs, named.0), read(&fs, held.0)), (b"named".to_vec(), b"held".to_vec()));
    sound(&fs);
    run(fs.release(held.0));
    run(fs.remove(space, b"b", NOW)).unwrap();
    assert_eq!(run(fs.collect()), Ok(Collected { blobs: 2, bytes: 9 }));
    assert_eq!((run(fs.objects()).unwrap(), run(fs.collect())), (2, Ok(Collected::default())));
    sound(&fs);
}

#[test]
fn names_of_blobs_move_and_are_replaced() {
    let fs = fresh();
    let (one, two) = (run(fs.put_blob(b"1", NOW)).unwrap().0, run(fs.put_blob(b"2", NOW)).unwrap().0);
    run(fs.bind(ROOT, b"b", one, false, NOW)).unwrap();
    assert_eq!(run(fs.bind(ROOT, b"b", two, false, NOW)), Err(Error::Exists));
    run(fs.bind(ROOT, b"b", two, true, NOW)).unwrap();
    let path = |name| Path { directory: ROOT, name };
    run(fs.rename(path(b"b"), path(b"a"), false, NOW)).unwrap();
    assert_eq!(run(fs.lookup(ROOT, b"a")).unwrap().object, two);
    [one, two].into_iter().for_each(|blob| run(fs.release(blob)));
    assert_eq!(run(fs.collect()).unwrap().blobs, 1);
    sound(&fs);
    run(fs.sync(fs.epoch())).unwrap();
    let fs = crash(fs);
    assert_eq!(read(&fs, two), b"2");
    assert_eq!(run(fs.bind(ROOT, b"c", one, false, NOW)), Err(Error::NotFound));
}
