//! A driver without morals, a device without mercy, and a virtqueue between them.

use super::{Bytes, DriverMemory, Input, Memory};
use crate::virtq::{Descriptor, Layout, Queue, Reason};
use alloc::vec;
use alloc::vec::Vec;
use capos_virtio::layout::flags;
use core::ops::Range;

/// Whatever of these the input says, in any order.
pub fn play(bytes: &[u8]) {
    let mut input = Input(bytes);
    let size = 1 << input.below(5);
    let mut world = World::new(Layout::new(size).expect("a power of two"), input.byte() & 1 != 0);
    while !input.is_empty() {
        world.step(&mut input);
        world.check();
    }
}

/// A descriptor as the device finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Piece {
    bytes: Range<u64>,
    writes: bool,
}

struct World {
    layout: Layout,
    event_index: bool,
    memory: Memory,
    shadow: DriverMemory,
    real: Bytes,
    queue: Queue,
    /// The available index as the driver counts.
    offered: u16,
    /// The available index as the device counts.
    seen: u16,
    used: u16,
    /// Used entries that the kernel saw.
    collected: u16,
    held: Vec<Held>,
}

/// A chain that the device has, or had and has not given back yet.
struct Held {
    head: u16,
    chain: Vec<Piece>,
    done: bool,
}

impl World {
    fn new(layout: Layout, event_index: bool) -> World {
        let descriptors = vec![Descriptor::default(); layout.size().into()].into();
        World {
            layout,
            event_index,
            memory: Memory::new(8),
            shadow: DriverMemory::new(layout.bytes()),
            real: Bytes::new(layout.bytes()),
            queue: Queue::new(layout, event_index, descriptors).expect("as many as the layout says"),
            offered: 0,
            seen: 0,
            used: 0,
            collected: 0,
            held: Vec::new(),
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() & 15 {
            0..=3 => self.offer(input),
            4 => self.poke(input),
            5..=7 => self.publish(input),
            8 | 9 => self.complete(input),
            10 => self.collect(),
            11 => self.memory.insert(1 + input.below(4) as u64),
            12 => self.memory.remove(input.below(8)),
            13 => self.memory.reclaim(),
            14 => self.lie(input),
            _ => self.reset(),
        }
    }

    /// The driver adds a chain, most of the time a sound one.
    fn offer(&mut self, input: &mut Input<'_>) {
        let (size, count) = (usize::from(self.layout.size()), 1 + input.below(4));
        let head = input.below(size) as u16;
        let mut index = head;
        for n in 0..count {
            let step = if input.byte() & 15 == 0 { input.byte().into() } else { 1 };
            let next = index.wrapping_add(step) & (self.layout.size() - 1);
            let length = if input.byte() & 7 == 0 { input.word() } else { u64::from(input.byte()) * 17 };
            let more = if n + 1 < count { flags::NEXT } else { 0 };
            let odd = if input.byte() & 31 == 0 { 1 << input.below(16) } else { 0 };
            let flags = (more | if n > 0 { flags::WRITE } else { 0 }) ^ odd;
            let at = self.layout.descriptor(index);
            self.shadow.bytes.put(at, 8, self.memory.token(input));
            self.shadow.bytes.put(
                at + 8,
                8,
                length & 0xffff_ffff | u64::from(flags) << 32 | u64::from(next) << 48,
            );
            index = next;
        }
        self.shadow.bytes.put(self.layout.available_entry(self.offered), 2, head.into());
        self.offered = self.offered.wrapping_add(1);
        self.shadow.bytes.put(self.layout.available_index(), 2, self.offered.into());
    }

    /// The driver writes anything anywhere.
    fn poke(&mut self, input: &mut Input<'_>) {
        let at = u32::from(input.byte()) * 2 % self.layout.used();
        self.shadow.bytes.put(at, 2, input.word() & 0xffff);
    }

    fn publish(&mut self, input: &mut Input<'_>) {
        let (limit, noise) = (u16::from(input.byte()), input.byte());
        self.shadow.noise.set(if noise & 3 == 0 { u64::from(noise) << 32 | 1 } else { 0 });
        self.shadow.fresh_call();
        let restless = self.shadow.noise.get() != 0;
        let event = self.real.get(self.layout.available_event(), 2) as u16;
        let quiet = self.real.get(self.layout.used(), 2) & 1 != 0;
        let old = self.seen;
        let outcome = self.queue.publish(&self.shadow, &self.real, &mut self.memory.pool, limit);
        let published = outcome.unwrap_or_else(|refusal| refusal.before);
        self.fetch(restless);
        assert_eq!(published.count, self.seen.wrapping_sub(old), "the device sees what was published");
        let wanted = if self.event_index {
            (0..published.count).any(|n| old.wrapping_add(n) == event)
        } else {
            published.count > 0 && !quiet
        };
        assert_eq!(published.bell, wanted, "a device is told when it asked, and only then");
        if let (Err(refusal), false) = (outcome, restless) {
            assert!(refusal.reason == Reason::Stopped || !self.is_sound(refusal.descriptor), "{refusal:?}");
        }
        if outcome.is_err_and(|it| it.reason == Reason::Stopped) {
            self.reset();
        }
    }

    /// Whether all would be well with a descriptor, were it a chain.
    fn is_sound(&self, index: u16) -> bool {
        let offered = self.shadow.bytes.get(self.layout.available_index(), 2) as u16;
        if offered.wrapping_sub(self.seen) > self.layout.size() || index >= self.layout.size() {
            return false;
        }
        let at = self.layout.descriptor(index);
        let (token, rest) = (self.shadow.bytes.get(at, 8), self.shadow.bytes.get(at + 8, 8));
        let flags = (rest >> 32) as u16;
        let held = self.held.iter().any(|it| it.chain.len() > 1 || it.head == index);
        flags == flags::WRITE && !held && self.memory.address(token, rest & 0xffff_ffff).is_some()
    }

    /// The device takes every new chain. When the driver's memory was calm, it is what the driver wrote.
    fn fetch(&mut self, restless: bool) {
        while self.real.get(self.layout.available_index(), 2) as u16 != self.seen {
            let head = self.real.get(self.layout.available_entry(self.seen), 2) as u16;
            let mut chain = Vec::new();
            let mut next = Some(head);
            while let Some(index) = next {
                assert!(
                    index < self.layout.size() && chain.len() < self.layout.size().into(),
                    "a chain ends"
                );
                let at = self.layout.descriptor(index);
                let (address, rest) = (self.real.get(at, 8), self.real.get(at + 8, 8));
                let (length, flags) = (rest & 0xffff_ffff, (rest >> 32) as u16);
                assert_eq!(flags & !(flags::NEXT | flags::WRITE), 0);
                chain.push(Piece { bytes: address..address + length, writes: flags & flags::WRITE != 0 });
                next = (flags & flags::NEXT != 0).then_some((rest >> 48) as u16);
                if !restless {
                    let token = self.shadow.bytes.get(at, 8);
                    assert_eq!(
                        self.memory.address(token, length),
                        Some(address),
                        "another place than the driver's"
                    );
                    let same = if next.is_some() { u64::MAX } else { u64::MAX >> 16 };
                    assert_eq!(self.shadow.bytes.get(at + 8, 8) & same, rest & same);
                }
            }
            assert!(chain.is_sorted_by_key(|it| it.writes), "reads come before writes");
            assert!(self.held.iter().all(|it| it.head != head), "it has that chain already");
            self.held.push(Held { head, chain, done: false });
            self.seen = self.seen.wrapping_add(1);
        }
    }

    /// The device gives chains back, in any order.
    fn complete(&mut self, input: &mut Input<'_>) {
        let mut busy: Vec<_> = self.held.iter_mut().filter(|it| !it.done).collect();
        let Some(n) = input.below(8).checked_rem(busy.len()) else { return };
        busy[n].done = true;
        self.real.put(self.layout.used_entry(self.used), 4, busy[n].head.into());
        self.used = self.used.wrapping_add(1);
        self.real.put(self.layout.used_index(), 2, self.used.into());
    }

    /// The kernel believes the device as long as that makes sense. What it says that it gave back, it does not touch any more.
    fn collect(&mut self) {
        let index = self.real.get(self.layout.used_index(), 2) as u16;
        let fresh = index.wrapping_sub(self.collected);
        let mut sound = usize::from(fresh) <= self.held.len();
        for _ in 0..if sound { fresh } else { 0 } {
            let id = self.real.get(self.layout.used_entry(self.collected), 4);
            let Some(n) = self.held.iter().position(|it| u64::from(it.head) == id) else {
                sound = false;
                break;
            };
            self.held.swap_remove(n);
            self.collected = self.collected.wrapping_add(1);
        }
        let outcome = self.queue.collect(&self.real, &mut self.memory.pool);
        assert_eq!(outcome.ok(), sound.then_some(fresh));
        assert_eq!(usize::from(self.queue.in_flight()), self.held.len());
        self.memory.reclaim();
        self.check();
        if !sound {
            self.reset();
        }
    }

    /// The device writes nonsense to where it may write, and has what it had all the same.
    fn lie(&mut self, input: &mut Input<'_>) {
        match input.below(4) {
            // What it wants to be told of is up to it.
            0 => self.real.put(self.layout.available_event(), 2, input.word() & 0xffff),
            1 => self.real.put(self.layout.used(), 2, input.word() & 0xffff),
            2 => {
                let ahead = if input.byte() & 3 == 0 { input.word() } else { input.below(4) as u64 };
                self.real.put(self.layout.used_index(), 2, u64::from(self.used).wrapping_add(ahead) & 0xffff);
            }
            _ => {
                let id =
                    if input.byte() & 3 == 0 { input.word() & 0xffff_ffff } else { input.below(16) as u64 };
                self.real.put(
                    self.layout.used_entry(self.collected.wrapping_add(input.byte().into())),
                    4,
                    id,
                );
            }
        }
    }

    /// The device is reset, and begins with empty rings.
    fn reset(&mut self) {
        self.queue.abandon(&mut self.memory.pool);
        self.memory.reclaim();
        assert!(self.memory.dying.is_empty(), "after a reset the device has nothing");
        assert!(self.memory.pool.buffers().all(|it| it.pins == 0));
        let memory = core::mem::replace(&mut self.memory, Memory::new(8));
        *self = World { memory, ..World::new(self.layout, self.event_index) };
    }

    /// All that the device may touch at this moment is a buffer that lives, or is kept for it.
    fn check(&self) {
        let busy = self.held.iter().filter(|it| !it.done).flat_map(|it| &it.chain);
        busy.for_each(|piece| self.memory.check(&piece.bytes));
        self.memory.check_pins(self.held.iter().map(|it| it.chain.len()).sum());
    }
}
