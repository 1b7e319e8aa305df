//! A shared queue one of whose sides writes what it likes, wherever it likes, between any two steps of the other.
//!
//! Input: which side is hostile, and operations. The honest side must never be led to take more than a queue holds, to believe in more room
//! than there is, or to overwrite what was not taken; and after a fault it stays with it.
#![no_main]

use capos_queue::bytes::{capacity, unpack};
use capos_queue::{Consumer, Index, Producer, Slots};
use core::cell::{Cell, RefCell};
use core::sync::atomic::Ordering;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::rc::Rc;

const WORDS: usize = 8;
const ENTRIES: usize = 4;
const INDICES: [Index; 4] = [Index::Tail, Index::RoomWanted, Index::Head, Index::EntryWanted];

/// What both sides see.
#[derive(Default)]
struct Shared {
    indices: [Cell<u32>; 4],
    slots: RefCell<[[u64; WORDS]; ENTRIES]>,
}

#[derive(Clone, Default)]
struct Memory(Rc<Shared>);

impl Memory {
    fn index(&self, index: Index) -> &Cell<u32> {
        let at = INDICES.iter().position(|other| *other == index).expect("there are four");
        &self.0.indices[at]
    }
}

impl Slots<WORDS> for Memory {
    fn entries(&self) -> u32 {
        ENTRIES as u32
    }

    fn load(&self, index: Index, _: Ordering) -> u32 {
        self.index(index).get()
    }

    fn store(&self, index: Index, value: u32, _: Ordering) {
        self.index(index).set(value);
    }

    fn fence(&self) {}

    fn read(&self, index: u32, out: &mut [u64; WORDS]) {
        *out = self.0.slots.borrow()[index as usize % ENTRIES];
    }

    fn write(&self, index: u32, entry: &[u64; WORDS]) {
        self.0.slots.borrow_mut()[index as usize % ENTRIES] = *entry;
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    // Ends when the input does.
    let _ = if input.arbitrary().unwrap_or(false) { produce(&mut input) } else { consume(&mut input) };
});

/// The other side does something: mostly something that looks almost right.
fn meddle(memory: &Memory, near: u32, input: &mut Unstructured<'_>) -> Result<()> {
    let index = *input.choose(&INDICES)?;
    let off: i8 = input.arbitrary()?;
    let value = if input.ratio(1, 8)? { input.arbitrary()? } else { near.wrapping_add_signed(off.into()) };
    memory.index(index).set(value);
    if input.ratio(1, 4)? {
        memory.0.slots.borrow_mut()[input.int_in_range(0..=ENTRIES - 1)?] = input.arbitrary()?;
    }
    Ok(())
}

fn produce(input: &mut Unstructured<'_>) -> Result<()> {
    let memory = Memory::default();
    let mut producer = Producer::new(memory.clone());
    let (mut pushed, mut head, mut faulty) = (0u32, 0u32, false);
    while !input.is_empty() {
        meddle(&memory, pushed, input)?;
        let claimed = memory.index(Index::Head).get();
        let room = producer.room();
        // What it may believe: a head that has moved on, and not past what was pushed.
        faulty |= claimed.wrapping_sub(head) > pushed.wrapping_sub(head);
        assert_eq!(room.is_err(), faulty);
        if let Ok(room) = room {
            head = claimed;
            assert_eq!(room, ENTRIES as u32 - pushed.wrapping_sub(head));
            let batch = [[u64::from(pushed); WORDS]; 3];
            let count = input.int_in_range(0..=batch.len())?;
            let done = producer.push_all(&batch[..count]).map_or(0, |(done, _)| done);
            assert_eq!(done, count.min(room as usize));
            pushed = pushed.wrapping_add(done as u32);
        }
        assert_eq!(producer.may_sleep(input.arbitrary()?).is_err(), faulty);
    }
    Ok(())
}

fn consume(input: &mut Unstructured<'_>) -> Result<()> {
    let memory = Memory::default();
    let mut consumer = Consumer::new(memory.clone());
    let (mut taken, mut tail, mut faulty) = (0u32, 0u32, false);
    while !input.is_empty() {
        meddle(&memory, taken, input)?;
        let claimed = memory.index(Index::Tail).get();
        let waiting = consumer.waiting();
        faulty |= claimed.wrapping_sub(tail) > ENTRIES as u32 - tail.wrapping_sub(taken);
        assert_eq!(waiting.is_err(), faulty);
        if let Ok(waiting) = waiting {
            tail = claimed;
            assert_eq!(waiting, tail.wrapping_sub(taken));
            let mut out = [[0; WORDS]; 3];
            let count = input.int_in_range(0..=out.len())?;
            let done = consumer.pop_all(&mut out[..count]).map_or(0, |(done, _)| done);
            assert_eq!(done, count.min(waiting as usize));
            for entry in &out[..done] {
                let mut bytes = 0;
                unpack(entry, |_| bytes += 1);
                assert!(bytes <= capacity::<WORDS>());
            }
            taken = taken.wrapping_add(done as u32);
        }
        assert_eq!(consumer.may_sleep().is_err(), faulty);
    }
    Ok(())
}
