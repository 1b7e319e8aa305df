//! What is written of a frame, in which order, and how often.

extern crate std;
use super::blk::{Access, Part};
use crate::layout::flags;
use crate::net::{AREA_BYTES, Buffers, Checksum, Done, Frame, Net, Shape, Tag, features};
use crate::register::features::VERSION_1;
use crate::{DeviceFault, Layout};
use core::cell::{Cell, RefCell};
use core::sync::atomic::Ordering;
use std::rc::Rc;
use std::vec::Vec;

/// Where the device finds the driver's own memory, and where the headers of what is sent are in it.
const AREA: u64 = 0x10_0000;
const HEADERS: u32 = 2048;

const FRAME: Frame = Frame { token: 0x5_0000_0000, length: 60, checksum: None, segment: None, flow: 0 };

/// Buffers that all have this header.
struct Header {
    words: [u32; 3],
    reads: Cell<u32>,
}

impl Buffers for Header {
    fn header(&self, _: Tag) -> [u32; 3] {
        self.reads.set(self.reads.get() + 1);
        self.words
    }
}

struct Bench {
    net: Net<Part, Part>,
    layout: Layout,
    receives: Part,
    sends: Part,
    area: Part,
    accesses: Rc<RefCell<Vec<Access>>>,
}

fn bench(features: u64) -> Bench {
    let accesses = Rc::default();
    let layout = Layout::new(8).unwrap();
    let part = |name, bytes| Part::new(name, bytes, &accesses);
    let (receives, sends) = (part("receives", layout.bytes()), part("sends", layout.bytes()));
    let area = part("area", AREA_BYTES);
    let shape = Shape::new(features, &[0; 9]).unwrap();
    let queues = [(receives.clone(), layout), (sends.clone(), layout)];
    let net = Net::new(shape, area.clone(), AREA, queues, 0).unwrap();
    accesses.borrow_mut().clear();
    Bench { net, layout, receives, sends, area, accesses }
}

fn descriptor(ring: &Part, at: u32) -> (u64, u32, u16, u16) {
    let (token, length) = (u64::from_le_bytes(ring.get(at)), u32::from_le_bytes(ring.get(at + 8)));
    (token, length, u16::from_le_bytes(ring.get(at + 12)), u16::from_le_bytes(ring.get(at + 14)))
}

impl Bench {
    /// The device gives a chain back as the `n`-th.
    fn complete(&self, ring: &Part, n: u16, id: u16, length: u32) {
        let entry = self.layout.used_entry(n);
        ring.put(entry, &u32::from(id).to_le_bytes());
        ring.put(entry + 4, &length.to_le_bytes());
        ring.put(self.layout.used_index(), &(n + 1).to_le_bytes());
    }
}

#[test]
fn a_frame_to_be_sent_is_its_descriptor_and_an_entry() {
    let mut bench = bench(VERSION_1 | features::CSUM);
    bench.net.send(3, &FRAME, 0).unwrap();
    let at = |index| bench.layout.descriptor(index);
    let data = at(4);
    let entry = bench.layout.available_entry(0);
    let written = ["sends", "sends", "sends"].into_iter().zip([data, data + 8, entry]);
    let wanted: Vec<Access> = written.map(|(part, at)| Access::Write(part, at)).collect();
    assert_eq!(bench.accesses.take(), wanted, "nothing else");
    assert_eq!(descriptor(&bench.sends, at(0)), (AREA + u64::from(HEADERS), 12, flags::NEXT, 4));
    assert_eq!(descriptor(&bench.sends, data), (FRAME.token, 60, 0, 0));
    assert_eq!(bench.net.publish(), 2);
    let index = bench.layout.available_index();
    assert_eq!(bench.accesses.take(), [Access::Fence(Ordering::Release), Access::Write("sends", index)]);
    assert_eq!(bench.net.publish(), 0);
}

#[test]
fn a_header_is_written_when_it_is_not_what_it_was() {
    let mut bench = bench(VERSION_1 | features::CSUM);
    let none = Header { words: [0; 3], reads: Cell::default() };
    let sum = Some(Checksum { start: 34, offset: 6 });
    for (n, (checksum, writes)) in (0..).zip([(None, 0), (sum, 2), (sum, 0), (None, 2), (None, 0)]) {
        bench.accesses.borrow_mut().clear();
        bench.net.send(3, &Frame { checksum, ..FRAME }, 0).unwrap();
        let is_header = |access: &&Access| matches!(access, Access::Write("area", HEADERS..));
        assert_eq!(bench.accesses.borrow().iter().filter(is_header).count(), writes, "{n}");
        let wanted = if checksum.is_some() { [1, 0, 0, 0, 0, 0, 34, 0, 6, 0, 0, 0] } else { [0; 12] };
        assert_eq!(bench.area.get::<12>(HEADERS), wanted);
        assert_eq!(bench.net.publish(), 2);
        bench.complete(&bench.sends, n, 0, 0);
        assert_eq!(bench.net.take(&none, 0), Ok(Some(Done::Sent { tag: 3 })));
    }
}

#[test]
fn a_header_is_read_once_and_after_the_index() {
    let mut bench = bench(VERSION_1 | features::MRG_RXBUF);
    let buffers = Header { words: [0, 0, 1 << 16], reads: Cell::default() };
    bench.net.receive(7, 0x7000, 2048).unwrap();
    assert_eq!(bench.net.publish(), 1);
    assert_eq!(descriptor(&bench.receives, 0), (0x7000, 2048, flags::WRITE, 0));
    bench.complete(&bench.receives, 0, 0, 72);
    bench.accesses.borrow_mut().clear();
    let wanted = Done::Received { tag: 7, skip: 12, length: 60, more: false, is_good: false };
    assert_eq!(bench.net.take(&buffers, 0), Ok(Some(wanted)));
    // Of the queue that has nothing, too.
    let fences = std::vec![Access::Fence(Ordering::Acquire); 2];
    assert_eq!((bench.accesses.take(), buffers.reads.get()), (fences, 1));
}

#[test]
fn a_legacy_device_has_headers_of_its_own_in_front_of_buffers() {
    let mut bench = bench(features::GUEST_CSUM);
    bench.net.receive(7, 0x7000, 2048).unwrap();
    assert_eq!(bench.net.publish(), 1);
    let at = |index| bench.layout.descriptor(index);
    assert_eq!(descriptor(&bench.receives, at(0)), (AREA, 10, flags::NEXT | flags::WRITE, 4));
    assert_eq!(descriptor(&bench.receives, at(4)), (0x7000, 2048, flags::WRITE, 0));
    bench.area.put(0, &[2]);
    bench.complete(&bench.receives, 0, 0, 2058);
    let nobody = Header { words: [0xff; 3], reads: Cell::default() };
    let wanted = Done::Received { tag: 7, skip: 0, length: 2048, more: false, is_good: true };
    assert_eq!((bench.net.take(&nobody, 0), nobody.reads.get()), (Ok(Some(wanted)), 0));
    bench.net.receive(8, 0x7000, 2048).unwrap();
    assert_eq!(bench.net.publish(), 1);
    bench.complete(&bench.receives, 1, 0, 2059);
    let fault = DeviceFault::TooLong { id: 0, length: 2059, writable: 2058 };
    assert_eq!(bench.net.take(&nobody, 0), Err(fault));
}

#[test]
fn of_a_huge_buffer_the_device_gets_as_much_as_is_of_use() {
    for (features, index) in [(VERSION_1, 0), (0, 4)] {
        let mut bench = bench(features);
        bench.net.receive(7, 0x7000, u32::MAX).unwrap();
        let data = bench.layout.descriptor(index);
        assert_eq!(descriptor(&bench.receives, data), (0x7000, 1 << 17, flags::WRITE, 0));
    }
}

#[test]
fn the_device_can_not_be_through_with_what_it_was_not_shown() {
    for position in 0..2 {
        let mut bench = bench(VERSION_1);
        bench.net.receive(7, 0x7000, 2048).unwrap();
        bench.net.send(3, &FRAME, 0).unwrap();
        bench.complete(if position == 0 { &bench.receives } else { &bench.sends }, 0, 0, 60);
        let nobody = Header { words: [0; 3], reads: Cell::default() };
        assert_eq!(bench.net.take(&nobody, 0), Err(DeviceFault::Index(1)));
    }
}
