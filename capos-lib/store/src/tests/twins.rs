//! Nodes are at two places, and outlive the loss of one.

use super::disk::{Memory, now};
use super::model::{LIMITS, Pair, Step, check, everything, everything_in, mount};
use crate::space::Layout;
use crate::{DiskError, Fault, Finding, StoreError, Volume};
use alloc::vec::Vec;

const BLOCKS: u64 = 800;

/// Much in one tree, some of it only a snapshot's, and all of it settled.
fn settled() -> Pair {
    let mut pair = Pair::new(BLOCKS);
    for n in 0..120 {
        pair.step(&Step::Put(n, 1400)).unwrap();
    }
    pair.step(&Step::Data(200, 7)).unwrap();
    pair.step(&Step::Snapshot).unwrap();
    for n in 0..30 {
        pair.step(&Step::Put(n * 4, 900)).unwrap();
    }
    pair.step(&Step::Commit).unwrap();
    pair.step(&Step::Settle).unwrap();
    assert_eq!(check(&pair.volume), []);
    pair
}

/// Blocks that may be anybody's.
fn blocks(pair: &Pair) -> Vec<u64> {
    let layout = Layout::new(BLOCKS).unwrap();
    let content = pair.volume.disk().state.content.borrow();
    content.keys().copied().filter(|block| !layout.is_fixed(*block)).collect()
}

fn copy(pair: &Pair) -> Memory {
    Memory::with(BLOCKS, pair.volume.disk().state.content.borrow().clone())
}

fn is_as_it_was(pair: &Pair, volume: &Volume<Memory>) {
    assert!(everything(volume).as_ref() == Ok(&pair.model));
    for (id, model) in &pair.snapshots {
        assert!(everything_in(&volume.view(*id).unwrap()).as_ref() == Ok(model));
    }
}

/// Whatever block is lost, in silence or not: all is served but the data that was in it, check names it, and a node is there twice again afterwards.
#[test]
fn any_one_block_may_be_lost() {
    let pair = settled();
    let (mut nodes, mut data) = (0, 0);
    for block in blocks(&pair) {
        let disk = copy(&pair);
        disk.spoil(block, 1000);
        let corrupt = StoreError::Corrupt { block, fault: Fault::Checksum };
        let volume = mount(disk.clone());
        let mut findings = check(&volume);
        // What a snapshot shares is found there, too.
        findings.dedup();
        match findings[..] {
            // What it had is not needed any more.
            [] => is_as_it_was(&pair, &volume),
            [Finding::Unreadable(error)] => {
                assert_eq!((error, everything(&volume)), (corrupt, Err(corrupt)));
                data += 1;
            }
            [Finding::Copy(error)] => {
                assert_eq!(error, corrupt);
                is_as_it_was(&pair, &volume);
                now(volume.settle()).unwrap();
                assert_eq!((check(&volume), check(&mount(disk))), ([].to_vec(), [].to_vec()));
                nodes += 1;
            }
            ref others => panic!("{others:?}"),
        }
    }
    assert!(nodes > 150 && nodes % 2 == 0, "{nodes}");
    assert_eq!(data, 1);
}

/// The same where the disk says so; what is served is served without a check, too, from roots on.
#[test]
fn any_one_block_may_be_unreadable() {
    let pair = settled();
    for block in blocks(&pair).into_iter().step_by(3) {
        let disk = copy(&pair);
        disk.state.bad.borrow_mut().push(block);
        let volume = mount(disk);
        let before = volume.spoils();
        match everything(&volume) {
            Ok(found) => assert!(found == pair.model),
            Err(error) => assert!(matches!(error, StoreError::Disk { block: lost, .. } if lost == block)),
        }
        let mut findings = check(&volume);
        findings.dedup();
        assert!(findings.len() <= 1 && volume.spoils() >= before + findings.len() as u64 / 2);
        // Neither a place that takes nothing nor what was lost keeps it from being settled, and changed.
        now(volume.settle()).unwrap();
        now(volume.put(b"new", b"value")).unwrap();
        // A free block that takes nothing costs the commit that wanted it.
        assert!(now(volume.commit()).is_ok() || findings.is_empty());
    }
}

/// A root that is spoiled while it is mounted, and one that nobody has read yet.
#[test]
fn what_is_spoiled_at_work_is_mended() {
    let pair = settled();
    let disk = copy(&pair);
    let (volume, _) = now(Volume::mount(disk.clone(), LIMITS)).unwrap();
    let root = volume.roots().0.pointer;
    disk.spoil(root.address, 1);
    volume.abort().unwrap();
    let again = mount(disk.clone());
    assert_eq!(again.spoils(), 1);
    is_as_it_was(&pair, &again);
    // What replaces it makes the place another's: nothing is written there any more.
    now(again.put(b"new", b"value")).unwrap();
    now(again.commit()).unwrap();
    now(again.settle()).unwrap();
    assert_eq!(check(&mount(disk)), []);
}

/// Both places lost: what is below is an error that names it, and the rest is served.
#[test]
fn both_places_lost_are_an_error() {
    let pair = settled();
    let disk = copy(&pair);
    let volume = mount(disk.clone());
    let root = volume.roots().0;
    let page = now(volume.visit(&root.pointer, root.level)).unwrap();
    let lost = page.pointer(1);
    disk.spoil(lost.address, 1);
    disk.spoil(lost.twin, 1);
    let volume = mount(disk);
    let error = StoreError::Corrupt { block: lost.address, fault: Fault::Checksum };
    assert!(check(&volume).contains(&Finding::Unreadable(error)));
    assert_eq!(everything(&volume), Err(error));
    assert!(super::model::get(&volume, &pair.model.keys().next().unwrap()[..]).is_ok());
    now(volume.settle()).unwrap();
}

/// Whatever fails while a commit is settled, for a while: nothing is said to be there twice that is not, and settling again has it there twice.
#[test]
fn a_settle_that_fails_is_done_again() {
    let mut pair = settled();
    for n in 0..40 {
        pair.step(&Step::Put(n * 3, 1000)).unwrap();
    }
    pair.step(&Step::Commit).unwrap();
    for why in [DiskError::Media, DiskError::Failed] {
        for more in [false, true] {
            let mut n = 0;
            while settles_again(&pair, n, more, why) {
                n += 1;
            }
            assert!(n > 30 || more, "{n} operations");
        }
    }
}

/// False if there was no such operation.
fn settles_again(pair: &Pair, n: u64, more: bool, why: DiskError) -> bool {
    let disk = copy(pair);
    let volume = mount(disk.clone());
    disk.state.operations.set(0);
    disk.state.why.set(Some(why));
    disk.state.fail.set(Some((n, more)));
    let _ = now(volume.settle());
    let happened = disk.state.operations.get() > n;
    disk.state.fail.set(None);
    now(volume.settle()).unwrap();
    let again = mount(disk);
    assert_eq!(check(&again), [], "{why:?}, operation {n}, more: {more}");
    assert!(again.is_twice(&again.roots().0.pointer));
    is_as_it_was(pair, &again);
    happened
}

/// The same with any one block that takes or gives nothing for a while.
#[test]
fn a_place_that_fails_for_a_while_is_written_later() {
    let mut pair = settled();
    for n in 0..40 {
        pair.step(&Step::Put(n * 3, 1000)).unwrap();
    }
    pair.step(&Step::Commit).unwrap();
    // Those too where nothing was ever written: they may be second places.
    for block in (0..BLOCKS).filter(|block| !Layout::new(BLOCKS).unwrap().is_fixed(*block)) {
        let disk = copy(&pair);
        let volume = mount(disk.clone());
        disk.state.bad.borrow_mut().push(block);
        now(volume.settle()).unwrap();
        disk.state.bad.borrow_mut().clear();
        now(volume.settle()).unwrap();
        assert_eq!(check(&mount(disk.clone())), [], "block {block}");
        is_as_it_was(&pair, &mount(disk));
    }
}

/// Until a commit is settled there is one place, and the second is not believed.
#[test]
fn the_second_place_counts_when_it_is_written() {
    let mut pair = settled();
    pair.step(&Step::Put(3, 3)).unwrap();
    pair.step(&Step::Commit).unwrap();
    let root = pair.volume.roots().0.pointer;
    let first = pair.volume.disk().state.content.borrow()[&root.address].clone();
    // As if it had been there by chance.
    pair.volume.disk().state.content.borrow_mut().insert(root.twin, first);
    assert!(!pair.volume.is_twice(&root));
    pair.step(&Step::Settle).unwrap();
    assert!(pair.volume.is_twice(&root));
    pair.step(&Step::Mount).unwrap();
    assert!(pair.volume.is_twice(&root));
}
