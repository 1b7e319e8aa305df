use super::*;
use crate::class::{Register, Registers, Ring};
use crate::pool::TokenError;
use crate::world::nvme::play;
use crate::world::{Bytes, DriverMemory, Memory};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Where the real memory of the queue is, and the first frame of buffers.
const BASE: u64 = 0x8000_0000;
const FRAME: u64 = 0x10_0000;

const READ: u64 = 2;
const IDENTIFY: u64 = 6;

#[derive(Default)]
struct Words(BTreeMap<(u16, u64), u64>);

impl Buffers for Words {
    fn read64(&self, slot: u16, offset: u64) -> u64 {
        self.0.get(&(slot, offset)).copied().unwrap_or(0)
    }
}

struct NoRegisters;

impl Registers for NoRegisters {
    fn read(&mut self, _: Register) -> u64 {
        0
    }

    fn write(&mut self, _: Register, _: u64) {}
}

/// A queue with a buffer of four pages and one of one page; namespace 1 has sectors of 512 bytes.
struct Bench {
    layout: Layout,
    shadow: DriverMemory,
    real: Bytes,
    words: Words,
    memory: Memory,
    controller: Controller,
    queue: Queue,
    tail: u16,
    completion: u16,
}

fn bench(id: u16, size: u16) -> Bench {
    let layout = Layout::new(size).unwrap();
    let mut memory = Memory::new(8);
    memory.insert(4);
    memory.insert(1);
    let mut controller = Controller::new(0x3ff | 1 << 37).unwrap();
    controller.identified(1, Some(9));
    for id in 0..2 {
        let ring = Ring { size, base: 0x5000_0000, completions: 0x5001_0000, translated: false };
        controller.attach(&mut NoRegisters, id, ring).unwrap();
    }
    Bench {
        layout,
        shadow: DriverMemory::new(layout.shadow_bytes()),
        real: Bytes::new(layout.bytes()),
        words: Words::default(),
        memory,
        controller,
        queue: Queue::new(id, layout, BASE, vec![Command::default(); size.into()].into()).unwrap(),
        tail: 0,
        completion: 0,
    }
}

impl Bench {
    fn token(&self, n: usize) -> u64 {
        *self.memory.live.keys().nth(n).unwrap()
    }

    fn offer(&mut self, words: [u64; 8]) {
        let at = self.layout.command(self.tail);
        (0..).zip(words).for_each(|(n, word)| self.shadow.bytes.put(at + 8 * n, 8, word));
        self.tail = self.layout.after(self.tail);
        self.shadow.bytes.put(self.layout.tail(), 2, self.tail.into());
    }

    fn publish(&mut self) -> Result<Published, Refusal> {
        self.shadow.fresh_call();
        let pool = &mut self.memory.pool;
        self.queue.publish(&self.shadow, &self.real, &self.words, pool, &mut self.controller, 64)
    }

    /// The two pointers that the device gets for a command, or what is wrong with it.
    fn try_one(&mut self, words: [u64; 8]) -> Result<[u64; 2], Reason> {
        let at = self.layout.command(self.tail);
        self.offer(words);
        let _ = self.publish().map_err(|refusal| refusal.reason)?;
        Ok([24, 32].map(|word| self.real.get(at + word, 8)))
    }

    /// The device completes a command, as it says.
    fn complete(&mut self, id: u16, head: u16, status: u64) -> Result<u16, DeviceFault> {
        let (at, phase) =
            (self.layout.completion(self.completion), 1 ^ ((self.completion / self.layout.size()) & 1));
        let queue = u64::from(self.queue.id());
        self.real.put(at + 8, 4, u64::from(head) | queue << 16);
        self.real.put(at + 12, 4, u64::from(id) | u64::from(phase) << 16 | status << 17);
        self.completion += 1;
        self.queue.collect(&self.real, &mut self.memory.pool, &mut self.controller)
    }

    fn pins(&self) -> Vec<u64> {
        self.memory.pool.buffers().map(|it| it.pins).collect()
    }
}

/// A read of so many sectors of namespace 1 by command `id`.
fn read(id: u64, prp: [u64; 2], sectors: u64) -> [u64; 8] {
    [READ | id << 16 | 1 << 32, 0, 0, prp[0], prp[1], 77, sectors - 1, 0]
}

#[test]
fn up_to_two_pages_are_named_by_the_command() {
    let mut it = bench(1, 8);
    let (big, small) = (it.token(0), it.token(1));
    assert_eq!(it.try_one(read(0, [big + 0x200, 0x1234], 7)), Ok([FRAME + 0x200, 0]), "to the end of a page");
    assert_eq!(it.try_one(read(1, [big + 0x200, small], 8)), Ok([FRAME + 0x200, FRAME + 0x4000]));
    assert_eq!(it.try_one(read(2, [big + 0x2000, big], 16)), Ok([FRAME + 0x2000, FRAME]));
    assert_eq!((it.real.get(0x28, 8), it.real.get(0, 8)), (77, READ | 1 << 32), "the rest stays");
    assert_eq!(it.pins(), [4, 1]);
    assert_eq!((it.complete(1, 3, 0), it.pins()), (Ok(1), [3, 0].into()));
}

#[test]
fn more_goes_through_a_list_that_only_the_kernel_writes() {
    let mut it = bench(1, 8);
    let (big, small) = (it.token(0), it.token(1));
    let slot = it.memory.pool.locate(small, 1).unwrap().slot;
    it.words.0.extend([((slot, 0xfe8), big), ((slot, 0xff0), big + 0x3000), ((slot, 0xff8), small)]);
    let list = BASE + u64::from(it.layout.list(5));
    assert_eq!(it.try_one(read(5, [big + 0x1000, small + 0xfe8], 32)), Ok([FRAME + 0x1000, list]));
    let copied: Vec<_> = (0..3).map(|n| it.real.get(it.layout.list(5) + 8 * n, 8)).collect();
    assert_eq!(copied, [FRAME, FRAME + 0x3000, FRAME + 0x4000]);
    assert_eq!(it.pins(), [3, 1]);
    it.memory.remove(0);
    assert_eq!((it.complete(5, 1, 0), it.memory.pool.reclaim().is_some()), (Ok(1), true));
}

#[test]
fn wrong_pointers() {
    let wrong = |prp: &dyn Fn(u64, u64) -> [u64; 2], sectors| {
        let mut it = bench(1, 8);
        let prp = prp(it.token(0), it.token(1));
        let reason = it.try_one(read(0, prp, sectors)).unwrap_err();
        assert_eq!(it.pins(), [0, 0], "nothing stays pinned");
        assert!((0..8).all(|n| it.real.get(8 * n, 8) == 0), "the device sees nothing");
        assert_eq!(it.publish().unwrap_err().reason, Reason::Stopped);
        reason
    };
    let token = Reason::Token;
    assert_eq!(wrong(&|_, _| [0, 0], 1), token(TokenError::Unknown));
    assert_eq!(wrong(&|big, _| [big + 0x3000, 0], 9), token(TokenError::Unknown), "the second page");
    assert_eq!(wrong(&|_, small| [small, small + 0x1000], 16), token(TokenError::OutOfRange));
    assert_eq!(wrong(&|big, _| [big + 2, 0], 1), Reason::Misaligned);
    assert_eq!(wrong(&|big, _| [big, big + 0x200], 16), Reason::Misaligned);
    assert_eq!(
        wrong(&|big, small| [big, small + 0xff8], 24),
        Reason::Misaligned,
        "the list goes on elsewhere"
    );
    assert_eq!(wrong(&|big, small| [big, small + 4], 24), Reason::Misaligned);
    assert_eq!(wrong(&|big, _| [big, 0], 24), token(TokenError::Unknown), "no list");
    assert_eq!(wrong(&|big, small| [big, small], 24), token(TokenError::Unknown), "a list of zeros");
    assert_eq!(wrong(&|big, small| [big, small], 8 * u64::from(LIST) + 9), Reason::TooLong);
    assert_eq!(wrong(&|big, small| [big, small], 65536), Reason::TooLong);
}

#[test]
fn the_longest_transfer() {
    let mut it = bench(1, 8);
    let (big, small) = (it.token(0), it.token(1));
    let slot = it.memory.pool.locate(small, 1).unwrap().slot;
    it.words.0.extend((0..u64::from(LIST)).map(|n| ((slot, 8 * n), big)));
    assert!(it.try_one(read(0, [big, small], 8 * u64::from(LIST) + 8)).is_ok());
    assert_eq!(it.pins(), [u64::from(LIST) + 1, 0]);
    it.queue.abandon(&mut it.memory.pool);
    assert_eq!(it.pins(), [0, 0]);
}

#[test]
fn what_a_command_may_not_have() {
    let wrong = |id: u16, word: usize, bits: u64| {
        let mut it = bench(id, 8);
        let mut words = read(0, [it.token(0), 0], 1);
        words[word] ^= bits;
        it.try_one(words).unwrap_err()
    };
    for bit in 8..16 {
        assert_eq!(wrong(1, 0, 1 << bit), Reason::Flags, "fused, or lists of another kind");
    }
    assert_eq!(wrong(1, 2, 1), Reason::Metadata);
    assert_eq!(wrong(1, 0, 8 << 16), Reason::CommandId(8));
    assert_eq!(wrong(1, 0, 2 << 32), Reason::Namespace);
    for opcode in (0..=255).filter(|it| ![0, 1, 2, 5, 8, 9].contains(it)) {
        assert_eq!(wrong(1, 0, READ ^ opcode), Reason::Opcode(opcode as u8));
    }
    for opcode in (0..=255).filter(|it| ![1, 2, 5, 6, 8, 9, 10, 12].contains(it)) {
        assert_eq!(wrong(0, 0, READ ^ opcode), Reason::Opcode(opcode as u8));
    }
}

#[test]
fn features_with_addresses_are_refused() {
    let mut refused = Vec::new();
    for feature in 0..=255 {
        let mut it = bench(0, 8);
        let words = [9, 0, 0, it.token(1), 0xffff, feature, 0, 0];
        match it.try_one(words) {
            Ok([0, 0]) | Ok([_, 0]) => {}
            Ok(_) => panic!("a pointer stayed"),
            Err(reason) => refused.push((feature, reason)),
        }
    }
    let allowed = [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14];
    let right: Vec<_> = (0..=255).filter(|it| !allowed.contains(it)).collect();
    assert_eq!(refused, right.iter().map(|it| (*it, Reason::Feature(*it as u8))).collect::<Vec<_>>());
}

#[test]
fn lengths_of_other_data() {
    let pinned = |id: u16, words: [u64; 8], room: u64| {
        let mut it = bench(id, 8);
        let mut words = words;
        words[3] = it.token(1) + PAGE - room;
        it.try_one(words)
    };
    let last = |room: u64| Ok([FRAME + 0x5000 - room, 0]);
    // Get Log Page of 64 bytes, features of 256 and 8, a list of ranges however short, and Identify that wants no pointer.
    let log = |dwords: u64, upper: u64| [2, 0, 0, 0, 0, (dwords - 1) << 16 | upper << 32, 0, 0];
    assert_eq!(pinned(0, log(16, 0), 64), last(64));
    assert!(pinned(0, log(16, 0), 60).is_err() && pinned(0, log(1025, 0), 4096).is_err());
    assert_eq!(pinned(0, log(16, 1), 64), Err(Reason::TooLong), "older controllers do not look there");
    assert!(
        pinned(0, [9, 0, 0, 0, 0, 12, 0, 0], 256).is_ok()
            && pinned(0, [10, 0, 0, 0, 0, 12, 0, 0], 252).is_err()
    );
    assert!(
        pinned(0, [9, 0, 0, 0, 0, 14, 0, 0], 8).is_ok() && pinned(0, [9, 0, 0, 0, 0, 14, 0, 0], 4).is_err()
    );
    assert!(
        pinned(1, [9, 0, 0, 0, 0, 0, 0, 0], 4096).is_ok() && pinned(1, [9, 0, 0, 0, 0, 0, 0, 0], 16).is_err()
    );
    assert_eq!(pinned(1, [0, 0, 0, 0, 0, 0, 0, 0], 4096), Ok([0, 0]), "Flush");
}

#[test]
fn queues_are_created_in_the_kernels_rings_and_once() {
    // Command, its queue's number and size, what comes with them.
    let create = |opcode: u64, id: u64, size: u64, more: u64| {
        [opcode, 0, 0, 0xdead_b000, 0xdead_c000, id | (size - 1) << 16 | more << 32, 0, 0]
    };
    let one = |words| bench(0, 8).try_one(words);
    assert_eq!(one(create(5, 1, 8, 3)), Ok([0x5001_0000, 0]));
    assert_eq!(one(create(1, 1, 8, 0x1_0001)), Ok([0x5000_0000, 0]));
    for words in [
        create(5, 0, 8, 1),
        create(5, 2, 8, 1),
        create(5, 1, 16, 1),
        create(5, 1, 8, 0),
        create(1, 1, 8, 0x2_0001),
        create(1, 1, 4, 0x1_0001),
        create(1, 0xffff, 8, 0xffff_0001),
    ] {
        assert_eq!(one(words), Err(Reason::Queue), "{words:x?}");
    }
    let mut it = bench(0, 8);
    assert!(it.try_one(create(5, 1, 8, 1)).is_ok());
    assert!(
        it.try_one({
            let mut words = create(1, 1, 8, 0x1_0001);
            words[0] |= 1 << 16;
            words
        })
        .is_ok()
    );
    let mut again = create(5, 1, 8, 1);
    again[0] |= 2 << 16;
    assert_eq!(it.try_one(again), Err(Reason::Queue));
}

/// What Identify says about a namespace: its format, and what the first two are.
fn identified(formatted: u64, formats: [u64; 2], status: u64) -> Result<[u64; 2], Reason> {
    let mut it = bench(0, 8);
    let answers = it.layout.answers();
    let words = [IDENTIFY | 7 << 32, 0, 0, 0xdead_b000, 0xdead_c000, 0, 0, 0];
    assert_eq!(it.try_one(words), Ok([BASE + u64::from(answers), 0]), "wherever the driver wants it");
    it.real.put(answers + 26, 2, formatted);
    it.real.put(answers + 128, 4, formats[0]);
    it.real.put(answers + 132, 4, formats[1]);
    assert_eq!(it.complete(0, 1, status), Ok(1));
    let controller = it.controller;
    let mut it = bench(1, 8);
    it.controller = controller;
    let mut words = read(0, [it.token(0) + 0x1000, it.token(1)], 2);
    words[0] |= 7 << 32;
    it.try_one(words)
}

#[test]
fn sectors_are_as_long_as_the_device_says() {
    let (one, two) = (Ok([FRAME + 0x1000, 0]), Ok([FRAME + 0x1000, FRAME + 0x4000]));
    assert_eq!(identified(0, [9 << 16, 12 << 16], 0), one);
    assert_eq!(identified(1, [9 << 16, 12 << 16], 0), two);
    let unusable = [
        identified(0, [8 << 16, 0], 0),
        identified(0, [17 << 16, 0], 0),
        identified(0, [0, 0], 0),
        identified(0, [9 << 16 | 8, 0], 0),
        identified(0x20, [9 << 16, 0], 0),
        identified(0x40, [9 << 16, 0], 0),
        identified(0, [9 << 16, 0], 1),
    ];
    assert!(unusable.iter().all(|it| *it == Err(Reason::Namespace)), "{unusable:?}");
}

#[test]
fn one_answer_at_a_time() {
    let mut it = bench(0, 8);
    let words = |id: u64, which: u64| [IDENTIFY | id << 16, 0, 0, 0, 0, which, 0, 0];
    assert!(it.try_one(words(0, 1)).is_ok());
    assert_eq!(it.complete(0, 1, 0), Ok(1));
    assert!(it.try_one(words(0, 2)).is_ok());
    assert_eq!(it.try_one(words(1, 3)), Err(Reason::Answer));
    assert_eq!(bench(0, 8).try_one(words(0, 4)), Err(Reason::Opcode(6)));
}

#[test]
fn a_forgotten_namespace_is_not_used() {
    let mut it = bench(1, 8);
    it.controller.was_reset();
    assert_eq!(it.try_one(read(0, [it.token(0), 0], 1)), Err(Reason::Namespace));
    let mut it = bench(1, 8);
    it.controller.identified(1, None);
    assert_eq!(it.try_one(read(0, [it.token(0), 0], 1)), Err(Reason::Namespace));
    let mut it = bench(1, 8);
    it.controller.identified(u32::MAX, Some(9));
    let mut words = read(0, [it.token(0), 0], 1);
    words[0] |= 0xffff_ffff << 32;
    assert_eq!(it.try_one(words), Err(Reason::Namespace), "all together are none");
}

#[test]
fn numbers_are_one_commands() {
    let mut it = bench(1, 8);
    let token = it.token(0);
    assert!(it.try_one(read(3, [token, 0], 1)).is_ok());
    assert_eq!(it.try_one(read(3, [token, 0], 1)), Err(Reason::CommandId(3)));
}

#[test]
fn nothing_is_written_over_what_the_device_has_not_fetched() {
    let mut it = bench(1, 4);
    let token = it.token(0);
    for id in 0..3 {
        assert!(it.try_one(read(id, [token, 0], 1)).is_ok());
    }
    assert_eq!(it.complete(0, 0, 0), Ok(1), "done, and yet nothing is said to be fetched");
    assert_eq!(it.try_one(read(0, [token, 0], 1)), Err(Reason::Full));
    let mut it = bench(1, 4);
    it.shadow.bytes.put(it.layout.tail(), 2, 4);
    assert_eq!(it.publish().unwrap_err().reason, Reason::Index(4));
}

#[test]
fn what_comes_before_the_wrong_one_is_published() {
    let mut it = bench(1, 8);
    let token = it.token(0);
    it.offer(read(0, [token, 0], 1));
    it.offer(read(0, [token, 0], 1));
    let before = Published { count: 1, bell: Some(1), more: false };
    assert_eq!(it.publish(), Err(Refusal { before, entry: 1, reason: Reason::CommandId(0) }));
    assert_eq!((it.complete(0, 1, 0), it.pins()), (Ok(1), [0, 0].into()));
}

#[test]
fn queues_go_round() {
    let mut it = bench(1, 4);
    let token = it.token(0);
    for round in 0..20 {
        let bell = (round + 1) % 4;
        it.offer(read(u64::from(round % 4), [token, 0], 1));
        assert_eq!(it.publish(), Ok(Published { count: 1, bell: Some(bell), more: false }));
        assert_eq!((it.complete(round % 4, bell, 0), it.pins()), (Ok(1), [0, 0].into()));
        it.shadow.bytes.put(it.layout.consumed(), 2, bell.into());
        it.shadow.fresh_call();
        assert_eq!(it.queue.consumed(&it.shadow), Ok(Some(bell)));
    }
}

#[test]
fn a_device_completes_what_it_has_and_once() {
    let faults = |tell: &dyn Fn(&mut Bench) -> Result<u16, DeviceFault>| {
        let mut it = bench(1, 4);
        let token = it.token(0);
        assert!(it.try_one(read(0, [token, 0], 1)).is_ok() && it.try_one(read(1, [token, 0], 1)).is_ok());
        let fault = tell(&mut it).unwrap_err();
        let pool = &mut it.memory.pool;
        assert_eq!(it.queue.collect(&it.real, pool, &mut it.controller), Err(fault), "for good");
        assert_eq!(it.publish().unwrap_err().reason, Reason::Stopped);
        fault
    };
    assert_eq!(faults(&|it| it.complete(2, 1, 0)), DeviceFault::NotInFlight(2));
    assert_eq!(faults(&|it| it.complete(0xffff, 1, 0)), DeviceFault::NotInFlight(0xffff));
    assert_eq!(faults(&|it| it.complete(0, 2, 0).and(it.complete(0, 2, 0))), DeviceFault::NotInFlight(0));
    assert_eq!(faults(&|it| it.complete(0, 3, 0)), DeviceFault::Head(3));
    assert_eq!(faults(&|it| it.complete(0, 6, 0)), DeviceFault::Head(6));
    assert_eq!(faults(&|it| it.complete(0, 2, 0).and(it.complete(1, 1, 0))), DeviceFault::Head(1));
    let other_queue = |it: &mut Bench| {
        it.real.put(it.layout.completion(0) + 8, 4, 1 | 2 << 16);
        it.real.put(it.layout.completion(0) + 12, 4, 1 << 16);
        it.queue.collect(&it.real, &mut it.memory.pool, &mut it.controller)
    };
    assert_eq!(faults(&other_queue), DeviceFault::WrongQueue(2));
}

#[test]
fn completions_that_nobody_read_are_not_overwritten() {
    let mut it = bench(1, 4);
    let token = it.token(0);
    for id in 0..3 {
        assert!(it.try_one(read(id, [token, 0], 1)).is_ok());
        assert_eq!(it.complete(id as u16, id as u16 + 1, 0), Ok(1));
    }
    assert!(it.try_one(read(3, [token, 0], 1)).is_ok());
    assert_eq!(it.complete(3, 0, 0), Err(DeviceFault::Overrun));
}

#[test]
fn a_driver_has_read_only_what_there_was() {
    for (index, outcome) in
        [(0, Ok(None)), (1, Ok(Some(1))), (2, Err(Reason::Consumed(2))), (4, Err(Reason::Consumed(4)))]
    {
        let mut it = bench(1, 4);
        assert!(it.try_one(read(0, [it.token(0), 0], 1)).is_ok());
        assert_eq!(it.complete(0, 1, 0), Ok(1));
        it.shadow.bytes.put(it.layout.consumed(), 2, index);
        it.shadow.fresh_call();
        assert_eq!(it.queue.consumed(&it.shadow), outcome);
        assert_eq!(it.publish().is_err(), outcome.is_err());
    }
}

#[test]
fn parts_of_a_queue_do_not_meet() {
    for size in (1..=10).map(|shift| 1 << shift) {
        let it = Layout::new(size).unwrap();
        assert!(it.command(size - 1) + 64 <= it.list(0) && it.tail() == it.command(size - 1) + 64);
        assert!(it.list(size - 1) + LIST_BYTES <= it.completions() && it.completions().is_multiple_of(4096));
        assert!(it.completion(size - 1) + 16 <= it.answers() && it.answers().is_multiple_of(4096));
        assert!(it.answers() + 4096 == it.bytes() && it.consumed() + 2 <= it.shadow_bytes());
        for id in 0..size {
            assert!(it.list(id) % 4096 + LIST_BYTES <= 4096, "a list within a page");
        }
    }
    assert!([0, 1, 3, 2048].into_iter().all(|size| Layout::new(size).is_none()));
    assert!(Queue::new(1, Layout::new(4).unwrap(), 0, vec![Command::default(); 3].into()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the fuzzer tries, with random bytes.
    #[test]
    fn no_byte_beyond_the_buffers(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
        play(&bytes);
    }
}
