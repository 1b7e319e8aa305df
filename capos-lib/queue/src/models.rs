//! Every interleaving of the two sides, by loom. Run with `RUSTFLAGS="--cfg loom" cargo test -p capos-queue --lib --release`.
//!
//! The memory is made of loom's atomics, all relaxed but where the protocol asks for more: so an entry that is read before it is
//! ordered shows as an old or a torn one. A sleeper that nobody wakes is a deadlock, which loom reports. The queue is as short as
//! can be, so that both sides sleep, and its indices begin just below the wrap of 32 bits.

use crate::{Consumer, Fault, Ordering, Producer, Slots, Wake};
use loom::sync::atomic::{AtomicU32, AtomicU64, fence};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::sync::Arc;
use std::vec::Vec;

/// See `capos_ring::Index`; the real memory has no model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Index {
    /// The producer's.
    Tail,
    /// The producer's.
    RoomWanted,
    /// The consumer's.
    Head,
    /// The consumer's.
    EntryWanted,
}

const WORDS: usize = 2;
const START: u32 = u32::MAX;

struct Memory {
    index: [AtomicU32; 4],
    slots: Vec<[AtomicU64; WORDS]>,
    /// Whether the fence is left out: what loom must catch.
    unfenced: bool,
    /// Whether indices are published without order: what loom must catch.
    unordered: bool,
}

impl Memory {
    fn new(entries: usize, unfenced: bool, unordered: bool) -> Arc<Memory> {
        let index = [START, START, START, START].map(AtomicU32::new);
        let slots = (0..entries).map(|_| [(); WORDS].map(|()| AtomicU64::new(0))).collect();
        Arc::new(Memory { index, slots, unfenced, unordered })
    }

    fn order(&self, order: Ordering) -> Ordering {
        if self.unordered { Ordering::Relaxed } else { order }
    }
}

impl Slots<WORDS> for Arc<Memory> {
    fn entries(&self) -> u32 {
        self.slots.len() as u32
    }

    fn load(&self, index: Index, order: Ordering) -> u32 {
        self.index[index as usize].load(self.order(order))
    }

    fn store(&self, index: Index, value: u32, order: Ordering) {
        self.index[index as usize].store(value, self.order(order));
    }

    fn fence(&self) {
        if !self.unfenced {
            fence(Ordering::SeqCst);
        }
    }

    fn read(&self, index: u32, out: &mut [u64; WORDS]) {
        let slot = &self.slots[index as usize % self.slots.len()];
        *out = [slot[0].load(Ordering::Relaxed), slot[1].load(Ordering::Relaxed)];
    }

    fn write(&self, index: u32, entry: &[u64; WORDS]) {
        let slot = &self.slots[index as usize % self.slots.len()];
        slot[0].store(entry[0], Ordering::Relaxed);
        slot[1].store(entry[1], Ordering::Relaxed);
    }
}

/// A notification: an event that stays until somebody waits for it.
struct Event {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Event {
    fn new() -> Arc<Event> {
        Arc::new(Event { set: Mutex::new(false), changed: Condvar::new() })
    }

    fn signal(&self) {
        *self.set.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut set = self.set.lock().unwrap();
        while !*set {
            set = self.changed.wait(set).unwrap();
        }
        *set = false;
    }
}

struct Ends {
    data: Arc<Event>,
    room: Arc<Event>,
}

type End = Arc<Memory>;

fn entry(n: u64) -> [u64; WORDS] {
    [n + 1, !n]
}

/// Pushes everything, sleeping when there is no room.
fn push_all(producer: &mut Producer<WORDS, End>, ends: &Ends, entries: u64) {
    for n in 0..entries {
        loop {
            match producer.push(&entry(n)).expect("an honest consumer is never at fault") {
                Some(Wake::Yes) => ends.data.signal(),
                Some(Wake::No) => {}
                None => {
                    if producer.may_sleep(1).expect("honest") {
                        ends.room.wait();
                    }
                    continue;
                }
            }
            break;
        }
    }
}

/// Takes everything, and finds each entry whole, once and in order.
fn pop_all(consumer: &mut Consumer<WORDS, End>, ends: &Ends, entries: u64) {
    let mut out = [0; WORDS];
    for n in 0..entries {
        loop {
            match consumer.pop(&mut out).expect("an honest producer is never at fault") {
                Some(Wake::Yes) => ends.room.signal(),
                Some(Wake::No) => {}
                None => {
                    if consumer.may_sleep().expect("honest") {
                        ends.data.wait();
                    }
                    continue;
                }
            }
            break;
        }
        assert_eq!(out, entry(n), "torn, old or twice");
    }
    assert_eq!(consumer.pop(&mut out), Ok(None));
}

type Produce = fn(&mut Producer<WORDS, End>, &Ends, u64);
type Consume = fn(&mut Consumer<WORDS, End>, &Ends, u64);

#[derive(Clone, Copy)]
struct Model {
    capacity: usize,
    entries: u64,
    unfenced: bool,
    unordered: bool,
}

const SOUND: Model = Model { capacity: 1, entries: 2, unfenced: false, unordered: false };

impl Model {
    fn run(self, produce: Produce, consume: Consume) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(move || {
            let memory = Memory::new(self.capacity, self.unfenced, self.unordered);
            let (data, room) = (Event::new(), Event::new());
            let theirs = Ends { data: data.clone(), room: room.clone() };
            let mut producer = Producer::starting_at(memory.clone(), START);
            let thread = thread::spawn(move || produce(&mut producer, &theirs, self.entries));
            let mut consumer = Consumer::starting_at(memory.clone(), START);
            consume(&mut consumer, &Ends { data, room }, self.entries);
            thread.join().unwrap();
        });
    }
}

#[test]
fn entries_arrive_whole_once_and_in_order_and_nobody_sleeps_for_ever() {
    SOUND.run(push_all, pop_all);
}

#[test]
fn the_same_with_room_for_two_across_the_wrap() {
    Model { capacity: 2, entries: 3, ..SOUND }.run(push_all, pop_all);
}

#[test]
fn batches_wake_who_waits_for_any_of_their_entries() {
    fn produce(producer: &mut Producer<WORDS, End>, ends: &Ends, entries: u64) {
        let all: Vec<_> = (0..entries).map(entry).collect();
        let mut rest = &all[..];
        while !rest.is_empty() {
            let (count, wake) = producer.push_all(rest).expect("honest");
            rest = &rest[count..];
            if wake == Wake::Yes {
                ends.data.signal();
            }
            if !rest.is_empty() && producer.may_sleep(2).expect("honest") {
                ends.room.wait();
            }
        }
    }
    fn consume(consumer: &mut Consumer<WORDS, End>, ends: &Ends, entries: u64) {
        let mut done = 0;
        while done < entries {
            let mut out = [[0; WORDS]; 2];
            let (count, wake) = consumer.pop_all(&mut out).expect("honest");
            for found in &out[..count] {
                assert_eq!(*found, entry(done));
                done += 1;
            }
            if wake == Wake::Yes {
                ends.room.signal();
            }
            if count == 0 && consumer.may_sleep().expect("honest") {
                ends.data.wait();
            }
        }
    }
    Model { capacity: 2, entries: 3, ..SOUND }.run(produce, consume);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_a_wake_up_is_lost() {
    Model { unfenced: true, ..SOUND }.run(push_all, pop_all);
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_does_not_look_again_sleeps_for_ever() {
    fn consume(consumer: &mut Consumer<WORDS, End>, ends: &Ends, entries: u64) {
        let mut out = [0; WORDS];
        for _ in 0..entries {
            while consumer.pop(&mut out) == Ok(None) {
                let _: Result<bool, Fault> = consumer.may_sleep();
                ends.data.wait();
            }
        }
    }
    Model { capacity: 2, ..SOUND }.run(push_all, consume);
}

#[test]
#[should_panic(expected = "torn, old or twice")]
fn an_unordered_tail_gives_old_entries() {
    Model { unordered: true, ..SOUND }.run(push_all, pop_all);
}
