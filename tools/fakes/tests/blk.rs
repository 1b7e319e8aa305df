//! The block driver's core over whole devices: good ones do what they are asked, and of faulty ones it is told what is wrong, in bounded
//! time; nothing that was acknowledged is lost, and what was not is asked again after the reset.

mod disk;

use capos_block::{Operation, Status};
use capos_virtio::blk::{CHAINS, LOOK_NS, QUEUES, Refusal, TIMEOUT_NS};
use capos_virtio::{DeviceFault, Interface};
use disk::{BOTH, Bench, UNIT};
use fakes::virtio::disk::{DiskFault, features};
use fakes::virtio::{Device, Disk, Mischief, RegisterFault, RingFault};

use Operation::{Discard, Flush, Read, Write, Zero};

fn good(interface: Interface) -> Bench {
    let mut bench = Bench::new(interface, Disk::new(64), Mischief::none());
    bench.reset().unwrap();
    bench
}

#[test]
fn what_is_written_is_on_the_disk_and_is_read_again() {
    for interface in BOTH {
        let mut bench = good(interface);
        let data: Vec<u8> = (0..3 * UNIT).map(|n| n as u8 ^ 0x5a).collect();
        bench.fill(0, &data);
        assert_eq!(bench.one(Write, 7, 3, false), (Status::Done, 1 << 8));
        assert_eq!(bench.device.class.bytes[7 * UNIT..10 * UNIT], data);
        assert_eq!(bench.one(Read, 8, 1, false), (Status::Done, 0));
        assert_eq!(bench.buffer(1, UNIT), data[UNIT..2 * UNIT]);
        bench.is_clean();
    }
}

#[test]
fn what_is_durable_stays_when_the_power_goes() {
    let mut bench = good(Interface::Modern);
    bench.fill(0, &[1; UNIT]);
    bench.one(Write, 1, 1, true);
    bench.fill(1, &[2; UNIT]);
    bench.one(Write, 2, 1, false);
    bench.device.class.cut();
    let first = |bench: &Bench, unit: usize| bench.device.class.bytes[unit * UNIT];
    assert_eq!((first(&bench, 1), first(&bench, 2)), (1, 0));
    bench.fill(2, &[3; UNIT]);
    bench.one(Write, 2, 1, false);
    assert_eq!(bench.one(Flush, 0, 0, false), (Status::Done, 4 << 8));
    bench.one(Zero, 1, 1, true);
    bench.device.class.cut();
    assert_eq!((first(&bench, 1), first(&bench, 2)), (0, 3));
    assert_eq!(bench.device.class.served, [1, 4, 1, 1, 4, 13, 4]);
    bench.is_clean();
}

#[test]
fn a_disk_without_a_cache_is_not_flushed() {
    let mut disk = Disk::new(64);
    disk.put(32, &[0]);
    let mut bench = Bench::new(Interface::Modern, disk, Mischief::none());
    bench.reset().unwrap();
    assert!(!bench.blk().geometry().cache);
    bench.fill(0, &[1; UNIT]);
    bench.one(Write, 1, 1, true);
    assert_eq!(bench.submit(Flush, 0, 0, false), Err(Refusal::Over(Status::Done)));
    bench.device.class.cut();
    assert_eq!((bench.device.class.bytes[UNIT], bench.device.class.served.as_slice()), (1, &[1][..]));
}

#[test]
fn ranges_are_asked_for_in_pieces_that_the_device_takes() {
    for (operation, with, kind) in [(Discard, 0xdd, 11), (Zero, 0, 13)] {
        for interface in BOTH {
            let mut bench = good(interface);
            bench.device.class.bytes.fill(9);
            assert_eq!(bench.one(operation, 3, 37, true), (Status::Done, 4 << 8));
            assert_eq!(bench.device.class.served, [kind, kind, kind, 4], "16, 16, 5, and the flush");
            let wanted = |unit: usize| if (3..40).contains(&unit) { with } else { 9 };
            assert!(bench.device.class.bytes.chunks(UNIT).zip(0..).all(|(it, n)| it == [wanted(n); UNIT]));
            bench.is_clean();
        }
    }
}

#[test]
fn sectors_are_as_large_as_the_disk_says() {
    let mut disk = Disk::new(64);
    disk.put(20, &4096u32.to_le_bytes());
    disk.put(36, &17u32.to_le_bytes());
    let mut bench = Bench::new(Interface::Modern, disk, Mischief::none());
    bench.reset().unwrap();
    assert_eq!((bench.blk().geometry().sectors, bench.blk().geometry().sector_shift), (8, 12));
    bench.fill(0, &[5; 8192]);
    bench.one(Write, 6, 2, false);
    assert!(bench.device.class.bytes[..6 * 4096].iter().all(|byte| *byte == 0));
    assert!(bench.device.class.bytes[6 * 4096..].iter().all(|byte| *byte == 5));
    bench.one(Discard, 1, 4, false);
    assert_eq!(bench.device.class.served, [1, 11, 11], "17 units are two sectors");
    bench.is_clean();
}

#[test]
fn a_disk_has_a_name() {
    for interface in BOTH {
        let mut bench = good(interface);
        assert_eq!(bench.blk().id(), None);
        bench.name().unwrap();
        assert_eq!(bench.blk().id(), Some(b"a disk in memory\0\0\0\0"));
        // One that knows no such request has none.
        bench.reset().unwrap();
        bench.device.class.faults = vec![(1, DiskFault::Status(2))];
        bench.name().unwrap();
        assert_eq!(bench.blk().id(), Some(&[0; 20]));
        bench.is_clean();
    }
}

#[test]
fn a_request_that_fails_is_told_with_what_the_device_said() {
    let cases = [
        (Read, 0, 1, Status::Media),
        (Write, 1, 1, Status::Media),
        (Flush, 4, 1, Status::Device),
        (Zero, 13, 1, Status::Device),
        (Read, 0, 2, Status::Unsupported),
        (Discard, 11, 2, Status::Unsupported),
    ];
    for (operation, kind, status, expected) in cases {
        let mut bench = good(Interface::Modern);
        bench.device.class.faults = vec![(0, DiskFault::Status(status))];
        let sectors = u32::from(operation != Flush);
        assert_eq!(bench.one(operation, 0, sectors, true), (expected, u32::from(status) | kind << 8));
        assert_eq!(bench.device.class.served.len(), 1, "nothing follows what failed");
        assert_eq!(bench.one(Read, 0, 1, false).0, Status::Done, "the device is fine");
    }
}

#[test]
fn all_queues_are_used_batch_by_batch_and_when_all_are_full_it_says_so() {
    for interface in BOTH {
        let mut disk = Disk::new(64);
        disk.features |= features::MQ;
        disk.queues = vec![256; QUEUES + 2];
        let mut bench = Bench::new(interface, disk, Mischief::none());
        bench.reset().unwrap();
        let batches: Vec<u32> = (0..5)
            .map(|_| {
                bench.submit(Read, 0, 1, false).unwrap();
                let news = bench.blk().publish();
                bench.tell(news);
                news
            })
            .collect();
        assert_eq!(batches, [1, 2, 4, 8, 1]);
        bench.settle();
        let all = QUEUES * CHAINS;
        (0..all).for_each(|_| assert_eq!(bench.submit(Read, 0, 1, false), Ok(())));
        assert_eq!(bench.submit(Read, 0, 1, false), Err(Refusal::Busy));
        bench.settle();
        assert_eq!(bench.over.len(), all + 5);
        bench.is_clean();
    }
}

#[test]
fn a_small_queue_has_few_requests_and_one_of_two_none() {
    for (size, requests) in [(4, 1), (8, 2), (128, 42)] {
        let mut disk = Disk::new(64);
        disk.queues = vec![size];
        let mut bench = Bench::new(Interface::Modern, disk, Mischief::none());
        bench.reset().unwrap();
        assert_eq!(usize::from(bench.blk().depth()), requests);
        (0..requests).for_each(|_| assert_eq!(bench.submit(Read, 0, 1, false), Ok(())));
        assert_eq!(bench.submit(Read, 0, 1, false), Err(Refusal::Busy), "{size}");
        bench.settle();
        assert_eq!(bench.over.len(), requests);
        bench.is_clean();
    }
    let mut disk = Disk::new(64);
    disk.queues = vec![2];
    let mut bench = Bench::new(Interface::Legacy, disk, Mischief::none());
    assert_eq!(bench.reset(), Err(DeviceFault::QueueSize(2)));
}

/// What the driver says when the second of three reads goes wrong, and that all three are done after a reset.
fn goes_wrong(interface: Interface, expected: DeviceFault, spoil: impl FnOnce(&mut Bench)) {
    let mut bench = good(interface);
    spoil(&mut bench);
    bench.device.class.bytes[..3 * UNIT].copy_from_slice(&[[1; UNIT], [2; UNIT], [3; UNIT]].concat());
    for unit in 0..3 {
        bench.submit(Read, unit, 1, false).unwrap();
    }
    let fault = (0..40).find_map(|_| bench.round().err());
    assert_eq!(fault, Some(expected), "{interface:?}");
    let now = bench.now;
    assert_eq!((bench.blk().take(now), bench.blk().may_sleep()), (Err(expected), Err(expected)));
    bench.now = u64::MAX;
    assert_eq!(bench.look(), Err(expected), "until it is reset");
    bench.now = now;
    assert_eq!(bench.submit(Read, 0, 1, false), Err(Refusal::Busy));
    bench.recover();
    bench.settle();
    let mut over = bench.over.clone();
    over.sort_unstable_by_key(|(id, ..)| *id);
    assert_eq!(over.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), [0, 1, 2], "each once");
    for n in 0..3 {
        assert_eq!(bench.buffer(n, UNIT), [n as u8 + 1; UNIT]);
    }
    bench.is_clean();
}

#[test]
fn what_no_device_does_is_a_fault_and_what_was_in_flight_is_asked_again() {
    for interface in BOTH {
        let cases = [
            (RingFault::Id(256), DeviceFault::UnknownId(256)),
            (RingFault::Id(64), DeviceFault::UnknownId(64)),
            (RingFault::Id(u32::MAX), DeviceFault::UnknownId(u32::MAX)),
            (RingFault::Id(0), DeviceFault::NotInFlight(0)),
            (RingFault::Id(63), DeviceFault::NotInFlight(63)),
            (RingFault::TooLong(1), DeviceFault::TooLong { id: 1, length: 514, writable: 513 }),
            (RingFault::TooLong(u32::MAX), DeviceFault::TooLong { id: 1, length: u32::MAX, writable: 513 }),
            (RingFault::Twice, DeviceFault::Index(4)),
            (RingFault::Jump(900), DeviceFault::Index(902)),
            (RingFault::Never, DeviceFault::Silent),
        ];
        for (fault, expected) in cases {
            goes_wrong(interface, expected, |bench| bench.device.mischief = Mischief::ring(&[(1, fault)]));
        }
        for (fault, expected) in [
            (DiskFault::Says(3), DeviceFault::Answer(3)),
            (DiskFault::Status(0xfe), DeviceFault::Answer(0xfe)),
            (DiskFault::Speechless, DeviceFault::Answer(0xff)),
        ] {
            goes_wrong(interface, expected, |bench| bench.device.class.faults = vec![(1, fault)]);
        }
    }
    let short = DeviceFault::Short { id: 1, length: 511 };
    let spoil = |bench: &mut Bench| bench.device.class.faults = vec![(1, DiskFault::Length(511))];
    goes_wrong(Interface::Modern, short, spoil);
}

#[test]
fn lengths_that_devices_are_known_to_tell_are_right() {
    // Legacy ones tell anything (2.7.8.2), and some modern ones do not count the status.
    for (interface, length) in [(Interface::Legacy, 0), (Interface::Modern, 512)] {
        let mut bench = good(interface);
        bench.device.class.faults = vec![(0, DiskFault::Length(length))];
        assert_eq!(bench.one(Read, 0, 1, false).0, Status::Done);
    }
}

#[test]
fn a_request_that_never_comes_is_late_though_others_come() {
    let mut bench = Bench::new(Interface::Modern, Disk::new(64), Mischief::ring(&[(0, RingFault::Never)]));
    bench.reset().unwrap();
    assert_eq!(bench.blk().deadline(), None);
    bench.submit(Read, 0, 1, false).unwrap();
    let begin = bench.now;
    bench.turn();
    for n in 1..=4 {
        bench.now = begin + n * TIMEOUT_NS / 4 - 1;
        bench.submit(Read, 0, 1, false).unwrap();
        bench.turn();
        assert_eq!(bench.over.len(), n as usize);
        assert_eq!(bench.look(), Ok(()));
        assert_eq!(bench.blk().deadline(), Some(bench.now + LOOK_NS));
    }
    bench.now = begin + TIMEOUT_NS;
    assert_eq!(bench.look(), Err(DeviceFault::Silent));
}

#[test]
fn who_has_waited_is_the_one_that_is_late() {
    let mut bench = good(Interface::Modern);
    bench.device.mischief = Mischief::ring(&[(1, RingFault::Never)]);
    bench.submit(Read, 0, 1, false).unwrap();
    let begin = bench.now;
    bench.now += 5;
    bench.submit(Read, 0, 1, false).unwrap();
    bench.turn();
    assert_eq!(bench.over.len(), 1);
    bench.now = begin + TIMEOUT_NS;
    assert_eq!(bench.look(), Ok(()));
    bench.now += 5;
    assert_eq!(bench.look(), Err(DeviceFault::Silent));
}

#[test]
fn the_oldest_that_waits_is_late_first() {
    let mut bench = good(Interface::Modern);
    bench.device.mischief = Mischief::ring(&[(0, RingFault::Never), (1, RingFault::Never)]);
    let begin = bench.now;
    for _ in 0..2 {
        bench.submit(Read, 0, 1, false).unwrap();
        bench.turn();
        bench.now += 5;
    }
    bench.now = begin + TIMEOUT_NS;
    assert_eq!(bench.look(), Err(DeviceFault::Silent));
}

#[test]
fn a_device_in_trouble_is_heard_when_it_is_looked_at() {
    for (interface, spoil, expected) in [
        (Interface::Modern, Device::ask_for_reset as fn(&mut Device<Disk>), DeviceFault::NeedsReset),
        (Interface::Modern, Device::reset, DeviceFault::Status(0)),
        (Interface::Legacy, Device::reset, DeviceFault::Status(0)),
        (Interface::Modern, gone, DeviceFault::Gone),
    ] {
        let mut bench = good(interface);
        bench.submit(Read, 0, 1, false).unwrap();
        let begin = bench.now;
        spoil(&mut bench.device);
        let news = bench.blk().publish();
        assert_eq!((news, bench.blk().may_sleep()), (1, Ok(true)), "nothing tells of it");
        bench.now = bench.blk().deadline().unwrap();
        assert_eq!(bench.look(), Err(expected));
        assert!(bench.now < begin + TIMEOUT_NS / 10);
        assert_eq!(bench.blk().take(0), Err(expected));
    }
}

fn gone(device: &mut Device<Disk>) {
    device.mischief = Mischief::register(RegisterFault::Gone);
}

#[test]
fn a_lost_interrupt_is_not_a_late_device() {
    let mut bench = good(Interface::Modern);
    bench.device.mischief = Mischief::ring(&[(0, RingFault::Mute)]);
    bench.submit(Read, 0, 1, false).unwrap();
    let news = bench.blk().publish();
    bench.tell(news);
    bench.device.turn();
    assert!(bench.device.interrupts().is_empty());
    bench.now = u64::MAX;
    assert_eq!(bench.look(), Ok(()));
    assert!(bench.blk().take(0).unwrap().is_some());
}

#[test]
fn what_a_request_still_needs_is_to_be_published_before_sleeping() {
    let mut bench = good(Interface::Modern);
    bench.submit(Write, 0, 1, true).unwrap();
    bench.turn();
    assert_eq!((bench.over.len(), bench.blk().may_sleep()), (0, Ok(false)), "the flush");
    let news = bench.blk().publish();
    assert_eq!((news, bench.blk().may_sleep()), (1, Ok(true)));
    // A device can not have done what it was not shown yet.
    let mut bench = good(Interface::Modern);
    bench.submit(Write, 0, 1, true).unwrap();
    bench.device.mischief = Mischief::ring(&[(0, RingFault::Twice)]);
    let news = bench.blk().publish();
    bench.tell(news);
    bench.device.turn();
    assert_eq!(bench.blk().take(0), Err(DeviceFault::Index(2)));
}

#[test]
fn whatever_goes_wrong_everything_is_done_once_and_nothing_is_lost() {
    let (mut resets, mut failed) = (0, 0);
    for (seed, rarity) in (0..60).flat_map(|seed| [(seed, 20), (seed, 200), (seed, 1000)]) {
        for (interface, queues) in BOTH.into_iter().flat_map(|it| [(it, 1), (it, 3)]) {
            let mut disk = Disk::new(64);
            disk.features |= features::MQ;
            disk.queues = vec![16; queues];
            let mut bench = Bench::new(interface, disk, Mischief::seeded(seed, rarity));
            bench.device.class.random = Some((capos_mutate::Rng::new(seed ^ 77), rarity));
            failed += bench.work(seed, 150);
            resets += bench.device.resets;
        }
    }
    assert!(resets > 5000, "{resets} resets, {failed} requests that failed");
}
