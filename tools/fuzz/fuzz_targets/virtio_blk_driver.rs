//! The block driver's core against a device that says what it likes: of itself, in its used rings, and in the memory where statuses are.
//!
//! Input: features and configuration, how many queues of which size, and operations, between any two of which the device answers what it was given, rightly or
//! not, or writes anything anywhere that it may. What the driver says is over was in flight, once; what the device was shown names no byte that it
//! was not to have; after a fault nothing is taken or given.
#![no_main]

use capos_block::{Operation, Pending, Request, Status};
use capos_virtio::blk::{AREA_BYTES, Blk, FIELDS, QUEUES, Refusal, Shape};
use capos_virtio::{DeviceFault, Interface, Layout};
use fakes::bus::RingMemory;
use fakes::virtio::{Chain, Ring};
use fakes::{Bus, Ram};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// Where requests have their data: nowhere near the rest.
const DATA: u64 = 0x100_0000_0000;

fuzz_target!(|bytes: &[u8]| {
    // Ends when the input does.
    let _ = run(&mut Unstructured::new(bytes));
});

struct World {
    ram: Ram,
    bus: Bus,
    area: u64,
    rings: Vec<(u64, Layout, Ring, Vec<Chain>)>,
    blk: Blk<RingMemory, RingMemory>,
    pending: Pending<Request>,
    fault: Option<DeviceFault>,
    now: u64,
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let mut config = [0; FIELDS];
    for field in &mut config {
        *field = 1 << input.int_in_range(0..=31)?;
    }
    let Ok(shape) = Shape::new(input.arbitrary::<u16>()?.into(), &config) else { return Ok(()) };
    let Some(mut world) = world(shape, input)? else { return Ok(()) };
    while !input.is_empty() {
        world.now += u64::from(input.arbitrary::<u8>()?) << 28;
        match input.int_in_range(0..=6)? {
            0 | 1 => world.submit(input)?,
            2 => world.publish(),
            3 | 4 => world.answer(input)?,
            5 => world.meddle(input)?,
            _ => world.take(input)?,
        }
    }
    Ok(())
}

fn world(shape: Shape, input: &mut Unstructured<'_>) -> Result<Option<World>> {
    let mut layouts = Vec::new();
    for _ in 0..input.int_in_range(1..=QUEUES)? {
        layouts.push(Layout::new(1 << input.int_in_range(1..=7)?).expect("a power of two"));
    }
    // No more than is needed: most of what an input costs is to have it zero.
    let parts = layouts.iter().map(|layout| layout.bytes()).chain([4096, AREA_BYTES]);
    let ram = Ram::new(parts.map(|bytes| bytes.next_multiple_of(4096) as usize).sum());
    let bus = Bus::direct(&ram);
    let area = ram.allocate(AREA_BYTES).expect("there is enough");
    let ring = |layout: Layout| {
        let base = ram.allocate(layout.bytes()).expect("there is enough");
        let parts = [0, layout.available(), layout.used()].map(|offset| base + u64::from(offset));
        (base, layout, Ring::new(layout, parts, false), Vec::new())
    };
    let rings: Vec<_> = layouts.into_iter().map(ring).collect();
    let interface = if input.arbitrary()? { Interface::Modern } else { Interface::Legacy };
    let queues: Vec<_> = rings.iter().map(|(base, layout, ..)| (ram.ring(*base), *layout)).collect();
    let small = queues.iter().any(|(_, layout)| layout.size() < 3);
    let blk = Blk::new(interface, shape, ram.ring(area), area, queues);
    assert_eq!(blk.is_err(), small);
    let pending = Pending::new(300).expect("there is memory");
    Ok(blk.ok().map(|blk| World { ram, bus, area, rings, blk, pending, fault: None, now: 0 }))
}

impl World {
    fn submit(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let operation = *input.choose(&Operation::ALL)?;
        let (first, sectors) = (input.arbitrary::<u32>()?.into(), input.arbitrary::<u8>()?.into());
        let durable = input.arbitrary()?;
        let request = Request { id: 0, operation, durable, buffer: 0, offset: 0, first, sectors };
        if self.blk.geometry().check(&request, u64::MAX).is_err() || self.pending.room() == 0 {
            return Ok(());
        }
        let tag = self.pending.insert(request).expect("there is room");
        match self.blk.submit(tag, &request, DATA, self.now) {
            Ok(()) => assert!(self.fault.is_none()),
            Err(refusal) => {
                assert!(refusal == Refusal::Busy || operation == Operation::Flush);
                self.pending.remove(tag);
            }
        }
        Ok(())
    }

    fn publish(&mut self) {
        let news = self.blk.publish();
        assert!(self.fault.is_none() || news == 0);
        for (n, (_, _, ring, given)) in self.rings.iter_mut().enumerate() {
            let before = given.len();
            while let Some(chain) = ring.pop(&self.bus).expect("a driver writes chains that are some") {
                for piece in &chain.pieces {
                    let ours = self.area..self.area + u64::from(AREA_BYTES);
                    assert!(
                        ours.contains(&piece.address) || (DATA..DATA + (1 << 20)).contains(&piece.address)
                    );
                }
                given.push(chain);
            }
            assert_eq!(given.len() > before, news >> n & 1 != 0);
        }
    }

    /// Mostly as a device does.
    fn answer(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let queue = input.choose_index(self.rings.len())?;
        let (_, _, ring, given) = &mut self.rings[queue];
        if given.is_empty() {
            return Ok(());
        }
        let chain = given.swap_remove(input.choose_index(given.len())?);
        let status: u8 = if input.ratio(1, 8)? { input.arbitrary()? } else { input.int_in_range(0..=2)? };
        let place = chain.pieces.last().expect("it has some").address;
        assert!(self.ram.write(place, &[status]));
        let length = if input.ratio(1, 16)? { input.arbitrary()? } else { chain.writable() };
        let id = if input.ratio(1, 32)? { input.arbitrary()? } else { chain.head.into() };
        ring.push(&self.bus, id, length);
        Ok(())
    }

    /// Anything, where the device may write.
    fn meddle(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let (base, layout, ..) = &self.rings[input.choose_index(self.rings.len())?];
        let (begin, length) = match input.arbitrary()? {
            true => (base + u64::from(layout.used()), layout.bytes() - layout.used()),
            false => (self.area, AREA_BYTES),
        };
        let at = begin + u64::from(input.arbitrary::<u16>()?) % u64::from(length);
        assert!(self.ram.write(at, &[input.arbitrary()?]));
        Ok(())
    }

    fn take(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let known = match input.int_in_range(0..=4)? {
            0 => self.blk.may_sleep().map(|_| ()),
            // At work it says 15; what else it says is its fault.
            1 => self.blk.on_timeout(if input.ratio(1, 8)? { input.arbitrary()? } else { 15 }, self.now),
            2 => {
                let _ = self.blk.ask_id(self.now);
                Ok(())
            }
            _ => self.take_all(),
        };
        if let Err(fault) = known {
            assert_eq!(*self.fault.get_or_insert(fault), fault, "it stays");
        }
        Ok(())
    }

    fn take_all(&mut self) -> std::result::Result<(), DeviceFault> {
        while let Some(done) = self.blk.take(self.now)? {
            assert!(self.fault.is_none());
            let request = self.pending.remove(done.tag).expect("it was in flight");
            let failed = done.detail & 0xff != 0;
            assert_eq!(failed, done.status != Status::Done, "{request:?}");
        }
        Ok(())
    }
}
