//! Commits that are written in one round: side by side with their superblock.

use super::disk::{Event, Memory, now};
use super::model::{LIMITS, Pair, Step, check, everything};
use crate::{DiskError, Mounted, SlotState, Slots, StoreError, Volume};
use alloc::vec::Vec;

/// A pair with two commits, each of one round, of which the last one put data.
fn pair() -> Pair {
    let mut pair = Pair::new(300);
    for step in [Step::Put(1, 100), Step::Put(2, 200), Step::Commit, Step::Data(2, 7)] {
        pair.step(&step).unwrap();
    }
    pair
}

/// Commits, and says what was written, one list for each flush.
fn commit(pair: &mut Pair) -> Vec<Vec<u64>> {
    let state = pair.volume.disk().state.clone();
    state.record.set(true);
    pair.step(&Step::Commit).unwrap();
    state.record.set(false);
    let events = state.events.take();
    let block = |event: &Event| if let Event::Write(block, _) = event { Some(*block) } else { None };
    let parts = events.split(|event| matches!(event, Event::Flush));
    parts.map(|part| part.iter().filter_map(block).collect()).collect()
}

/// Mounts a copy of a disk.
fn copied(pair: &Pair, change: impl FnOnce(&Memory)) -> (Volume<Memory>, Mounted) {
    let disk = Memory::with(300, pair.volume.disk().state.content.borrow().clone());
    change(&disk);
    now(Volume::mount(disk, LIMITS)).unwrap()
}

#[test]
fn a_small_commit_is_one_round() {
    let mut pair = pair();
    let parts = commit(&mut pair);
    assert_eq!(parts.len(), 2, "one flush, and nothing behind it");
    assert!(parts[0].len() == 3 && parts[1].is_empty(), "data, a leaf, a superblock: {parts:?}");
    assert_eq!(copied(&pair, |_| {}).1.commit, pair.volume.commit_number());
    // What frees so much that it is discarded cannot be taken back, and is settled first.
    let big = [1; 100 * crate::BLOCK];
    let mut pointers = [crate::Pointer::NONE; 100];
    now(pair.volume.write_data(&big, &mut pointers)).unwrap();
    assert_eq!(commit(&mut pair).len(), 3, "data was written before");
    pointers.iter().for_each(|pointer| pair.volume.free(pointer).unwrap());
    let parts = commit(&mut pair);
    assert_eq!(parts.len(), 5, "{parts:?}");
    assert!(pair.volume.disk().state.discarded.get() >= 100);
}

/// Without any block that was beside its superblock, the newest commit is passed over, and says which one.
#[test]
fn a_commit_counts_if_all_that_is_beside_it_is_there() {
    let mut pair = pair();
    let before = pair.committed.clone();
    let parts = commit(&mut pair);
    let commit = pair.volume.commit_number();
    for block in parts[0].iter().filter(|block| !Slots::ALL.contains(block)) {
        let (volume, mounted) = copied(&pair, |disk| disk.spoil(*block, 4000));
        assert_eq!(mounted.commit, commit - 1);
        assert!(mounted.slots.contains(&SlotState::Incomplete { commit, block: *block }));
        assert!(everything(&volume).unwrap() == before);
        assert_eq!(check(&volume), []);
        let (_, mounted) = copied(&pair, |disk| disk.state.bad.borrow_mut().push(*block));
        assert_eq!(mounted.commit, commit - 1, "one that the medium does not give back is not there, either");
    }
}

/// A disk that fails now and then, or goes away, takes no commit back: a mount asks again, or says that it cannot know.
#[test]
fn a_disk_that_fails_takes_no_commit_back() {
    let mut pair = pair();
    commit(&mut pair);
    let number = pair.volume.commit_number();
    let (volume, _) = copied(&pair, |_| {});
    let reads = volume.disk().state.operations.get();
    assert!(reads >= 5, "slots, what is beside a superblock, roots: {reads}");
    for at in 0..reads {
        let (_, mounted) = copied(&pair, |disk| disk.state.fail.set(Some((at, false))));
        assert_eq!((mounted.commit, mounted.losses().count()), (number, 0), "operation {at} failed once");
        let disk = Memory::with(300, pair.volume.disk().state.content.borrow().clone());
        disk.state.fail.set(Some((at, true)));
        for why in [DiskError::Gone, DiskError::Failed] {
            disk.state.operations.set(0);
            disk.state.why.set(Some(why));
            let error = now(Volume::mount(disk.clone(), LIMITS)).err();
            let is_told = matches!(error, Some(StoreError::Disk { error, .. }) if error == why);
            assert!(is_told, "{at}: {error:?}");
        }
    }
}

/// What was passed over does not come back when it is whole again, once something else was done.
#[test]
fn what_was_passed_over_does_not_come_back() {
    let mut pair = pair();
    let lost = commit(&mut pair)[0][0];
    for crashes in [false, true] {
        let (volume, mounted) = copied(&pair, |disk| disk.state.bad.borrow_mut().push(lost));
        let disk = volume.disk().clone();
        disk.state.bad.borrow_mut().clear();
        now(volume.put(b"other", b"thing")).unwrap();
        if crashes {
            // All but the first write and its flush.
            disk.state.fail.set(Some((disk.state.operations.get() + 2, true)));
            now(volume.commit()).unwrap_err();
            disk.state.fail.set(None);
        } else {
            now(volume.commit()).unwrap();
        }
        let (_, again) = now(Volume::mount(disk, LIMITS)).unwrap();
        assert_eq!(again.commit, mounted.commit + u64::from(!crashes));
        assert!(!again.slots.iter().any(|state| matches!(state, SlotState::Incomplete { .. })));
    }
}

/// When the next commit was begun, the one before it was complete: what is spoiled then is named, and nothing is taken back.
#[test]
fn a_commit_with_one_behind_it_is_not_passed_over() {
    let mut pair = pair();
    let lost = commit(&mut pair)[0][0];
    let (done, number) = (pair.committed.clone(), pair.volume.commit_number());
    pair.step(&Step::Put(9, 9)).unwrap();
    let next = commit(&mut pair);
    let slot = *next[0].iter().find(|block| Slots::ALL.contains(block)).unwrap();
    for change in [slot, next[0][0]] {
        let (volume, mounted) = copied(&pair, |disk| {
            disk.spoil(change, 100);
            disk.spoil(lost, 4000);
        });
        assert_eq!(mounted.commit, number);
        let error = StoreError::Corrupt { block: lost, fault: crate::Fault::Checksum };
        assert_eq!(everything(&volume), Err(error));
        let served = copied(&pair, |disk| disk.spoil(change, 100));
        assert!(served.1.commit == number && everything(&served.0).unwrap() == done);
    }
}

/// A commit that fails although its superblock is on the disk is dropped there, too.
#[test]
fn a_commit_that_fails_is_not_there_for_the_next_mount() {
    let mut pair = pair();
    let before = pair.committed.clone();
    let bad = {
        let state = pair.volume.state.borrow();
        *state.fresh.keys().next().unwrap()
    };
    let disk = pair.volume.disk().clone();
    disk.state.bad.borrow_mut().push(bad);
    let epoch = pair.volume.epoch();
    let failed = pair.step(&Step::Commit);
    assert_eq!(failed, Err(StoreError::Disk { block: bad, error: DiskError::Media }));
    assert_eq!(pair.volume.epoch(), epoch + 1);
    disk.state.bad.borrow_mut().clear();
    let (volume, mounted) = copied(&pair, |_| {});
    assert_eq!(mounted.commit, pair.volume.commit_number());
    assert!(everything(&volume).unwrap() == before && everything(&pair.volume).unwrap() == before);
    let again = |state: &SlotState| *state == SlotState::Sound(mounted.commit);
    assert_eq!(mounted.slots.iter().filter(|state| again(state)).count(), 2);
}

/// If the disk fails once, the blocks are written again.
#[test]
fn a_commit_is_tried_again() {
    // A block, the superblock, the flush.
    for n in 0..3 {
        let mut pair = pair();
        let state = pair.volume.disk().state.clone();
        state.fail.set(Some((state.operations.get() + n, false)));
        pair.step(&Step::Commit).unwrap();
        pair.step(&Step::Mount).unwrap();
        pair.compare();
    }
}

/// Who asks for what was done before a mount to be durable has it so.
#[test]
fn what_a_mount_found_becomes_durable() {
    let pair = pair();
    let (volume, _) = copied(&pair, |_| {});
    volume.disk().state.record.set(true);
    now(volume.commit()).unwrap();
    now(volume.commit()).unwrap();
    let events = volume.disk().state.events.take();
    let settles = |event: &Event| matches!(event, Event::Write(_, _));
    assert!(matches!(events[..], [Event::Flush, _, Event::Flush, _, Event::Flush]), "and it is settled");
    assert!(settles(&events[1]) && settles(&events[3]), "its second places, and its superblock");
}

/// When nothing follows, the last commit is settled: then it counts whatever is spoiled, and so it does if settling fails.
#[test]
fn a_commit_that_is_settled_is_not_passed_over() {
    for fails in [None, Some(0), Some(1), Some(2), Some(3)] {
        let mut pair = pair();
        let lost = commit(&mut pair)[0][0];
        let state = pair.volume.disk().state.clone();
        state.fail.set(fails.map(|n| (state.operations.get() + n, false)));
        let rounds = commit(&mut pair).len();
        assert!(fails.is_some() || rounds == 3, "second places, superblock");
        pair.step(&Step::Put(8, 8)).unwrap();
        pair.volume.abort().unwrap();
        pair.step(&Step::Commit).unwrap();
        let number = pair.volume.commit_number();
        let (volume, mounted) = copied(&pair, |disk| disk.spoil(lost, 4000));
        assert_eq!((mounted.commit, mounted.losses().count()), (number, 0));
        assert_eq!(
            everything(&volume),
            Err(StoreError::Corrupt { block: lost, fault: crate::Fault::Checksum })
        );
        // Once is enough.
        let before = state.operations.get();
        pair.step(&Step::Commit).unwrap();
        assert_eq!(state.operations.get(), before);
    }
}

/// So it is while something new is under way, which neither counts for it nor is lost, and through whatever becomes of the next commit.
#[test]
fn a_commit_is_settled_beside_changes() {
    let mut pair = pair();
    let lost = commit(&mut pair)[0][0];
    pair.step(&Step::Put(8, 8)).unwrap();
    now(pair.volume.settle()).unwrap();
    let number = pair.volume.commit_number();
    let (volume, mounted) = copied(&pair, |disk| disk.spoil(lost, 4000));
    assert_eq!((mounted.commit, mounted.losses().count()), (number, 0));
    let corrupt = StoreError::Corrupt { block: lost, fault: crate::Fault::Checksum };
    assert_eq!(everything(&volume), Err(corrupt));
    // What the next one begins with is the superblock that has a list.
    let before = pair.volume.disk().state.content.borrow().clone();
    let next = commit(&mut pair);
    let slot = next[0].iter().copied().find(|block| Slots::ALL.contains(block)).unwrap();
    let torn = Memory::with(300, before);
    torn.spoil(slot, 100);
    torn.spoil(lost, 4000);
    assert_eq!(now(Volume::mount(torn, LIMITS)).unwrap().1.commit, number);
    pair.step(&Step::Mount).unwrap();
    pair.compare();
}
