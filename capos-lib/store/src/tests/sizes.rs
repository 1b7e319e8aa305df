//! Disks of all sizes.

use super::disk::{Memory, now};
use super::model::{LIMITS, Pair, Step, check, everything, mount, new_volume};
use crate::{BLOCK, Pointer, SlotState, Slots, StoreError, Volume, format};
use alloc::vec;

const MIB: u64 = (1 << 20) / BLOCK as u64;
const GROUP: u64 = 128 * MIB;
const TIB: u64 = 1 << 28;

#[test]
fn from_one_mib_to_two_pib() {
    for blocks in [0, 1, 255, TIB << 12] {
        assert_eq!(now(format(&Memory::new(blocks), 1, None)), Err(StoreError::Size), "{blocks} blocks");
    }
    let tails = [GROUP + 1, GROUP + 15, GROUP + 16, 3 * GROUP - 1];
    let sizes = [MIB, MIB + 1, 16 * MIB - 1, 16 * MIB, GROUP, 1000 * GROUP, TIB, 16 * TIB, TIB << 11];
    for blocks in sizes.into_iter().chain(tails) {
        let volume = new_volume(blocks);
        assert!(blocks - volume.space().blocks < 16, "{blocks} blocks");
        now(volume.put(b"a", b"b")).unwrap();
        now(volume.commit()).unwrap();
        let volume = mount(volume.disk().clone());
        assert_eq!(everything(&volume).unwrap().len(), 1);
        assert_eq!(check(&volume), [], "{blocks} blocks");
    }
}

/// A mount reads the slots, what is beside the newest one, and the roots, whatever the size, and whatever is in it.
#[test]
fn a_mount_costs_the_same_on_every_disk() {
    let mut costs = vec![];
    for blocks in [16 * MIB, 16 * TIB] {
        let mut pair = Pair::new(blocks);
        for n in 0..700 {
            pair.step(&Step::Put(n % 300, n)).unwrap();
            pair.step(&Step::Commit).unwrap();
        }
        let disk = pair.volume.disk().clone();
        disk.state.operations.set(0);
        let volume = mount(disk.clone());
        costs.push(disk.state.operations.get());
        // Nor is a commit dearer.
        now(volume.put(b"a", b"b")).unwrap();
        now(volume.commit()).unwrap();
        costs.push(disk.state.operations.get());
    }
    assert!(costs[0] <= 6, "{costs:?}");
    assert!(costs[1] < 20, "{costs:?}");
    assert_eq!(costs[..2], costs[2..]);
}

/// A volume grows by little and by much, mounted, with snapshots, and what is new is used.
#[test]
fn volumes_grow() {
    let mut pair = Pair::new(MIB);
    let mut n = 0;
    let sizes =
        [MIB, MIB + 5, 16 * MIB - 1, 16 * MIB, GROUP - 1, GROUP + 3, GROUP + 40, 3 * GROUP + 100, TIB];
    for blocks in sizes {
        let mut disk = pair.volume.disk().clone();
        disk.blocks = blocks;
        pair.volume = mount(disk);
        let before = pair.volume.space();
        now(pair.volume.grow(None)).unwrap();
        let after = pair.volume.space();
        assert!(blocks - after.blocks < 16);
        // All of it but what maps need.
        let new = after.blocks - before.blocks;
        assert!(after.total + 30 >= before.total + new - new / 1000);
        for _ in 0..40 {
            pair.step(&Step::Data(n, 7)).unwrap();
            n += 1;
            if n % 16 == 0 {
                pair.step(&Step::Commit).unwrap();
            }
        }
        pair.step(&Step::Snapshot).unwrap();
        pair.step(&Step::Delete(0)).unwrap();
        pair.step(&Step::Check).unwrap();
        pair.step(&Step::Mount).unwrap();
    }
    assert_eq!(now(pair.volume.grow(Some(TIB - 1000))), Err(StoreError::Size));
    assert_eq!(now(pair.volume.grow(Some(TIB + 1000))), Err(StoreError::Size));
    now(pair.volume.grow(Some(TIB))).unwrap();
}

/// Filled beyond one group, so that space is looked for in others, and behind full ones.
#[test]
fn space_is_found_in_all_groups() {
    let volume = new_volume(3 * GROUP);
    let data = vec![5; 1024 * BLOCK];
    let mut all: alloc::vec::Vec<Pointer> = vec![];
    while volume.room(crate::Need::Ordinary) >= 1024 {
        let mut pointers = [Pointer::NONE; 1024];
        now(volume.write_data(&data, &mut pointers)).unwrap();
        volume.disk().state.content.borrow_mut().clear();
        all.extend(pointers);
    }
    let groups: alloc::collections::BTreeSet<u64> =
        all.iter().map(|pointer| pointer.address / GROUP).collect();
    assert_eq!(groups.len(), 3);
    assert!(all.len() as u64 > 3 * GROUP - 4096);
}

/// What an older volume left beyond the end of a smaller new one does not come back.
#[test]
fn a_smaller_volume_on_a_used_disk() {
    let mut pair = Pair::new(16 * MIB);
    for n in 0..20 {
        pair.step(&Step::Put(n, n)).unwrap();
        pair.step(&Step::Commit).unwrap();
    }
    let disk = pair.volume.disk().clone();
    now(format(&disk, 2, Some(MIB))).unwrap();
    let (volume, mounted) = now(Volume::mount(disk, LIMITS)).unwrap();
    assert_eq!((volume.uuid(), mounted.slots[2]), (2, SlotState::Blank));
    assert_eq!(everything(&volume).unwrap().len(), 0);
}

/// What spoils the first MiB of a disk leaves all that was committed to be read.
#[test]
fn a_bad_first_mib() {
    let mut pair = Pair::new(16 * MIB);
    // So far that what matters lies behind the first MiB.
    let mut pointers = [Pointer::NONE; 300];
    now(pair.volume.write_data(&vec![1; 300 * BLOCK], &mut pointers)).unwrap();
    for n in 0..11 {
        pair.step(&Step::Put(n, n)).unwrap();
        pair.step(&Step::Commit).unwrap();
    }
    let commit = pair.volume.commit_number();
    let disk = pair.volume.disk().clone();
    (0..MIB).for_each(|block| disk.spoil(block, 8));
    let (volume, mounted) = now(Volume::mount(disk, LIMITS)).unwrap();
    assert_eq!(mounted.slot, Slots::ALL[2]);
    assert_eq!(mounted.slots[..2], [SlotState::Checksum; 2]);
    assert!(mounted.commit + 1 >= commit);
    assert!(everything(&volume).unwrap().len() >= 10);
}

/// A volume that its disk does not hold any more is refused.
#[test]
fn a_disk_that_was_cut() {
    let volume = new_volume(16 * MIB);
    let mut disk = volume.disk().clone();
    disk.blocks = 16 * MIB - 1;
    assert_eq!(now(Volume::mount(disk, LIMITS)).err(), Some(StoreError::Cut { blocks: 16 * MIB }));
}
