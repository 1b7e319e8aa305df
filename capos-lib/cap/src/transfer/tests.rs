//! Transfers that succeed, and every way in which they fail.

use super::{Lineage, TransferError, transfer, transfer_within};
use crate::derivation::forest::{Forest, Sending};
use crate::derivation::{Next, NodeId, Place, TreeError};
use crate::table::{Entry, Mobility, Table};
use capos_abi::{CapId, TransferSlot};
use std::vec;
use std::vec::Vec;

type Contents = Vec<(CapId, Entry<u32>)>;

fn entry(object: u32, mobility: Mobility) -> Entry<u32> {
    Entry { object, interface: u64::from(object) + 100, mobility, node: None }
}

fn table(limit: usize, entries: &[(u32, Mobility)]) -> (Table<u32>, Vec<CapId>) {
    let mut table = Table::new(limit);
    let ids =
        entries.iter().map(|(object, mobility)| table.insert(entry(*object, *mobility)).unwrap()).collect();
    (table, ids)
}

fn contents(table: &Table<u32>) -> Contents {
    table.iter().map(|(id, entry)| (id, entry.clone())).collect()
}

fn objects(table: &Table<u32>) -> Vec<u32> {
    table.iter().map(|(_, entry)| entry.object).collect()
}

/// Runs a transfer that must fail, and checks that nothing changed.
fn refused(
    from: &mut Table<u32>,
    to: &mut Table<u32>,
    slots: &[TransferSlot],
    ids: &mut [CapId],
) -> TransferError {
    let before = (contents(from), contents(to), ids.to_vec());
    let error = transfer(from, to, slots, &mut (), ids).unwrap_err();
    assert_eq!((contents(from), contents(to), ids.to_vec()), before);
    error
}

#[test]
fn nothing_is_transferred_by_an_empty_list() {
    let (mut from, _) = table(4, &[(1, Mobility::Free)]);
    let (mut to, _) = table(0, &[]);
    assert_eq!(transfer(&mut from, &mut to, &[], &mut (), &mut []), Ok(0));
    assert_eq!((objects(&from), objects(&to)), (vec![1], vec![]));
}

#[test]
fn a_copy_stays_with_its_sender_too() {
    let (mut from, ids) = table(4, &[(1, Mobility::Free)]);
    let (mut to, _) = table(4, &[(9, Mobility::Fixed)]);
    let mut out = [CapId::NULL];
    assert_eq!(transfer(&mut from, &mut to, &[TransferSlot::copy(ids[0])], &mut (), &mut out), Ok(1));
    assert_eq!(
        (from.lookup(ids[0]), to.lookup(out[0])),
        (Ok(&entry(1, Mobility::Free)), Ok(&entry(1, Mobility::Free)))
    );
}

#[test]
fn a_move_leaves_its_sender_with_a_stale_id() {
    let (mut from, ids) = table(4, &[(1, Mobility::MoveOnly)]);
    let (mut to, _) = table(4, &[]);
    let mut out = [CapId::NULL];
    assert_eq!(transfer(&mut from, &mut to, &[TransferSlot::moved(ids[0])], &mut (), &mut out), Ok(1));
    assert!(from.lookup(ids[0]).is_err() && from.is_empty());
    assert_eq!(to.lookup(out[0]), Ok(&entry(1, Mobility::MoveOnly)));
}

#[test]
fn ids_come_in_the_order_of_the_list() {
    let (mut from, ids) = table(4, &[(1, Mobility::Free), (2, Mobility::Free), (3, Mobility::Free)]);
    let (mut to, _) = table(4, &[]);
    let list = [TransferSlot::moved(ids[2]), TransferSlot::copy(ids[0]), TransferSlot::copy(ids[0])];
    let mut out = [CapId::NULL; 5];
    assert_eq!(transfer(&mut from, &mut to, &list, &mut (), &mut out), Ok(3));
    let arrived: Vec<u32> = out[..3].iter().map(|id| to.lookup(*id).unwrap().object).collect();
    assert_eq!((arrived, out[3..].to_vec()), (vec![3, 1, 1], vec![CapId::NULL; 2]));
    assert_eq!(objects(&from), [1, 2]);
}

#[test]
fn a_bad_slot_anywhere_in_the_list_stops_everything() {
    let (mut from, ids) = table(4, &[(1, Mobility::Free), (2, Mobility::Free)]);
    let (mut to, _) = table(4, &[]);
    let good = [TransferSlot::moved(ids[0]), TransferSlot::copy(ids[1])];
    let bad = [
        (TransferSlot(ids[0].raw() | 2 << 56), TransferError::BadSlot),
        (TransferSlot(u64::MAX), TransferError::BadSlot),
        (TransferSlot::copy(CapId::NULL), TransferError::InvalidCap),
        (TransferSlot::moved(CapId::new(1, 7)), TransferError::InvalidCap),
        (TransferSlot::moved(CapId::new(77, 1)), TransferError::InvalidCap),
    ];
    for (slot, error) in bad {
        for place in 0..3 {
            let mut list = good.to_vec();
            list.insert(place, slot);
            assert_eq!(
                refused(&mut from, &mut to, &list, &mut [CapId::NULL; 4]),
                error,
                "{slot:?} at {place}"
            );
        }
    }
}

#[test]
fn what_may_not_leave_does_not() {
    let (mut from, ids) = table(4, &[(1, Mobility::Fixed), (2, Mobility::MoveOnly)]);
    let (mut to, _) = table(4, &[]);
    for slot in [TransferSlot::copy(ids[0]), TransferSlot::moved(ids[0]), TransferSlot::copy(ids[1])] {
        let error = refused(&mut from, &mut to, &[slot], &mut [CapId::NULL]);
        assert_eq!(error, TransferError::NotTransferable);
    }
}

#[test]
fn what_moves_is_named_once() {
    let (mut from, ids) = table(4, &[(1, Mobility::Free), (2, Mobility::Free)]);
    let (mut to, _) = table(9, &[]);
    let (copy, moved) = (TransferSlot::copy(ids[0]), TransferSlot::moved(ids[0]));
    let other = TransferSlot::copy(ids[1]);
    for list in [[moved, other, moved], [copy, other, moved], [moved, copy, other]] {
        assert_eq!(refused(&mut from, &mut to, &list, &mut [CapId::NULL; 3]), TransferError::Duplicate);
    }
}

#[test]
fn a_destination_with_too_little_room_gets_nothing() {
    let (mut from, ids) = table(4, &[(1, Mobility::Free), (2, Mobility::Free)]);
    let (mut to, _) = table(2, &[(9, Mobility::Free)]);
    let list = [TransferSlot::moved(ids[0]), TransferSlot::copy(ids[1])];
    assert_eq!(refused(&mut from, &mut to, &list, &mut [CapId::NULL; 2]), TransferError::DestinationFull);
    assert!(transfer(&mut from, &mut to, &list[..1], &mut (), &mut [CapId::NULL]).is_ok());
}

#[test]
fn more_capabilities_than_ids_are_refused() {
    let (mut from, ids) = table(4, &[(1, Mobility::Free)]);
    let (mut to, _) = table(4, &[]);
    let list = [TransferSlot::copy(ids[0]); 3];
    assert_eq!(refused(&mut from, &mut to, &list, &mut [CapId::NULL; 2]), TransferError::TooMany);
}

#[test]
fn a_process_may_send_to_itself() {
    let (mut own, ids) = table(4, &[(1, Mobility::Free), (2, Mobility::MoveOnly)]);
    let list = [TransferSlot::copy(ids[0]), TransferSlot::moved(ids[1])];
    let mut out = [CapId::NULL; 2];
    assert_eq!(transfer_within(&mut own, &list, &mut (), &mut out), Ok(2));
    assert_eq!(out.map(|id| own.lookup(id).unwrap().object), [1, 2]);
    assert_eq!((own.lookup(ids[0]).is_ok(), own.lookup(ids[1]).is_err(), own.len()), (true, true, 3));
}

#[test]
fn sending_to_oneself_is_all_or_nothing_too() {
    let (mut own, ids) = table(3, &[(1, Mobility::Free), (2, Mobility::Free)]);
    let before = contents(&own);
    let list = [TransferSlot::moved(ids[0]), TransferSlot::copy(ids[1])];
    assert_eq!(
        transfer_within(&mut own, &list, &mut (), &mut [CapId::NULL; 2]),
        Err(TransferError::DestinationFull)
    );
    assert_eq!(contents(&own), before);
}

#[test]
fn what_sits_in_the_destination_is_never_touched() {
    let (mut from, ids) = table(2, &[(1, Mobility::Free)]);
    let (mut to, held) = table(9, &[(7, Mobility::Fixed), (8, Mobility::Free)]);
    to.release(held[0]).unwrap();
    let mut out = [CapId::NULL];
    transfer(&mut from, &mut to, &[TransferSlot::copy(ids[0])], &mut (), &mut out).unwrap();
    assert_eq!(to.lookup(held[1]).unwrap().object, 8);
    assert!(to.lookup(held[0]).is_err(), "the slot was used again, the old id is stale all the same");
    assert_eq!(out[0], CapId::new(held[0].index(), 2));
}

/// A capability with a node, in table 1.
fn tracked(forest: &mut Forest, table: &mut Table<u32>, object: u32) -> (CapId, NodeId) {
    let id = table.insert(entry(object, Mobility::Free)).unwrap();
    let node = forest.root(Place { table: 1, cap: id });
    table.set_node(id, Some(node));
    (id, node)
}

#[test]
fn a_tracked_copy_is_a_child_and_a_tracked_move_keeps_its_node() {
    let mut forest = Forest::new(3);
    let (mut from, mut to) = (Table::new(4), Table::new(4));
    let (first, parent) = tracked(&mut forest, &mut from, 0);
    let (second, moving) = tracked(&mut forest, &mut from, 1);
    let list = [TransferSlot::copy(first), TransferSlot::moved(second)];
    let mut out = [CapId::NULL; 2];
    transfer(&mut from, &mut to, &list, &mut Sending::to(&mut forest, 2), &mut out).unwrap();
    let child = to.lookup(out[0]).unwrap().node.unwrap();
    assert_eq!(forest.tree().place(child), Some(Place { table: 2, cap: out[0] }));
    assert_eq!(
        forest.tree().revoke(parent),
        Next::Kill { place: Place { table: 2, cap: out[0] }, node: child }
    );
    assert_eq!(
        (from.lookup(first).unwrap().node, to.lookup(out[1]).unwrap().node),
        (Some(parent), Some(moving))
    );
    assert_eq!((forest.tree().place(moving), forest.len()), (Some(Place { table: 2, cap: out[1] }), 3));
}

#[test]
fn what_is_being_revoked_is_neither_copied_nor_moved() {
    let mut forest = Forest::new(3);
    let root = forest.root(Place { table: 1, cap: CapId::new(9, 1) });
    let (mut from, mut to) = (Table::new(4), Table::new(4));
    let id = from.insert(entry(1, Mobility::Free)).unwrap();
    let child = forest.derive(root, Place { table: 1, cap: id }).unwrap();
    from.set_node(id, Some(child));
    forest.begin(root);
    for slot in [TransferSlot::copy(id), TransferSlot::moved(id)] {
        let sent =
            transfer(&mut from, &mut to, &[slot], &mut Sending::to(&mut forest, 2), &mut [CapId::NULL]);
        assert_eq!((sent, from.len(), to.len()), (Err(TransferError::Revoking), 1, 0));
    }
}

#[test]
fn nodes_that_a_failed_transfer_set_aside_are_unused_again() {
    let mut forest = Forest::new(2);
    let (mut from, mut to) = (Table::new(4), Table::new(0));
    let (id, _) = tracked(&mut forest, &mut from, 0);
    let sent = transfer(
        &mut from,
        &mut to,
        &[TransferSlot::copy(id)],
        &mut Sending::to(&mut forest, 2),
        &mut [CapId::NULL],
    );
    assert_eq!((sent, forest.len()), (Err(TransferError::DestinationFull), 1));
}

/// A tree that fails where it is told to.
#[derive(Default)]
struct Faulty {
    check: Option<TreeError>,
    reserve: Option<TreeError>,
    changes: usize,
}

impl Lineage for Faulty {
    fn check(&self, _: NodeId) -> Result<(), TreeError> {
        self.check.map_or(Ok(()), Err)
    }

    fn reserve(&mut self, _: usize) -> Result<(), TreeError> {
        self.reserve.map_or(Ok(()), Err)
    }

    fn copied(&mut self, parent: NodeId, _: CapId, _: Option<NodeId>) -> Option<NodeId> {
        self.changes += 1;
        Some(parent)
    }

    fn moved(&mut self, _: NodeId, _: CapId) {
        self.changes += 1;
    }
}

#[test]
fn a_failing_tree_stops_everything_before_anything_changes() {
    let (mut from, mut to) = (Table::new(4), Table::new(4));
    let ids: Vec<CapId> = (0..2)
        .map(|object| from.insert(Entry { node: NodeId::new(1), ..entry(object, Mobility::Free) }).unwrap())
        .collect();
    let list = [TransferSlot::moved(ids[0]), TransferSlot::copy(ids[1])];
    let cases = [
        (Some(TreeError::Revoking), None, TransferError::Revoking),
        (None, Some(TreeError::OutOfMemory), TransferError::OutOfMemory),
    ];
    let before = contents(&from);
    for (check, reserve, error) in cases {
        let mut lineage = Faulty { check, reserve, changes: 0 };
        let result = transfer(&mut from, &mut to, &list, &mut lineage, &mut [CapId::NULL; 2]);
        assert_eq!((result, lineage.changes, to.len()), (Err(error), 0, 0));
        assert_eq!(contents(&from), before);
    }
}
