//! Deadlines against a sorted map.

use super::{Deadlines, Key};
use crate::Priority;
use proptest::prelude::{
    ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use std::collections::BTreeMap;
use std::vec::Vec;

const MIDDLE: Priority = urgency(10);

const fn urgency(number: u8) -> Priority {
    Priority::new(number).expect("there is one")
}

#[test]
fn nothing_is_due_at_first() {
    let mut deadlines = Deadlines::<u32>::new();
    assert_eq!((deadlines.next(), deadlines.pop_due(u64::MAX), deadlines.len()), (None, None, 0));
    assert!(deadlines.is_empty());
}

#[test]
fn a_deadline_is_due_at_its_time_and_not_before() {
    let mut deadlines = Deadlines::new();
    deadlines.insert(100, MIDDLE, 'a').unwrap();
    assert_eq!((deadlines.next(), deadlines.pop_due(99)), (Some(100), None));
    assert_eq!((deadlines.pop_due(100), deadlines.pop_due(u64::MAX)), (Some('a'), None));
}

#[test]
fn the_earliest_comes_first_whenever_it_went_in() {
    let mut deadlines = Deadlines::new();
    for deadline in [5u64, 3, 9, 1, 7, 0, u64::MAX] {
        deadlines.insert(deadline, MIDDLE, deadline).unwrap();
    }
    let order: Vec<u64> = core::iter::from_fn(|| deadlines.pop_due(u64::MAX)).collect();
    assert_eq!(order, [0, 1, 3, 5, 7, 9, u64::MAX]);
}

#[test]
fn equal_deadlines_come_out_in_the_order_of_going_in() {
    let mut deadlines = Deadlines::new();
    for n in 0..50 {
        deadlines.insert(7, MIDDLE, n).unwrap();
    }
    let order: Vec<u32> = core::iter::from_fn(|| deadlines.pop_due(7)).collect();
    assert_eq!(order, (0..50).collect::<Vec<u32>>());
}

#[test]
fn any_member_can_be_taken_out() {
    for which in 0..9 {
        let mut deadlines = Deadlines::new();
        let keys: Vec<Key> =
            (0..9u64).map(|n| deadlines.insert((n * 5) % 9, MIDDLE, (n * 5) % 9).unwrap()).collect();
        let value = deadlines.remove(keys[which]).unwrap();
        let rest: Vec<u64> = core::iter::from_fn(|| deadlines.pop_due(u64::MAX)).collect();
        assert_eq!(rest, (0..9).filter(|n| *n != value).collect::<Vec<u64>>());
    }
}

#[test]
fn a_member_can_be_looked_at_until_it_leaves() {
    let mut deadlines = Deadlines::new();
    let keys = [3u64, 1].map(|deadline| deadlines.insert(deadline, MIDDLE, deadline).unwrap());
    assert_eq!(keys.map(|key| deadlines.get(key).copied()), [Some(3), Some(1)]);
    assert_eq!(deadlines.pop_due(1), Some(1));
    deadlines.insert(9, MIDDLE, 9).unwrap();
    assert_eq!(keys.map(|key| deadlines.get(key).copied()), [Some(3), None], "its slot has a new tenant");
}

#[test]
fn a_key_is_good_once() {
    let mut deadlines = Deadlines::new();
    let first = deadlines.insert(1, MIDDLE, 'a').unwrap();
    assert_eq!((deadlines.remove(first), deadlines.remove(first)), (Some('a'), None));
    let second = deadlines.insert(2, MIDDLE, 'b').unwrap();
    assert_eq!(deadlines.remove(first), None, "the slot has another tenant");
    assert_eq!(deadlines.pop_due(2), Some('b'));
    assert_eq!(deadlines.remove(second), None);
}

#[test]
fn reserving_the_impossible_is_an_error() {
    let mut deadlines = Deadlines::<u32>::new();
    assert!(deadlines.reserve(MIDDLE, usize::MAX).is_err());
    assert!(deadlines.reserve(MIDDLE, u32::MAX as usize).is_err());
    assert!(deadlines.reserve(MIDDLE, 100).is_ok());
}

#[test]
fn what_is_more_urgent_comes_out_before_all_that_is_less() {
    let mut deadlines = Deadlines::new();
    for n in 0..50 {
        deadlines.insert(1, urgency(3), n).unwrap();
    }
    deadlines.insert(5, urgency(31), 100).unwrap();
    deadlines.insert(4, urgency(0), 101).unwrap();
    assert_eq!((deadlines.pop_due(4), deadlines.next()), (Some(0), Some(1)), "not before its time");
    assert_eq!((deadlines.next_above(urgency(2)), deadlines.next_above(urgency(3))), (Some(1), Some(5)));
    assert_eq!((deadlines.next_above(urgency(30)), deadlines.next_above(urgency(31))), (Some(5), None));
    let order: Vec<u32> = core::iter::from_fn(|| deadlines.pop_due(5)).collect();
    let expected: Vec<u32> = core::iter::once(100).chain(1..50).chain([101]).collect();
    assert_eq!(order, expected);
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u8),
    PopDue(u64),
    Remove(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..50, 0u8..4).prop_map(|(deadline, number)| Step::Insert(deadline, number * 10)),
        2 => (0u64..50).prop_map(Step::PopDue),
        2 => any::<prop::sample::Index>().prop_map(Step::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 500 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_heap_follows_a_sorted_map(steps in prop::collection::vec(step(), 0..if cfg!(miri) { 50 } else { 300 })) {
        let mut deadlines = Deadlines::new();
        // Those that come out first are last.
        let mut model: BTreeMap<(u8, u64, usize), Key> = BTreeMap::new();
        let mut keys: Vec<(Key, (u8, u64, usize))> = Vec::new();
        let place = |number: u8, deadline: u64, n: usize| (number, u64::MAX - deadline, usize::MAX - n);
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(deadline, number) => {
                    let key = deadlines.insert(deadline, urgency(number), n).unwrap();
                    prop_assert!(keys.iter().all(|(other, ..)| *other != key), "no key is given out twice");
                    keys.push((key, place(number, deadline, n)));
                    model.insert(place(number, deadline, n), key);
                }
                Step::PopDue(now) => {
                    let due = |place: &&(u8, u64, usize)| u64::MAX - place.1 <= now;
                    let first = model.keys().rev().find(due).copied();
                    first.map(|place| model.remove(&place));
                    prop_assert_eq!(deadlines.pop_due(now), first.map(|(.., n)| usize::MAX - n));
                }
                Step::Remove(which) => if !keys.is_empty() {
                    let (key, place) = *which.get(&keys);
                    prop_assert_eq!(deadlines.remove(key), model.remove(&place).map(|_| usize::MAX - place.2));
                },
            }
            prop_assert_eq!((deadlines.len(), deadlines.is_empty()), (model.len(), model.is_empty()));
            let earliest = |above: Option<u8>| {
                model.keys().filter(|place| above.is_none_or(|above| place.0 > above)).map(|place| u64::MAX - place.1).min()
            };
            prop_assert_eq!(deadlines.next(), earliest(None));
            prop_assert_eq!(deadlines.next_above(urgency(10)), earliest(Some(10)));
        }
    }
}
