use super::*;
use crate::class::{AttachError, Class, GuardError, Register, Registers, Ring, Step, Verdict};
use crate::pool::TokenError;
use crate::window::{Action, Backend};
use crate::world::e1000e::play;
use crate::world::{Bytes, DriverMemory, Memory};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

/// The first frame of buffers.
const FRAME: u64 = 0x10_0000;

const WHOLE: u64 = bits::FRAME | bits::END | bits::CHECK | bits::REPORT | bits::FORM;
const CONTEXT: u64 = bits::REPORT | bits::FORM | bits::TCP;

/// A queue with a buffer of four pages and one of one page.
struct Bench {
    layout: Layout,
    shadow: DriverMemory,
    real: Bytes,
    memory: Memory,
    queue: Queue,
    tail: u16,
}

fn bench(direction: Direction, size: u16) -> Bench {
    let layout = Layout::new(size).unwrap();
    let mut memory = Memory::new(8);
    memory.insert(4);
    memory.insert(1);
    Bench {
        layout,
        shadow: DriverMemory::new(layout.shadow_bytes()),
        real: Bytes::new(layout.bytes()),
        memory,
        queue: Queue::new(layout, direction, vec![Entry::default(); size.into()].into()).unwrap(),
        tail: 0,
    }
}

impl Bench {
    fn token(&self, n: usize) -> u64 {
        *self.memory.live.keys().nth(n).unwrap()
    }

    fn offer(&mut self, words: [u64; 2]) {
        let at = self.layout.descriptor(self.tail);
        self.shadow.bytes.put(at, 8, words[0]);
        self.shadow.bytes.put(at + 8, 8, words[1]);
        self.tail = self.layout.after(self.tail);
        self.shadow.bytes.put(self.layout.tail(), 2, self.tail.into());
    }

    fn publish(&mut self) -> Result<Published, Refusal> {
        self.shadow.fresh_call();
        self.queue.publish(&self.shadow, &self.real, &mut self.memory.pool, 64)
    }

    /// What the device gets for a descriptor, or what is wrong with it.
    fn try_one(&mut self, words: [u64; 2]) -> Result<[u64; 2], Reason> {
        let at = self.layout.descriptor(self.tail);
        self.offer(words);
        let _ = self.publish().map_err(|refusal| refusal.reason)?;
        Ok([self.real.get(at, 8), self.real.get(at + 8, 8)])
    }

    /// The device writes this to the second word of a descriptor.
    fn write_back(&mut self, index: u16, word: u64) -> u16 {
        self.real.put(self.layout.descriptor(index) + 8, 8, word);
        self.queue.collect(&self.real, &mut self.memory.pool)
    }

    fn answer(&self, index: u16) -> u64 {
        self.real.get(self.layout.answer(index), 8)
    }

    fn pins(&self) -> Vec<u64> {
        self.memory.pool.buffers().map(|it| it.pins).collect()
    }
}

#[test]
fn a_buffer_has_as_much_room_as_the_device_writes() {
    let mut it = bench(Direction::Receive, 8);
    let (big, small) = (it.token(0), it.token(1));
    assert_eq!(
        it.try_one([big + 0x100, u64::MAX]),
        Ok([FRAME + 0x100, 0]),
        "what it says besides is nothing"
    );
    assert_eq!(it.try_one([small + 0x800, 0]), Ok([FRAME + 0x4800, 0]), "to the last byte");
    assert_eq!(it.pins(), [1, 1]);
    assert_eq!(it.try_one([small + 0x801, 0]), Err(Reason::Token(TokenError::OutOfRange)));
    assert_eq!(it.try_one([big, 0]), Err(Reason::Stopped));
    let mut it = bench(Direction::Receive, 8);
    assert_eq!(it.try_one([FRAME, 0]), Err(Reason::Token(TokenError::Unknown)), "an address is no token");
}

#[test]
fn a_frame_is_one_descriptor_and_what_has_no_address_goes_as_it_is() {
    let mut it = bench(Direction::Send, 8);
    let big = it.token(0);
    assert_eq!(it.try_one([big + 3, WHOLE | 1514]), Ok([FRAME + 3, WHOLE | 1514]));
    let context = [0x0022_000e_1706_0000, CONTEXT | bits::V4];
    assert_eq!(it.try_one(context), Ok(context));
    let summed = WHOLE | bits::CHECKSUM | LONGEST;
    assert_eq!(it.try_one([big, summed]), Ok([FRAME, summed]));
    assert_eq!(it.pins(), [2, 0], "a context names nothing");
    assert_eq!(it.queue.in_flight(), 3);
}

#[test]
fn other_forms_are_refused() {
    // A legacy descriptor; a part of a frame; segments; no report; one that is late; a tag; status that is the device's; sums of IP; a context of segments; of another kind; with a
    // length; with headers; a data type that there is not.
    let all = [
        0x0b00_0040,
        WHOLE & !bits::END | 64,
        WHOLE | 1 << 26 | 64,
        WHOLE & !bits::REPORT | 64,
        WHOLE | 1 << 31 | 64,
        WHOLE | 1 << 30 | 64,
        WHOLE | bits::DONE | 64,
        WHOLE | 1 << 40 | 64,
        WHOLE | 1 << 48 | 64,
        WHOLE | 1 << 28 | 64,
        CONTEXT | 1 << 26,
        CONTEXT | 1 << 30,
        CONTEXT | 1,
        CONTEXT | 1 << 40,
        CONTEXT | 1 << 48,
        CONTEXT & !bits::REPORT,
        WHOLE | 1 << 21 | 64,
        0,
    ];
    for second in all {
        let mut it = bench(Direction::Send, 8);
        let token = it.token(0);
        assert_eq!(it.try_one([token, second]), Err(Reason::Form(second)));
        assert_eq!((it.pins(), it.real.get(0, 8), it.real.get(8, 8)), ([0, 0].into(), 0, 0));
    }
    for (length, reason) in [
        (0, Reason::Token(TokenError::Empty)),
        (LONGEST + 1, Reason::TooLong(LONGEST + 1)),
        (bits::LENGTH, Reason::TooLong(bits::LENGTH)),
    ] {
        let mut it = bench(Direction::Send, 8);
        let token = it.token(0);
        assert_eq!(it.try_one([token, WHOLE | length]), Err(reason));
    }
    let mut it = bench(Direction::Send, 8);
    let small = it.token(1);
    assert_eq!(it.try_one([small, WHOLE | 4097]), Err(Reason::Token(TokenError::OutOfRange)));
}

#[test]
fn what_is_written_back_comes_to_the_driver_without_addresses_and_in_order() {
    let mut it = bench(Direction::Receive, 8);
    let (big, small) = (it.token(0), it.token(1));
    for token in [big, small, big] {
        assert!(it.try_one([token, 0]).is_ok());
    }
    assert_eq!(it.write_back(1, bits::DONE | 60), 0, "the first one is not through");
    assert_eq!((it.answer(1), it.pins()), (0, [2, 1].into()));
    assert_eq!(it.write_back(0, bits::DONE | 77 | 3 << 33), 2);
    assert_eq!((it.answer(0), it.answer(1)), (bits::DONE | 77 | 3 << 33, bits::DONE | 60));
    assert_eq!((it.answer(2), it.pins()), (0, [1, 0].into()));
    // The same again with the next round: what was said before is over when the place is taken.
    for _ in 3..9 {
        assert!(it.try_one([small, 0]).is_ok());
    }
    assert_eq!((it.answer(0), it.queue.in_flight()), (0, 7));
    assert_eq!(it.try_one([small, 0]), Err(Reason::Full));
    assert_eq!(it.queue.in_flight(), 7);
    it.queue.abandon(&mut it.memory.pool);
    assert_eq!((it.pins(), it.queue.in_flight()), ([0, 0].into(), 0));
    assert_eq!(it.publish().unwrap_err().reason, Reason::Stopped);
}

#[test]
fn a_device_that_is_through_with_everything_for_ever_is_asked_once_for_each() {
    let mut it = bench(Direction::Send, 8);
    let token = it.token(0);
    (0..8).for_each(|index| it.real.put(it.layout.descriptor(index) + 8, 8, u64::MAX));
    assert_eq!(it.queue.collect(&it.real, &mut it.memory.pool), 0, "it has nothing");
    assert!(it.try_one([token, WHOLE | 64]).is_ok());
    assert_eq!(it.write_back(0, u64::MAX), 1);
    assert_eq!(it.write_back(1, u64::MAX), 0);
    assert_eq!(it.pins(), [0, 0]);
}

#[test]
fn an_index_that_there_is_not_stops_the_queue() {
    let mut it = bench(Direction::Receive, 8);
    it.shadow.bytes.put(it.layout.tail(), 2, 8);
    assert_eq!(it.publish().unwrap_err().reason, Reason::Index(8));
    it.shadow.bytes.put(it.layout.tail(), 2, 0);
    assert_eq!(it.publish().unwrap_err().reason, Reason::Stopped);
}

#[test]
fn more_than_one_call_does_is_said() {
    let mut it = bench(Direction::Receive, 128);
    let token = it.token(0);
    (0..100).for_each(|_| it.offer([token, 0]));
    assert_eq!(it.publish(), Ok(Published { count: 64, bell: Some(64), more: true }));
    assert_eq!(it.publish(), Ok(Published { count: 36, bell: Some(100), more: false }));
    assert_eq!(it.publish(), Ok(Published { count: 0, bell: None, more: false }));
}

#[test]
fn parts_of_a_queue_do_not_meet() {
    for size in (3..=10).map(|shift| 1 << shift) {
        let it = Layout::new(size).unwrap();
        assert!(it.descriptor(size - 1) + 16 == it.tail() && it.tail() + 2 <= it.shadow_bytes());
        assert!(it.tail() <= it.answers() && it.answers().is_multiple_of(4096));
        assert!(it.answer(size - 1) + 8 <= it.bytes() && it.bytes().is_multiple_of(4096));
    }
    assert!([0, 4, 9, 2048].into_iter().all(|size| Layout::new(size).is_none()));
    assert!(Queue::new(Layout::new(8).unwrap(), Direction::Send, vec![Entry::default(); 7].into()).is_none());
}

#[derive(Default)]
struct Written(Vec<(u64, u64)>);

impl Registers for Written {
    fn read(&mut self, _: Register) -> u64 {
        0
    }

    fn write(&mut self, register: Register, value: u64) {
        self.0.push((register.offset, value));
    }
}

const RING: Ring = Ring { size: 64, base: 0x1_2345_6000, completions: 0, translated: true };

#[test]
fn rings_are_where_the_kernel_says_and_begin_at_their_begin() {
    let (mut class, mut registers) = (Class::E1000e(Adapter::default()), Written::default());
    let bell = class.attach(&mut registers, RECEIVE, RING).unwrap();
    assert_eq!((bell.register.offset, bell.register.width), (0x2818, 4));
    assert_eq!(registers.0, [(0x2800, 0x2345_6000), (0x2804, 1), (0x2808, 1024), (0x2810, 0), (0x2818, 0)]);
    assert_eq!(class.attach(&mut registers, RECEIVE, RING), Err(AttachError::Attached));
    assert_eq!(class.attach(&mut registers, 2, RING), Err(AttachError::NoSuchQueue));
    let odd = |size, base| Ring { size, base, ..RING };
    assert_eq!(class.attach(&mut registers, SEND, odd(12, 0x1000)), Err(AttachError::BadSize(8)));
    assert_eq!(class.attach(&mut registers, SEND, odd(8, 0x1010)), Err(AttachError::OutOfReach));
    assert_eq!(class.attach(&mut registers, SEND, RING).unwrap().register.offset, 0x3818);
    class.was_reset();
    assert!(class.attach(&mut registers, SEND, RING).is_ok());
}

#[test]
fn a_queue_is_switched_on_when_it_is_there_and_off_by_a_reset() {
    let mut class = Class::E1000e(Adapter::default());
    for (queue, control) in [(RECEIVE, 0x100), (SEND, 0x400)] {
        assert_eq!(class.guard(0, control, 2), Err(GuardError::NotNow));
        assert_eq!(class.guard(0, control, 0), Ok(Verdict::Write(0)));
        class.attach(&mut Written::default(), queue, RING).unwrap();
        assert!(matches!(class.guard(0, control, 2), Ok(Verdict::Write(2))));
        assert!(matches!(class.guard(0, control, 10), Ok(Verdict::Write(10))), "what comes, or how");
        assert_eq!(class.guard(0, control, 8), Ok(Verdict::Reset));
    }
    assert_eq!(class.guard(0, 0, 1 << 26), Ok(Verdict::Reset));
    assert_eq!(class.guard(0, 0x18, 0), Err(GuardError::NotGuarded));
}

#[test]
fn how_much_comes_into_a_buffer_and_in_which_form_is_not_the_drivers() {
    let mut class = Class::E1000e(Adapter::default());
    class.attach(&mut Written::default(), RECEIVE, RING).unwrap();
    // Bad frames, long ones, loopback, thresholds, forms, sizes, filters of VLANs, control frames, sizes again.
    assert_eq!(class.guard(0, 0x100, 0xffff_ffff), Ok(Verdict::Write(0x0400_801a)));
    assert_eq!(class.guard(0, 0, 0xfbff_ffff), Ok(Verdict::Write(0x61)), "it may ask for memory");
    let table = class.table(0, 0x2_0000).unwrap();
    assert_eq!(table.check_write(Backend::Direct, 0x5000, 4, u64::MAX), Ok(Action::Write(0x300)));
    // Addresses, lengths, heads, the second queues; other forms of descriptors, several queues, the memory of the device's configuration, aliases.
    let closed = [
        0x2800, 0x2804, 0x2808, 0x2810, 0x2900, 0x2904, 0x2908, 0x2918, 0x3800, 0x3804, 0x3808, 0x3810,
        0x3900, 0x3918, 0x2170, 0xe4, 0xe8, 0x5008, 0x5818, 0x18, 0x14, 0x102c, 0x110, 0x420, 0x5400, 0x5404,
        0x5820,
    ];
    for (offset, backend) in closed.iter().flat_map(|at| [(*at, Backend::Bounce), (*at, Backend::Direct)]) {
        for width in [1, 2, 4, 8] {
            assert!(table.check_write(backend, offset, width, 0).is_err(), "{offset:#x}");
        }
    }
    assert!(table.check_write(Backend::Bounce, 0x2818, 4, 1).is_err());
    assert!(table.check_write(Backend::Direct, 0x3818, 4, 1).is_ok());
    for offset in [0x2800, 0x2804, 0x3800, 0x3804, 0x2900, 0x3900] {
        assert!(table.check_read(offset, 4).is_err(), "{offset:#x} is an address");
    }
    assert!(class.table(2, 0x20).unwrap().ranges().is_empty(), "the ports lead to every register");
}

#[test]
fn it_has_no_way_to_memory_before_it_is_reset() {
    let place = |wanted: &dyn Fn(&Step) -> bool| quiesce().iter().position(wanted).unwrap();
    let asks = place(
        &|step| matches!(step, Step::Await { register, mask: 0x8_0000, value: 0, .. } if register.offset == 8),
    );
    let reset = place(&|step| matches!(step, Step::Write(register, 0x400_0000) if register.offset == 0));
    let is_reset =
        place(&|step| matches!(step, Step::Await { register, value: 0, .. } if register.offset == 0));
    assert!(asks < reset && reset < is_reset);
    for offset in [0x2800, 0x2804, 0x2808, 0x2900, 0x3800, 0x3804, 0x3808, 0x3900, 0x5008, 0x5818] {
        let zero = place(&|step| matches!(step, Step::Write(register, 0) if register.offset == offset));
        assert!(zero > is_reset, "{offset:#x}");
    }
    assert_eq!(Class::E1000e(Adapter::default()).quiesce(), quiesce());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the fuzzer tries, with random bytes.
    #[test]
    fn no_byte_beyond_the_buffers(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        play(&bytes);
    }
}
