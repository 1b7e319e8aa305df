//! Snapshots, beside what the random runs do with them.

use super::disk::{Memory, now};
use super::model::{LIMITS, Model, Pair, Step, check, everything_in, mount, new_volume};
use crate::{NOTE_MAX, SNAPSHOTS_MAX, StoreError, Volume};
use alloc::vec;
use alloc::vec::Vec;

#[test]
fn a_snapshot_has_a_note_and_is_read_until_it_is_deleted() {
    let volume = new_volume(1000);
    now(volume.put(b"a", b"1")).unwrap();
    assert_eq!(now(volume.snapshot(&[0; NOTE_MAX + 1])), Err(StoreError::Argument));
    let id = now(volume.snapshot(b"before")).unwrap();
    now(volume.put(b"a", b"2")).unwrap();
    now(volume.commit()).unwrap();
    let volume = mount(volume.disk().clone());
    let found = volume.snapshots();
    assert_eq!((found.len(), found[0].id, found[0].note.as_slice()), (1, id, b"before".as_slice()));
    let view = volume.view(id).unwrap();
    assert_eq!(everything_in(&view), Ok(Model::from([(b"a".to_vec(), b"1".to_vec())])));
    assert_eq!(volume.view(id + 1).err(), Some(StoreError::NoSnapshot));
    assert_eq!(now(volume.delete_snapshot(id + 1)), Err(StoreError::NoSnapshot));
    now(volume.delete_snapshot(id)).unwrap();
    assert_eq!(everything_in(&view), Err(StoreError::NoSnapshot));
    assert_eq!(volume.view(id).err(), Some(StoreError::NoSnapshot));
}

/// The node that the snapshot has, and the one that the volume has now.
#[test]
fn what_only_snapshots_hold_is_counted() {
    let volume = new_volume(1000);
    now(volume.put(b"a", b"1")).unwrap();
    let id = now(volume.snapshot(b"")).unwrap();
    assert_eq!(volume.space().held, 0);
    now(volume.put(b"a", b"2")).unwrap();
    assert_eq!(volume.space().held, 2, "before the commit, too, and at both of its places");
    now(volume.commit()).unwrap();
    let volume = mount(volume.disk().clone());
    assert_eq!((volume.space().held, check(&volume)), (2, vec![]));
    now(volume.put(b"a", b"3")).unwrap();
    now(volume.delete_snapshot(id)).unwrap();
    assert_eq!((volume.space().held, check(&volume)), (0, vec![]));
}

#[test]
fn there_may_be_many() {
    let volume = new_volume(10_000);
    let ids: Vec<u64> = (0..SNAPSHOTS_MAX)
        .map(|n| {
            now(volume.put(&(n as u32 % 9).to_be_bytes(), &n.to_be_bytes())).unwrap();
            now(volume.snapshot(&[7; NOTE_MAX])).unwrap()
        })
        .collect();
    assert_eq!(now(volume.snapshot(b"")), Err(StoreError::TooManySnapshots));
    let volume = mount(volume.disk().clone());
    assert_eq!(volume.snapshots().len(), SNAPSHOTS_MAX);
    assert_eq!(check(&volume), []);
    // From the middle, from both ends.
    for id in ids.iter().skip(300).chain(ids.iter().take(300).rev()) {
        now(volume.delete_snapshot(*id)).unwrap();
    }
    assert_eq!(check(&volume), []);
    let used = volume.space().total - volume.space().free;
    assert_eq!(used, 2, "one leaf, at both of its places");
}

/// Deleting a snapshot of much is interrupted at any operation, and goes on after a mount.
#[test]
fn deleting_goes_on_after_a_crash() {
    let mut pair = Pair::new(4000);
    for n in 0..300 {
        pair.step(&Step::Put(n, 1500)).unwrap();
    }
    pair.step(&Step::Snapshot).unwrap();
    let id = *pair.snapshots.keys().next().unwrap();
    for round in 0..20 {
        for n in 0..300 {
            pair.step(&Step::Put(n * 7 + round, 1400)).unwrap();
        }
        pair.step(&Step::Commit).unwrap();
    }
    let before = pair.volume.disk().state.content.borrow().clone();
    let (mut n, mut resumed) = (0, 0);
    loop {
        let disk = Memory::with(4000, before.clone());
        let volume = mount(disk.clone());
        disk.state.operations.set(0);
        disk.state.fail.set(Some((n, true)));
        let done = now(volume.delete_snapshot(id)).is_ok();
        disk.state.fail.set(None);
        let (volume, _) = now(Volume::mount(disk, LIMITS)).unwrap();
        assert_eq!(check(&volume), [], "operation {n}");
        if volume.snapshots().iter().any(|snapshot| snapshot.deleting) {
            assert_eq!(volume.view(id).err(), Some(StoreError::NoSnapshot));
            resumed += 1;
        }
        if !volume.snapshots().is_empty() {
            now(volume.delete_snapshot(id)).unwrap();
        }
        assert_eq!(check(&volume), [], "operation {n}");
        assert_eq!(volume.snapshots(), vec![]);
        if done {
            break;
        }
        n += 1;
    }
    assert!(resumed > 5, "{resumed} of {n}");
}
