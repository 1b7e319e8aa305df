//! Order, handles and room of a run queue.

use super::{Handle, RunQueue};
use crate::priority::{RANKS, Rank};
use proptest::prelude::{
    ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

fn rank(number: u8) -> Rank {
    Rank::from_number(number)
}

fn queue(room: usize) -> RunQueue<u32> {
    let mut queue = RunQueue::new();
    (0..room).for_each(|_| queue.admit().expect("memory"));
    queue
}

#[test]
fn an_empty_queue_has_nobody() {
    let mut queue = queue(4);
    assert_eq!((queue.pop(), queue.highest(), queue.len(), queue.is_empty()), (None, None, 0, true));
    assert_eq!(queue.pop_above(rank(0)), None);
}

#[test]
fn a_queue_without_room_gives_the_value_back() {
    let mut queue = RunQueue::new();
    assert_eq!(queue.push(rank(3), 7), Err(7));
    queue.admit().unwrap();
    assert!(queue.push(rank(3), 7).is_ok());
    assert_eq!(queue.push(rank(3), 8), Err(8));
    assert_eq!(queue.push_front(rank(4), 9), Err(9));
    assert_eq!((queue.len(), queue.highest()), (1, Some(rank(3))));
}

#[test]
fn room_is_given_up_by_dismissing() {
    let mut queue = queue(2);
    queue.dismiss();
    queue.push(rank(1), 1).unwrap();
    assert_eq!(queue.push(rank(1), 2), Err(2));
    queue.dismiss();
    queue.dismiss();
    assert_eq!(queue.pop(), Some((rank(1), 1)), "who is in stays in");
    assert_eq!(queue.push(rank(1), 3), Err(3));
}

#[test]
fn equals_run_in_the_order_in_which_they_became_ready() {
    let mut queue = queue(5);
    for n in 0..5 {
        queue.push(rank(9), n).unwrap();
    }
    let order: Vec<u32> = core::iter::from_fn(|| queue.pop()).map(|(_, n)| n).collect();
    assert_eq!(order, [0, 1, 2, 3, 4]);
}

#[test]
fn higher_priorities_run_first_whenever_they_came() {
    let mut queue = queue(4);
    for (number, value) in [(5, 50), (31, 310), (0, 0), (5, 51)] {
        queue.push(rank(number), value).unwrap();
    }
    let listed: Vec<u32> = queue.iter().map(|(_, n)| *n).collect();
    let order: Vec<u32> = core::iter::from_fn(|| queue.pop()).map(|(_, n)| n).collect();
    assert_eq!((order.as_slice(), listed), (&[310, 50, 51, 0][..], order.clone()));
}

#[test]
fn who_was_interrupted_is_next_again() {
    let mut queue = queue(3);
    queue.push(rank(5), 1).unwrap();
    queue.push_front(rank(5), 2).unwrap();
    queue.push_front(rank(5), 3).unwrap();
    let order: Vec<u32> = core::iter::from_fn(|| queue.pop()).map(|(_, n)| n).collect();
    assert_eq!(order, [3, 2, 1]);
}

#[test]
fn only_a_higher_priority_preempts() {
    let mut queue = queue(1);
    queue.push(rank(5), 1).unwrap();
    assert_eq!(queue.pop_above(rank(6)), None);
    assert_eq!(queue.pop_above(rank(5)), None);
    assert_eq!(queue.pop_above(rank(4)), Some((rank(5), 1)));
}

#[test]
fn anybody_can_be_taken_out_from_any_place() {
    for place in 0..4 {
        let mut queue = queue(4);
        let handles: Vec<Handle> = (0..4).map(|n| queue.push(rank(7), n).unwrap()).collect();
        assert_eq!(queue.remove(handles[place]), Some(place as u32));
        let rest: Vec<u32> = core::iter::from_fn(|| queue.pop()).map(|(_, n)| n).collect();
        let expected: Vec<u32> = (0..4).filter(|n| *n != place as u32).collect();
        assert_eq!((rest, queue.highest()), (expected, None));
    }
}

#[test]
fn a_handle_is_good_once() {
    let mut queue = queue(1);
    let first = queue.push(rank(2), 1).unwrap();
    assert_eq!((queue.remove(first), queue.remove(first)), (Some(1), None));
    let second = queue.push(rank(2), 2).unwrap();
    assert_eq!(queue.remove(first), None, "the slot has another tenant");
    assert_eq!(queue.pop(), Some((rank(2), 2)));
    assert_eq!(queue.remove(second), None);
}

#[derive(Clone, Debug)]
enum Step {
    Push(u8, bool),
    Pop,
    PopAbove(u8),
    Exchange(u8),
    /// An exchange at the rank of who runs next, which is what yielding is.
    Turn,
    Remove(prop::sample::Index),
    Admit,
    Dismiss,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..64, any::<bool>()).prop_map(|(number, front)| Step::Push(number, front)),
        3 => (20u8..23, any::<bool>()).prop_map(|(number, front)| Step::Push(number, front)),
        2 => any::<()>().prop_map(|()| Step::Pop),
        1 => (0u8..64).prop_map(Step::PopAbove),
        2 => (0u8..64).prop_map(Step::Exchange),
        2 => any::<()>().prop_map(|()| Step::Turn),
        2 => any::<prop::sample::Index>().prop_map(Step::Remove),
        2 => any::<()>().prop_map(|()| Step::Admit),
        1 => any::<()>().prop_map(|()| Step::Dismiss),
    ]
}

/// Every list of the queue, written down plainly.
struct Model {
    lists: Vec<VecDeque<u32>>,
    room: usize,
}

impl Model {
    fn len(&self) -> usize {
        self.lists.iter().map(VecDeque::len).sum()
    }

    fn pop(&mut self, above: Option<u8>) -> Option<(Rank, u32)> {
        let number = self.lists.iter().rposition(|list| !list.is_empty())? as u8;
        if above.is_some_and(|above| number <= above) {
            return None;
        }
        Some((rank(number), self.lists[number as usize].pop_front()?))
    }

    fn exchange(&mut self, running: u8, value: u32) -> Result<u32, u32> {
        let above = running.checked_sub(1);
        let next = self.pop(above).map(|(_, next)| next).ok_or(value)?;
        self.lists[running as usize].push_back(value);
        Ok(next)
    }

    fn remove(&mut self, value: u32) -> Option<u32> {
        let list = self.lists.iter_mut().find(|list| list.contains(&value))?;
        list.retain(|other| *other != value);
        Some(value)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 300 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_queue_follows_plain_lists(steps in prop::collection::vec(step(), 0..if cfg!(miri) { 50 } else { 300 })) {
        let mut queue = RunQueue::new();
        let mut model = Model { lists: vec![VecDeque::new(); RANKS], room: 0 };
        let mut handles: Vec<(Handle, u32)> = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            let value = n as u32;
            match step {
                Step::Push(number, front) => {
                    let pushed = if front { queue.push_front(rank(number), value) } else { queue.push(rank(number), value) };
                    prop_assert_eq!(pushed.is_ok(), model.len() < model.room);
                    if let Ok(handle) = pushed {
                        handles.push((handle, value));
                        let list = &mut model.lists[number as usize];
                        if front { list.push_front(value) } else { list.push_back(value) }
                    }
                }
                Step::Pop => prop_assert_eq!(queue.pop(), model.pop(None)),
                Step::PopAbove(number) => prop_assert_eq!(queue.pop_above(rank(number)), model.pop(Some(number))),
                Step::Exchange(_) | Step::Turn => {
                    let running = match step {
                        Step::Exchange(running) => running,
                        _ => queue.highest().map_or(0, Rank::number),
                    };
                    let found = queue.exchange(rank(running), value).map(|(handle, next)| {
                        handles.push((handle, value));
                        next
                    });
                    prop_assert_eq!(found, model.exchange(running, value));
                }
                Step::Remove(which) => if !handles.is_empty() {
                    let (handle, value) = *which.get(&handles);
                    prop_assert_eq!(queue.remove(handle), model.remove(value));
                },
                Step::Admit => { prop_assert!(queue.admit().is_ok()); model.room += 1; }
                Step::Dismiss => { queue.dismiss(); model.room = model.room.saturating_sub(1); }
            }
            prop_assert_eq!(queue.len(), model.len());
            let highest = model.lists.iter().rposition(|list| !list.is_empty());
            prop_assert_eq!(queue.highest().map(|rank| usize::from(rank.number())), highest);
        }
        let listed: Vec<u32> = queue.iter().map(|(_, value)| *value).collect();
        let expected: Vec<u32> = model.lists.iter().rev().flatten().copied().collect();
        prop_assert_eq!(listed, expected);
    }
}
