//! The transport's core against models of both interfaces, good and faulty.

use capos_virtio::register::{Field, Width, features, legacy, modern};
use capos_virtio::{DeviceFault, Interface, Layout, Step, Transport, Wish};
use fakes::drive::{Attached, settle};
use fakes::virtio::{Device, Echo, Mischief, RegisterFault};
use fakes::{Bus, Ram};

const BOTH: [Interface; 2] = [Interface::Modern, Interface::Legacy];
const CONFIG: [Field; 3] = [
    Field { offset: 0, width: Width::Bits32, needs: 0 },
    Field { offset: 4, width: Width::Bits16, needs: 0 },
    Field { offset: 15, width: Width::Bits8, needs: 0 },
];

struct Bench {
    ram: Ram,
    now: u64,
    device: Device<Echo>,
    transport: Transport<3>,
}

impl Bench {
    fn new(interface: Interface, vectors: u16) -> Bench {
        let ram = Ram::new(1 << 20);
        let wish =
            Wish { features: features::EVENT_IDX, queues: &[64, 4], needed: 2, vectors, config: CONFIG };
        let mut device = Device::new(interface, Echo::new(&[16, 16, 16]), Bus::direct(&ram));
        device.vectors = vectors;
        Bench { ram, now: 0, device, transport: Transport::new(interface, wish) }
    }

    fn faulty(interface: Interface, fault: RegisterFault) -> Bench {
        let mut bench = Bench::new(interface, 2);
        bench.device.mischief = Mischief::register(fault);
        bench
    }

    fn settle(&mut self) -> Result<Vec<Attached>, DeviceFault> {
        settle(&mut self.transport, &mut self.device, &self.ram, &mut self.now)
    }

    fn status(&mut self) -> u8 {
        self.device.mischief = Mischief::none();
        let register =
            if self.device.interface() == Interface::Modern { modern::STATUS } else { legacy::STATUS };
        self.device.read(register) as u8
    }
}

#[test]
fn good_devices_work_and_find_nothing_wrong_with_the_driver() {
    for (interface, vectors) in BOTH.into_iter().flat_map(|it| (0..4).map(move |vectors| (it, vectors))) {
        let mut bench = Bench::new(interface, vectors);
        let queues = bench.settle().unwrap();
        assert_eq!(bench.device.violations, [], "{interface:?} {vectors}");
        assert!(bench.device.works());
        // A modern driver may make a queue smaller, a legacy one may not.
        let sizes: Vec<u16> = queues.iter().map(|queue| queue.layout.size()).collect();
        assert_eq!(sizes, if interface == Interface::Modern { [16, 4] } else { [16, 16] });
        assert_eq!(bench.transport.config(), &[0x0707_0707, 0x0707, 7]);
        assert_eq!(bench.transport.step(0), Step::Ready);
    }
}

#[test]
fn features_are_those_of_use_that_are_offered() {
    let mut bench = Bench::new(Interface::Modern, 1);
    bench.settle().unwrap();
    let wanted = features::EVENT_IDX | features::VERSION_1 | features::ACCESS_PLATFORM;
    assert_eq!((bench.device.accepted(), bench.transport.features()), (wanted, wanted));
    let mut bench = Bench::new(Interface::Legacy, 1);
    bench.settle().unwrap();
    assert_eq!(
        (bench.device.accepted(), bench.transport.features()),
        (features::EVENT_IDX, features::EVENT_IDX)
    );
}

#[test]
fn queues_say_where_they_are_notified() {
    let mut bench = Bench::new(Interface::Modern, 0);
    let offsets: Vec<u16> = bench.settle().unwrap().iter().map(|queue| queue.notify_offset).collect();
    assert_eq!(offsets, [0, 1]);
}

#[test]
fn vectors_are_one_for_each_queue_and_one_for_changes_as_far_as_they_reach() {
    for interface in BOTH {
        for (vectors, [queue, config]) in [(1, [0, 0]), (2, [1, 1]), (3, [1, 2]), (4, [1, 3])] {
            let mut bench = Bench::new(interface, vectors);
            let queues = bench.settle().unwrap();
            let memory = queues[1].memory.clone();
            let mut queue_1 = capos_virtio::split::Queue::<_, 4>::new(memory, queues[1].layout, true);
            let piece = capos_virtio::split::Piece { token: 0x1000, length: 8, writable: true };
            queue_1.add(&[piece]).unwrap();
            assert!(queue_1.kick());
            bench.device.notify(1);
            bench.device.turn();
            assert_eq!(bench.device.interrupts(), [queue], "{interface:?} {vectors}");
            bench.device.reconfigure(|_| ());
            assert_eq!(bench.device.interrupts(), [config], "{interface:?} {vectors}");
        }
    }
}

#[test]
fn faults_of_registers_are_told_apart() {
    use RegisterFault::*;
    let both = [
        (Gone, DeviceFault::Gone),
        (ResetTakes(u32::MAX), DeviceFault::ResetStuck),
        (NoQueue, DeviceFault::NoQueue(0)),
        (QueueSize(24), DeviceFault::QueueSize(24)),
        (QueueSize(0xffff), DeviceFault::QueueSize(0xffff)),
        (NoVector, DeviceFault::NoVector(1)),
        (ConfigFlaps, DeviceFault::ConfigUnstable),
        (StatusLost, DeviceFault::Status(0)),
        (NeedsReset, DeviceFault::NeedsReset),
    ];
    let modern =
        [(Ancient, DeviceFault::Lacks(features::VERSION_1)), (RefusesFeatures, DeviceFault::FeaturesRefused)];
    let cases = BOTH.into_iter().flat_map(|interface| both.map(|case| (interface, case)));
    for (interface, (fault, expected)) in cases.chain(modern.map(|case| (Interface::Modern, case))) {
        let mut bench = Bench::faulty(interface, fault);
        let found = bench.settle().map(|queues| queues.len());
        match (expected, found) {
            (DeviceFault::Status(_), Err(DeviceFault::Status(_))) => {}
            (expected, found) => assert_eq!(found, Err(expected), "{interface:?} {fault:?}"),
        }
        assert_eq!(bench.device.violations, [], "{interface:?} {fault:?}");
        let told = bench.status() & 128 != 0;
        assert_eq!(told, !matches!(expected, DeviceFault::Gone | DeviceFault::ResetStuck), "{fault:?}");
        assert!(!bench.device.works() || fault == NeedsReset || fault == StatusLost, "{fault:?}");
        // A reset of a device that is well again makes it work.
        bench.transport.reset();
        assert!(bench.settle().is_ok(), "{interface:?} {fault:?}");
    }
}

#[test]
fn a_reset_may_take_its_time_but_not_for_ever() {
    for interface in BOTH {
        let mut bench = Bench::faulty(interface, RegisterFault::ResetTakes(400));
        assert!(bench.settle().is_ok());
        assert_eq!(bench.now, 400_000_000);
        let mut bench = Bench::faulty(interface, RegisterFault::ResetTakes(u32::MAX));
        assert_eq!(bench.settle().map(|_| ()), Err(DeviceFault::ResetStuck));
        assert_eq!(bench.now, 1_000_000_000);
    }
}

#[test]
fn offers_that_change_end_in_what_was_seen_or_are_refused() {
    for interface in BOTH {
        let mut bench = Bench::faulty(interface, RegisterFault::OffersChange);
        if bench.settle().is_ok() {
            assert_eq!(bench.device.accepted(), bench.transport.features());
        }
    }
}

#[test]
fn a_device_that_asks_for_a_reset_gets_one() {
    for interface in BOTH {
        let mut bench = Bench::new(interface, 0);
        bench.settle().unwrap();
        bench.device.ask_for_reset();
        bench.transport.changed();
        assert_eq!(bench.settle().map(|_| ()), Err(DeviceFault::NeedsReset));
        bench.transport.changed();
        assert_eq!(bench.settle().map(|_| ()), Err(DeviceFault::NeedsReset));
        let resets = bench.device.resets;
        bench.transport.reset();
        assert_eq!(bench.settle().unwrap().len(), 2);
        assert_eq!((bench.device.resets, bench.device.violations.as_slice()), (resets + 1, &[][..]));
    }
}

#[test]
fn a_configuration_that_changes_meanwhile_is_read_whole() {
    for (interface, unrest) in BOTH.into_iter().flat_map(|it| (0..16).map(move |unrest| (it, unrest))) {
        let mut bench = Bench::new(interface, 1);
        bench.device.class.unrest = unrest;
        bench.settle().unwrap();
        let byte = 7 + unrest;
        assert_eq!(bench.transport.config(), &[byte * 0x0101_0101, byte * 0x0101, byte], "{interface:?}");
        bench.device.reconfigure(|echo| echo.config = [9; 16]);
        bench.transport.changed();
        assert_eq!(bench.settle().map(|queues| queues.len()), Ok(0));
        assert_eq!(bench.transport.config()[1], 0x0909, "{interface:?}");
        assert_eq!(bench.device.violations, []);
    }
}

#[test]
fn a_device_that_vanishes_is_gone() {
    for interface in BOTH {
        let mut bench = Bench::new(interface, 1);
        bench.settle().unwrap();
        bench.device.mischief = Mischief::register(RegisterFault::Gone);
        bench.transport.changed();
        assert_eq!(bench.settle().map(|_| ()), Err(DeviceFault::Gone));
        bench.transport.reset();
        assert_eq!(bench.settle().map(|_| ()), Err(DeviceFault::Gone));
    }
}

#[test]
fn whatever_registers_say_the_transport_rests_and_offers_only_rings_that_there_can_be() {
    for (seed, rarity) in (0..3000).flat_map(|seed| [(seed, 1), (seed, 4), (seed, 30)]) {
        for interface in BOTH {
            let mut bench = Bench::new(interface, 2);
            bench.device.mischief = Mischief::seeded(seed, rarity);
            let wished = features::EVENT_IDX | features::VERSION_1 | features::ACCESS_PLATFORM;
            for _ in 0..3 {
                if let Ok(queues) = bench.settle() {
                    assert!(queues.iter().all(|queue| Layout::new(queue.layout.size()).is_some()));
                    assert_eq!(bench.transport.features() & !wished, 0);
                }
                bench.transport.reset();
            }
        }
    }
}

#[test]
fn queues_that_are_not_needed_may_be_missing() {
    for interface in BOTH {
        let mut bench = Bench::new(interface, 2);
        bench.device.class.queues = vec![16];
        assert_eq!(bench.settle().map(|_| ()), Err(DeviceFault::NoQueue(1)), "{interface:?}");
        let wish = Wish { features: 0, queues: &[64, 4], needed: 1, vectors: 2, config: CONFIG };
        bench.transport = Transport::new(interface, wish);
        assert_eq!(bench.settle().unwrap().len(), 1, "{interface:?}");
        assert!(bench.device.works());
        assert_eq!(bench.device.violations, []);
    }
}

#[test]
fn a_field_is_read_only_with_the_features_that_it_needs() {
    const THERE: u64 = features::EVENT_IDX;
    const MISSING: u64 = 1 << 6;
    let field = |offset, needs| Field { offset, width: Width::Bits8, needs };
    let read = |interface, fields: [Field; 3]| {
        let mut bench = Bench::new(interface, 1);
        let wish = Wish { features: THERE | MISSING, queues: &[4], needed: 1, vectors: 1, config: fields };
        bench.transport = Transport::new(interface, wish);
        bench.settle().unwrap();
        // Offsets beyond its configuration it would note down.
        assert_eq!(bench.device.violations, [], "{interface:?} {fields:?}");
        *bench.transport.config()
    };
    for interface in BOTH {
        let all = [field(0, THERE), field(200, MISSING), field(1, 0)];
        assert_eq!(read(interface, all), [7, 0, 7]);
        assert_eq!(
            read(interface, [field(200, MISSING), field(2, THERE), field(200, MISSING | THERE)]),
            [0, 7, 0]
        );
        assert_eq!(read(interface, [field(200, MISSING); 3]), [0; 3]);
    }
}
