//! The driver's core against an adapter that writes back what it likes, whenever it likes.

use capos_e1000e::{
    Adapter, BringUp, Checksum, DeviceFault, Done, FURTHEST, Frame, Layout, Memory, ROOM, Refusal, Register,
    Step, Tag, bits,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::Ordering;

const TOKEN: u64 = 0x100_0000_0000;

/// A ring whose every answer is the input's.
#[derive(Clone)]
struct Ring(Rc<RefCell<Vec<[u64; 2]>>>);

impl Memory for Ring {
    fn write_descriptor(&self, index: u16, words: [u64; 2]) {
        self.0.borrow_mut()[usize::from(index)] = words;
    }
    fn answer(&self, index: u16) -> u64 {
        self.0.borrow()[usize::from(index)][1]
    }
    fn fence(&self, _: Ordering) {}
}

/// Numbers from a test or a fuzzer; zeros at the end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u64 {
        (0..8).fold(0, |word, _| word << 8 | u64::from(self.byte()))
    }
}

/// What happens then. Panics when the driver believes something that can not be.
pub fn play(bytes: &[u8]) {
    let mut input = Input(bytes);
    let Some(mut world) = World::new(&mut input) else { return };
    while !input.0.is_empty() {
        world.now += u64::from(input.byte()) << 26;
        world.step(&mut input);
    }
}

struct World {
    rings: [Ring; 2],
    adapter: Adapter<Ring>,
    size: u16,
    /// How far the device may go on each, and what it was given there: tags, none for contexts.
    tails: [u16; 2],
    under_way: BTreeMap<Tag, bool>,
    next: Tag,
    fault: Option<DeviceFault>,
    now: u64,
}

impl World {
    /// Registers say sound things most of the time.
    fn new(input: &mut Input<'_>) -> Option<World> {
        let size = 8 << (input.byte() & 3);
        let layout = Layout::new(size).expect("a power of two");
        let rings = [(); 2].map(|()| Ring(Rc::new(RefCell::new(vec![[0; 2]; size.into()]))));
        let mut bring_up = BringUp::new();
        let (mut given, mut steps) = (rings.iter(), 0);
        let adapter = loop {
            steps += 1;
            assert!(steps < 1000, "it never ends");
            match bring_up.step() {
                Step::Read(_) if input.byte() & 31 == 1 => bring_up.value(input.word() as u32),
                Step::Read(Register(0x5404)) => bring_up.value(0x8000_0201),
                Step::Read(_) => bring_up.value(2),
                Step::Write(Register(offset), _) => assert!(offset < 0x5400 && offset % 4 == 0),
                Step::Attach(_) => {
                    let ring = given.next().expect("there are two").clone();
                    bring_up.attached(ring, layout).expect("memory");
                }
                Step::Failed(_) => return None,
                Step::Ready => break bring_up.finish(0).expect("it is ready"),
            }
        };
        let (tails, under_way, fault) = ([0; 2], BTreeMap::new(), None);
        Some(World { rings, adapter, size, tails, under_way, next: 0, fault, now: 0 })
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 12 {
            0 | 1 => self.receive(input),
            2 | 3 => self.send(input),
            4 | 5 => self.publish(),
            6..=8 => self.write_back(input),
            9 => {
                let status = if input.byte() & 15 == 0 { input.word() as u32 } else { 2 };
                let known = self.adapter.look(status).map(|_| ());
                self.judge(known);
            }
            10 => {
                let status = if input.byte() & 15 == 0 { input.word() as u32 } else { 2 };
                let known = self.adapter.on_timeout(status, self.now);
                self.judge(known);
            }
            _ => self.take(),
        }
    }

    fn tag(&mut self) -> Tag {
        while self.under_way.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        self.next
    }

    fn submitted(&mut self, tag: Tag, done: Result<(), Refusal>, receives: bool) {
        if done.is_ok() {
            assert!(self.fault.is_none(), "nothing is given to a broken one");
            assert!(self.under_way.insert(tag, receives).is_none());
        }
    }

    fn receive(&mut self, input: &mut Input<'_>) {
        let tag = self.tag();
        let length = if input.byte() & 7 == 0 { input.byte().into() } else { ROOM as u32 };
        let done = self.adapter.receive(tag, TOKEN, length, self.now);
        assert!(done.is_err() || u64::from(length) == ROOM);
        self.submitted(tag, done, true);
    }

    fn send(&mut self, input: &mut Input<'_>) {
        let tag = self.tag();
        let (start, offset, length) = (u16::from(input.byte()), u16::from(input.byte()), input.word() as u32);
        let checksum = (start & 1 != 0).then_some(Checksum { start, offset });
        let length = if length & 7 == 0 { length } else { length & 0x3ff };
        let frame = Frame { token: TOKEN, length, checksum };
        let done = self.adapter.send(tag, &frame, self.now);
        let fits = checksum.is_none_or(|sum| sum.start + sum.offset <= FURTHEST);
        assert!(done.is_err() || fits && length > 0);
        self.submitted(tag, done, false);
    }

    fn publish(&mut self) {
        let bells = self.adapter.publish();
        for (tail, bell) in self.tails.iter_mut().zip([bells.receive, bells.send]) {
            let Some(bell) = bell else { continue };
            assert!(bell < self.size && bell != *tail && self.fault.is_none());
            *tail = bell;
        }
    }

    /// Anything, mostly what a device says.
    fn write_back(&mut self, input: &mut Input<'_>) {
        let (which, shape) = (input.byte(), input.byte());
        let ring = &self.rings[usize::from(which & 1)];
        let index = usize::from(which >> 1) % usize::from(self.size);
        let mut words = ring.0.borrow_mut();
        let word = &mut words[index][1];
        match shape & 7 {
            0 => *word = input.word(),
            1 => *word |= bits::DONE,
            _ if which & 1 == 0 => {
                *word = bits::DONE | 1 << 33 | 1 << 37 | (60 + u64::from(shape >> 3));
            }
            _ => *word |= bits::DONE,
        }
    }

    fn take(&mut self) {
        let known = loop {
            match self.adapter.take() {
                Ok(Some(done)) => self.is_over(done),
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            }
        };
        self.judge(known);
        if self.fault.is_none() {
            self.publish();
            assert!(self.adapter.may_sleep().is_ok());
        }
    }

    fn is_over(&mut self, done: Done) {
        assert!(self.fault.is_none());
        match done {
            Done::Received { tag, length, .. } => {
                assert_eq!(self.under_way.remove(&tag), Some(true), "it was to be filled");
                assert!(length > 0 && u64::from(length) <= ROOM);
            }
            Done::Sent { tag } => assert_eq!(self.under_way.remove(&tag), Some(false), "it was to be sent"),
        }
    }

    fn judge(&mut self, known: Result<(), DeviceFault>) {
        match (known, self.fault) {
            (Err(fault), first) => assert_eq!(*self.fault.insert(first.unwrap_or(fault)), fault, "it stays"),
            (Ok(()), first) => assert_eq!(first, None, "it stays"),
        }
        assert!(self.fault.is_none() || self.adapter.deadline().is_none());
    }
}
