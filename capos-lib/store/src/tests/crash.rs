//! Power goes at any moment: what is on the disk then is what the last commit had, or the one that was being made.
//!
//! Everything that was done to the disk is recorded. Between two flushes a disk may have done any of what was asked of it, in sectors of
//! 512 bytes; so each such state is mounted, compared and checked: all subsets where they are few, else some of them.

use super::disk::{Content, Event, Memory, now};
use super::maps::{again, base};
use super::model::{Model, Pair, Step, check, everything, everything_in, mount, steps};
use super::turns::slow_volume;
use crate::space::GROUP;
use crate::{BLOCK, Need, Pointer, Slots, StoreError};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::pin::pin;
use core::task::{Context, Waker};
use proptest::prelude::*;

const SECTOR: usize = 512;
const SECTORS: usize = BLOCK / SECTOR;
/// With so many writes between two flushes, every subset of them is tried.
const EXHAUSTIVE: usize = 7;

/// What a volume holds after a commit, with its snapshots.
type Held = (Model, BTreeMap<u64, Model>);

/// A commit: from which event on it was being made, at which it was durable, what it held.
struct Made {
    begun: usize,
    done: usize,
    held: Held,
}

/// Which of a write's sectors got to the disk.
type Sectors = [bool; SECTORS];
const WHOLE: Sectors = [true; SECTORS];
const NOTHING: Sectors = [false; SECTORS];

struct Run {
    blocks: u64,
    before: Content,
    events: Vec<Event>,
    made: Vec<Made>,
}

/// Does steps on a volume, and remembers what the disk saw.
fn record(blocks: u64, steps: &[Step]) -> Run {
    record_on(Pair::new(blocks), steps)
}

fn record_on(mut pair: Pair, steps: &[Step]) -> Run {
    let blocks = pair.volume.disk().blocks;
    let state = pair.volume.disk().state.clone();
    state.record.set(true);
    let before = state.content.borrow().clone();
    let held = (pair.committed.clone(), pair.snapshots.clone());
    let mut made = Vec::from([Made { begun: 0, done: 0, held }]);
    for step in steps {
        let begun = state.events.borrow().len();
        match pair.step(step) {
            Ok(()) | Err(StoreError::Full) => {}
            Err(error) => panic!("{step:?}: {error}"),
        }
        let held = (pair.committed.clone(), pair.snapshots.clone());
        if made.last().is_none_or(|last| last.held != held) {
            made.push(Made { begun, done: state.events.borrow().len(), held });
        }
    }
    let events = state.events.borrow().clone();
    Run { blocks, before, events, made }
}

/// Bits that look random.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn sectors(&mut self) -> Sectors {
        let bits = self.next();
        core::array::from_fn(|n| bits >> (n + 20) & 1 != 0)
    }
}

impl Run {
    fn crash_everywhere(&self, dice: &mut Dice) -> usize {
        self.crash_from(0, dice)
    }

    /// Mounts every state that the disk may have had after some event, and says how many.
    fn crash_from(&self, first: usize, dice: &mut Dice) -> usize {
        let mut content = self.before.clone();
        let (mut start, mut states) = (0, 0);
        while start < self.events.len() {
            let writes: Vec<&Event> =
                self.events[start..].iter().take_while(|event| matches!(event, Event::Write(..))).collect();
            let end = start + writes.len();
            let looked_at = if end < first { Vec::new() } else { choices(&writes, dice) };
            for chosen in looked_at {
                let last = chosen.iter().rposition(|sectors| *sectors != NOTHING).map_or(0, |n| n + 1);
                let mut torn = content.clone();
                writes.iter().zip(&chosen).for_each(|(event, sectors)| put(&mut torn, event, sectors));
                self.look(torn, start + last, end);
                states += 1;
            }
            writes.iter().for_each(|event| put(&mut content, event, &WHOLE));
            start = end + 1;
        }
        states
    }

    /// Mounts a state in which something between two events happened, and compares it with what may be there.
    fn look(&self, content: Content, from: usize, until: usize) {
        let volume = mount(Memory::with(self.blocks, content));
        let found = everything(&volume).unwrap();
        let snapshots: BTreeMap<u64, Model> = volume
            .snapshots()
            .iter()
            .filter(|snapshot| !snapshot.deleting)
            .map(|snapshot| (snapshot.id, everything_in(&volume.view(snapshot.id).unwrap()).unwrap()))
            .collect();
        let durable = self.made.iter().rposition(|made| made.done <= from).unwrap_or(0);
        let may_be = self.made.iter().skip(durable).take_while(|made| made.begun <= until);
        assert!(
            may_be.into_iter().any(|made| made.held.0 == found && made.held.1 == snapshots),
            "after event {from}: neither what was committed nor what was being committed"
        );
        assert_eq!(check(&volume), [], "after event {from}");
    }
}

/// Which of some writes got to the disk, and which of their sectors.
fn choices(writes: &[&Event], dice: &mut Dice) -> Vec<Vec<Sectors>> {
    let count = writes.len();
    let subset =
        |bits: u64| (0..count).map(|n| if bits >> (n % 64) & 1 != 0 { WHOLE } else { NOTHING }).collect();
    let mut chosen: Vec<Vec<Sectors>> = match count {
        0..=EXHAUSTIVE => (0..1 << count).map(subset).collect(),
        _ => {
            let prefixes = (0..=count).step_by(count.div_ceil(16));
            let mut some: Vec<Vec<Sectors>> =
                prefixes.map(|p| (0..count).map(|n| if n < p { WHOLE } else { NOTHING }).collect()).collect();
            some.extend((0..8).map(|_| subset(dice.next())));
            some
        }
    };
    for _ in 0..24 {
        chosen.push((0..count).map(|_| dice.sectors()).collect());
    }
    chosen
}

/// Writes some sectors.
fn put(content: &mut Content, event: &Event, sectors: &Sectors) {
    let Event::Write(block, bytes) = event else { return };
    let place = content.entry(*block).or_insert_with(|| Box::new([0; BLOCK]));
    let pairs = place.chunks_mut(SECTOR).zip(bytes.chunks(SECTOR)).zip(sectors);
    pairs.filter(|(_, chosen)| **chosen).for_each(|((to, from), _)| to.copy_from_slice(from));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_half_done(steps in steps(60), seed in 1u64..) {
        record(300, &steps).crash_everywhere(&mut Dice(seed));
    }
}

/// Small workloads, of which every state is tried: a first commit, one that replaces it, a snapshot, its end.
#[test]
fn every_state_of_small_workloads() {
    let put = |n| Step::Data(n, n as u8);
    let steps = [
        put(1),
        Step::Commit,
        put(1),
        Step::Commit,
        Step::Snapshot,
        put(1),
        Step::Remove(2),
        Step::Commit,
        Step::Delete(0),
        Step::Remove(1),
        Step::Commit,
    ];
    let mut states = 0;
    for blocks in [256, 5000] {
        states += record(blocks, &steps).crash_everywhere(&mut Dice(7));
    }
    assert!(states > 300, "{states}");
}

/// Whoever serves a volume may end in the middle of a commit, and the next one finds on the disk what was not flushed yet.
#[test]
fn a_restart_in_the_middle_of_a_commit() {
    for patience in 1..20 {
        let (volume, slow) = slow_volume();
        let state = volume.disk().memory.state.clone();
        let blocks = volume.disk().memory.blocks;
        state.record.set(true);
        let before = state.content.borrow().clone();
        let old = everything(&mount(volume.disk().memory.clone())).unwrap();
        slow.set(false);
        now(volume.put(&7u32.to_be_bytes(), &[2; 100])).unwrap();
        slow.set(true);
        let done = {
            let mut context = Context::from_waker(Waker::noop());
            let mut commit = pin!(volume.commit());
            (0..patience).any(|_| commit.as_mut().poll(&mut context).is_ready())
        };
        let again = mount(volume.disk().memory.clone());
        let held = |model: &Model| (model.clone(), BTreeMap::new());
        let mut made = Vec::from([Made { begun: 0, done: 0, held: held(&old) }]);
        let found = everything(&again).unwrap();
        if found != old {
            made.push(Made { begun: 0, done: usize::MAX, held: held(&found) });
        }
        for n in 0..3u32 {
            let begun = state.events.borrow().len();
            now(again.put(&(9 + n).to_be_bytes(), &[3; 100])).unwrap();
            now(again.commit()).unwrap();
            let held = held(&everything(&again).unwrap());
            made.push(Made { begun, done: state.events.borrow().len(), held });
        }
        let events = state.events.borrow().clone();
        Run { blocks, before, events, made }.crash_everywhere(&mut Dice(patience));
        if done {
            return;
        }
    }
    panic!("it never ended");
}

/// Power goes while somebody writes something large, all of which got to the disk, and one block of the last commit is spoiled: that commit was
/// settled before, so it counts, whole.
#[test]
fn power_goes_in_a_large_write_and_a_block_is_spoiled() {
    let mut tried = 0;
    for seed in 0..40 {
        tried += spoil_last(seed);
    }
    assert!(tried > 100, "{tried}");
}

/// How many blocks of the last commit were spoiled.
fn spoil_last(seed: u16) -> usize {
    let mut pair = Pair::new(256);
    for n in 0..60 {
        if pair.step(&Step::Put(n * 5 + 1, 1200)).is_err() {
            break;
        }
    }
    pair.step(&Step::Commit).unwrap();
    pair.step(&Step::Settle).unwrap();
    for n in 0..3 {
        pair.step(&Step::Put((seed * 37 + n * 11) % 60 * 5 + 1, 1100)).unwrap();
    }
    let state = pair.volume.disk().state.clone();
    state.record.set(true);
    pair.step(&Step::Commit).unwrap();
    let blocks: Vec<u64> = state.events.borrow().iter().filter_map(written).collect();
    // All that is free, so whatever the last commit gave back is written over.
    let room = pair.volume.room(Need::Ordinary) as usize;
    now(pair.volume.write_data(&vec![9; room * BLOCK], &mut vec![Pointer::NONE; room])).unwrap();
    let content = state.content.borrow().clone();
    let nodes = blocks.iter().filter(|block| !Slots::ALL.contains(block));
    for block in nodes.clone() {
        let disk = Memory::with(256, content.clone());
        disk.spoil(*block, 1000);
        assert!(everything(&mount(disk)).unwrap() == pair.committed, "seed {seed}, block {block}");
    }
    nodes.count()
}

fn written(event: &Event) -> Option<u64> {
    match event {
        Event::Write(block, _) => Some(*block),
        Event::Flush => None,
    }
}

/// So many commits that the maps are written, in which nothing else differs.
#[test]
fn maps_are_written_while_it_crashes() {
    let mut steps: Vec<Step> = (0..60).map(|n| Step::Put(n, 700)).collect();
    for n in 0..600 {
        steps.extend([Step::Put(n * 7 % 60, 701 + n), Step::Commit]);
    }
    let run = record(300, &steps);
    let maps = run.events.iter().filter(|event| matches!(event, Event::Write(1 | 2, _))).count();
    assert!(maps > 1, "the maps were written {maps} times");
    // What is before that is as in the other tests.
    let first = run.events.iter().position(|event| matches!(event, Event::Write(1 | 2, _))).unwrap();
    let states = run.crash_from(first.saturating_sub(20), &mut Dice(9));
    assert!(states > 200, "{states}");
}

/// The same with two groups and three slots, and what is changed in both.
#[test]
fn maps_of_two_groups_are_written_while_it_crashes() {
    let steps: Vec<Step> =
        (0..150).flat_map(|n| [Step::Put(n * 7 % 60, 701 + n), Step::Data(n, 5), Step::Commit]).collect();
    let mut run = record_on(again(&base()), &steps);
    let second =
        |event: &Event| matches!(event, Event::Write(block, _) if (GROUP + 1..GROUP + 3).contains(block));
    let first = run.events.iter().position(second).unwrap();
    run.events.truncate(first + 30);
    let states = run.crash_from(first.saturating_sub(20), &mut Dice(9));
    assert!(states > 100, "{states}");
}
