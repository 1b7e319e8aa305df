//! Both sides on one piece of host memory, against a plain queue, and against a peer that writes what it likes.

use crate::bytes::{capacity, pack, unpack};
use crate::{Consumer, Fault, Index, Ordering, Producer, Slots, Wake};
use core::cell::{Cell, RefCell};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use std::collections::VecDeque;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

const WORDS: usize = 8;
type Entry = [u64; WORDS];

/// Memory that counts how often each index word is read.
#[derive(Clone)]
struct Memory(Rc<Inner>);

struct Inner {
    index: [Cell<u32>; 4],
    reads: [Cell<u32>; 4],
    slots: RefCell<Vec<Entry>>,
}

fn number(index: Index) -> usize {
    match index {
        Index::Tail => 0,
        Index::RoomWanted => 1,
        Index::Head => 2,
        Index::EntryWanted => 3,
    }
}

impl Memory {
    fn new(entries: usize, start: u32) -> Memory {
        let index = [start, start, start, start].map(Cell::new);
        let reads = [0; 4].map(Cell::new);
        Memory(Rc::new(Inner { index, reads, slots: RefCell::new(vec![[0; WORDS]; entries]) }))
    }

    fn poke(&self, index: Index, value: u32) {
        self.0.index[number(index)].set(value);
    }

    /// How often the word was read since the last time.
    fn reads(&self, index: Index) -> u32 {
        self.0.reads[number(index)].replace(0)
    }
}

impl Slots<WORDS> for Memory {
    fn entries(&self) -> u32 {
        self.0.slots.borrow().len() as u32
    }

    fn load(&self, index: Index, _: Ordering) -> u32 {
        let reads = &self.0.reads[number(index)];
        reads.set(reads.get() + 1);
        self.0.index[number(index)].get()
    }

    fn store(&self, index: Index, value: u32, _: Ordering) {
        self.0.index[number(index)].set(value);
    }

    fn fence(&self) {}

    fn read(&self, index: u32, out: &mut Entry) {
        let slots = self.0.slots.borrow();
        *out = slots[index as usize % slots.len()];
    }

    fn write(&self, index: u32, entry: &Entry) {
        let mut slots = self.0.slots.borrow_mut();
        let len = slots.len();
        slots[index as usize % len] = *entry;
    }
}

type Pair = (Memory, Producer<WORDS, Memory>, Consumer<WORDS, Memory>);

fn pair(entries: usize, start: u32) -> Pair {
    let memory = Memory::new(entries, start);
    let producer = Producer::starting_at(memory.clone(), start);
    (memory.clone(), producer, Consumer::starting_at(memory, start))
}

fn entry(n: u64) -> Entry {
    core::array::from_fn(|word| n << 8 | word as u64)
}

#[test]
fn what_went_in_comes_out_across_the_wrap() {
    let (_, mut producer, mut consumer) = pair(4, u32::MAX - 1);
    let mut out = [0; WORDS];
    for n in 0..4 {
        assert!(producer.push(&entry(n)).expect("honest").is_some());
    }
    assert_eq!(producer.push(&entry(9)), Ok(None));
    for n in 0..4 {
        assert!(consumer.pop(&mut out).expect("honest").is_some());
        assert_eq!(out, entry(n));
    }
    assert_eq!(consumer.pop(&mut out), Ok(None));
    assert_eq!(producer.room(), Ok(4));
}

#[test]
fn only_who_waits_is_woken_and_only_once() {
    let (_, mut producer, mut consumer) = pair(4, 0);
    let mut out = [0; WORDS];
    // Fresh memory says that the consumer waits.
    assert_eq!(producer.push(&entry(0)), Ok(Some(Wake::Yes)));
    assert_eq!(producer.push(&entry(1)), Ok(Some(Wake::No)));
    assert_eq!((consumer.pop(&mut out), consumer.pop(&mut out)), (Ok(Some(Wake::No)), Ok(Some(Wake::No))));
    assert_eq!(consumer.may_sleep(), Ok(true));
    assert_eq!(producer.push_all(&[entry(2), entry(3), entry(4)]), Ok((3, Wake::Yes)));
    assert_eq!(consumer.may_sleep(), Ok(false));
    assert_eq!(producer.push_all(&[entry(5), entry(6)]), Ok((1, Wake::No)));
}

#[test]
fn a_producer_is_woken_when_there_is_the_room_it_asked_for() {
    let (_, mut producer, mut consumer) = pair(4, 7);
    let mut out = [0; WORDS];
    assert_eq!(producer.push_all(&[entry(0); 4]).map(|(count, _)| count), Ok(4));
    assert_eq!(producer.may_sleep(3), Ok(true));
    let woken: Vec<_> = (0..4).map(|_| consumer.pop(&mut out)).collect();
    assert_eq!(woken, [Wake::No, Wake::No, Wake::Yes, Wake::No].map(|wake| Ok(Some(wake))));
    assert_eq!(producer.may_sleep(3), Ok(false));
    // More than there are is all of them.
    assert!(producer.push(&entry(5)).is_ok_and(|pushed| pushed.is_some()));
    assert_eq!(producer.may_sleep(100), Ok(true));
    assert_eq!(consumer.pop(&mut out), Ok(Some(Wake::Yes)));
}

#[test]
fn impossible_indices_are_faults_for_good() {
    for tail in [5, 6, u32::MAX, 1 << 31] {
        let (memory, _, mut consumer) = pair(4, 0);
        memory.poke(Index::Tail, tail);
        assert_eq!(consumer.pop(&mut [0; WORDS]), Err(Fault::Tail), "{tail}");
        memory.poke(Index::Tail, 1);
        assert_eq!(consumer.pop(&mut [0; WORDS]), Err(Fault::Tail));
        assert_eq!((consumer.may_sleep(), consumer.waiting()), (Err(Fault::Tail), Err(Fault::Tail)));
    }
    for head in [5, u32::MAX, 1 << 31] {
        let (memory, mut producer, _) = pair(4, 0);
        let filled = producer.push_all(&[entry(0); 4]);
        assert_eq!(filled.map(|(count, _)| count), Ok(4));
        memory.poke(Index::Head, head);
        assert_eq!(producer.push(&entry(1)), Err(Fault::Head), "{head}");
        assert_eq!((producer.may_sleep(1), producer.room()), (Err(Fault::Head), Err(Fault::Head)));
    }
}

#[test]
fn an_index_that_goes_back_is_a_fault() {
    let (memory, mut producer, mut consumer) = pair(4, 0);
    assert_eq!(producer.push_all(&[entry(0); 3]).map(|(count, _)| count), Ok(3));
    assert_eq!(consumer.waiting(), Ok(3));
    memory.poke(Index::Tail, 2);
    assert_eq!(consumer.waiting(), Err(Fault::Tail));
}

#[test]
fn each_word_of_the_peer_is_read_at_most_once_in_a_step() {
    let (memory, mut producer, mut consumer) = pair(2, 0);
    let mut out = [0; WORDS];
    for n in 0..100 {
        if n % 3 == 0 {
            assert!(producer.push(&entry(n)).is_ok());
            assert!(memory.reads(Index::Head) <= 1 && memory.reads(Index::EntryWanted) <= 1);
        }
        if n % 4 == 0 {
            assert!(consumer.pop(&mut out).is_ok());
            assert!(memory.reads(Index::Tail) <= 1 && memory.reads(Index::RoomWanted) <= 1);
        }
        assert!(producer.may_sleep(1).is_ok() && consumer.may_sleep().is_ok());
        assert!(memory.reads(Index::Head) <= 1 && memory.reads(Index::Tail) <= 1);
    }
}

#[test]
fn bytes_survive_and_a_lying_count_is_cut() {
    let text: Vec<u8> = (0..200).collect();
    let (packed, count) = pack::<WORDS>(&text);
    assert_eq!((count, capacity::<WORDS>()), (62, 62));
    let mut out = Vec::new();
    unpack(&packed, |byte| out.push(byte));
    assert_eq!(out, text[..62]);
    out.clear();
    unpack(&[u64::MAX; WORDS], |byte| out.push(byte));
    assert_eq!(out, [0xff; 62]);
    out.clear();
    unpack(&pack::<WORDS>(b"abc").0, |byte| out.push(byte));
    assert_eq!(out, b"abc");
}

/// What a test does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    PushAll(usize),
    Pop,
    PopAll(usize),
    ProducerSleeps(u32),
    ConsumerSleeps,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Push),
        (0..6usize).prop_map(Step::PushAll),
        Just(Step::Pop),
        (0..6usize).prop_map(Step::PopAll),
        (0..6u32).prop_map(Step::ProducerSleeps),
        Just(Step::ConsumerSleeps),
    ];
    proptest::collection::vec(step, 1..200)
}

/// A queue that cannot be wrong, and who sleeps.
#[derive(Default)]
struct Plain {
    queue: VecDeque<u64>,
    next: u64,
    consumer_sleeps: bool,
    producer_sleeps: Option<u32>,
    /// The producer has asked to be woken, and was not yet.
    producer_asked: bool,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 1000 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn it_is_a_queue_and_sleepers_are_woken(steps in steps(), start in any::<u32>()) {
        const ENTRIES: usize = 4;
        let (_, mut producer, mut consumer) = pair(ENTRIES, start);
        let mut plain = Plain { consumer_sleeps: true, ..Plain::default() };
        for step in steps {
            match step {
                Step::Push | Step::PushAll(_) => {
                    let entries: Vec<_> = match step {
                        Step::PushAll(count) => (0..count as u64).map(|n| entry(plain.next + n)).collect(),
                        _ => vec![entry(plain.next)],
                    };
                    let (count, wake) = match step {
                        Step::Push => producer.push(&entries[0]).expect("honest").map_or((0, Wake::No), |wake| (1, wake)),
                        _ => producer.push_all(&entries).expect("honest"),
                    };
                    prop_assert_eq!(count, entries.len().min(ENTRIES - plain.queue.len()));
                    plain.queue.extend(plain.next..plain.next + count as u64);
                    plain.next += count as u64;
                    prop_assert_eq!(wake == Wake::Yes, plain.consumer_sleeps && count > 0);
                    plain.consumer_sleeps &= count == 0;
                    plain.producer_sleeps = None;
                }
                Step::Pop | Step::PopAll(_) => {
                    let mut out = [[0; WORDS]; 6];
                    let (count, wake) = match step {
                        Step::PopAll(room) => consumer.pop_all(&mut out[..room]).expect("honest"),
                        _ => consumer.pop(&mut out[0]).expect("honest").map_or((0, Wake::No), |wake| (1, wake)),
                    };
                    let wanted = match step { Step::PopAll(room) => room, _ => 1 };
                    prop_assert_eq!(count, wanted.min(plain.queue.len()));
                    for found in &out[..count] {
                        prop_assert_eq!(Some(*found), plain.queue.pop_front().map(entry));
                    }
                    let enough = plain.producer_sleeps.is_some_and(|room| ENTRIES - plain.queue.len() >= room as usize);
                    prop_assert!(wake == Wake::Yes || !enough || count == 0, "a sleeper is woken");
                    prop_assert!(wake == Wake::No || plain.producer_asked, "who did not ask is not");
                    if wake == Wake::Yes {
                        (plain.producer_asked, plain.producer_sleeps) = (false, None);
                    }
                }
                Step::ProducerSleeps(room) => {
                    // Who sleeps asks for nothing new.
                    if plain.producer_sleeps.is_none() {
                        let room = room.clamp(1, ENTRIES as u32);
                        let sleeps = producer.may_sleep(room).expect("honest");
                        prop_assert_eq!(sleeps, ENTRIES - plain.queue.len() < room as usize);
                        plain.producer_sleeps = Some(room).filter(|_| sleeps);
                        plain.producer_asked = true;
                    }
                }
                Step::ConsumerSleeps => {
                    let sleeps = consumer.may_sleep().expect("honest");
                    prop_assert_eq!(sleeps, plain.queue.is_empty());
                    plain.consumer_sleeps = sleeps;
                }
            }
        }
    }

    #[test]
    fn a_hostile_peer_gets_no_more_than_a_fault(pokes in proptest::collection::vec((0..4usize, any::<u32>(), 0..8u32, any::<bool>()), 1..60)) {
        let (memory, mut producer, mut consumer) = pair(4, 0);
        let mut out = [[0; WORDS]; 3];
        let (mut head, mut tail) = (0u32, 0u32);
        for (which, any, near, far) in pokes {
            let index = [Index::Tail, Index::RoomWanted, Index::Head, Index::EntryWanted][which];
            let base = if which < 2 { tail } else { head };
            memory.poke(index, if far { any } else { base.wrapping_add(near).wrapping_sub(4) });
            // What is taken can never be more than what a queue holds, nor is there ever more room than that.
            if let Ok((count, _)) = producer.push_all(&[entry(1); 3]) {
                prop_assert!(count <= 3);
                tail = tail.wrapping_add(count as u32);
            }
            if let Ok((count, _)) = consumer.pop_all(&mut out) {
                prop_assert!(count <= 3);
                head = head.wrapping_add(count as u32);
            }
            prop_assert!(producer.room().map_or(true, |room| room <= 4));
            prop_assert!(consumer.waiting().map_or(true, |waiting| waiting <= 4));
        }
    }

    #[test]
    fn any_entry_unpacks_to_at_most_what_it_carries(words in any::<[u64; 8]>()) {
        let mut count = 0;
        unpack(&words, |_| count += 1);
        prop_assert!(count <= capacity::<WORDS>());
        prop_assert_eq!(count, usize::from(words[0] as u16).min(capacity::<WORDS>()));
    }
}
