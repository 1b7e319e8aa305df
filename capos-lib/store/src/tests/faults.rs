//! Disks that fail: the error says where, what was committed stays, and the rest is served.

use super::disk::{Memory, now};
use super::model::{LIMITS, Model, Pair, Step, check, everything, get, mount};
use crate::{DiskError, Fault, Finding, Slots, StoreError, Volume};
use alloc::vec::Vec;

fn workload() -> Vec<Step> {
    let mut steps: Vec<Step> = (0..40).map(|n| Step::Put(n * 7, 600 + n)).collect();
    steps.extend([Step::Commit, Step::Snapshot, Step::Mount]);
    steps.extend((0..6).map(|n| Step::Data(n * 7, n as u8)));
    steps.extend([Step::Commit, Step::Batch(3, true), Step::Remove(14), Step::Commit]);
    steps.extend((0..6).map(|n| Step::Remove(n * 14)));
    steps.extend([Step::Mount, Step::Delete(0), Step::Commit]);
    steps.extend((0..30).flat_map(|n| [Step::Put(n * 41, 900 + n), Step::Commit]));
    steps
}

/// Does all steps on a disk of which the operation `n` fails, and all after it with `more`. False if there were not so many.
fn fail_at(n: u64, more: bool) -> bool {
    let mut pair = Pair::new(300);
    let state = pair.volume.disk().state.clone();
    state.operations.set(0);
    state.fail.set(Some((n, more)));
    // What may be there when it is mounted again.
    let mut may_be: Vec<Model> = Vec::from([pair.committed.clone()]);
    for step in workload() {
        let epoch = pair.volume.epoch();
        let result = match &step {
            Step::Mount => remount(&mut pair),
            step => pair.step(step),
        };
        match result {
            Ok(()) => {}
            Err(StoreError::Disk { error: DiskError::Media, .. }) => {
                may_be.push(pair.model.clone());
                if pair.volume.epoch() != epoch {
                    pair.model = pair.committed.clone();
                }
            }
            Err(StoreError::Doubtful | StoreError::NoSnapshot) => {}
            Err(error) => panic!("operation {n}, {step:?}: {error}"),
        }
        if may_be.last() != Some(&pair.committed) {
            may_be.push(pair.committed.clone());
        }
    }
    let happened = state.operations.get() > n;
    state.fail.set(None);
    let volume = mount(pair.volume.disk().clone());
    let found = everything(&volume).unwrap();
    assert!(may_be.contains(&found), "operation {n}: something else is there");
    assert_eq!(check(&volume), [], "operation {n}");
    happened
}

/// A mount that may fail: then what was mounted stays.
fn remount(pair: &mut Pair) -> Result<(), StoreError> {
    let (volume, mounted) = match now(Volume::mount(pair.volume.disk().clone(), LIMITS)) {
        Ok(mounted) => mounted,
        Err(StoreError::NoVolume(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    // A slot that was not read may be the newest one: this test wants to go on where it was.
    if mounted.commit != pair.volume.commit_number() {
        return Ok(());
    }
    pair.volume = volume;
    pair.model = pair.committed.clone();
    Ok(())
}

#[test]
fn any_operation_may_fail_once() {
    let mut n = 0;
    while fail_at(n, false) {
        n += 1;
    }
    assert!(n > 100, "{n} operations");
}

#[test]
fn a_disk_may_be_gone_from_any_operation_on() {
    let mut n = 0;
    while fail_at(n, true) {
        n += 1;
    }
    assert!(n > 50, "{n} operations");
}

/// Blocks that take nothing cost the commit that wanted them, whatever the disk says of it; the next one goes elsewhere.
#[test]
fn blocks_that_cannot_be_written_are_passed_over() {
    [DiskError::Media, DiskError::Full, DiskError::Failed].into_iter().for_each(pass_over);
}

fn pass_over(why: DiskError) {
    let mut pair = Pair::new(300);
    pair.volume.disk().state.why.set(Some(why));
    pair.volume.disk().state.bad.borrow_mut().extend([20, 21]);
    let mut failed = 0;
    for n in 0..200 {
        pair.step(&Step::Put(n, 100)).unwrap();
        match pair.step(&Step::Commit) {
            Ok(()) => {}
            Err(StoreError::Disk { error, .. }) if error == why => {
                pair.model = pair.committed.clone();
                failed += 1;
                // What was committed is served meanwhile.
                assert_eq!(everything(&pair.volume), Ok(pair.committed.clone()), "{n}");
            }
            Err(error) => panic!("{n}: {error}"),
        }
    }
    assert!((1..20).contains(&failed), "{failed} commits failed");
    pair.volume.disk().state.bad.borrow_mut().clear();
    assert_eq!(everything(&pair.volume), Ok(pair.committed));
    assert_eq!(check(&pair.volume), []);
}

fn filled() -> Pair {
    let mut pair = Pair::new(600);
    for n in 0..250 {
        pair.step(&Step::Put(n, 500)).unwrap();
    }
    pair.step(&Step::Data(7, 7)).unwrap();
    pair.step(&Step::Commit).unwrap();
    pair
}

/// Every block in use is spoiled in turn: what is read is right or an error that names the block, and `check` names it, too.
#[test]
fn silent_corruption_is_noticed_and_named() {
    let pair = filled();
    let blocks: Vec<u64> = pair.volume.disk().state.content.borrow().keys().copied().collect();
    let mut noticed = 0;
    for block in blocks {
        let content = pair.volume.disk().state.content.borrow().clone();
        let disk = Memory::with(600, content);
        disk.spoil(block, 1000);
        let Ok((volume, mounted)) = now(Volume::mount(disk, LIMITS)) else {
            assert!(!Slots::ALL.contains(&block), "one slot is not all");
            noticed += 1;
            continue;
        };
        if mounted.commit != pair.volume.commit_number() {
            continue;
        }
        let mut served = 0;
        for (key, value) in &pair.model {
            match get(&volume, key) {
                Ok(found) => served += usize::from(found.is_some_and(|found| found[..2] == value[..2])),
                Err(error) => {
                    assert_eq!(error, StoreError::Corrupt { block, fault: Fault::Checksum });
                }
            }
        }
        let findings = check(&volume);
        if served < pair.model.len() {
            noticed += 1;
            let named = |finding: &Finding| {
                *finding == Finding::Unreadable(StoreError::Corrupt { block, fault: Fault::Checksum })
            };
            assert!(findings.iter().any(named), "{findings:?}");
            assert!(served * 2 > pair.model.len(), "the rest is served");
        }
    }
    assert!(noticed > 30, "{noticed}");
}

/// Blocks that cannot be read are named, and the others are read.
#[test]
fn a_bad_block_is_named() {
    let pair = filled();
    let disk = pair.volume.disk().clone();
    let leaf = *disk.state.content.borrow().keys().find(|block| **block > 9 && **block != 255).unwrap();
    disk.state.bad.borrow_mut().push(leaf);
    let volume = mount(disk);
    let results: Vec<_> = pair.model.keys().map(|key| get(&volume, key)).collect();
    let error = StoreError::Disk { block: leaf, error: DiskError::Media };
    assert!(results.contains(&Err(error)));
    assert!(results.iter().filter(|result| result.is_ok()).count() > 200);
}

/// A superblock's slot that takes nothing is passed over, and the commit counts all the same.
#[test]
fn a_bad_slot_is_passed_over() {
    for bad in Slots::ALL {
        let mut pair = Pair::new(5000);
        pair.volume.disk().state.bad.borrow_mut().push(bad);
        for n in 0..5 {
            pair.step(&Step::Put(n, 99)).unwrap();
            pair.step(&Step::Commit).unwrap();
            pair.step(&Step::Mount).unwrap();
            pair.compare();
        }
    }
}

/// Maps that are lost take their group's space along, and nothing else.
#[test]
fn without_maps_there_is_no_space_but_all_is_read() {
    let mut pair = Pair::new(300);
    for n in 0..700 {
        pair.step(&Step::Put(n % 60, n)).unwrap();
        pair.step(&Step::Commit).unwrap();
    }
    let disk = pair.volume.disk().clone();
    for copy in [1, 2] {
        disk.spoil(copy, 9);
    }
    let volume = mount(disk);
    assert!(everything(&volume).unwrap() == pair.model);
    assert!(check(&volume).iter().any(|finding| matches!(finding, Finding::Map { group: 0, .. })));
    let mut pointers = [crate::Pointer::NONE];
    let lost = now(volume.write_data(&[1; crate::BLOCK], &mut pointers)).unwrap_err();
    assert!(matches!(lost, StoreError::Corrupt { block: 1 | 2, fault: Fault::Checksum }), "{lost}");
    now(volume.put(b"a", b"b")).unwrap();
    assert_eq!(now(volume.commit()), Err(lost));
    assert!(everything(&volume).unwrap() == pair.model);
}
