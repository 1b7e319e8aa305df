//! A driver without morals, a device that does what its rings say, and a ring between them that the device writes back in place.

use super::{Bytes, DriverMemory, Input, Memory};
use crate::e1000e::{Direction, Entry, LONGEST, Layout, Queue, ROOM, Reason, bits};
use alloc::collections::VecDeque;
use alloc::vec;
use core::ops::Range;

/// Whatever of these the input says, in any order.
pub fn play(bytes: &[u8]) {
    let mut input = Input(bytes);
    let shape = input.byte();
    let layout = Layout::new(8 << (shape & 3)).expect("a power of two");
    let direction = if shape & 128 != 0 { Direction::Send } else { Direction::Receive };
    let mut world = World::new(layout, direction);
    while !input.is_empty() {
        world.step(&mut input);
        world.check();
    }
}

/// A descriptor that the device has, or had and the kernel has not seen it.
struct Held {
    bytes: Option<Range<u64>>,
    done: Option<u64>,
}

struct World {
    layout: Layout,
    direction: Direction,
    memory: Memory,
    shadow: DriverMemory,
    real: Bytes,
    queue: Queue,
    /// Where the driver writes next.
    offered: u16,
    /// Behind what the device has been told of, and its first that the kernel has not collected.
    told: u16,
    first: u16,
    held: VecDeque<Held>,
}

impl World {
    fn new(layout: Layout, direction: Direction) -> World {
        let entries = vec![Entry::default(); layout.size().into()].into();
        World {
            layout,
            direction,
            memory: Memory::new(8),
            shadow: DriverMemory::new(layout.shadow_bytes()),
            real: Bytes::new(layout.bytes()),
            queue: Queue::new(layout, direction, entries).expect("as many as the layout says"),
            offered: 0,
            told: 0,
            first: 0,
            held: VecDeque::new(),
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() & 15 {
            0..=3 => self.offer(input),
            4 => self.poke(input),
            5..=7 => self.publish(input),
            8..=10 => self.write_back(input),
            11 => self.collect(),
            12 => self.memory.insert(1 + input.below(4) as u64),
            13 => self.memory.remove(input.below(8)),
            14 => self.memory.reclaim(),
            _ => self.reset(),
        }
    }

    /// The driver adds a descriptor, most of the time a sound one.
    fn offer(&mut self, input: &mut Input<'_>) {
        let frame = bits::FRAME | bits::END | bits::CHECK | bits::REPORT | bits::FORM;
        let length = if input.byte() & 7 == 0 { input.word() } else { u64::from(input.byte()) * 17 };
        let odd = if input.byte() & 31 == 0 { 1 << input.below(64) } else { 0 };
        let second = match input.byte() & 7 {
            0 => bits::REPORT | bits::FORM | bits::TCP,
            1 => frame | bits::CHECKSUM | length & bits::LENGTH,
            _ => frame | length & bits::LENGTH,
        };
        let at = self.layout.descriptor(self.offered);
        self.shadow.bytes.put(at, 8, self.memory.token(input));
        self.shadow.bytes.put(at + 8, 8, second ^ odd);
        self.offered = self.layout.after(self.offered);
        self.shadow.bytes.put(self.layout.tail(), 2, self.offered.into());
    }

    /// The driver writes anything anywhere.
    fn poke(&mut self, input: &mut Input<'_>) {
        let at = u32::from(input.byte()) * 2 % (self.layout.tail() + 2);
        self.shadow.bytes.put(at, 2, input.word() & 0xffff);
    }

    fn publish(&mut self, input: &mut Input<'_>) {
        let (limit, noise) = (u16::from(input.byte()), input.byte());
        self.shadow.noise.set(if noise & 3 == 0 { u64::from(noise) << 32 | 1 } else { 0 });
        self.shadow.fresh_call();
        let restless = self.shadow.noise.get() != 0;
        let outcome = self.queue.publish(&self.shadow, &self.real, &mut self.memory.pool, limit);
        let published = outcome.unwrap_or_else(|refusal| refusal.before);
        assert!(published.count <= limit && published.bell.is_some() == (published.count > 0));
        let end = published.bell.unwrap_or(self.told);
        assert_eq!(
            self.layout.distance(self.told, end),
            published.count,
            "the device sees what was published"
        );
        while self.told != end {
            self.fetch(restless);
        }
        assert_eq!(usize::from(self.queue.in_flight()), self.held.len());
        if let (Err(refusal), false) = (outcome, restless) {
            let is_full = self.held.len() + 1 == usize::from(self.layout.size());
            assert!(
                matches!(refusal.reason, Reason::Stopped | Reason::Index(_))
                    || is_full
                    || !self.is_sound(refusal.entry)
            );
        }
        if outcome.is_err_and(|it| it.reason == Reason::Stopped) {
            self.reset();
        }
    }

    /// Whether the driver's descriptor is one.
    fn is_sound(&self, index: u16) -> bool {
        let at = self.layout.descriptor(index);
        let (token, second) = (self.shadow.bytes.get(at, 8), self.shadow.bytes.get(at + 8, 8));
        let there = |length| self.memory.address(token, length).is_some();
        match self.direction {
            Direction::Receive => there(ROOM),
            // The forms by the numbers of the datasheet: a context, or a whole frame.
            Direction::Send if second & 0xf0_0000 == 0 => second & !0x300_0000 == 0x2800_0000,
            Direction::Send => {
                let length = second & 0xf_ffff;
                second & !(0xf_ffff | 0x200_0000_0000) == 0x2b10_0000 && length <= LONGEST && there(length)
            }
        }
    }

    /// The device takes the next descriptor. When the driver's memory was calm, it is what the driver wrote.
    fn fetch(&mut self, restless: bool) {
        let at = self.layout.descriptor(self.told);
        let (address, second) = (self.real.get(at, 8), self.real.get(at + 8, 8));
        assert_eq!(self.real.get(self.layout.answer(self.told), 8), 0, "nothing is said of it yet");
        assert_eq!(second & bits::DONE, 0, "nor by the device");
        let length = match self.direction {
            Direction::Receive => Some(ROOM),
            Direction::Send if second & 0x10_0000 != 0 => Some(second & 0xf_ffff),
            Direction::Send => None,
        };
        if !restless {
            assert!(self.is_sound(self.told));
            let token = self.shadow.bytes.get(at, 8);
            let wanted = length.map_or(Some(token), |length| self.memory.address(token, length));
            assert_eq!(wanted, Some(address), "another place than the driver's");
        }
        // Of segments and of parts of frames it is never told.
        assert!(self.direction == Direction::Receive || second & 0x2c00_0000 == 0x2800_0000);
        self.held.push_back(Held { bytes: length.map(|length| address..address + length), done: None });
        self.told = self.layout.after(self.told);
    }

    /// The device says something of a descriptor: of the next one most of the time.
    fn write_back(&mut self, input: &mut Input<'_>) {
        let (ahead, word) = (input.byte(), input.word());
        let next = self.held.iter().position(|held| held.done.is_none()).unwrap_or(0);
        let n =
            if ahead & 15 == 0 { usize::from(ahead >> 4) % usize::from(self.layout.size()) } else { next };
        let index = (self.first + n as u16) & (self.layout.size() - 1);
        let word = if ahead & 3 == 3 { word } else { word | bits::DONE };
        self.real.put(self.layout.descriptor(index) + 8, 8, word);
        if let Some(held) = self.held.get_mut(n) {
            held.done = (word & bits::DONE != 0).then_some(word);
        }
    }

    /// The kernel believes the device, in order. What it says that it gave back, it does not touch any more.
    fn collect(&mut self) {
        let mut count = 0;
        let mut wanted = vec![];
        while let Some(word) = self.held.front().and_then(|held| held.done) {
            wanted.push((self.first, word));
            self.held.pop_front();
            self.first = self.layout.after(self.first);
            count += 1;
        }
        assert_eq!(self.queue.collect(&self.real, &mut self.memory.pool), count);
        for (index, word) in wanted {
            assert_eq!(self.real.get(self.layout.answer(index), 8), word);
        }
        self.memory.reclaim();
    }

    /// The device is reset, and begins with an empty ring.
    fn reset(&mut self) {
        self.queue.abandon(&mut self.memory.pool);
        self.memory.reclaim();
        assert!(self.memory.dying.is_empty(), "after a reset the device has nothing");
        assert!(self.memory.pool.buffers().all(|it| it.pins == 0));
        let memory = core::mem::replace(&mut self.memory, Memory::new(8));
        *self = World { memory, ..World::new(self.layout, self.direction) };
    }

    /// All that the device may touch at this moment is a buffer that lives, or is kept for it.
    fn check(&self) {
        let busy = self.held.iter().filter(|held| held.done.is_none()).filter_map(|held| held.bytes.as_ref());
        busy.for_each(|bytes| self.memory.check(bytes));
        self.memory.check_pins(self.held.iter().filter(|held| held.bytes.is_some()).count());
    }
}
