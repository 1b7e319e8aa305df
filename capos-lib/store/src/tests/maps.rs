//! Maps of a volume with more than one group, on a disk that fails for a while.

use super::disk::{Memory, now};
use super::model::{LIMITS, Pair, Step, check, everything, mount};
use crate::node::Page;
use crate::pointer::checksum;
use crate::space::{Entry, GROUP, Layout, Summary, TOP};
use crate::superblock::Superblock;
use crate::{BLOCK, DiskError, Fault, Finding, Pointer, StoreError, Volume};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

const BLOCKS: u64 = 2 * GROUP;

/// A volume whose second group has what is used, and whose maps are on the disk; the log is about both. The first group is free again.
pub fn base() -> Pair {
    let mut pair = Pair::new(BLOCKS);
    let large = fill_first_group(&pair);
    for n in 0..300 {
        commit(&mut pair, Step::Data(n, n as u8));
    }
    large.iter().for_each(|pointer| pair.volume.free(pointer).unwrap());
    commit(&mut pair, Step::Put(1, 1));
    for n in 0..60 {
        commit(&mut pair, Step::Data(n, 3));
    }
    pair.step(&Step::Settle).unwrap();
    assert_eq!(check(&pair.volume), []);
    let state = &pair.volume.disk().state;
    large.iter().for_each(|pointer| drop(state.content.borrow_mut().remove(&pointer.address)));
    pair
}

fn fill_first_group(pair: &Pair) -> Vec<Pointer> {
    let mut large = Vec::new();
    while large.len() < 32_700 {
        let mut pointers = vec![Pointer::NONE; 100];
        now(pair.volume.write_data(&vec![7; 100 * BLOCK], &mut pointers)).unwrap();
        large.extend(pointers);
    }
    now(pair.volume.commit()).unwrap();
    large
}

fn commit(pair: &mut Pair, step: Step) {
    pair.step(&step).unwrap();
    pair.step(&Step::Commit).unwrap();
}

/// The same on another disk, just mounted.
pub fn again(base: &Pair) -> Pair {
    let content = base.volume.disk().state.content.borrow().clone();
    let volume = mount(Memory::with(BLOCKS, content));
    Pair { volume, model: base.model.clone(), committed: base.committed.clone(), snapshots: BTreeMap::new() }
}

/// Does a step on a disk that may fail. Gives why it was not done.
fn try_step(pair: &mut Pair, step: &Step) -> Option<StoreError> {
    let epoch = pair.volume.epoch();
    let failed = pair.step(step).err();
    if pair.volume.epoch() != epoch {
        pair.model = pair.committed.clone();
    }
    failed
}

/// Changes so much that the maps are written.
fn work(pair: &mut Pair) -> Vec<StoreError> {
    (0..150)
        .flat_map(|n| [Step::Put(5 + n % 7, n), Step::Commit])
        .filter_map(|step| try_step(pair, &step))
        .collect()
}

/// Mounts, and takes more than the first group has: whatever counts as free without being it is written over.
fn fill(pair: &mut Pair) {
    pair.volume = mount(pair.volume.disk().clone());
    for _ in 0..330 {
        let _ = now(pair.volume.write_data(&vec![9; 100 * BLOCK], &mut vec![Pointer::NONE; 100]));
    }
    let _ = try_step(pair, &Step::Put(5, 5));
    let _ = try_step(pair, &Step::Commit);
}

/// Nothing that is needed counts as free, and all is there.
fn is_whole(pair: &Pair, what: &str) {
    let volume = mount(pair.volume.disk().clone());
    // What `fill` takes is nobody's.
    let expected = |finding: &Finding| matches!(finding, Finding::Map { .. } | Finding::Leaked { .. });
    let wrong: Vec<_> = check(&volume).into_iter().filter(|finding| !expected(finding)).collect();
    assert_eq!(wrong, [], "{what}");
    assert!(everything(&volume).as_ref() == Ok(&pair.committed), "{what}");
}

/// A map that is not to be read while the maps are written is not believed when it can be read again: it does not know what was taken since.
#[test]
fn a_map_that_comes_back_is_not_believed() {
    let base = base();
    let layout = Layout::new(BLOCKS).unwrap();
    for why in [DiskError::Media, DiskError::Failed] {
        for (level, index) in [(0, 1), (0, 0), (1, 0), (2, 0), (3, 0)] {
            let mut pair = again(&base);
            let state = pair.volume.disk().state.clone();
            state.why.set(Some(why));
            // Written, it would be another copy that counts, so both are.
            state.bad.borrow_mut().extend([1, 2].map(|copy| layout.place(level, index, copy)));
            let failed = work(&mut pair);
            state.bad.borrow_mut().clear();
            let what = std::format!("{why:?}, level {level}, {index}: {failed:?}");
            assert!(failed.iter().all(|error| is_told(error, why)), "{what}");
            is_whole(&pair, &what);
            // A disk that says nothing of the medium has taken no map away.
            assert!(
                why == DiskError::Media || check(&mount(pair.volume.disk().clone())).is_empty(),
                "{what}"
            );
            fill(&mut pair);
            is_whole(&pair, &what);
        }
    }
}

/// Maps that somebody made up: each is what its parent says, but their counts are not those of their blocks.
#[test]
fn maps_that_miscount_are_lost() {
    for level in 0..=TOP {
        let mut pair = Pair::new(300);
        for n in 0..700 {
            commit(&mut pair, Step::Put(n % 60, n));
        }
        let disk = pair.volume.disk().clone();
        let place = miscount(&disk, level);
        let volume = mount(disk);
        let error = StoreError::Corrupt { block: place, fault: Fault::Count };
        assert_eq!(check(&volume)[0], Finding::Map { group: 0, error });
        assert_eq!(now(volume.write_data(&[1; BLOCK], &mut [Pointer::NONE])), Err(error));
        assert!(everything(&volume).as_ref() == Ok(&pair.model));
    }
}

/// Has one more block taken below the first map of a level than the map says. Gives the place of the map.
fn miscount(disk: &Memory, level: u32) -> u64 {
    let slot = now(Volume::mount(disk.clone(), LIMITS)).unwrap().1.slot;
    let page = |block: u64| Page(*disk.state.content.borrow()[&block]);
    let mut superblock = Superblock::decode(&Rc::new(page(slot))).unwrap();
    let layout = superblock.layout;
    // From the top down to what is above the map, and up again.
    let (mut entry, mut path) = (superblock.maps, Vec::new());
    for above in (level + 1..=TOP).rev() {
        let place = layout.place(above, 0, entry.copy);
        let node = Summary(Rc::new(page(place)));
        entry = node.entry(0);
        path.push((place, node));
    }
    let map = layout.place(level, 0, entry.copy);
    let mut told = Entry { used: entry.used + 1, ..entry };
    let write = |block: u64, page: &Page| drop(disk.state.content.borrow_mut().insert(block, page.0.into()));
    for (place, mut node) in path.into_iter().rev() {
        node.set(0, told);
        write(place, &node.0);
        let copy = (place % 2) as u8;
        told =
            Entry { checksum: checksum(&node.0.0), used: node.used(), copy: if copy == 1 { 1 } else { 2 } };
    }
    superblock.maps = told;
    write(slot, &superblock.encode());
    map
}

fn is_told(error: &StoreError, why: DiskError) -> bool {
    matches!(error, StoreError::Disk { error, .. } if *error == why)
}

/// Any one operation fails once: with the maps of two groups being written, snapshots made and deleted, and commits settled.
#[test]
fn any_operation_of_two_groups_may_fail_once() {
    let base = base();
    let started = again(&base);
    let work = mixed();
    for why in [DiskError::Media, DiskError::Failed] {
        let mut n = 0;
        while fail_at(&started, &work, n, why) {
            n += 7;
        }
        assert!(n > 300, "{n} operations");
    }
}

fn mixed() -> Vec<Step> {
    let mut steps = Vec::new();
    for n in 0..80 {
        steps.extend([Step::Data(n * 3, n as u8), Step::Put(n, 700), Step::Commit]);
    }
    steps.extend([Step::Mount, Step::Snapshot, Step::Settle]);
    for n in 0..60 {
        steps.extend([Step::Put(n, 300 + n), Step::Remove(n * 2), Step::Commit]);
        if n % 9 == 0 {
            steps.push(Step::Settle);
        }
    }
    steps.extend([Step::Mount, Step::Delete(0), Step::Settle]);
    steps
}

/// False if there was no such operation.
fn fail_at(base: &Pair, work: &[Step], n: u64, why: DiskError) -> bool {
    let mut pair = again(base);
    let state = pair.volume.disk().state.clone();
    state.operations.set(0);
    state.why.set(Some(why));
    state.fail.set(Some((n, false)));
    for step in work {
        let failed = match step {
            Step::Mount => remount(&mut pair),
            step => try_step(&mut pair, step),
        };
        let told = |error: StoreError| {
            is_told(&error, why) || matches!(error, StoreError::Doubtful | StoreError::NoSnapshot)
        };
        assert!(failed.is_none_or(told), "operation {n}, {step:?}: {failed:?}");
    }
    let happened = state.operations.get() > n;
    state.fail.set(None);
    let volume = mount(pair.volume.disk().clone());
    assert_eq!(check(&volume), [], "{why:?}, operation {n}");
    let found = everything(&volume).unwrap();
    assert!(found == pair.committed || found == pair.model, "{why:?}, operation {n}");
    happened
}

/// A mount that fails leaves what was mounted, and its changes.
fn remount(pair: &mut Pair) -> Option<StoreError> {
    match now(Volume::mount(pair.volume.disk().clone(), LIMITS)) {
        Ok((volume, _)) => {
            pair.volume = volume;
            pair.model = pair.committed.clone();
            None
        }
        Err(error) => Some(error),
    }
}
