//! The network driver's core over whole devices: good ones send and receive what they are given, offloads and all, and of faulty ones it is told what is
//! wrong, in bounded time.

mod nic;

use capos_virtio::net::{
    Checksum, Command, Filter, LOOK_NS, Options, QUIET_NS, Refusal, Segment, TIMEOUT_NS, features,
};
use capos_virtio::{DeviceFault, Interface};
use fakes::virtio::net::{Frame, NetFault, Sent, checksum, features as offered};
use fakes::virtio::{Device, Mischief, Nic, RegisterFault, RingFault};
use nic::{BOTH, BUFFER, Bench, RECEIVES, frame};

const USUAL: Options = Options { direct: false, large: false, pairs: false };
const LARGE: Options = Options { large: true, ..USUAL };
const DIRECT: Options = Options { direct: true, ..USUAL };
const PAIRS: Options = Options { pairs: true, ..LARGE };

fn good(interface: Interface) -> Bench {
    Bench::good(interface, Nic::new(), USUAL)
}

/// Without these features.
fn without(features: u64) -> Nic {
    let mut nic = Nic::new();
    nic.features &= !features;
    nic
}

/// Each way in which headers lie, and how many buffers there can be.
fn framings() -> impl Iterator<Item = (Bench, usize)> {
    let legacy = Interface::Legacy;
    let forms = [
        (Interface::Modern, 0, 256),
        (Interface::Modern, features::MRG_RXBUF, 256),
        (legacy, 0, 256),
        (legacy, features::MRG_RXBUF, 256),
        (legacy, offered::ANY_LAYOUT, 128),
    ];
    forms.into_iter().map(|(interface, less, depth)| (Bench::good(interface, without(less), USUAL), depth))
}

#[test]
fn frames_come_and_go_however_headers_lie() {
    for (mut bench, depth) in framings() {
        assert_eq!(bench.arm(RECEIVES), depth);
        for n in 0..3 * RECEIVES {
            let bytes = frame(n as u8, 14 + usize::from(n) % 1501);
            assert_eq!(bench.one(&bytes).parts, 1);
            bench.arm(RECEIVES);
            let tag = bench.send(&bytes).unwrap();
            bench.turn().unwrap();
            assert_eq!(bench.sent.pop(), Some(tag));
            let sent = bench.device.class.sent.pop();
            assert_eq!(sent, Some(Sent { bytes, segments: None }));
        }
        bench.is_clean();
    }
}

#[test]
fn a_frame_may_be_empty_and_as_long_as_its_buffer() {
    for (mut bench, _) in framings() {
        bench.arm(RECEIVES);
        let header = if bench.device.interface() == Interface::Modern { 12 } else { 10 };
        for length in [0, 1, 13, BUFFER as usize - 12, BUFFER as usize - header] {
            let merges = bench.features() & features::MRG_RXBUF != 0;
            let got = bench.one(&frame(1, length));
            assert!(got.parts == 1 || merges);
        }
        bench.is_clean();
    }
}

#[test]
fn legacy_rings_are_as_large_as_the_device_says_and_256_descriptors_of_them_are_used() {
    for size in [2, 4, 256, 1024, 32768] {
        for less in [0, offered::ANY_LAYOUT] {
            let mut nic = without(less | features::CTRL_VQ);
            nic.queues = vec![size, size];
            let mut bench = Bench::good(Interface::Legacy, nic, USUAL);
            let used = size.min(256);
            let wanted = [u32::from(if less == 0 { used } else { used / 2 }), u32::from(used / 2)];
            assert_eq!(bench.net().depths(), wanted, "{size}");
            for n in 0..300 {
                assert_eq!(bench.arm(RECEIVES), wanted[0] as usize);
                bench.one(&frame(n as u8, 100));
                (0..wanted[1]).for_each(|_| assert!(bench.send(&frame(n as u8, 60)).is_ok()));
                assert_eq!(bench.send(&[0; 60]), Err(Refusal::Busy));
                bench.settle();
                bench.device.class.sent.clear();
            }
            bench.is_clean();
        }
    }
    let mut nic = without(offered::ANY_LAYOUT | features::CTRL_VQ);
    nic.queues = vec![1, 1];
    let mut bench = Bench::new(Interface::Legacy, nic, USUAL);
    assert_eq!(bench.reset(), Err(DeviceFault::QueueSize(1)));
}

#[test]
fn a_frame_in_several_buffers_is_given_as_one() {
    for interface in BOTH {
        let mut bench = Bench::good(interface, Nic::new(), LARGE);
        assert!(bench.net().shape().is_large());
        bench.arm(RECEIVES);
        for (length, kind) in [(BUFFER as usize - 11, 0), (9000, 1), (65_549, 4)] {
            let bytes = frame(3, length);
            bench.device.class.wire.push_back(Frame { bytes: bytes.clone(), flags: 1, kind, pair: 0 });
            bench.turn().unwrap();
            let got = bench.received.pop().unwrap();
            assert_eq!((got.bytes, got.is_good), (bytes, true));
            assert_eq!(got.parts as usize, (length + 12).div_ceil(BUFFER as usize));
            bench.arm(RECEIVES);
        }
        bench.is_clean();
    }
}

#[test]
fn no_part_is_given_before_all_are_there() {
    let mut bench = Bench::good(Interface::Modern, Nic::new(), LARGE);
    bench.arm(64);
    bench.device.mischief = Mischief::ring(&[(2, RingFault::Late(3))]);
    bench.turn().unwrap();
    // Three buffers, of which the last is late.
    let bytes = frame(1, 5000);
    bench.device.class.receive(&bytes);
    for _ in 0..3 {
        bench.turn().unwrap();
        assert!(bench.received.is_empty());
        assert_eq!(bench.net().may_sleep(), Ok(true));
    }
    for _ in 0..3 {
        bench.turn().unwrap();
    }
    assert_eq!(bench.received.pop().map(|got| (got.bytes, got.parts)), Some((bytes, 3)));
    bench.is_clean();
}

#[test]
fn a_checksum_that_is_left_to_us_or_was_found_right_need_not_be_looked_at() {
    for (options, less, [left, right]) in
        [(USUAL, 0, [true, true]), (USUAL, features::GUEST_CSUM, [false, false])]
    {
        let mut bench = Bench::good(Interface::Modern, without(less), options);
        bench.arm(64);
        assert!(!bench.one(&frame(0, 60)).is_good);
        for (flags, is_good) in [(1, left), (2, right)] {
            let bytes = frame(flags, 60);
            bench.device.class.wire.push_back(Frame { bytes, flags, ..Frame::default() });
            let done = bench.turn();
            // What was not agreed upon and would be a wrong frame is a fault.
            let wanted = match (flags, is_good) {
                (1, false) => Err(DeviceFault::Header { flags: 1, kind: 0 }),
                _ => Ok(()),
            };
            assert_eq!(done, wanted);
            assert_eq!(bench.received.pop().map(|got| got.is_good), wanted.ok().map(|()| is_good));
            bench.recover();
        }
    }
}

#[test]
fn a_checksum_is_filled_in_and_a_stream_is_cut_as_wanted() {
    let sum = Checksum { start: 34, offset: 16 };
    let segment = Segment { is_v6: false, size: 1448, headers: 66 };
    for interface in BOTH {
        let mut bench = good(interface);
        // The same header again and again, and others in between.
        for n in 0..200u16 {
            let bytes = frame(n as u8, 60_000);
            let is_v6 = n % 4 == 3;
            let cut = Segment { is_v6, size: 1448 + n / 8, ..segment };
            let (checksum, segment) = match n % 4 {
                0 => (None, None),
                1 => (Some(sum), None),
                _ => (Some(sum), Some(cut)),
            };
            bench.send_as(&bytes, checksum, segment, 0).unwrap();
            bench.settle();
            let Some(Sent { bytes: sent, segments }) = bench.device.class.sent.pop() else { panic!("{n}") };
            assert_eq!(segments, segment.map(|it| (if is_v6 { 4 } else { 1 }, it.size, 66)));
            if checksum.is_some() {
                let wanted = checksum_of(&bytes[34..]);
                assert_eq!((&sent[50..52], &sent[52..]), (&wanted[..], &bytes[52..]));
            } else {
                assert_eq!(sent, bytes);
            }
        }
        bench.is_clean();
    }
}

fn checksum_of(bytes: &[u8]) -> [u8; 2] {
    checksum(bytes).to_be_bytes()
}

#[test]
fn what_nobody_could_send_is_refused_and_what_the_device_does_not_do() {
    let sum = Checksum { start: 34, offset: 16 };
    let cut = Segment { is_v6: false, size: 1448, headers: 54 };
    let ask = |features: u64, length: usize, checksum, segment| {
        let mut bench = Bench::good(Interface::Modern, without(features), USUAL);
        let sent = bench.send_as(&vec![7; length], checksum, segment, 0).map(drop);
        bench.settle();
        bench.is_clean();
        assert_eq!(bench.sent.len(), usize::from(sent.is_ok()));
        sent
    };
    let no = Err(Refusal::Unsupported);
    assert_eq!((ask(0, 13, None, None), ask(0, 14, None, None)), (no, Ok(())));
    assert_eq!((ask(0, 65_557, None, None), ask(0, 65_558, None, None)), (Ok(()), no));
    assert_eq!((ask(0, 51, Some(sum), None), ask(0, 52, Some(sum), None)), (no, Ok(())));
    let far = Checksum { start: u16::MAX, offset: u16::MAX };
    assert_eq!(ask(0, 65_557, Some(far), None), no);
    assert_eq!(ask(features::CSUM, 60, Some(sum), None), no);
    let ask_cut = |features, length, cut| ask(features, length, Some(sum), Some(cut));
    assert_eq!((ask_cut(0, 55, cut), ask_cut(0, 54, cut)), (Ok(()), no));
    assert_eq!(ask_cut(0, 9000, Segment { size: 0, ..cut }), no);
    assert_eq!(ask_cut(0, 9000, Segment { headers: 34, ..cut }), no);
    assert_eq!(ask(0, 9000, None, Some(cut)), no, "segments have checksums");
    for (feature, is_v6) in [(features::HOST_TSO4, false), (features::HOST_TSO6, true)] {
        assert_eq!(ask_cut(feature, 9000, Segment { is_v6, ..cut }), no);
        assert_eq!(ask_cut(feature, 9000, Segment { is_v6: !is_v6, ..cut }), Ok(()));
        assert_eq!(ask_cut(features::CSUM, 9000, Segment { is_v6, ..cut }), no);
    }
}

#[test]
fn buffers_that_are_too_small_are_refused() {
    for (less, least) in [(0, 1534), (features::MRG_RXBUF, 1534)] {
        let mut bench = Bench::good(Interface::Modern, without(less), USUAL);
        assert_eq!(bench.net().shape().least_room(), least);
        assert_eq!(bench.net().receive(0, 0x10_0000, least - 1), Err(Refusal::Unsupported));
        assert_eq!(bench.net().receive(0, 0x10_0000, least), Ok(()));
    }
    for (less, least) in [(0, 2048), (features::MRG_RXBUF, 9034)] {
        let mut nic = without(less);
        nic.put(10, &9000u16.to_le_bytes());
        let mut bench = Bench::good(Interface::Modern, nic, USUAL);
        assert_eq!(bench.net().shape().least_room(), least);
    }
}

#[test]
fn frames_that_nobody_has_a_buffer_for_are_lost_and_nothing_is_wrong() {
    let mut bench = good(Interface::Modern);
    bench.device.class.receive(&frame(0, 100));
    bench.turn().unwrap();
    assert!(bench.received.is_empty());
    bench.arm(1);
    bench.one(&frame(1, 100));
    // With nothing but buffers to fill it may be as silent as it likes.
    bench.arm(64);
    bench.turn().unwrap();
    assert_eq!(bench.net().deadline(), None);
    bench.now = u64::MAX;
    assert_eq!(bench.look(), Ok(()));
    bench.is_clean();
}

#[test]
fn the_link_goes_and_comes() {
    for interface in BOTH {
        let mut bench = good(interface);
        assert!(bench.net().shape().link);
        assert_eq!(bench.changed(), Ok(false));
        for is_up in [false, true] {
            bench.device.reconfigure(|nic| nic.put(6, &[is_up.into(), 0]));
            assert_eq!((bench.device.interrupts(), bench.changed()), (vec![0], Ok(true)));
            assert_eq!(bench.net().shape().link, is_up);
        }
        bench.arm(4);
        bench.one(&frame(0, 100));
        bench.device.reconfigure(|nic| nic.put(10, &[67, 0]));
        assert_eq!(bench.changed(), Err(DeviceFault::Mtu(67)));
        assert_eq!(bench.turn(), Err(DeviceFault::Mtu(67)));
        bench.is_clean();
    }
    let mut bench = Bench::good(Interface::Modern, without(features::STATUS), USUAL);
    bench.device.reconfigure(|nic| nic.put(6, &[0, 0]));
    assert_eq!(bench.changed(), Ok(false), "one that says nothing is up");
}

#[test]
fn the_device_is_told_what_to_receive() {
    for interface in BOTH {
        for less in [0, offered::ANY_LAYOUT] {
            let mut bench = Bench::good(interface, without(less), USUAL);
            let mut filter = Filter::ALL_GROUPS;
            let (station, group) = ([2, 0, 0, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1]);
            filter.insert(station);
            filter.insert(group);
            filter.insert([0xff; 6]);
            let now = bench.now;
            bench.net().set_filter(filter, now).unwrap();
            assert!(!bench.net().is_settled());
            bench.settle();
            let told = [Command::Table, Command::Promiscuous, Command::AllGroups];
            assert_eq!(std::mem::take(&mut bench.told), told.map(|it| (it, true)));
            let nic = &bench.device.class;
            assert_eq!((nic.modes, &nic.table), ([false, true], &[vec![station], vec![group, [0xff; 6]]]));
            let now = bench.now;
            bench.net().set_filter(Filter::EVERYTHING, now).unwrap();
            bench.settle();
            assert_eq!(bench.device.class.modes, [true, false]);
            assert_eq!(bench.device.class.table, [Vec::<[u8; 6]>::new(), vec![]]);
            bench.is_clean();
        }
    }
}

#[test]
fn addresses_that_are_too_many_are_all() {
    for (first, [few, many], mode) in [(2, [16, 17], 0), (3, [48, 49], 1)] {
        for (count, is_all) in [(few, false), (many, true)] {
            let mut bench = good(Interface::Modern);
            let mut filter = Filter::NOTHING;
            (0..count).for_each(|n| filter.insert([first, 0, 0, 0, 0, n]));
            let now = bench.now;
            bench.net().set_filter(filter, now).unwrap();
            bench.settle();
            let nic = &bench.device.class;
            assert_eq!((nic.modes[mode], nic.modes[1 - mode]), (is_all, false));
            assert_eq!(nic.table[mode].len(), usize::from(few));
            assert_eq!(nic.table[mode].last(), Some(&[first, 0, 0, 0, 0, few - 1]));
            bench.is_clean();
        }
    }
}

#[test]
fn a_table_that_is_refused_is_everything() {
    let mut bench = good(Interface::Modern);
    bench.device.class.faults = vec![(0, NetFault::Answer(1))];
    let now = bench.now;
    bench.net().set_filter(Filter::NOTHING, now).unwrap();
    bench.settle();
    assert_eq!(bench.told[0], (Command::Table, false));
    assert_eq!(bench.device.class.modes, [true, false]);
}

#[test]
fn filters_that_are_set_meanwhile_are_told_afterwards() {
    let mut bench = good(Interface::Modern);
    let now = bench.now;
    bench.net().set_filter(Filter::EVERYTHING, now).unwrap();
    bench.publish();
    let mut filter = Filter::NOTHING;
    filter.insert([2, 0, 0, 0, 0, 9]);
    bench.net().set_filter(filter, now).unwrap();
    bench.settle();
    assert_eq!(bench.told.len(), 4, "the table twice");
    assert_eq!((bench.device.class.modes, bench.device.class.table[0].len()), ([false, false], 1));
    bench.is_clean();
}

#[test]
fn the_address_can_be_set_where_that_is_offered() {
    for interface in BOTH {
        let mut bench = good(interface);
        assert_eq!(bench.net().shape().mac, Some([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        let now = bench.now;
        for address in [[0; 6], [1, 0, 0, 0, 0, 0], [0xff; 6]] {
            assert_eq!(bench.net().set_address(address, now), Err(Refusal::Unsupported));
        }
        bench.net().set_address([2, 0, 0, 0, 0, 7], now).unwrap();
        bench.publish();
        bench.net().set_address([2, 0, 0, 0, 0, 8], now).unwrap();
        bench.device.turn();
        bench.take().unwrap();
        assert_eq!(bench.net().shape().mac, Some([2, 0, 0, 0, 0, 7]), "the one that it was told");
        bench.settle();
        assert_eq!(bench.net().shape().mac, Some([2, 0, 0, 0, 0, 8]));
        assert_eq!(bench.device.class.config[..6], [2, 0, 0, 0, 0, 8]);
        assert_eq!(bench.changed(), Ok(false));
        bench.device.class.faults = vec![(2, NetFault::Answer(1))];
        bench.net().set_address([2, 0, 0, 0, 0, 9], now).unwrap();
        bench.settle();
        assert_eq!(bench.told.last(), Some(&(Command::Address, false)));
        assert_eq!(bench.net().shape().mac, Some([2, 0, 0, 0, 0, 8]));
        bench.is_clean();
    }
    // One that does not tell its address has the one that it was given.
    let mut bench = Bench::good(Interface::Modern, without(features::MAC), USUAL);
    assert_eq!(bench.net().shape().mac, None);
    bench.net().set_address([2, 0, 0, 0, 0, 7], 1).unwrap();
    bench.settle();
    assert_eq!(bench.changed(), Ok(false));
    assert_eq!(bench.net().shape().mac, Some([2, 0, 0, 0, 0, 7]));
    for less in [features::CTRL_MAC_ADDR, features::CTRL_VQ] {
        let mut bench = Bench::good(Interface::Modern, without(less), USUAL);
        assert_eq!(bench.net().set_address([2; 6], 1), Err(Refusal::Unsupported));
    }
    for less in [features::CTRL_RX, features::CTRL_VQ] {
        let mut bench = Bench::good(Interface::Modern, without(less), USUAL);
        assert_eq!(bench.net().set_filter(Filter::NOTHING, 1), Err(Refusal::Unsupported));
        assert!(bench.net().is_settled());
    }
}

#[test]
fn pairs_are_used_when_the_device_has_agreed_and_the_control_queue_is_behind_all() {
    for interface in BOTH {
        for (there, used) in [(1, 1), (2, 2), (4, 4), (5, 4), (8, 4)] {
            let mut bench = Bench::good(interface, Nic::with_pairs(there), PAIRS);
            let numbers: Vec<u16> = (0..2 * used).chain([2 * there]).collect();
            assert_eq!(bench.numbers, numbers);
            assert_eq!(bench.net().is_settled(), used == 1);
            assert_eq!(bench.net().depths(), [256, 128], "one of them before");
            bench.settle();
            assert_eq!(bench.told.len(), usize::from(used > 1));
            assert_eq!(bench.net().depths(), [256 * u32::from(used), 128 * u32::from(used)]);
            assert_eq!(bench.arm(RECEIVES), (256 * usize::from(used)).min(RECEIVES.into()));
            for pair in 0..usize::from(used) {
                let bytes = frame(pair as u8, 9000);
                bench.device.class.wire.push_back(Frame { bytes: bytes.clone(), pair, ..Frame::default() });
                bench.turn().unwrap();
                assert_eq!(bench.received.pop().map(|got| got.bytes), Some(bytes));
                bench.arm(RECEIVES);
                let flow = pair as u16 + used * 3;
                bench.send_as(&frame(1, 60), None, None, flow).unwrap();
                assert_eq!(bench.publish() >> 1 & 0x55, 1 << (2 * pair));
                bench.settle();
            }
            bench.is_clean();
        }
    }
}

#[test]
fn a_frame_in_several_buffers_is_not_mixed_with_one_of_another_pair() {
    let mut bench = Bench::good(Interface::Modern, Nic::with_pairs(2), PAIRS);
    bench.settle();
    bench.arm(64);
    bench.publish();
    let frames = [frame(1, 9000), frame(2, 9000)];
    let wire = frames.iter().cloned().zip(0..);
    bench.device.class.wire = wire.map(|(bytes, pair)| Frame { bytes, pair, ..Frame::default() }).collect();
    bench.device.turn();
    // Whoever asks for one part after the other, and does something else in between.
    while bench.take_one().unwrap() {
        bench.arm(64);
        bench.publish();
        let is_through = bench.received.len() == 2;
        assert_eq!(bench.net().may_sleep(), Ok(is_through), "there is more to take");
    }
    bench.received.sort_by_key(|got| got.bytes[0]);
    let got: Vec<_> = bench.received.iter().map(|got| got.bytes.clone()).collect();
    assert_eq!(got, frames);
    bench.is_clean();
}

#[test]
fn parts_that_were_not_taken_are_no_reason_to_sleep() {
    let mut bench = Bench::good(Interface::Modern, Nic::new(), LARGE);
    bench.arm(2);
    bench.publish();
    bench.device.class.receive(&frame(0, 3000));
    bench.device.turn();
    for may_sleep in [false, true] {
        assert_eq!(bench.take_one(), Ok(true));
        assert_eq!(bench.net().may_sleep(), Ok(may_sleep));
    }
}

#[test]
fn a_device_that_refuses_pairs_has_one() {
    let mut bench = Bench::new(Interface::Modern, Nic::with_pairs(2), PAIRS);
    bench.device.class.faults = vec![(0, NetFault::Answer(1))];
    bench.reset().unwrap();
    bench.settle();
    assert_eq!((bench.told.clone(), bench.net().depths()), (vec![(Command::Pairs, false)], [256, 128]));
    bench.arm(RECEIVES);
    for flow in 0..4 {
        bench.one(&frame(1, 60));
        bench.send_as(&frame(1, 60), None, None, flow).unwrap();
        bench.settle();
    }
    bench.is_clean();
}

#[test]
fn who_says_impossible_things_of_itself_is_not_used() {
    let fault = |spoil: fn(&mut Nic)| {
        let mut nic = Nic::with_pairs(2);
        spoil(&mut nic);
        Bench::new(Interface::Modern, nic, PAIRS).reset()
    };
    assert_eq!(fault(|_| ()), Ok(()));
    assert_eq!(fault(|nic| nic.put(0, &[0; 6])), Err(DeviceFault::Address([0; 6])));
    assert_eq!(fault(|nic| nic.put(0, &[0xff; 6])), Err(DeviceFault::Address([0xff; 6])));
    assert_eq!(fault(|nic| nic.put(10, &[67, 0])), Err(DeviceFault::Mtu(67)));
    assert_eq!(fault(|nic| nic.put(10, &[68, 0])), Ok(()));
    assert_eq!(fault(|nic| nic.put(8, &[3, 0])), Err(DeviceFault::NoQueue(5)));
    assert_eq!(fault(|nic| nic.put(8, &[0xff, 0xff])), Err(DeviceFault::NoQueue(5)));
    // Of one that says to have no pair one is used, and what it says is found out then: the control queue is not where it should be.
    let none = |nic: &mut Nic| nic.put(8, &[0, 0]);
    assert_eq!(fault(none), Err(DeviceFault::Pairs(0)));
    let small = |nic: &mut Nic| nic.queues[4] = 2;
    assert_eq!(fault(small), Err(DeviceFault::QueueSize(2)));
}

#[test]
fn features_that_need_others_are_not_taken_without_them() {
    let agreed = |interface, less| Bench::good(interface, without(less), PAIRS).features();
    let is_gone = |less, of| {
        let left = agreed(Interface::Modern, less) & of;
        assert_eq!(left, 0, "{of:#x} without {less:#x}");
        assert_ne!(agreed(Interface::Modern, 0) & of, 0);
    };
    is_gone(features::CSUM, features::HOST_TSO4 | features::HOST_TSO6);
    is_gone(features::GUEST_CSUM, features::GUEST_TSO4 | features::GUEST_TSO6);
    is_gone(features::MRG_RXBUF, features::GUEST_TSO4 | features::GUEST_TSO6);
    is_gone(features::CTRL_VQ, features::CTRL_RX | features::CTRL_MAC_ADDR);
    is_gone(features::CTRL_RX | features::CTRL_MAC_ADDR, features::CTRL_VQ);
    assert_eq!(
        agreed(Interface::Modern, 0) & 1 << 29,
        0,
        "where the kernel copies rings there are no events"
    );
    let merges = [0, offered::ANY_LAYOUT].map(|less| agreed(Interface::Legacy, less) & features::MRG_RXBUF);
    assert_eq!(merges, [features::MRG_RXBUF, 0]);
    let mut nic = Nic::with_pairs(2);
    nic.features &= !features::CTRL_VQ;
    let mut bench = Bench::good(Interface::Modern, nic, PAIRS);
    assert_eq!((bench.features() & features::MQ, bench.numbers.as_slice()), (0, &[0, 1][..]));
    bench.arm(2);
    bench.one(&frame(0, 60));
    bench.is_clean();
}

/// What the driver says when something goes wrong, and that it works again after a reset.
fn goes_wrong(interface: Interface, expected: DeviceFault, spoil: impl FnOnce(&mut Bench)) {
    let mut bench = Bench::good(interface, Nic::new(), LARGE);
    spoil(&mut bench);
    bench.arm(64);
    bench.device.class.receive(&frame(1, 100));
    bench.device.class.receive(&frame(2, 5000));
    bench.send(&frame(3, 100)).unwrap();
    let now = bench.now;
    bench.net().set_filter(Filter::NOTHING, now).unwrap();
    let fault = (0..40).find_map(|_| bench.round().err());
    assert_eq!(fault, Some(expected), "{interface:?}");
    assert_eq!((bench.take(), bench.net().may_sleep()), (Err(expected), Err(expected)));
    bench.now = u64::MAX;
    assert_eq!(bench.look(), Err(expected), "until it is reset");
    assert_eq!((bench.net().deadline(), bench.net().publish()), (None, 0));
    bench.now = now;
    assert_eq!(bench.send(&[0; 60]), Err(Refusal::Busy));
    assert_eq!(bench.net().receive(999, 0x10_0000, 2048), Err(Refusal::Busy));
    assert_eq!(bench.net().set_filter(Filter::NOTHING, now), Err(Refusal::Unsupported));
    let config = bench.config();
    assert_eq!(bench.net().reconfigure(&config), Err(expected));
    bench.device.class.faults.clear();
    bench.recover();
    bench.received.clear();
    bench.arm(64);
    bench.one(&frame(4, 5000));
    bench.send(&frame(5, 100)).unwrap();
    bench.settle();
    bench.is_clean();
}

#[test]
fn what_no_device_does_is_a_fault() {
    for interface in BOTH {
        // Completions: one frame in one buffer, one in three, one sent, a command.
        let cases = [
            (0, RingFault::Id(256), DeviceFault::UnknownId(256)),
            (0, RingFault::Id(u32::MAX), DeviceFault::UnknownId(u32::MAX)),
            (0, RingFault::Id(255), DeviceFault::NotInFlight(255)),
            (2, RingFault::Id(0), DeviceFault::NotInFlight(0)),
            (0, RingFault::TooLong(1), DeviceFault::TooLong { id: 0, length: BUFFER + 1, writable: BUFFER }),
            (0, RingFault::Empty, DeviceFault::Short { id: 0, length: 0 }),
            (2, RingFault::Empty, DeviceFault::Empty),
            (0, RingFault::Jump(900), DeviceFault::Index(903)),
            (4, RingFault::Id(128), DeviceFault::UnknownId(128)),
            (4, RingFault::Id(1), DeviceFault::NotInFlight(1)),
            (4, RingFault::Twice, DeviceFault::Index(2)),
            (4, RingFault::Never, DeviceFault::Silent),
            (5, RingFault::Id(1), DeviceFault::UnknownId(1)),
            (5, RingFault::Twice, DeviceFault::Index(2)),
            (5, RingFault::TooLong(1), DeviceFault::TooLong { id: 0, length: 2, writable: 1 }),
            (5, RingFault::Never, DeviceFault::Silent),
        ];
        for (at, fault, expected) in cases {
            goes_wrong(interface, expected, |bench| bench.device.mischief = Mischief::ring(&[(at, fault)]));
        }
        let cases = [
            (0, NetFault::Buffers(0), DeviceFault::Buffers(0)),
            (0, NetFault::Buffers(257), DeviceFault::Buffers(257)),
            (0, NetFault::Buffers(u16::MAX), DeviceFault::Buffers(u16::MAX)),
            (0, NetFault::Kind(3), DeviceFault::Header { flags: 0, kind: 3 }),
            (1, NetFault::Kind(0x81), DeviceFault::Header { flags: 0, kind: 0x81 }),
            (0, NetFault::Length(11), DeviceFault::Short { id: 0, length: 11 }),
            (2, NetFault::Answer(2), DeviceFault::Answer(2)),
            (2, NetFault::Speechless, DeviceFault::Answer(0xff)),
        ];
        for (at, fault, expected) in cases {
            goes_wrong(interface, expected, |bench| bench.device.class.faults = vec![(at, fault)]);
        }
    }
    // Of what it reads it writes nothing; a legacy device may say what it likes there.
    let sent = |interface| {
        let mut bench = good(interface);
        bench.device.mischief = Mischief::ring(&[(0, RingFault::TooLong(1))]);
        bench.send(&frame(0, 60)).unwrap();
        bench.turn().map(|()| bench.sent.len())
    };
    assert_eq!(sent(Interface::Modern), Err(DeviceFault::TooLong { id: 0, length: 1, writable: 0 }));
    assert_eq!(sent(Interface::Legacy), Ok(1));
}

#[test]
fn segments_that_were_not_agreed_upon_are_a_fault() {
    for (options, kind, is_right) in
        [(USUAL, 1, false), (USUAL, 4, false), (LARGE, 1, true), (LARGE, 4, true)]
    {
        let mut bench = Bench::good(Interface::Modern, Nic::new(), options);
        bench.arm(4);
        bench.device.class.wire.push_back(Frame { bytes: frame(0, 100), flags: 1, kind, pair: 0 });
        let wanted = if is_right { Ok(()) } else { Err(DeviceFault::Header { flags: 1, kind }) };
        assert_eq!(bench.turn(), wanted);
    }
    // Only over one of both.
    let mut bench = Bench::good(Interface::Modern, without(features::GUEST_TSO6), LARGE);
    bench.arm(4);
    bench.device.class.wire.push_back(Frame { bytes: frame(0, 100), flags: 1, kind: 4, pair: 0 });
    assert_eq!(bench.turn(), Err(DeviceFault::Header { flags: 1, kind: 4 }));
}

#[test]
fn without_merging_the_count_of_buffers_is_worth_nothing() {
    for interface in BOTH {
        let mut bench = Bench::good(interface, without(features::MRG_RXBUF), USUAL);
        bench.arm(8);
        bench.device.class.faults = vec![(0, NetFault::Buffers(0)), (1, NetFault::Buffers(9))];
        assert_eq!((bench.one(&frame(0, 60)).parts, bench.one(&frame(0, 60)).parts), (1, 1));
    }
}

#[test]
fn the_rest_of_a_torn_frame_is_what_comes_next_and_no_buffer_is_lost() {
    let mut bench = Bench::good(Interface::Modern, Nic::new(), LARGE);
    bench.arm(8);
    bench.device.class.faults = vec![(0, NetFault::Torn)];
    bench.device.class.receive(&frame(0, 3000));
    bench.turn().unwrap();
    assert!(bench.received.is_empty());
    bench.device.class.receive(&frame(1, 100));
    bench.turn().unwrap();
    let got = bench.received.pop().unwrap();
    assert_eq!((got.parts, got.bytes.len()), (2, BUFFER as usize - 12 + 112));
}

#[test]
fn one_that_does_not_send_is_late_though_it_receives() {
    for interface in BOTH {
        let mut bench = good(interface);
        bench.arm(64);
        assert_eq!(bench.net().deadline(), None);
        bench.device.mischief = Mischief::ring(&[(0, RingFault::Never)]);
        let begin = bench.now;
        bench.send(&frame(0, 60)).unwrap();
        bench.turn().unwrap();
        for n in 1..=4 {
            bench.now = begin + n * TIMEOUT_NS / 4 - 1;
            bench.one(&frame(1, 60));
            bench.send(&frame(2, 60)).unwrap();
            bench.turn().unwrap();
            assert_eq!(bench.sent.len(), n as usize);
            assert_eq!(bench.look(), Ok(()));
            assert_eq!(bench.net().deadline(), Some(bench.now + LOOK_NS));
        }
        bench.now = begin + TIMEOUT_NS;
        assert_eq!(bench.look(), Err(DeviceFault::Silent));
    }
}

#[test]
fn a_device_in_trouble_is_heard_when_it_is_looked_at() {
    for (interface, spoil, expected) in [
        (Interface::Modern, Device::ask_for_reset as fn(&mut Device<Nic>), DeviceFault::NeedsReset),
        (Interface::Modern, Device::reset, DeviceFault::Status(0)),
        (Interface::Legacy, Device::reset, DeviceFault::Status(0)),
        (Interface::Modern, gone, DeviceFault::Gone),
    ] {
        let mut bench = good(interface);
        bench.send(&frame(0, 60)).unwrap();
        let begin = bench.now;
        spoil(&mut bench.device);
        let news = bench.net().publish();
        assert_eq!((news, bench.net().may_sleep()), (2, Ok(true)), "nothing tells of it");
        bench.now = bench.net().deadline().unwrap();
        assert_eq!(bench.look(), Err(expected));
        assert!(bench.now < begin + TIMEOUT_NS / 10);
        assert_eq!(bench.take(), Err(expected));
    }
}

fn gone(device: &mut Device<Nic>) {
    device.mischief = Mischief::register(RegisterFault::Gone);
}

#[test]
fn a_lost_interrupt_is_not_a_late_device() {
    let mut bench = good(Interface::Modern);
    bench.device.mischief = Mischief::ring(&[(0, RingFault::Mute)]);
    bench.send(&frame(0, 60)).unwrap();
    bench.publish();
    bench.device.turn();
    assert!(bench.device.interrupts().is_empty());
    bench.now = u64::MAX;
    assert_eq!(bench.look(), Ok(()));
    bench.take().unwrap();
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn what_is_received_interrupts_when_we_sleep_and_with_events_not_before() {
    for (options, interface, is_twice) in [
        (USUAL, Interface::Modern, true),
        (DIRECT, Interface::Modern, false),
        (DIRECT, Interface::Legacy, false),
    ] {
        let mut bench = Bench::good(interface, Nic::new(), options);
        bench.arm(64);
        bench.publish();
        let come = |bench: &mut Bench| {
            bench.device.class.receive(&frame(0, 60));
            bench.device.turn();
            !bench.device.interrupts().is_empty()
        };
        assert_eq!(bench.net().may_sleep(), Ok(true));
        assert_eq!((come(&mut bench), come(&mut bench)), (true, is_twice));
        assert_eq!(bench.net().may_sleep(), Ok(false));
        bench.take().unwrap();
        assert_eq!(come(&mut bench), is_twice, "as long as we do not sleep");
        assert_eq!(bench.net().may_sleep(), Ok(false), "it is seen in time");
        bench.take().unwrap();
        assert_eq!(bench.net().may_sleep(), Ok(true));
        assert!(come(&mut bench));
        bench.is_clean();
    }
}

#[test]
fn few_frames_are_sent_without_an_interrupt_and_asked_for_later() {
    for (interface, options) in BOTH.into_iter().flat_map(|it| [(it, USUAL), (it, DIRECT)]) {
        let mut bench = Bench::good(interface, Nic::new(), options);
        let interrupts = |bench: &mut Bench, count: u32| {
            (0..count).for_each(|_| assert!(bench.send(&frame(0, 60)).is_ok()));
            bench.publish();
            assert_eq!(bench.net().may_sleep(), Ok(true));
            let deadline = bench.net().deadline();
            bench.device.turn();
            (!bench.device.interrupts().is_empty(), deadline.map(|at| at - bench.now))
        };
        assert_eq!(interrupts(&mut bench, 1), (true, Some(LOOK_NS)));
        bench.take().unwrap();
        bench.net().set_few(4);
        for (count, does) in [(4, false), (5, true), (1, false)] {
            assert_eq!(
                interrupts(&mut bench, count),
                (does, Some(QUIET_NS)),
                "{count} {interface:?} {options:?}"
            );
            bench.now += QUIET_NS;
            assert_eq!(bench.look(), Ok(()));
            bench.take().unwrap();
            bench.now += 1;
            assert_eq!(bench.look(), Ok(()));
        }
        assert_eq!((bench.sent.len(), bench.net().deadline()), (11, None));
        bench.is_clean();
    }
}

#[test]
fn a_device_that_looks_by_itself_is_not_told() {
    let mut bench = Bench::new(Interface::Modern, Nic::new(), DIRECT);
    bench.device.polls = true;
    bench.reset().unwrap();
    bench.arm(64);
    let news = bench.net().publish();
    assert_eq!((news, bench.net().bells(news)), (1, 1), "it has not said so yet");
    bench.device.turn();
    // What it wants to be told of is behind all that it has seen: the next.
    assert_eq!(bench.arm(66), 66);
    bench.send(&frame(0, 60)).unwrap();
    let news = bench.net().publish();
    assert_eq!((news, bench.net().bells(news)), (3, 3));
    bench.send(&frame(0, 60)).unwrap();
    bench.send(&frame(0, 60)).unwrap();
    let news = bench.net().publish();
    assert_eq!((news, bench.net().bells(news)), (2, 0), "it has not looked since");
    bench.device.turn();
    bench.take().unwrap();
    assert_eq!(bench.sent.len(), 3);
}

#[test]
fn whoever_has_much_to_say_does_not_keep_others_waiting() {
    let mut bench = good(Interface::Modern);
    bench.arm(64);
    bench.publish();
    bench.send(&frame(0, 60)).unwrap();
    // Each batch of one receive, and armed again.
    for _ in 0..4 {
        bench.device.class.receive(&frame(0, 60));
        bench.publish();
        bench.device.turn();
        bench.take_one().unwrap();
    }
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn whatever_goes_wrong_the_driver_gets_over_it() {
    let (mut sent, mut received, mut resets) = (0, 0, 0);
    for (seed, rarity) in (0..40).flat_map(|seed| [(seed, 20), (seed, 200)]) {
        for (interface, less, options) in [
            (Interface::Modern, 0, LARGE),
            (Interface::Modern, features::MRG_RXBUF, DIRECT),
            (Interface::Legacy, 0, PAIRS),
            (Interface::Legacy, offered::ANY_LAYOUT, USUAL),
        ] {
            let mut nic = if options.pairs { Nic::with_pairs(2) } else { without(less) };
            nic.queues.fill(64);
            nic.random = Some((capos_mutate::Rng::new(seed ^ 77), rarity));
            let mut bench = Bench::new(interface, nic, options);
            let (out, into) = bench.work(seed, 100, Mischief::seeded(seed, rarity));
            (sent, received, resets) = (sent + out, received + into, resets + bench.device.resets);
            assert_eq!(bench.device.class.wrong, [], "{seed} {interface:?}");
            // And then nothing goes wrong any more.
            bench.device.class.random = None;
            let before = bench.sent.len();
            bench.work(seed, 20, Mischief::none());
            assert!(bench.sent.len() > before);
            bench.arm(8);
            bench.received.clear();
            bench.one(&frame(1, 60));
        }
    }
    assert!(sent > 5_000 && received > 3_000 && resets > 1_000, "{sent} {received} {resets}");
}
