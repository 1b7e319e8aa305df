//! Slots, generations and limits.

use super::{Entry, Mobility, Table, TableError};
use capos_abi::{CapId, MAX_CAP_SLOTS};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

pub(crate) fn entry(object: u32) -> Entry<u32> {
    Entry { object, interface: 0xcafe, mobility: Mobility::Free, node: None }
}

#[test]
fn the_first_capabilities_get_the_first_slots_in_order() {
    let mut table = Table::new(10);
    let ids: Vec<CapId> = (0..4).map(|n| table.insert(entry(n)).unwrap()).collect();
    assert_eq!(ids, [CapId::SELF_MEMORY, CapId::SELF_THREADS, CapId::SELF_ENDPOINTS, CapId::granted(0)]);
    assert_eq!(table.lookup(CapId::granted(0)), Ok(&entry(3)));
    assert_eq!((table.len(), table.limit(), table.is_empty()), (4, 10, false));
}

#[test]
fn a_walk_finds_every_capability_once() {
    let mut table = Table::new(10);
    let ids: Vec<CapId> = (0..5).map(|n| table.insert(entry(n)).unwrap()).collect();
    table.release(ids[0]).unwrap();
    table.release(ids[3]).unwrap();
    let mut from = 0;
    let mut found = Vec::new();
    while let Some((id, held)) = table.at_or_after(from) {
        found.push((id, held.object));
        from = id.index() + 1;
    }
    assert_eq!(found, [(ids[1], 1), (ids[2], 2), (ids[4], 4)]);
    assert!(table.at_or_after(u32::MAX).is_none());
}

#[test]
fn a_walk_in_pieces_looks_at_so_many_slots_and_no_more() {
    let mut table = Table::new(10);
    let ids: Vec<CapId> = (0..6).map(|n| table.insert(entry(n)).unwrap()).collect();
    table.release(ids[1]).unwrap();
    let piece = |from, count| table.some(from, count).map(|(id, held)| (id, held.object)).collect::<Vec<_>>();
    assert_eq!(piece(0, 3), [(ids[0], 0), (ids[2], 2)]);
    assert_eq!(piece(3, 100), [(ids[3], 3), (ids[4], 4), (ids[5], 5)]);
    assert_eq!((piece(1, 1), piece(0, 0), piece(6, 9), piece(u32::MAX, 9)), (vec![], vec![], vec![], vec![]));
    assert_eq!(table.span(), 6, "the empty one counts");
}

#[test]
fn every_change_is_told_from_every_other() {
    let mut table = Table::new(10);
    let mut seen = std::collections::BTreeSet::from([table.changes()]);
    for round in 0..20 {
        let id = table.insert(entry(round)).unwrap();
        assert!(seen.insert(table.changes()));
        table.lookup(id).unwrap();
        assert!(table.release(CapId::NULL).is_err() && seen.contains(&table.changes()));
        if round % 3 != 0 {
            table.release(id).unwrap();
            assert!(seen.insert(table.changes()));
        }
    }
    while table.dismantle(|_| {}).is_some() {
        assert!(seen.insert(table.changes()));
    }
}

#[test]
fn ids_that_were_never_given_out_name_nothing() {
    let mut table = Table::new(10);
    table.insert(entry(1)).unwrap();
    for id in
        [CapId::NULL, CapId::new(0, 2), CapId::new(1, 1), CapId::new(0xff_ffff, 1), CapId::from_raw(u64::MAX)]
    {
        assert_eq!(table.lookup(id), Err(TableError::InvalidCap), "{id:?}");
        assert_eq!(table.release(id), Err(TableError::InvalidCap), "{id:?}");
    }
}

#[test]
fn a_released_id_is_refused_even_when_its_slot_has_a_new_tenant() {
    let mut table = Table::new(10);
    let old = table.insert(entry(1)).unwrap();
    assert_eq!(table.release(old), Ok(entry(1)));
    assert_eq!(table.lookup(old), Err(TableError::InvalidCap));
    let new = table.insert(entry(2)).unwrap();
    assert_eq!((new.index(), new.generation()), (old.index(), 2));
    assert_eq!(table.lookup(old), Err(TableError::InvalidCap));
    assert_eq!(table.release(old), Err(TableError::InvalidCap));
    assert_eq!(table.lookup(new), Ok(&entry(2)));
}

#[test]
fn the_next_generation_of_an_empty_slot_names_nothing() {
    let mut table = Table::new(10);
    let old = table.insert(entry(1)).unwrap();
    table.release(old).unwrap();
    assert_eq!(table.lookup(CapId::new(0, 2)), Err(TableError::InvalidCap));
}

#[test]
fn a_full_table_gives_the_entry_back() {
    let mut table = Table::new(1);
    let only = table.insert(entry(1)).unwrap();
    let refused = table.insert(entry(2)).unwrap_err();
    assert_eq!((refused.error, refused.entry), (TableError::Full, entry(2)));
    table.release(only).unwrap();
    assert!(table.insert(entry(2)).is_ok());
}

#[test]
fn a_table_of_nothing_is_always_full() {
    let mut table = Table::new(0);
    assert_eq!(table.reserve(0), Ok(()));
    assert_eq!(table.reserve(1), Err(TableError::Full));
    assert_eq!(table.insert(entry(1)).unwrap_err().error, TableError::Full);
}

#[test]
fn no_table_is_larger_than_the_contract_allows() {
    let mut table = Table::<u32>::new(usize::MAX);
    assert_eq!(table.limit(), MAX_CAP_SLOTS);
    assert_eq!(table.reserve(MAX_CAP_SLOTS + 1), Err(TableError::Full));
    assert_eq!(table.reserve(usize::MAX), Err(TableError::Full));
}

#[test]
fn an_expected_slot_is_used_and_an_unexpected_one_refused() {
    let mut table = Table::new(10);
    assert_eq!(table.insert_next(CapId::new(0, 1), entry(1)), Ok(()));
    for wrong in [CapId::new(0, 1), CapId::new(2, 1), CapId::new(1, 2), CapId::NULL] {
        let refused = table.insert_next(wrong, entry(2)).unwrap_err();
        assert_eq!((refused.error, refused.entry), (TableError::UnexpectedSlot, entry(2)));
    }
    assert_eq!(table.insert_next(CapId::new(1, 1), entry(2)), Ok(()));
}

#[test]
fn a_slot_is_retired_when_its_generations_are_used_up() {
    let mut table = Table::new(10);
    table.insert(entry(1)).unwrap();
    table.slots.age(0, u32::MAX);
    let last = CapId::new(0, u32::MAX);
    assert_eq!(table.release(last), Ok(entry(1)));
    assert_eq!(table.lookup(last), Err(TableError::InvalidCap));
    assert_eq!(table.lookup(CapId::new(0, 0)), Err(TableError::InvalidCap));
    assert_eq!(table.insert(entry(2)), Ok(CapId::new(1, 1)), "another slot");
}

#[test]
#[cfg_attr(miri, ignore = "fills all slots")]
fn a_table_of_retired_slots_is_full() {
    let mut table = Table::new(MAX_CAP_SLOTS);
    let ids: Vec<CapId> = (0..MAX_CAP_SLOTS as u32).map(|n| table.insert(entry(n)).unwrap()).collect();
    assert_eq!(table.insert(entry(0)).unwrap_err().error, TableError::Full);
    for id in ids {
        table.slots.age(id.index() as usize, u32::MAX);
        table.release(CapId::new(id.index(), u32::MAX)).unwrap();
    }
    assert_eq!((table.len(), table.insert(entry(0)).unwrap_err().error), (0, TableError::Full));
}

#[test]
fn reserved_room_is_there_when_it_is_needed() {
    let mut table = Table::new(40);
    let first = table.insert(entry(0)).unwrap();
    assert_eq!(table.reserve(39), Ok(()));
    assert_eq!(table.reserve(40), Err(TableError::Full));
    table.release(first).unwrap();
    assert_eq!(table.reserve(40), Ok(()));
    assert!((0..40).all(|n| table.put(entry(n)).is_ok()));
}

#[test]
fn all_capabilities_are_listed_with_their_ids() {
    let mut table = Table::new(10);
    let ids: Vec<CapId> = (0..3).map(|n| table.insert(entry(n)).unwrap()).collect();
    table.release(ids[1]).unwrap();
    let listed: Vec<_> = table.iter().map(|(id, entry)| (id, entry.object)).collect();
    assert_eq!(listed, [(ids[0], 0), (ids[2], 2)]);
}

#[test]
fn dismantling_gives_every_capability_once() {
    let mut table = Table::new(10);
    let ids: Vec<CapId> = (0..5).map(|n| table.insert(entry(n)).unwrap()).collect();
    table.release(ids[2]).unwrap();
    table.release(ids[4]).unwrap();
    let mut objects: Vec<u32> =
        core::iter::from_fn(|| table.dismantle(|_| {})).map(|entry| entry.object).collect();
    objects.sort_unstable();
    assert_eq!((objects.as_slice(), table.len(), table.dismantle(|_| {})), (&[0, 1, 3][..], 0, None));
}

#[test]
fn a_table_never_keeps_or_drops_an_object_by_itself() {
    let object = Rc::new(());
    let with = |object: &Rc<()>| Entry {
        object: object.clone(),
        interface: 1,
        mobility: Mobility::Free,
        node: None,
    };
    let mut table = Table::new(1);
    let id = table.insert(with(&object)).unwrap();
    let refused = table.insert(with(&object)).unwrap_err();
    assert_eq!(Rc::strong_count(&object), 3, "the refused one is with the caller");
    drop(refused);
    let released = table.release(id).unwrap();
    assert_eq!(Rc::strong_count(&object), 2, "the released one is with the caller");
    drop(released);
    assert_eq!(Rc::strong_count(&object), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Insert,
    /// Release one of the ids ever given out, live or not.
    Release(prop::sample::Index),
    Lookup(prop::sample::Index),
    Forged(u64),
    Reserve(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Insert),
        4 => any::<prop::sample::Index>().prop_map(Step::Release),
        2 => any::<prop::sample::Index>().prop_map(Step::Lookup),
        1 => (0u64..1 << 27).prop_map(Step::Forged),
        1 => (0usize..12).prop_map(Step::Reserve),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 300 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_table_follows_a_map_of_ids(limit in 0usize..12, steps in prop::collection::vec(step(), 0..if cfg!(miri) { 50 } else { 300 })) {
        let mut table = Table::new(limit);
        let mut model: BTreeMap<CapId, u32> = BTreeMap::new();
        let mut given: Vec<CapId> = std::vec![CapId::NULL];
        for (n, step) in steps.into_iter().enumerate() {
            let object = n as u32;
            match step {
                Step::Insert => match table.insert(entry(object)) {
                    Ok(id) => {
                        prop_assert!(!given.contains(&id), "no id is ever given out twice");
                        prop_assert!(model.len() < limit);
                        given.push(id);
                        model.insert(id, object);
                    }
                    Err(refused) => prop_assert!(refused.error == TableError::Full && model.len() == limit),
                },
                Step::Release(which) => {
                    let id = *which.get(&given);
                    prop_assert_eq!(table.release(id).ok().map(|entry| entry.object), model.remove(&id));
                }
                Step::Lookup(which) => {
                    let id = *which.get(&given);
                    prop_assert_eq!(table.lookup(id).ok().map(|entry| entry.object), model.get(&id).copied());
                }
                Step::Forged(raw) => {
                    let id = CapId::from_raw(raw);
                    prop_assert_eq!(table.lookup(id).ok().map(|entry| entry.object), model.get(&id).copied());
                }
                Step::Reserve(more) => prop_assert_eq!(table.reserve(more).is_ok(), model.len() + more <= limit),
            }
            prop_assert_eq!(table.len(), model.len());
        }
        let listed: BTreeMap<CapId, u32> = table.iter().map(|(id, entry)| (id, entry.object)).collect();
        prop_assert_eq!(listed, model);
    }
}
