//! The queue's core against a device that reads memory as devices do: everything arrives, in both interfaces, with both ways of waking up.

use capos_mutate::Rng;
use capos_virtio::register::features;
use capos_virtio::split::{AddError, Piece, Queue};
use capos_virtio::{DeviceFault, Interface, Transport, Wish};
use fakes::bus::RingMemory;
use fakes::drive::{Attached, settle};
use fakes::virtio::{Device, Echo, RingFault, Violation};
use fakes::{Bus, Ram};

const BUFFER: u32 = 64;

struct Bench {
    ram: Ram,
    device: Device<Echo>,
    ring: Attached,
    queue: Queue<RingMemory, 16>,
    rng: Rng,
    /// Chains in flight: id, what was sent, where the answer goes.
    sent: Vec<(u16, Vec<u8>, Vec<Piece>)>,
}

impl Bench {
    fn new(interface: Interface, features: u64, seed: u64) -> Bench {
        let ram = Ram::new(1 << 22);
        let wish = Wish { features, queues: &[8], needed: 1, vectors: 1, config: [] };
        let mut device = Device::new(interface, Echo::new(&[8]), Bus::direct(&ram));
        device.vectors = 1;
        let mut transport = Transport::new(interface, wish);
        let ring = settle(&mut transport, &mut device, &ram, &mut 0).unwrap().remove(0);
        let event_index = transport.features() & features::EVENT_IDX != 0;
        assert_eq!(event_index, features != 0);
        let queue = Queue::new(ring.memory.clone(), ring.layout, event_index);
        Bench { ram, device, ring, queue, rng: Rng::new(seed), sent: Vec::new() }
    }

    fn piece(&mut self, writable: bool) -> Piece {
        let length = 1 + self.rng.below(BUFFER);
        // Never given back: each piece of a short run has its own.
        let token = self.ram.allocate(BUFFER).expect("runs are short");
        Piece { token, length, writable }
    }

    fn add(&mut self) -> bool {
        let (reads, writes) = (self.rng.below(3), 1 + self.rng.below(3));
        let pieces: Vec<Piece> = (0..reads + writes).map(|n| self.piece(n >= reads)).collect();
        let (inputs, outputs) = pieces.split_at(reads as usize);
        let mut text = Vec::new();
        for piece in inputs {
            let bytes: Vec<u8> = (0..piece.length).map(|_| self.rng.draw() as u8).collect();
            assert!(self.ram.write(piece.token, &bytes));
            text.extend(bytes);
        }
        match self.queue.add(&pieces) {
            Ok(id) => self.sent.push((id, text, outputs.to_vec())),
            Err(error) => assert_eq!((error, self.queue.room() < pieces.len()), (AddError::Full, true)),
        }
        self.sent.last().is_some_and(|(_, _, last)| last == outputs)
    }

    /// Takes what there is, and compares it with what was sent.
    fn drain(&mut self) -> Result<usize, DeviceFault> {
        let mut taken = 0;
        while let Some(used) = self.queue.take_used()? {
            let at = self.sent.iter().position(|(id, ..)| *id == used.id).expect("one that was sent");
            let (_, text, outputs) = self.sent.remove(at);
            let room: u32 = outputs.iter().map(|piece| piece.length).sum();
            assert_eq!(used.length, room.min(text.len() as u32));
            let parts =
                outputs.iter().map(|piece| self.ram.read(piece.token, piece.length as usize).unwrap());
            let answer = parts.collect::<Vec<_>>().concat();
            assert_eq!(answer[..used.length as usize], text[..used.length as usize]);
            taken += 1;
        }
        Ok(taken)
    }

    fn kick(&mut self) {
        if self.queue.kick() {
            self.device.notify(0);
        }
    }
}

fn benches(seed: u64) -> impl Iterator<Item = Bench> {
    let both = [Interface::Modern, Interface::Legacy];
    both.into_iter()
        .flat_map(move |it| [0, features::EVENT_IDX].map(|features| Bench::new(it, features, seed)))
}

#[test]
fn everything_that_is_sent_comes_back_and_every_sleep_ends_with_an_interrupt() {
    for mut bench in (0..25).flat_map(benches) {
        for _ in 0..40 {
            for _ in 0..bench.rng.below(4) {
                bench.add();
            }
            bench.kick();
            let sleeps = bench.queue.may_sleep().unwrap();
            let waits = bench.queue.in_flight() > 0;
            bench.device.turn();
            assert_eq!(bench.device.interrupts().len(), usize::from(sleeps && waits));
            assert_eq!(bench.drain().unwrap() > 0, waits);
            assert_eq!((bench.queue.in_flight(), bench.queue.room()), (0, 8));
        }
        assert_eq!(bench.device.violations, []);
    }
}

#[test]
fn completions_in_another_order_and_late_ones_are_no_faults() {
    for fault in [RingFault::Reordered, RingFault::Late(3)] {
        for mut bench in (0..10).flat_map(benches) {
            bench.device.mischief.ring = (0..40).map(|n| (n * 2, fault)).collect();
            for _ in 0..40 {
                bench.add();
                bench.add();
                bench.kick();
                bench.device.turn();
                bench.drain().unwrap();
            }
            (0..5).for_each(|_| bench.device.turn());
            bench.drain().unwrap();
            assert_eq!(bench.device.violations, []);
            assert_eq!((bench.sent.len(), bench.queue.room()), (0, 8), "{fault:?}");
        }
    }
}

#[test]
fn the_device_touches_nothing_but_its_ring_and_what_it_was_given() {
    for mut bench in benches(1) {
        for _ in 0..20 {
            bench.add();
            bench.kick();
            bench.device.bus.touches();
            let sent = bench.sent.clone();
            bench.device.turn();
            let outputs: Vec<Piece> = sent.into_iter().flat_map(|(_, _, outputs)| outputs).collect();
            let (used, end) = (bench.ring.layout.used(), bench.ring.layout.bytes());
            let ring = (bench.ring.base + u64::from(used), u64::from(end - used));
            let outputs = outputs.iter().map(|piece| (piece.token, u64::from(piece.length)));
            let allowed: Vec<(u64, u64)> = outputs.chain([ring]).collect();
            for touch in bench.device.bus.touches().into_iter().filter(|touch| touch.write) {
                let end = touch.address + touch.length;
                let inside = |(at, length): &(u64, u64)| touch.address >= *at && end <= at + length;
                assert!(touch.done && allowed.iter().any(inside), "{touch:?}");
            }
            bench.drain().unwrap();
        }
    }
}

#[test]
fn a_chain_whose_buffers_lead_nowhere_is_refused_by_memory_and_not_by_the_device() {
    for mut bench in benches(2) {
        let input = bench.piece(false);
        bench.queue.add(&[input, Piece { token: 1 << 40, length: 8, writable: true }]).unwrap();
        bench.kick();
        bench.device.turn();
        assert!(bench.device.bus.touches().iter().any(|touch| touch.address == 1 << 40 && !touch.done));
        assert_eq!(bench.queue.take_used().map(|used| used.map(|it| it.length)), Ok(Some(0)));
    }
}

#[test]
fn a_driver_that_does_wrong_is_told_by_its_model() {
    let mut bench = benches(3).next().unwrap();
    bench.device.notify(1);
    bench.device.turn();
    assert_eq!(bench.device.violations, [Violation::Notify(1)]);
}
