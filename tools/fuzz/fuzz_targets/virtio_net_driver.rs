//! The network driver's core against a device that says what it likes: of itself, in its used rings, in headers, and in the memory where answers are.
//!
//! Input: features and configuration, sizes of queues, and operations, between any two of which the device does what it was given, rightly or not, or
//! writes anything anywhere that it may. What the driver says is over was under way, once, and is within its buffer; a frame in several buffers is given
//! without another in between; what the device was shown names no byte that it was not to have; after a fault nothing is taken or given.
#![no_main]

use capos_virtio::net::{
    AREA_BYTES, Buffers, CHOICE, Checksum, Done, FIELDS, Filter, Frame, Net, Options, PAIRS, Refusal,
    Segment, Shape, Tag, wish,
};
use capos_virtio::register::features::{ANY_LAYOUT, EVENT_IDX, VERSION_1};
use capos_virtio::{DeviceFault, Layout};
use fakes::bus::RingMemory;
use fakes::virtio::{Chain, Ring};
use fakes::{Bus, Ram};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::cell::Cell;
use std::collections::BTreeMap;

/// Where frames are: nowhere near the rest.
const DATA: u64 = 0x100_0000_0000;
const ROOM: u32 = 2048;

/// Most of what an input costs is to have its memory zeroed.
const LARGEST_RING: u32 = 7;

fuzz_target!(|bytes: &[u8]| {
    // Ends when the input does.
    let _ = run(&mut Unstructured::new(bytes));
});

/// A queue, as the device has it.
struct Queue {
    base: u64,
    layout: Layout,
    ring: Ring,
    given: Vec<Chain>,
}

/// Headers that are whatever the input says.
struct Headers(Cell<[u32; 3]>);

impl Buffers for Headers {
    fn header(&self, _: Tag) -> [u32; 3] {
        self.0.get()
    }
}

struct World {
    ram: Ram,
    bus: Bus,
    area: u64,
    queues: Vec<Queue>,
    headers: Headers,
    net: Net<RingMemory, RingMemory>,
    /// What is under way, by tag: the bytes, or none for a frame to be sent.
    under_way: BTreeMap<Tag, Option<u32>>,
    next: Tag,
    /// A frame goes on.
    more: bool,
    fault: Option<DeviceFault>,
    now: u64,
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let Some(mut world) = world(input)? else { return Ok(()) };
    while !input.is_empty() {
        world.now += u64::from(input.arbitrary::<u8>()?) << 28;
        match input.int_in_range(0..=8)? {
            0 => world.receive(input)?,
            1 => world.send(input)?,
            2 => world.publish(),
            3..=5 => world.complete(input)?,
            6 => world.meddle(input)?,
            7 => world.ask(input)?,
            _ => world.take(input)?,
        }
    }
    Ok(())
}

/// What a transport agrees upon with a device that offers anything.
fn features(input: &mut Unstructured<'_>) -> Result<u64> {
    let options = Options { direct: true, large: true, pairs: true };
    let others = if input.arbitrary()? { VERSION_1 } else { input.arbitrary::<u64>()? & ANY_LAYOUT };
    let wanted = wish(1, options).features & !ANY_LAYOUT;
    let offered = u64::from(input.arbitrary::<u32>()?);
    let judge = |left: u64, (of, any): &(u64, u64)| if left & any == 0 { left & !of } else { left };
    Ok(CHOICE.needs.iter().fold(offered & wanted | others, judge))
}

fn world(input: &mut Unstructured<'_>) -> Result<Option<World>> {
    let features = features(input)?;
    let mut config: [u32; FIELDS] = [2, 0, 0, 0, 0, 1, 1, 1 + input.int_in_range(0..=5)?, 1500];
    if input.ratio(1, 16)? {
        *input.choose_iter(config.iter_mut())? = input.arbitrary::<u16>()?.into();
    }
    let Ok(shape) = Shape::new(features, &config) else { return Ok(None) };
    let numbers: Vec<u16> = (0..).map_while(|n| (CHOICE.queue)(n, features, &config)).collect();
    assert!((2..=2 * usize::from(PAIRS) + 1).contains(&numbers.len()));
    let mut layouts = Vec::new();
    for _ in numbers {
        layouts.push(Layout::new(1 << input.int_in_range(0..=LARGEST_RING)?).expect("a power of two"));
    }
    let parts = layouts.iter().map(|layout| layout.bytes()).chain([4096, AREA_BYTES]);
    let ram = Ram::new(parts.map(|bytes| bytes.next_multiple_of(4096) as usize).sum());
    let bus = Bus::direct(&ram);
    let area = ram.allocate(AREA_BYTES).expect("there is enough");
    let queue = |layout: Layout| {
        let base = ram.allocate(layout.bytes()).expect("there is enough");
        let parts = [0, layout.available(), layout.used()].map(|offset| base + u64::from(offset));
        let ring = Ring::new(layout, parts, features & EVENT_IDX != 0);
        Queue { base, layout, ring, given: Vec::new() }
    };
    let queues: Vec<Queue> = layouts.into_iter().map(queue).collect();
    let rings: Vec<_> = queues.iter().map(|queue| (ram.ring(queue.base), queue.layout)).collect();
    let Ok(net) = Net::new(shape, ram.ring(area), area, rings, 0) else { return Ok(None) };
    let (headers, under_way) = (Headers(Cell::default()), BTreeMap::new());
    let (next, more, fault, now) = (0, false, None, 0);
    Ok(Some(World { ram, bus, area, queues, headers, net, under_way, next, more, fault, now }))
}

impl World {
    fn tag(&mut self) -> Tag {
        while self.under_way.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        self.next
    }

    fn submitted(&mut self, done: std::result::Result<(), Refusal>, room: Option<u32>) {
        assert!(done.is_err() || self.fault.is_none());
        if done.is_ok() {
            let tag = self.next;
            assert!(self.under_way.insert(tag, room).is_none());
        }
    }

    fn receive(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let length = if input.ratio(1, 8)? { input.arbitrary()? } else { ROOM };
        for _ in 0..input.int_in_range(1..=8)? {
            let tag = self.tag();
            let done = self.net.receive(tag, DATA, length);
            assert!(done.is_err() || length >= self.net.shape().least_room());
            self.submitted(done, Some(length));
        }
        Ok(())
    }

    fn send(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let length = if input.arbitrary()? { input.int_in_range(13..=1514)? } else { input.arbitrary()? };
        let checksum = match input.arbitrary()? {
            true => Some(Checksum { start: input.arbitrary()?, offset: input.arbitrary::<u8>()?.into() }),
            false => None,
        };
        let segment = match input.arbitrary()? {
            true => Some(Segment {
                is_v6: input.arbitrary()?,
                size: input.arbitrary()?,
                headers: input.arbitrary()?,
            }),
            false => None,
        };
        let (tag, flow) = (self.tag(), input.arbitrary::<u8>()?.into());
        let frame = Frame { token: DATA, length, checksum, segment, flow };
        let done = self.net.send(tag, &frame, self.now);
        assert!(done.is_err() || checksum.is_none() || self.net.shape().fills_checksums());
        self.submitted(done, None);
        Ok(())
    }

    fn publish(&mut self) {
        let news = self.net.publish();
        assert!(self.fault.is_none() || news == 0);
        assert_eq!(self.net.bells(news) & !news, 0);
        for (n, queue) in self.queues.iter_mut().enumerate() {
            let before = queue.given.len();
            while let Some(chain) = queue.ring.pop(&self.bus).expect("a driver writes chains that are some") {
                assert!(chain.pieces.len() <= 4);
                for piece in &chain.pieces {
                    let ours = self.area..self.area + u64::from(AREA_BYTES);
                    let end = piece.address + u64::from(piece.length);
                    assert!(piece.address == DATA || (ours.contains(&piece.address) && end <= ours.end));
                }
                queue.given.push(chain);
            }
            assert_eq!(queue.given.len() > before, news >> n & 1 != 0);
        }
    }

    /// Mostly as a device does.
    fn complete(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let at = input.choose_index(self.queues.len())?;
        let queue = &mut self.queues[at];
        if queue.given.is_empty() {
            return Ok(());
        }
        let chain = queue.given.swap_remove(input.choose_index(queue.given.len())?);
        if let Some(last) = chain.pieces.last().filter(|piece| piece.writable && piece.length == 1) {
            let answer = if input.ratio(1, 8)? { input.arbitrary()? } else { input.int_in_range(0..=1)? };
            assert!(self.ram.write(last.address, &[answer]));
        }
        let length = match input.int_in_range(0..=15)? {
            0 => input.arbitrary()?,
            1..=7 => chain.writable().min(72),
            _ => chain.writable(),
        };
        let id = if input.ratio(1, 32)? { input.arbitrary()? } else { chain.head.into() };
        queue.ring.push(&self.bus, id, length);
        Ok(())
    }

    /// Anything, where the device may write.
    fn meddle(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        if input.arbitrary()? {
            let buffers: u16 = if input.ratio(1, 8)? { input.arbitrary()? } else { input.int_in_range(1..=4)? };
            let (flags, kind): (u8, u8) = (input.int_in_range(0..=3)?, input.int_in_range(0..=4)?);
            let first = u32::from(flags) | u32::from(kind) << 8;
            self.headers.0.set([first, input.arbitrary()?, u32::from(buffers) << 16]);
            return Ok(());
        }
        let queue = &self.queues[input.choose_index(self.queues.len())?];
        let (begin, length) = match input.arbitrary()? {
            true => (queue.base + u64::from(queue.layout.used()), queue.layout.bytes() - queue.layout.used()),
            false => (self.area, AREA_BYTES),
        };
        let at = begin + u64::from(input.arbitrary::<u16>()?) % u64::from(length);
        assert!(self.ram.write(at, &[input.arbitrary()?]));
        Ok(())
    }

    /// What is asked besides frames.
    fn ask(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        match input.int_in_range(0..=3)? {
            0 => {
                let mut filter = *input.choose(&[Filter::NOTHING, Filter::EVERYTHING, Filter::ALL_GROUPS])?;
                for _ in 0..input.int_in_range(0..=80)? {
                    filter.insert(input.arbitrary()?);
                }
                let _ = self.net.set_filter(filter, self.now);
            }
            1 => {
                let _ = self.net.set_address(input.arbitrary()?, self.now);
            }
            2 => self.net.set_few(input.int_in_range(0..=8)?),
            _ => {
                let config = input.arbitrary::<[u16; FIELDS]>()?.map(u32::from);
                let known = self.net.reconfigure(&config).map(|_| ());
                self.judge(known);
            }
        }
        Ok(())
    }

    fn take(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let known = match input.int_in_range(0..=3)? {
            0 => self.net.may_sleep().map(|may| assert!(!may || !self.more)),
            // At work it says 15; what else it says is its fault.
            1 => self.net.on_timeout(if input.ratio(1, 8)? { input.arbitrary()? } else { 15 }, self.now),
            2 => self.take_one().map(|_| ()),
            _ => self.take_all(),
        };
        self.judge(known);
        Ok(())
    }

    fn judge(&mut self, known: std::result::Result<(), DeviceFault>) {
        match (known, self.fault) {
            (Err(fault), first) => assert_eq!(*self.fault.insert(first.unwrap_or(fault)), fault, "it stays"),
            (Ok(()), first) => assert_eq!(first, None, "it stays"),
        }
        assert!(self.fault.is_none() || self.net.deadline().is_none());
    }

    fn take_all(&mut self) -> std::result::Result<(), DeviceFault> {
        while self.take_one()? {}
        assert!(!self.more, "all of a frame is there");
        Ok(())
    }

    fn take_one(&mut self) -> std::result::Result<bool, DeviceFault> {
        let Some(done) = self.net.take(&self.headers, self.now)? else { return Ok(false) };
        assert!(self.fault.is_none());
        match done {
            Done::Received { tag, skip, length, more, .. } => {
                let room = self.under_way.remove(&tag).flatten().expect("it was to be filled");
                assert!(u32::from(skip) + length <= room && (skip == 0 || !self.more));
                self.more = more;
            }
            Done::Sent { tag } => {
                assert_eq!(self.under_way.remove(&tag), Some(None), "it was to be sent");
                assert!(!self.more);
            }
            Done::Told { .. } => assert!(!self.more),
        }
        Ok(true)
    }
}
