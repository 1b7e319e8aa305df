//! Full volumes: what does not fit is refused as a whole, and removing always works.

use super::disk::now;
use super::model::{Pair, Step, check, get, new_volume};
use crate::{BLOCK, Need, Pointer, StoreError};
use alloc::vec::Vec;

/// Fills a volume until it is full, with commits so often.
fn fill(blocks: u64, between: u16) -> (Pair, u16) {
    let mut pair = Pair::new(blocks);
    for n in 0u16.. {
        let key = Vec::from(n.to_be_bytes());
        match now(pair.volume.put(&key, &[3; 900])) {
            Ok(()) => {
                pair.model.insert(key, [3; 900].to_vec());
            }
            Err(error) => {
                assert_eq!(error, StoreError::Full);
                assert_eq!(get(&pair.volume, &key).unwrap(), None);
                pair.step(&Step::Commit).unwrap();
                return (pair, n);
            }
        }
        if n % between == 0 {
            pair.step(&Step::Commit).unwrap();
        }
    }
    unreachable!("it has an end")
}

#[test]
fn removing_works_on_a_full_volume() {
    for (blocks, between) in [(256, 1), (256, 7), (300, 1000), (1000, 100)] {
        let (mut pair, count) = fill(blocks, between);
        assert!(u64::from(count) > blocks * 3 / 4, "{count} records of 900 bytes in {blocks} blocks");
        pair.step(&Step::Check).unwrap();
        for n in 0..count {
            let key = n.to_be_bytes();
            now(pair.volume.remove(&key)).unwrap();
            pair.model.remove(key.as_slice());
            if n % 5 == 0 {
                pair.step(&Step::Commit).unwrap();
            }
        }
        pair.step(&Step::Check).unwrap();
        assert_eq!(pair.volume.space().free, pair.volume.space().total);
    }
}

/// With a snapshot nothing is given back by removing; deleting the snapshot works all the same.
#[test]
fn a_snapshot_of_a_full_volume_can_be_deleted() {
    for blocks in [256, 700] {
        let (mut pair, count) = fill(blocks, 50);
        pair.step(&Step::Snapshot).unwrap();
        let mut removed = 0;
        for n in 0..count {
            let key = n.to_be_bytes();
            match now(pair.volume.remove(&key)) {
                Ok(()) => removed += 1,
                Err(error) => {
                    assert_eq!(error, StoreError::Full);
                    break;
                }
            }
            pair.model.remove(key.as_slice());
            pair.step(&Step::Commit).unwrap();
        }
        assert!(removed > 0);
        pair.step(&Step::Delete(0)).unwrap();
        pair.step(&Step::Check).unwrap();
        for n in removed..count {
            now(pair.volume.remove(&n.to_be_bytes())).unwrap();
            pair.step(&Step::Commit).unwrap();
        }
        assert_eq!(check(&pair.volume), []);
        assert_eq!(pair.volume.space().free, pair.volume.space().total);
    }
}

/// Data takes what the volume says that there is, to the last block.
#[test]
fn all_room_can_be_filled_with_data() {
    let volume = new_volume(1000);
    now(volume.put(b"a", b"b")).unwrap();
    let room = volume.room(Need::Ordinary);
    let count = usize::try_from(room).unwrap();
    let mut pointers = Vec::from_iter((0..count).map(|_| Pointer::NONE));
    now(volume.write_data(&Vec::from_iter((0..count * BLOCK).map(|n| n as u8)), &mut pointers)).unwrap();
    assert_eq!(volume.room(Need::Ordinary), 0);
    let mut one = [Pointer::NONE];
    assert_eq!(now(volume.write_data(&[0; BLOCK], &mut one)), Err(StoreError::Full));
    assert_eq!(one, [Pointer::NONE]);
    now(volume.commit()).unwrap();
    let mut read = Vec::from_iter((0..count * BLOCK).map(|_| 0));
    now(volume.read_data(&pointers, &mut read)).unwrap();
    assert!(read.iter().enumerate().all(|(n, byte)| *byte == n as u8));
    pointers.iter().for_each(|pointer| volume.free(pointer).unwrap());
    now(volume.commit()).unwrap();
    assert_eq!(volume.room(Need::Ordinary), room + 1 - 1);
    assert!(volume.disk().state.discarded.get() >= room);
}

/// What is too much at once is refused before anything is changed.
#[test]
fn too_much_at_once() {
    let mut pair = Pair::new(4096);
    let limits = crate::Limits { dirty: 10, ..super::model::LIMITS };
    pair.volume = now(crate::Volume::mount(pair.volume.disk().clone(), limits)).unwrap().0;
    for n in 0..300 {
        match pair.step(&Step::Put(n, 800)) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, StoreError::TooMuch);
                assert!(pair.volume.is_due());
                pair.compare();
                pair.step(&Step::Commit).unwrap();
                pair.step(&Step::Put(n, 800)).unwrap();
            }
        }
    }
    pair.step(&Step::Check).unwrap();
}
