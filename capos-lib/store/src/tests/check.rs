//! Every kind of inconsistency is found, and nothing else is.

use super::disk::{Memory, now};
use super::model::{DATA, check, mount, new_volume};
use crate::tree::Tree;
use crate::{BLOCK, Fault, Finding, Pointer, StoreError, Volume};
use alloc::vec::Vec;

/// A record with a pointer.
fn put(volume: &Volume<Memory>, key: &[u8], pointer: Pointer) {
    let value = [&[DATA, 7], pointer.to_bytes().as_slice()].concat();
    now(volume.put(key, &value)).unwrap();
}

fn data(volume: &Volume<Memory>) -> Pointer {
    let mut pointers = [Pointer::NONE];
    now(volume.write_data(&[7; BLOCK], &mut pointers)).unwrap();
    pointers[0]
}

/// A volume with a block of data, and the pointer to it.
fn with_data() -> (Volume<Memory>, Pointer) {
    let volume = new_volume(1000);
    let pointer = data(&volume);
    put(&volume, b"a", pointer);
    now(volume.commit()).unwrap();
    assert_eq!(check(&volume), []);
    (volume, pointer)
}

/// What a check finds after a commit and a mount.
fn found(volume: &Volume<Memory>) -> Vec<Finding> {
    now(volume.commit()).unwrap();
    check(&mount(volume.disk().clone()))
}

#[test]
fn blocks_that_nothing_uses() {
    let (volume, _) = with_data();
    let block = data(&volume).address;
    assert_eq!(found(&volume), [Finding::Leaked { block, count: 1 }]);
}

/// What is in memory is not what the disk has.
#[test]
fn blocks_that_the_disk_spoiled() {
    let volume = new_volume(1000);
    let mut pointers = [Pointer::NONE; 3];
    now(volume.write_data(&[7; 3 * BLOCK], &mut pointers)).unwrap();
    for (key, pointer) in [b"a", b"b", b"c"].into_iter().zip(pointers) {
        put(&volume, key, pointer);
    }
    now(volume.commit()).unwrap();
    let block = pointers[1].address;
    volume.disk().state.content.borrow_mut().get_mut(&block).unwrap()[9] ^= 1;
    assert_eq!(check(&volume), [Finding::Unreadable(StoreError::Corrupt { block, fault: Fault::Checksum })]);
}

#[test]
fn blocks_that_are_used_and_free() {
    let (volume, pointer) = with_data();
    volume.free(&pointer).unwrap();
    assert_eq!(found(&volume), [Finding::NotTaken { block: pointer.address, count: 1 }]);
}

#[test]
fn blocks_that_are_used_twice() {
    let (volume, pointer) = with_data();
    put(&volume, b"b", pointer);
    assert_eq!(found(&volume), [Finding::Twice { block: pointer.address }]);
}

#[test]
fn blocks_that_nobody_can_have() {
    for block in [3, 255, 1000, u64::MAX] {
        let (volume, pointer) = with_data();
        put(&volume, b"b", Pointer { address: block, ..pointer });
        assert_eq!(found(&volume), [Finding::Outside { block }]);
    }
}

#[test]
fn blocks_that_are_too_young() {
    let (volume, _) = with_data();
    let pointer = data(&volume);
    put(&volume, b"b", Pointer { birth: pointer.birth + 1, ..pointer });
    assert_eq!(found(&volume), [Finding::Birth { block: pointer.address }]);
}

/// An old block in a snapshot has to be in the one before, too.
#[test]
fn blocks_that_are_too_old() {
    let (volume, _) = with_data();
    now(volume.snapshot(b"")).unwrap();
    let pointer = data(&volume);
    put(&volume, b"b", Pointer { birth: 1, ..pointer });
    now(volume.snapshot(b"")).unwrap();
    assert_eq!(found(&volume), [Finding::Stray { block: pointer.address }]);
}

#[test]
fn dead_blocks_that_are_not() {
    let (volume, pointer) = with_data();
    now(volume.snapshot(b"")).unwrap();
    volume.state.borrow_mut().dead.push((pointer.address, pointer.birth));
    assert_eq!(found(&volume), [Finding::NotDead { block: pointer.address }]);
    // Nor is one that no snapshot needs.
    let (volume, _) = with_data();
    let block = data(&volume);
    now(volume.snapshot(b"")).unwrap();
    volume.state.borrow_mut().dead.push((block.address, block.birth));
    let findings = found(&volume);
    assert!(findings.contains(&Finding::NotDead { block: block.address }), "{findings:?}");
}

#[test]
fn dead_blocks_that_are_forgotten() {
    let (volume, pointer) = with_data();
    now(volume.snapshot(b"")).unwrap();
    now(volume.remove(b"a")).unwrap();
    now(volume.commit()).unwrap();
    assert_eq!(check(&volume), [Finding::Unburied { block: pointer.address }]);
}

#[test]
fn a_wrong_sum_of_blocks() {
    let (volume, _) = with_data();
    let said = {
        let mut state = volume.state.borrow_mut();
        state.space.used += 5;
        state.space.used
    };
    put(&volume, b"b", Pointer::NONE);
    // The new leaf takes the place of the old one.
    assert_eq!(found(&volume), [Finding::Used { said, counted: said - 5 }]);
}

#[test]
fn keys_that_belong_elsewhere() {
    let volume = new_volume(1000);
    for n in 10..60u8 {
        now(volume.put(&[n], &[7; 500])).unwrap();
    }
    now(volume.commit()).unwrap();
    now(volume.put(&[50], &[8; 500])).unwrap();
    {
        let mut state = volume.state.borrow_mut();
        let root = state.root(Tree::Records);
        let (_, dirty) = state.tree_mut(Tree::Records);
        let page = dirty.get(&root.pointer).unwrap();
        let leaf = page.pointer(page.child(&[50]));
        let page = dirty.get_mut(&leaf).unwrap();
        page.remove(1);
        assert!(page.insert(0, &[1], b"this is for the first leaf"));
    }
    let findings = found(&volume);
    assert!(matches!(findings[..], [Finding::Bounds { .. }]), "{findings:?}");
}
