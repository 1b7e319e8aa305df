//! The driver's core of the 82574L over whole devices: good ones send and receive what they are given, with no IOMMU and behind one, and of faulty ones it is told what is wrong, in
//! bounded time.

use capos_dma::window::Backend;
use capos_e1000e::{
    Adapter, CAUSES, Checksum, DeviceFault, Done, Filter, Frame, LOOK_NS, ROOM, Refusal, STATUS, TIMEOUT_NS,
    Tag,
};
use capos_mutate::Rng;
use fakes::e1000e::machine::ENTRIES;
use fakes::e1000e::{Fault, Machine, Ring, checksum, liar};

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const BOTH: [Backend; 2] = [Backend::Bounce, Backend::Direct];

/// A device at work, and buffers of the driver's client.
struct Bench {
    machine: Machine,
    adapter: Adapter<Ring>,
    /// Token and place of as many buffers as a ring takes, by their tags; and of a frame to be sent.
    buffers: Vec<(u64, u64)>,
    frame: (u64, u64),
    over: Vec<Done>,
    now: u64,
}

fn bench(backend: Backend) -> Bench {
    let mut machine = Machine::new(backend, MAC);
    let adapter = machine.bring_up().expect("a good one");
    let buffers = (1..ENTRIES).map(|_| machine.buffer(4096)).collect();
    let frame = machine.buffer(4096);
    let mut bench = Bench { machine, adapter, buffers, frame, over: Vec::new(), now: 0 };
    bench.turn().expect("a good one");
    bench
}

impl Bench {
    fn arm(&mut self, tag: Tag) -> Result<(), Refusal> {
        self.adapter.receive(tag, self.buffers[usize::from(tag)].0, ROOM as u32, self.now)
    }

    fn send(&mut self, tag: Tag, bytes: &[u8], checksum: Option<Checksum>) -> Result<(), Refusal> {
        assert!(self.machine.ram.write(self.frame.1, bytes));
        let frame = Frame { token: self.frame.0, length: bytes.len() as u32, checksum };
        self.adapter.send(tag, &frame, self.now)
    }

    /// Both do what there is to be done.
    fn turn(&mut self) -> Result<(), DeviceFault> {
        for _ in 0..3 {
            let bells = self.adapter.publish();
            self.machine.tell(bells);
            self.machine.device.run();
            self.machine.look();
            while let Some(done) = self.adapter.take()? {
                self.over.push(done);
            }
        }
        assert_eq!(self.adapter.may_sleep(), Ok(true));
        Ok(())
    }

    fn received(&self, tag: Tag, length: u32) -> Vec<u8> {
        self.machine.ram.read(self.buffers[usize::from(tag)].1, length as usize).expect("it is there")
    }

    fn is_clean(&self) {
        assert!(self.machine.refused.is_empty(), "{:?}", self.machine.refused);
        assert!(self.machine.device.violations.is_empty(), "{:?}", self.machine.device.violations);
    }
}

/// For our address.
fn frame(n: u8, length: usize) -> Vec<u8> {
    let rest = (0..length - 6).map(|at| (at as u8).wrapping_mul(7).wrapping_add(n));
    MAC.into_iter().chain(rest).collect()
}

#[test]
fn frames_come_and_go_around_the_rings_many_times() {
    for backend in BOTH {
        let mut bench = bench(backend);
        for n in 0..1000u16 {
            let tag = n % 7;
            let bytes = frame(n as u8, 14 + usize::from(n) % 1501);
            bench.arm(tag).expect("there is room");
            bench.turn().unwrap();
            assert!(bench.machine.device.deliver(&bytes, Some(n % 2 == 0)));
            bench.turn().unwrap();
            let length = bytes.len() as u32;
            assert_eq!(bench.over.pop(), Some(Done::Received { tag, length, is_good: n % 2 == 0 }));
            assert_eq!(bench.received(tag, length), bytes);
            bench.send(9, &bytes, None).expect("there is room");
            bench.turn().unwrap();
            assert_eq!(bench.over.pop(), Some(Done::Sent { tag: 9 }));
            assert_eq!(bench.machine.device.sent.pop(), Some(bytes));
        }
        assert_eq!(bench.machine.pins(), 0);
        bench.is_clean();
    }
}

#[test]
fn a_full_ring_is_busy_and_a_frame_without_a_buffer_is_lost() {
    for backend in BOTH {
        let mut bench = bench(backend);
        assert!(!bench.machine.device.deliver(&frame(1, 60), None), "there is no buffer");
        for tag in 0..ENTRIES - 1 {
            bench.arm(tag).expect("there is room");
        }
        assert_eq!(bench.adapter.receive(99, 0, ROOM as u32, 0), Err(Refusal::Busy));
        bench.turn().unwrap();
        for n in 0..ENTRIES - 1 {
            assert!(bench.machine.device.deliver(&frame(n as u8, 60 + usize::from(n)), None));
        }
        assert!(!bench.machine.device.deliver(&frame(1, 60), None), "all are full");
        bench.turn().unwrap();
        let wanted = |tag: Tag| Done::Received { tag, length: 60 + u32::from(tag), is_good: false };
        assert_eq!(bench.over, (0..ENTRIES - 1).map(wanted).collect::<Vec<_>>());
        for tag in 0..ENTRIES - 1 {
            bench.send(tag, &frame(1, 60), None).expect("there is room");
        }
        assert_eq!(bench.send(99, &frame(1, 60), None), Err(Refusal::Busy));
        bench.turn().unwrap();
        assert_eq!(bench.machine.device.sent.len(), usize::from(ENTRIES - 1));
        bench.is_clean();
    }
}

#[test]
fn sums_are_filled_in_and_a_context_is_told_once() {
    for backend in BOTH {
        let mut bench = bench(backend);
        let sums = [(34, 16), (34, 16), (34, 6), (54, 6), (34, 16)];
        for (n, (start, offset)) in sums.into_iter().enumerate() {
            let mut bytes = frame(n as u8, 100);
            bytes[start..].iter_mut().skip(offset).take(2).for_each(|byte| *byte = 0x11);
            let sum = Checksum { start: start as u16, offset: offset as u16 };
            bench.send(1, &bytes, Some(sum)).expect("there is room");
            bench.turn().unwrap();
            let sent = bench.machine.device.sent.pop().expect("it was sent");
            let mut wanted = bytes.clone();
            let sum = checksum(&bytes[start..]).to_be_bytes();
            wanted[start + offset..start + offset + 2].copy_from_slice(&sum);
            assert_eq!(sent, wanted);
        }
        // Five frames, of which three want another context than the one before, and the one of the beginning.
        let used = bench.machine.device.read(0x3810);
        assert_eq!(used, 1 + 5 + 4);
        let far = Checksum { start: 240, offset: 16 };
        assert_eq!(bench.send(1, &frame(1, 400), Some(far)), Err(Refusal::Unsupported));
        assert_eq!(bench.send(1, &frame(1, 400), Some(Checksum { start: 239, offset: 16 })), Ok(()));
        bench.turn().unwrap();
        bench.is_clean();
    }
}

#[test]
fn udps_sum_is_never_zero() {
    let mut bench = bench(Backend::Bounce);
    // What is summed up is all ones without its sum.
    let mut bytes = vec![0; 60];
    bytes[34] = 0xff;
    bytes[35] = 0xff;
    for (offset, wanted) in [(6, [0xff, 0xff]), (16, [0, 0])] {
        bench.send(1, &bytes, Some(Checksum { start: 34, offset })).expect("there is room");
        bench.turn().unwrap();
        let sent = bench.machine.device.sent.pop().expect("it was sent");
        assert_eq!(sent[34 + usize::from(offset)..][..2], wanted);
    }
}

#[test]
fn only_what_is_wanted_comes() {
    let mut bench = bench(Backend::Bounce);
    let group = [&[1, 0, 0x5e, 0, 0, 1][..], &[0; 60]].concat();
    let other = [&[2, 0, 0, 0, 0, 9][..], &[0; 60]].concat();
    let broadcast = [&[0xff; 6][..], &[0; 60]].concat();
    for tag in 0..12 {
        bench.arm(tag).expect("there is room");
    }
    bench.turn().unwrap();
    for (stations, groups, wanted) in
        [(false, false, [false, false]), (false, true, [true, false]), (true, false, [true, true])]
    {
        let (register, value) = Filter { stations, groups }.control();
        bench.machine.write(register, value);
        assert!(
            bench.machine.device.deliver(&broadcast, None)
                && bench.machine.device.deliver(&frame(1, 60), None)
        );
        let come = [&group, &other].map(|bytes| bench.machine.device.deliver(bytes, None));
        assert_eq!(come, wanted);
    }
    bench.is_clean();
}

#[test]
fn a_link_that_goes_is_heard_of_and_keeps_what_is_to_be_sent() {
    let mut bench = bench(Backend::Bounce);
    assert!(bench.adapter.link().is_up && bench.adapter.link().mbits == 1000);
    bench.machine.device.set_link(false);
    assert!(bench.machine.device.interrupts());
    assert_eq!(bench.machine.read(CAUSES) & 4, 4);
    assert!(!bench.machine.device.interrupts(), "to read causes is to clear them");
    let status = bench.machine.read(STATUS);
    assert_eq!(bench.adapter.look(status), Ok(true));
    assert_eq!(bench.adapter.look(status), Ok(false));
    assert!(!bench.adapter.link().is_up);
    bench.send(3, &frame(1, 60), None).expect("there is room");
    bench.turn().unwrap();
    for _ in 0..100 {
        bench.now += LOOK_NS;
        assert_eq!(bench.adapter.on_timeout(status, bench.now), Ok(()), "it has no way to send");
    }
    bench.machine.device.set_link(true);
    let status = bench.machine.read(STATUS);
    assert_eq!(bench.adapter.on_timeout(status, bench.now + TIMEOUT_NS - 1), Ok(()));
    bench.turn().unwrap();
    assert_eq!((bench.over.pop(), bench.adapter.deadline()), (Some(Done::Sent { tag: 3 }), None));
}

#[test]
fn a_device_that_does_not_send_is_late() {
    for backend in BOTH {
        let mut bench = bench(backend);
        assert_eq!(bench.adapter.deadline(), None, "there is nothing to wait for");
        bench.arm(0).expect("there is room");
        bench.turn().unwrap();
        assert_eq!(bench.adapter.deadline(), None, "a quiet network is no fault");
        bench.machine.device.fault = Some(Fault::Silent);
        bench.send(3, &frame(1, 60), None).expect("there is room");
        bench.turn().unwrap();
        assert_eq!(bench.adapter.deadline(), Some(LOOK_NS));
        assert_eq!(bench.adapter.on_timeout(2, TIMEOUT_NS - 1), Ok(()));
        assert_eq!(bench.adapter.on_timeout(2, TIMEOUT_NS), Err(DeviceFault::Silent));
        assert_eq!(bench.adapter.take(), Err(DeviceFault::Silent), "it stays");
        assert_eq!(bench.arm(1), Err(Refusal::Busy));
        assert_eq!((bench.adapter.publish().send, bench.adapter.deadline()), (None, None));
    }
}

#[test]
fn what_was_sent_and_not_looked_at_is_not_late() {
    let mut bench = bench(Backend::Bounce);
    bench.send(3, &frame(1, 60), None).expect("there is room");
    let bells = bench.adapter.publish();
    bench.machine.tell(bells);
    bench.machine.device.run();
    bench.machine.look();
    assert_eq!(bench.adapter.may_sleep(), Ok(false));
    assert_eq!(bench.adapter.on_timeout(2, 2 * TIMEOUT_NS), Ok(()));
    assert_eq!(bench.adapter.take(), Ok(Some(Done::Sent { tag: 3 })));
}

#[test]
fn what_a_faulty_device_says_is_not_believed() {
    for backend in BOTH {
        for (fault, wanted) in [
            (Fault::Length(0), DeviceFault::Length(0)),
            (Fault::Length(2049), DeviceFault::Length(2049)),
            (Fault::Length(u16::MAX), DeviceFault::Length(u16::MAX)),
            (Fault::Parts, DeviceFault::Parts),
        ] {
            let mut bench = bench(backend);
            bench.arm(0).expect("there is room");
            bench.turn().unwrap();
            bench.machine.device.fault = Some(fault);
            assert!(bench.machine.device.deliver(&frame(1, 60), None));
            assert_eq!(bench.turn(), Err(wanted));
            assert_eq!(bench.adapter.may_sleep(), Err(wanted));
        }
    }
}

#[test]
fn one_that_is_through_with_everything_is_believed_for_what_it_has() {
    for backend in BOTH {
        let mut bench = bench(backend);
        bench.machine.device.fault = Some(Fault::Eager);
        for tag in 0..5 {
            bench.arm(tag).expect("there is room");
        }
        bench.turn().unwrap();
        assert_eq!(bench.over.len(), 5, "each once");
        bench.turn().unwrap();
        assert_eq!(bench.over.len(), 5);
    }
}

#[test]
fn what_can_not_be_brought_up_is_told() {
    let try_one = |mac, fault| {
        let mut machine = Machine::new(Backend::Bounce, mac);
        machine.device.fault = fault;
        machine.bring_up().map(|_| ()).expect_err("it is none")
    };
    assert_eq!(try_one(MAC, Some(Fault::Gone)), DeviceFault::Gone);
    assert_eq!(try_one(MAC, Some(Fault::NoAddress)), DeviceFault::Address(MAC));
    assert_eq!(try_one([0; 6], None), DeviceFault::Address([0; 6]));
    assert_eq!(try_one([1, 2, 3, 4, 5, 6], None), DeviceFault::Address([1, 2, 3, 4, 5, 6]));
    // One that goes while it is at work.
    let mut bench = bench(Backend::Direct);
    assert_eq!(bench.adapter.look(u32::MAX), Err(DeviceFault::Gone));
}

/// What the fuzzer tries, with random bytes.
#[test]
fn a_liar_is_not_believed() {
    let mut rng = Rng::new(82574);
    for _ in 0..3000 {
        let bytes: Vec<u8> = (0..rng.below(900)).map(|_| rng.draw() as u8).collect();
        liar::play(&bytes);
    }
}

/// Frames of any length, any number at a time, in any order of receiving and sending.
#[test]
fn every_frame_comes_once_and_as_it_is() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut bench = bench(BOTH[usize::from(rng.chance(1, 2))]);
        for _ in 0..40 {
            let (receives, length) = (rng.chance(1, 2), 14 + rng.below(1505));
            for tag in 0..rng.below(9) as Tag {
                let bytes = frame(tag as u8, length as usize);
                if receives {
                    bench.arm(tag).expect("there is room");
                    bench.turn().unwrap();
                    assert!(bench.machine.device.deliver(&bytes, None));
                    bench.turn().unwrap();
                    assert_eq!(bench.over.pop(), Some(Done::Received { tag, length, is_good: false }));
                    assert_eq!(bench.received(tag, length), bytes);
                } else {
                    bench.send(tag, &bytes, None).expect("there is room");
                    bench.turn().unwrap();
                    assert_eq!(bench.over.pop(), Some(Done::Sent { tag }));
                    assert_eq!(bench.machine.device.sent.pop(), Some(bytes));
                }
                assert!(bench.over.is_empty(), "once");
            }
        }
        bench.is_clean();
    }
}
