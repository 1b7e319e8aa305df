//! Bytes in files.

use alloc::vec;
use alloc::vec::Vec;

use super::{LATER, NOW, ROOT, crash, directory, file, fresh, read, run, sound};
use crate::{Creation, Error, Fs, Kind, Run};
use capos_store::StoreError;

fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251 + seed * 13) as u8).collect()
}

#[test]
fn writes_of_every_alignment_are_read_back() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &[]);
    run(fs.sync(fs.epoch())).unwrap();
    let mut model: Vec<u8> = Vec::new();
    for (seed, &(offset, length)) in [
        (0, 0),
        (0, 1),
        (5, 10),
        (4095, 2),
        (4096, 4096),
        (8192, 8192),
        (4000, 9000),
        (100_000, 1),
        (65_535, 70_000),
        (0, 4096),
        (1, 4096),
        (262_143, 2),
        (12_288, 65_536),
    ]
    .iter()
    .enumerate()
    {
        let data = pattern(length, seed);
        run(fs.write(id, offset as u64, &data, NOW)).unwrap();
        if length > 0 {
            model.resize(model.len().max(offset + length), 0);
            model[offset..offset + length].copy_from_slice(&data);
        }
        assert!(read(&fs, id) == model, "{seed}");
        sound(&fs);
    }
    for (offset, length) in [(0, 1), (4095, 2), (65_000, 5000), (262_000, 1000), (300_000, 5)] {
        let mut data = vec![0xee; length];
        let there = run(fs.read(id, offset as u64, &mut data)).unwrap();
        assert_eq!(there, model.len().saturating_sub(offset).min(length));
        assert_eq!(data[..there], *model.get(offset..offset + there).unwrap_or_default());
    }
    assert_eq!(read(&crash(fs), id), [], "nothing was synced");
}

#[test]
fn appends_find_the_end_themselves() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", b"one");
    assert_eq!(run(fs.append(id, b"two", LATER)), Ok(3));
    assert_eq!(run(fs.append(id, &pattern(3 << 20, 0), NOW)), Ok(6));
    assert_eq!(run(fs.append(id, b"", NOW)), Ok(6 + (3 << 20)));
    assert_eq!(read(&fs, id)[..6], *b"onetwo");
    sound(&fs);
}

#[test]
fn blocks_that_were_read_before_are_not_taken_for_what_is_there_now() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &pattern(4096 * 20, 1));
    let block = |offset: u64| {
        let mut data = [0xee; 4096];
        let length = run(fs.read(id, offset, &mut data)).unwrap();
        data[..length].to_vec()
    };
    for _ in 0..2 {
        assert_eq!(block(4096), pattern(4096 * 20, 1)[4096..8192]);
    }
    run(fs.write(id, 4096, &[5; 4096], NOW)).unwrap();
    assert_eq!((block(4096), block(8192)), (vec![5; 4096], pattern(4096 * 20, 1)[8192..12_288].to_vec()));
    run(fs.clear(id, 4096, 4096, NOW)).unwrap();
    assert_eq!(block(4096), [0; 4096]);
    run(fs.truncate(id, 4096 * 18 + 1, NOW)).unwrap();
    assert_eq!((block(4096 * 18).len(), block(4096 * 19).len()), (1, 0));
    run(fs.truncate(id, 100, NOW)).unwrap();
    assert_eq!((block(0).len(), block(4096).len(), block(4096 * 17).len()), (100, 0, 0));
    run(fs.truncate(id, 4096 * 3, NOW)).unwrap();
    assert_eq!((&block(0)[100..], block(8192)), (&[0; 3996][..], vec![0; 4096]));
    run(fs.remove(ROOT, b"f", NOW)).unwrap();
    assert_eq!(run(fs.read(id, 0, &mut [0; 4096])), Err(Error::NotFound));
}

#[test]
fn sparse_files_store_what_was_written() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &[]);
    run(fs.write(id, 1 << 30, b"far", NOW)).unwrap();
    run(fs.write(id, 5 * 4096, &pattern(8192, 1), NOW)).unwrap();
    let stat = run(fs.stat(id)).unwrap();
    assert_eq!((stat.size, stat.blocks), ((1 << 30) + 3, 3));
    assert_eq!(run(fs.run(id, 0)), Ok(Some(Run { start: 5 * 4096, length: 8192 })));
    assert_eq!(run(fs.run(id, 5 * 4096 + 1)), Ok(Some(Run { start: 5 * 4096 + 1, length: 8191 })));
    assert_eq!(run(fs.run(id, 7 * 4096)), Ok(Some(Run { start: 1 << 30, length: 3 })));
    assert_eq!(run(fs.run(id, (1 << 30) + 4096)), Ok(None));
    let mut data = vec![1; 100];
    assert_eq!((run(fs.read(id, 1 << 29, &mut data)), data), (Ok(100), vec![0; 100]));
    sound(&fs);
}

#[test]
fn no_file_is_longer_than_the_disk() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &[]);
    let most = 4096 << 20;
    assert_eq!(run(fs.write(id, most, b"x", NOW)), Err(Error::Range));
    assert_eq!(run(fs.write(id, u64::MAX, b"xx", NOW)), Err(Error::Range));
    assert_eq!(run(fs.truncate(id, most + 1, NOW)), Err(Error::Range));
    run(fs.write(id, most - 1, b"x", NOW)).unwrap();
    run(fs.truncate(id, most, NOW)).unwrap();
    sound(&fs);
}

#[test]
fn truncation_leaves_zeros_behind_the_end() {
    let fs = fresh();
    for size in [0, 1, 4095, 4096, 4097, 65_536, 65_537, 200_000, 1_100_000] {
        let id = file(&fs, ROOT, &alloc::format!("{size}"), &pattern(1_200_000, 3));
        run(fs.truncate(id, size, LATER)).unwrap();
        sound(&fs);
        let stat = run(fs.stat(id)).unwrap();
        assert_eq!((stat.size, stat.blocks, stat.modified), (size, size.div_ceil(4096), LATER));
        run(fs.truncate(id, 1_200_000, NOW)).unwrap();
        let mut model = pattern(1_200_000, 3);
        model[size as usize..].fill(0);
        assert!(read(&fs, id) == model, "{size}");
        sound(&fs);
    }
}

#[test]
fn a_long_truncation_is_ended_after_a_crash_and_hides_what_is_left() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &pattern(3 << 20, 3));
    run(fs.sync(fs.epoch())).unwrap();
    // The first step of cleaning fails, as does what the next operation would do first.
    fs.volume().fails_in.set(3);
    run(fs.truncate(id, 10, NOW)).unwrap();
    let stat = run(fs.stat(id)).unwrap();
    assert!(stat.size == 10 && stat.blocks > 1, "{stat:?}");
    sound(&fs);
    fs.volume().fails_in.set(1);
    assert_eq!(run(fs.write(id, 1 << 20, b"x", NOW)), Err(Error::Volume(StoreError::Full)));
    run(fs.sync(fs.epoch())).unwrap();
    let fs = crash(fs);
    assert_eq!(run(fs.stat(id)).unwrap().blocks, 1);
    run(fs.write(id, 2 << 20, b"x", NOW)).unwrap();
    let mut data = vec![1; 4096];
    run(fs.read(id, 1 << 20, &mut data)).unwrap();
    assert_eq!(data, [0; 4096]);
    sound(&fs);
}

#[test]
fn a_file_that_is_written_again_ends_the_truncation_first() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &pattern(3 << 20, 3));
    fs.volume().fails_in.set(3);
    run(fs.truncate(id, 10, NOW)).unwrap();
    run(fs.write(id, 3 << 20, b"x", NOW)).unwrap();
    assert_eq!(run(fs.stat(id)).unwrap().blocks, 2);
    assert!(read(&fs, id)[10..3 << 20].iter().all(|byte| *byte == 0));
    sound(&fs);
}

#[test]
fn cleared_bytes_are_zeros_and_take_no_room() {
    let fs = fresh();
    for (offset, length) in
        [(0, 1), (10, 5000), (0, 4096), (4096, 200_000), (70_000, 2_000_000), (1_199_999, u64::MAX)]
    {
        let id = file(&fs, ROOT, &alloc::format!("{offset}-{length}"), &pattern(1_200_000, 3));
        run(fs.clear(id, offset, length, LATER)).unwrap();
        let mut model = pattern(1_200_000, 3);
        let end = offset.saturating_add(length).min(1_200_000);
        model[offset as usize..end as usize].fill(0);
        assert!(read(&fs, id) == model, "{offset} {length}");
        let whole = (if end == 1_200_000 { 293 } else { end / 4096 }).saturating_sub(offset.div_ceil(4096));
        assert_eq!(run(fs.stat(id)).unwrap().blocks, 293 - whole, "{offset} {length}");
        sound(&fs);
    }
}

type Step = fn(&Fs<super::map::Map>, crate::ObjectId, &[u8]) -> Result<(), Error>;

#[test]
fn what_fails_changes_nothing_wherever_it_fails() {
    let data = pattern(150_000, 1);
    let steps: [Step; 6] = [
        |fs, id, data| run(fs.write(id, 4000, data, LATER)),
        |fs, id, data| run(fs.append(id, data, LATER)).map(|_| ()),
        |fs, id, _| run(fs.truncate(id, 70_001, LATER)),
        |fs, id, _| run(fs.clear(id, 100, 80_000, LATER)),
        |fs, _, data| run(fs.put_blob(data, LATER)).map(|_| ()),
        |fs, _, _| run(fs.remove(ROOT, b"f", LATER)),
    ];
    for (number, step) in steps.into_iter().enumerate() {
        for fails_in in 1.. {
            let fs = fresh();
            let id = file(&fs, ROOT, "f", &pattern(100_000, 2));
            run(fs.sync(fs.epoch())).unwrap();
            let before = fs.volume().now.borrow().clone();
            fs.volume().fails_in.set(fails_in);
            let done = step(&fs, id, &data);
            if fs.volume().fails_in.take() > 0 {
                assert!(done.is_ok() && fails_in > 1, "{number}");
                break;
            }
            assert_eq!(done, Err(Error::Volume(StoreError::Full)), "{number} {fails_in}");
            sound(&fs);
            assert!(*fs.volume().now.borrow() == before, "{number} {fails_in}");
            step(&fs, id, &data).unwrap();
            sound(&fs);
        }
    }
}

#[test]
fn a_lost_block_leaves_the_rest() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &pattern(12_288, 2));
    let second = *fs.volume().now.borrow().blocks.keys().nth(1).unwrap();
    fs.volume().lost.borrow_mut().insert(second);
    let mut block = [0; 4096];
    assert_eq!(run(fs.read(id, 4096, &mut block)), Err(Error::Volume(super::map::LOST)));
    assert_eq!((run(fs.read(id, 8192, &mut block)), &block[..]), (Ok(4096), &pattern(12_288, 2)[8192..]));
    assert_eq!(run(fs.write(id, 5000, b"x", NOW)), Err(Error::Volume(super::map::LOST)));
    sound(&fs);
    run(fs.write(id, 4096, &block, NOW)).unwrap();
    assert_eq!(read(&fs, id).len(), 12_288);
}

#[test]
fn only_files_have_bytes_that_change() {
    let fs = fresh();
    let below = directory(&fs, ROOT, "d");
    let (blob, _) = run(fs.put_blob(b"blob", NOW)).unwrap();
    for id in [below, blob] {
        assert_eq!(run(fs.write(id, 0, b"x", NOW)), Err(Error::Kind));
        assert_eq!(run(fs.append(id, b"x", NOW)), Err(Error::Kind));
        assert_eq!(run(fs.truncate(id, 0, NOW)), Err(Error::Kind));
        assert_eq!(run(fs.clear(id, 0, 10, NOW)), Err(Error::Kind));
    }
    assert_eq!(run(fs.read(below, 0, &mut [0; 4])), Err(Error::Kind));
    assert_eq!(run(fs.run(below, 0)), Err(Error::Kind));
    assert_eq!(run(fs.stat(crate::ObjectId::VOLUME)), Err(Error::NotFound));
}

#[test]
fn times_say_how_they_were_known() {
    let fs = fresh();
    let id = file(&fs, ROOT, "f", &[]);
    run(fs.write(id, 0, b"x", LATER)).unwrap();
    let stat = run(fs.stat(id)).unwrap();
    assert_eq!((stat.created, stat.modified), (NOW, LATER));
    run(fs.open(ROOT, b"g", Kind::File, Creation::Missing, LATER)).unwrap();
    assert_eq!(run(fs.stat(ROOT)).unwrap().modified, LATER);
}

#[test]
fn a_commit_that_fails_is_told_to_all_who_lost_something() {
    let fs = fresh();
    let kept = file(&fs, ROOT, "kept", b"x");
    let seen = fs.epoch();
    run(fs.sync(seen)).unwrap();
    run(fs.open(ROOT, b"kept", Kind::File, Creation::Existing, NOW)).unwrap();
    file(&fs, ROOT, "lost", b"y");
    run(fs.remove(ROOT, b"kept", NOW)).unwrap();
    fs.volume().fails_in.set(2);
    assert_eq!(run(fs.sync(seen)), Err(Error::Volume(StoreError::Full)));
    assert_eq!(run(fs.sync(seen)), Err(Error::Lost), "somebody else's sync");
    assert_eq!((super::names(&fs, ROOT).as_slice(), fs.is_held(kept)), (&["kept".into()][..], true));
    file(&fs, ROOT, "new", b"z");
    sound(&fs);
    run(fs.sync(fs.epoch())).unwrap();
    assert_eq!(super::names(&crash(fs), ROOT), ["kept", "new"]);
}

#[test]
fn commits_happen_when_they_are_due_and_asked_for() {
    let fs = fresh();
    let commits = || fs.volume().commits.get();
    let id = file(&fs, ROOT, "f", b"x");
    assert_eq!(commits(), 2, "of format, which settles it");
    run(fs.sync(fs.epoch())).unwrap();
    assert_eq!(commits(), 3);
    run(fs.sync(fs.epoch())).unwrap();
    assert_eq!(commits(), 4, "there was nothing to commit again, and it is settled");
    run(fs.write(id, 0, b"y", NOW)).unwrap();
    fs.volume().due.set(true);
    run(fs.write(id, 0, b"z", NOW)).unwrap();
    assert_eq!(commits(), 5);
    assert_eq!(read(&crash(fs), id), b"y");
}

#[test]
fn nothing_is_done_to_files_only() {
    let fs = fresh();
    let (below, (blob, _)) = (directory(&fs, ROOT, "d"), run(fs.put_blob(b"x", NOW)).unwrap());
    for id in [below, blob] {
        assert_eq!(run(fs.clear(id, 5, 0, NOW)), Err(Error::Kind));
        assert_eq!(run(fs.write(id, 5, b"", NOW)), Err(Error::Kind));
    }
    let id = file(&fs, ROOT, "f", b"x");
    assert_eq!((run(fs.clear(id, 5, 0, NOW)), run(fs.write(id, 5, b"", NOW))), (Ok(()), Ok(())));
}
