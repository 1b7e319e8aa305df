//! The entropy driver's core: it delivers from a good device, and of a faulty one it says what is wrong, in bounded time, and goes on after a
//! reset.

use capos_virtio::rng::{Filled, Rng, TIMEOUT_NS, wish};
use capos_virtio::{DeviceFault, Interface, Transport};
use fakes::bus::RingMemory;
use fakes::drive::settle;
use fakes::virtio::{Device, Entropy, Mischief, RingFault};
use fakes::{Bus, Ram};

const BUFFERS: usize = 4;
const LENGTH: u32 = 64;

struct Bench {
    ram: Ram,
    now: u64,
    device: Device<Entropy>,
    transport: Transport<0>,
    rng: Rng<RingMemory, BUFFERS>,
    tokens: [u64; BUFFERS],
    /// Buffers that the core said are the driver's, filled.
    filled: Vec<usize>,
    /// Bytes that were read.
    stock: Vec<u8>,
}

impl Bench {
    fn new(interface: Interface, mischief: Mischief) -> Bench {
        let ram = Ram::new(1 << 20);
        let tokens = [(); BUFFERS].map(|()| ram.allocate(LENGTH).unwrap());
        let mut device = Device::new(interface, Entropy::new(7), Bus::direct(&ram));
        (device.vectors, device.mischief) = (1, mischief);
        let transport = Transport::new(interface, wish(1));
        let rng = Rng::new(tokens, LENGTH);
        Bench { ram, now: 1, device, transport, rng, tokens, filled: Vec::new(), stock: Vec::new() }
    }

    /// The driver's start, and its way out of a fault.
    fn reset(&mut self) -> Result<(), DeviceFault> {
        self.transport.reset();
        let queues = settle(&mut self.transport, &mut self.device, &self.ram, &mut self.now)?;
        self.rng.on_reset(queues[0].memory.clone(), queues[0].layout);
        Ok(())
    }

    fn take(&mut self, Filled { buffer, length }: Filled) {
        assert!(buffer < BUFFERS && !self.filled.contains(&buffer), "filled and not released");
        assert!((1..=LENGTH).contains(&length));
        self.stock.extend(self.ram.read(self.tokens[buffer], length as usize).unwrap());
        self.filled.push(buffer);
    }

    /// One wait of the driver's: gives what it has, waits for an interrupt or the deadline, and takes what came.
    fn round(&mut self) -> Result<(), DeviceFault> {
        if self.rng.submit(self.now) {
            self.device.notify(0);
        }
        self.device.turn();
        let interrupted = !self.device.interrupts().is_empty();
        if !interrupted && self.rng.may_sleep()? {
            if let Some(deadline) = self.rng.deadline() {
                self.now = deadline;
            }
            self.rng.on_timeout(self.now)?;
        }
        for _ in 0..=BUFFERS {
            match self.rng.on_completion(self.now)? {
                Some(filled) => self.take(filled),
                None => return Ok(()),
            }
        }
        panic!("more buffers than there are");
    }

    fn release_all(&mut self) {
        self.filled.drain(..).for_each(|buffer| self.rng.release(buffer));
    }
}

const BOTH: [Interface; 2] = [Interface::Modern, Interface::Legacy];

#[test]
fn a_good_device_fills_buffers_as_they_are_released() {
    for interface in BOTH {
        let mut bench = Bench::new(interface, Mischief::none());
        bench.reset().unwrap();
        for round in 1..=300u64 {
            bench.round().unwrap();
            assert_eq!(bench.filled.len(), BUFFERS);
            assert_eq!(
                (bench.rng.deadline(), bench.rng.submit(bench.now)),
                (None, false),
                "it has nothing to do"
            );
            let counters = bench.rng.counters();
            assert_eq!((counters.filled, counters.bytes), (round * 4, round * 4 * 64));
            bench.release_all();
        }
        let mut twin = Entropy::new(7);
        assert_eq!(
            bench.stock,
            twin.bytes(300 * 4 * 64),
            "what was delivered is what the device made, in order"
        );
        assert_eq!(bench.device.violations, []);
    }
}

#[test]
fn a_device_that_gives_less_than_there_is_room_for_is_fine() {
    let mut bench = Bench::new(Interface::Modern, Mischief::none());
    bench.device.class.most = 5;
    bench.reset().unwrap();
    bench.round().unwrap();
    assert_eq!((bench.stock.len(), bench.rng.counters().bytes), (20, 20));
}

#[test]
fn without_a_queue_nothing_happens() {
    let mut bench = Bench::new(Interface::Modern, Mischief::none());
    assert!(!bench.rng.submit(0));
    assert_eq!((bench.rng.on_completion(0), bench.rng.deadline()), (Ok(None), None));
    assert_eq!((bench.rng.may_sleep(), bench.rng.on_timeout(u64::MAX)), (Ok(true), Ok(())));
}

#[test]
fn each_fault_is_told_once_counted_once_and_ended_by_a_reset() {
    let cases = [
        (RingFault::Id(4), DeviceFault::UnknownId(4)),
        (RingFault::Id(u32::MAX), DeviceFault::UnknownId(u32::MAX)),
        (RingFault::Id(0), DeviceFault::NotInFlight(0)),
        (RingFault::TooLong(1), DeviceFault::TooLong { id: 1, length: 65, writable: 64 }),
        (RingFault::TooLong(u32::MAX), DeviceFault::TooLong { id: 1, length: u32::MAX, writable: 64 }),
        (RingFault::Empty, DeviceFault::Empty),
        (RingFault::Jump(900), DeviceFault::Index(903)),
        (RingFault::Jump(0xfff0), DeviceFault::Index(0xfff3)),
        (RingFault::Never, DeviceFault::Silent),
        // The second time that the chain is given back one more has been used than the driver gave.
        (RingFault::Twice, DeviceFault::Index(5)),
    ];
    for (interface, (fault, expected)) in BOTH.into_iter().flat_map(|it| cases.map(|case| (it, case))) {
        // The second of the first four: buffers are used in order, so it is chain 1.
        let mut bench = Bench::new(interface, Mischief::ring(&[(1, fault)]));
        bench.reset().unwrap();
        let found = (0..3).find_map(|_| bench.round().err());
        assert_eq!(found, Some(expected), "{interface:?} {fault:?}");
        assert_eq!(bench.rng.counters().faults, 1);
        // It stays closed, whatever it does now.
        let filled = bench.filled.len();
        bench.filled.iter().for_each(|buffer| bench.rng.release(*buffer));
        assert!(!bench.rng.submit(bench.now), "{fault:?}");
        bench.device.turn();
        assert_eq!(bench.rng.on_completion(bench.now), Err(expected));
        assert_eq!((bench.rng.may_sleep(), bench.rng.on_timeout(bench.now)), (Err(expected), Err(expected)));
        assert_eq!((bench.rng.counters().faults, bench.filled.len()), (1, filled));
        bench.reset().unwrap();
        bench.filled.clear();
        bench.round().unwrap();
        assert_eq!((bench.filled.len(), bench.rng.counters().resets), (BUFFERS, 2), "{fault:?}");
        assert_eq!(bench.device.violations, []);
    }
}

#[test]
fn a_reset_takes_back_what_the_device_had_and_not_what_is_being_read() {
    let mut bench =
        Bench::new(Interface::Modern, Mischief::ring(&[(0, RingFault::Never), (1, RingFault::Never)]));
    bench.reset().unwrap();
    bench.round().unwrap();
    assert_eq!(bench.filled, [2, 3]);
    assert_eq!(bench.round(), Err(DeviceFault::Silent));
    bench.reset().unwrap();
    bench.round().unwrap();
    assert_eq!(bench.filled, [2, 3, 0, 1]);
}

#[test]
fn late_is_no_fault_and_silence_is_one_after_its_time() {
    let mut bench = Bench::new(Interface::Modern, Mischief::ring(&[(0, RingFault::Late(0))]));
    bench.reset().unwrap();
    bench.round().unwrap();
    let deadline = bench.rng.deadline().unwrap();
    assert_eq!(deadline, bench.now + TIMEOUT_NS);
    assert_eq!(bench.rng.on_timeout(deadline - 1), Ok(()));
    bench.release_all();
    assert!(bench.rng.submit(deadline - 1));
    assert_eq!(bench.rng.deadline(), Some(deadline), "giving it more to do gives it no more time");
    bench.device.turn();
    assert!(matches!(bench.rng.on_completion(bench.now), Ok(Some(Filled { buffer: 0, .. }))));
    assert_eq!(bench.rng.deadline(), Some(bench.now + TIMEOUT_NS), "it did something");
}

#[test]
fn a_slow_device_is_not_silent_as_long_as_it_does_something() {
    let script = [0, 1, 2, 3].map(|n| (n, RingFault::Late(n)));
    let mut bench = Bench::new(Interface::Modern, Mischief::ring(&script));
    bench.reset().unwrap();
    assert!(bench.rng.submit(bench.now));
    bench.device.notify(0);
    bench.device.turn();
    for n in 0..4 {
        bench.now += TIMEOUT_NS - 1;
        assert_eq!(bench.rng.on_timeout(bench.now), Ok(()), "{n}");
        bench.device.turn();
        assert!(matches!(bench.rng.on_completion(bench.now), Ok(Some(_))), "{n}");
    }
}

#[test]
fn a_device_that_does_not_interrupt_is_found_by_looking() {
    let mut bench =
        Bench::new(Interface::Legacy, Mischief::ring(&[0, 1, 2, 3].map(|n| (n, RingFault::Mute))));
    bench.reset().unwrap();
    bench.round().unwrap();
    assert_eq!(bench.filled.len(), BUFFERS);
}

#[test]
fn whatever_goes_wrong_every_round_ends_and_a_reset_makes_it_right_again() {
    let (mut delivered, mut faults) = (0, 0);
    for (seed, rarity) in (0..400).flat_map(|seed| [(seed, 2), (seed, 20)]) {
        for interface in BOTH {
            let mut bench = Bench::new(interface, Mischief::seeded(seed, rarity));
            let mut up = bench.reset().is_ok();
            for _ in 0..40 {
                if up {
                    up = bench.round().is_ok();
                    bench.release_all();
                } else {
                    faults += 1;
                    up = bench.reset().is_ok();
                }
            }
            delivered += bench.rng.counters().filled;
            bench.device.mischief = Mischief::none();
            bench.reset().unwrap();
            bench.round().unwrap();
            assert_eq!(bench.filled.len(), BUFFERS, "{interface:?} {seed}");
        }
    }
    assert!(delivered > 10_000 && faults > 1000, "{delivered} buffers, {faults} faults");
}
