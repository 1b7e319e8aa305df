use super::*;
use crate::world::{Bytes, DriverMemory, Memory, virtq::play};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const NEXT: u16 = flags::NEXT;
const WRITE: u16 = flags::WRITE;

struct Bench {
    layout: Layout,
    shadow: DriverMemory,
    real: Bytes,
    memory: Memory,
    queue: Queue,
    offered: u16,
    used: u16,
}

fn bench(size: u16, event_index: bool) -> Bench {
    let layout = Layout::new(size).unwrap();
    let mut memory = Memory::new(8);
    memory.insert(2);
    Bench {
        layout,
        shadow: DriverMemory::new(layout.bytes()),
        real: Bytes::new(layout.bytes()),
        memory,
        queue: Queue::new(layout, event_index, vec![Descriptor::default(); size.into()].into()).unwrap(),
        offered: 0,
        used: 0,
    }
}

impl Bench {
    fn token(&self) -> u64 {
        *self.memory.live.keys().next().unwrap()
    }

    fn describe(&self, index: u16, token: u64, length: u32, flags: u16, next: u16) {
        let at = self.layout.descriptor(index);
        self.shadow.bytes.put(at, 8, token);
        self.shadow.bytes.put(at + 8, 8, u64::from(length) | u64::from(flags) << 32 | u64::from(next) << 48);
    }

    fn offer(&mut self, head: u16) {
        self.shadow.bytes.put(self.layout.available_entry(self.offered), 2, head.into());
        self.offered = self.offered.wrapping_add(1);
        self.shadow.bytes.put(self.layout.available_index(), 2, self.offered.into());
    }

    fn publish(&mut self) -> Result<Published, Refusal> {
        self.shadow.fresh_call();
        self.queue.publish(&self.shadow, &self.real, &mut self.memory.pool, 64)
    }

    /// Why the only chain, which begins at 0, is refused, and at which descriptor.
    fn refused(&mut self) -> (u16, Reason) {
        self.offer(0);
        let refusal = self.publish().expect_err("it is wrong");
        assert_eq!(refusal.before, Published::default());
        assert_eq!(self.real.get(self.layout.available_index(), 2), 0, "the device sees nothing");
        assert!(self.memory.pool.buffers().all(|it| it.pins == 0), "nothing stays pinned");
        assert_eq!(self.publish().unwrap_err().reason, Reason::Stopped);
        (refusal.descriptor, refusal.reason)
    }

    fn give_back(&mut self, id: u32) -> Result<u16, DeviceFault> {
        self.real.put(self.layout.used_entry(self.used), 4, id.into());
        self.used = self.used.wrapping_add(1);
        self.real.put(self.layout.used_index(), 2, self.used.into());
        self.queue.collect(&self.real, &mut self.memory.pool)
    }
}

#[test]
fn a_chain_is_copied_with_addresses() {
    let mut it = bench(8, false);
    let (token, frame) = (it.token(), it.memory.live[&it.token()].start);
    it.describe(6, token + 0x10, 0x20, NEXT, 1);
    it.describe(1, token + 0x1fff, 1, WRITE, 0x7777);
    it.offer(6);
    assert_eq!(it.publish(), Ok(Published { count: 1, bell: true, more: false }));
    let words: Vec<_> = [0x60, 0x68, 0x10, 0x18, 0x80].map(|at| it.real.get(at, 8)).into();
    let (head, tail) = (0x20 | u64::from(NEXT) << 32 | 1 << 48, 1 | u64::from(WRITE) << 32 | 0x7777 << 48);
    assert_eq!(words, [frame + 0x10, head, frame + 0x1fff, tail, 0x6_0001_0000]);
    assert_eq!(it.publish(), Ok(Published::default()), "once");
    assert_eq!(it.memory.pool.buffers().next().unwrap().pins, 2);
    assert_eq!((it.give_back(6), it.queue.in_flight()), (Ok(1), 0));
    assert_eq!(it.memory.pool.buffers().next().unwrap().pins, 0);
}

#[test]
fn what_a_chain_may_not_be() {
    let wrong = |spoil: &dyn Fn(&mut Bench)| {
        let mut it = bench(8, false);
        let token = it.token();
        it.describe(0, token, 16, NEXT, 1);
        it.describe(1, token, 16, WRITE, 0);
        spoil(&mut it);
        it.refused()
    };
    let token = bench(8, false).token();
    assert_eq!(wrong(&|it| it.describe(1, token, 16, NEXT, 8)), (8, Reason::NotInTable));
    assert_eq!(wrong(&|it| it.describe(1, token, 16, NEXT, 0)), (0, Reason::InUse), "a loop");
    assert_eq!(wrong(&|it| it.describe(1, token, 16, NEXT, 1)), (1, Reason::InUse), "a loop of one");
    assert_eq!(wrong(&|it| it.describe(1, token, 16, flags::INDIRECT, 0)), (1, Reason::Indirect));
    assert_eq!(
        wrong(&|it| it.describe(1, token, 16, 1 << 7, 0)),
        (1, Reason::Flags(1 << 7)),
        "a packed ring's"
    );
    assert_eq!(wrong(&|it| it.describe(0, token, 16, NEXT, 2)), (2, Reason::Token(TokenError::Unknown)));
    let order = |it: &mut Bench| {
        it.describe(0, token, 16, NEXT | WRITE, 1);
        it.describe(1, token, 16, 0, 0);
    };
    assert_eq!(wrong(&order), (1, Reason::Order));
    assert_eq!(
        wrong(&|it| it.describe(1, token + 0x1ff1, 16, 0, 0)),
        (1, Reason::Token(TokenError::OutOfRange))
    );
    assert_eq!(
        wrong(&|it| it.describe(0, token, u32::MAX, 0, 0)),
        (0, Reason::Token(TokenError::OutOfRange))
    );
    assert_eq!(wrong(&|it| it.describe(1, token, 0, 0, 0)), (1, Reason::Token(TokenError::Empty)));
    assert_eq!(wrong(&|it| it.memory.remove(0)), (0, Reason::Token(TokenError::Stale)));
}

#[test]
fn what_comes_before_the_wrong_one_is_published() {
    let mut it = bench(8, false);
    let token = it.token();
    for index in 0..3 {
        it.describe(index, token, 16, 0, 0);
        it.offer(index);
    }
    it.describe(2, token, 16, flags::INDIRECT, 0);
    let before = Published { count: 2, bell: true, more: false };
    assert_eq!(it.publish(), Err(Refusal { before, descriptor: 2, reason: Reason::Indirect }));
    assert_eq!(it.real.get(it.layout.available_index(), 2), 2);
    assert_eq!((it.give_back(1), it.give_back(0)), (Ok(1), Ok(1)), "the device's work is taken all the same");
    assert_eq!(it.publish().unwrap_err().reason, Reason::Stopped);
}

#[test]
fn a_descriptor_is_the_devices_until_it_gives_it_back() {
    let mut it = bench(4, false);
    let token = it.token();
    it.describe(0, token, 16, NEXT, 1);
    it.describe(1, token, 16, 0, 0);
    it.offer(0);
    assert!(it.publish().is_ok());
    it.offer(1);
    assert_eq!(it.publish().unwrap_err().reason, Reason::InUse);
}

#[test]
fn an_index_beyond_the_ring_is_refused() {
    let mut it = bench(4, false);
    it.offered = 4;
    assert_eq!(it.refused(), (0, Reason::Index(5)));
}

#[test]
fn chains_are_bounded() {
    let chain = |length: u16, bytes: u32| {
        let mut it = bench(512, false);
        let token = it.token();
        for index in 0..length {
            it.describe(index, token, bytes, if index + 1 < length { NEXT } else { 0 }, index + 1);
        }
        it.offer(0);
        it.publish()
    };
    assert_eq!(chain(LONGEST_CHAIN, 1).map(|it| it.count), Ok(1));
    assert_eq!(chain(LONGEST_CHAIN + 1, 1).unwrap_err().reason, Reason::TooLong);
}

#[test]
fn a_call_has_a_limit_and_the_rest_comes_next() {
    let mut it = bench(8, false);
    let token = it.token();
    for index in 0..8 {
        it.describe(index, token, 16, 0, 0);
        it.offer(index);
    }
    let mut call = |limit| {
        it.shadow.fresh_call();
        it.queue.publish(&it.shadow, &it.real, &mut it.memory.pool, limit)
    };
    assert_eq!(call(3), Ok(Published { count: 3, bell: true, more: true }));
    assert_eq!(call(5), Ok(Published { count: 5, bell: true, more: false }));
}

#[test]
fn the_bell_is_rung_when_the_device_wants_it() {
    for event_index in [false, true] {
        let mut it = bench(8, event_index);
        let token = it.token();
        it.real.put(it.layout.used(), 2, 1);
        it.real.put(it.layout.available_event(), 2, 1);
        let mut bells = Vec::new();
        for index in 0..3 {
            it.describe(index, token, 16, 0, 0);
            it.offer(index);
            bells.push(it.publish().unwrap().bell);
        }
        assert_eq!(bells, [false, event_index, false], "EVENT_IDX is instead of the flag");
    }
}

#[test]
fn what_the_driver_wants_to_be_interrupted_for_is_passed_on() {
    let mut it = bench(8, true);
    it.shadow.bytes.put(it.layout.available(), 2, 1);
    it.shadow.bytes.put(it.layout.used_event(), 2, 0x1234);
    assert_eq!(it.publish(), Ok(Published::default()));
    assert_eq!(it.real.get(it.layout.available(), 2), 1);
    assert_eq!(it.real.get(it.layout.used_event(), 2), 0x1234);
}

#[test]
fn a_device_gives_back_what_it_has_and_once() {
    let lies: [(&[u32], DeviceFault); 4] = [
        (&[8], DeviceFault::UnknownId(8)),
        (&[0x1_0000], DeviceFault::UnknownId(0x1_0000)),
        (&[1], DeviceFault::NotInFlight(1)),
        (&[0, 0], DeviceFault::Index(1)),
    ];
    for (ids, fault) in lies {
        let mut it = bench(8, false);
        let token = it.token();
        it.describe(0, token, 16, NEXT, 1);
        it.describe(1, token, 16, 0, 0);
        it.offer(0);
        let _ = it.publish().unwrap();
        let answers: Vec<_> = ids.iter().map(|id| it.give_back(*id)).collect();
        assert_eq!(*answers.last().unwrap(), Err(fault));
        assert_eq!(it.queue.collect(&it.real, &mut it.memory.pool), Err(fault), "for good");
        assert_eq!(it.publish().unwrap_err().reason, Reason::Stopped);
        it.queue.abandon(&mut it.memory.pool);
        assert!(it.memory.pool.buffers().all(|it| it.pins == 0));
    }
}

#[test]
fn what_a_device_gave_back_before_its_fault_is_counted_once() {
    let mut it = bench(8, false);
    let token = it.token();
    for index in 0..3 {
        it.describe(index, token, 16, 0, 0);
        it.offer(index);
    }
    assert_eq!(it.publish().map(|published| published.count), Ok(3));
    it.real.put(it.layout.used_entry(0), 4, 1);
    it.used = 1;
    for _ in 0..3 {
        assert_eq!(it.give_back(7), Err(DeviceFault::NotInFlight(7)));
        assert_eq!(it.queue.in_flight(), 2, "one of two was right");
        it.used = 1;
    }
    it.queue.abandon(&mut it.memory.pool);
    assert_eq!(it.queue.in_flight(), 0);
    assert!(it.memory.pool.buffers().all(|it| it.pins == 0));
}

#[test]
fn what_was_abandoned_publishes_nothing_any_more() {
    let mut it = bench(8, false);
    let token = it.token();
    it.describe(0, token, 16, 0, 0);
    it.offer(0);
    it.queue.abandon(&mut it.memory.pool);
    assert_eq!(it.publish().unwrap_err().reason, Reason::Stopped);
}

#[test]
fn the_longest_chain_comes_back_whole() {
    let mut it = bench(512, false);
    let token = it.token();
    for index in 0..LONGEST_CHAIN {
        it.describe(index, token, 1, if index + 1 < LONGEST_CHAIN { NEXT } else { 0 }, index + 1);
    }
    it.offer(0);
    assert_eq!(it.publish().map(|published| published.count), Ok(1));
    assert_eq!(it.give_back(0), Ok(1));
    assert!(it.memory.pool.buffers().all(|it| it.pins == 0));
    it.describe(LONGEST_CHAIN - 1, token, 1, 0, 0);
    it.offer(LONGEST_CHAIN - 1);
    assert_eq!(it.publish().map(|published| published.count), Ok(1), "its last descriptor is free");
}

#[test]
fn the_table_has_as_many_descriptors_as_the_layout() {
    let layout = Layout::new(8).unwrap();
    assert!(Queue::new(layout, false, vec![Descriptor::default(); 7].into()).is_none());
    assert!(
        Queue::new(Layout::new(32768).unwrap(), false, vec![Descriptor::default(); 32768].into()).is_some()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the fuzzer tries, with random bytes.
    #[test]
    fn no_byte_beyond_the_buffers(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        play(&bytes);
    }
}
