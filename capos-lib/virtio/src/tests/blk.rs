//! What is written of a request, and in which order.

extern crate std;
use crate::blk::{AREA_BYTES, Blk, Shape, features};
use crate::layout::flags;
use crate::split::Memory;
use crate::{DeviceFault, Interface, Layout};
use capos_block::{Operation, Request, Status};
use core::cell::RefCell;
use core::sync::atomic::Ordering;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

/// Where the device finds the driver's own memory.
const AREA: u64 = 0x10_0000;

/// Of what the driver did: the part, and the offset there; or a fence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    Write(&'static str, u32),
    Fence(Ordering),
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    name: &'static str,
    bytes: Rc<RefCell<Vec<u8>>>,
    accesses: Rc<RefCell<Vec<Access>>>,
}

impl Part {
    pub(super) fn new(name: &'static str, length: u32, accesses: &Rc<RefCell<Vec<Access>>>) -> Part {
        let bytes = Rc::new(RefCell::new(vec![0; length as usize]));
        Part { name, bytes, accesses: Rc::clone(accesses) }
    }

    pub(super) fn get<const W: usize>(&self, offset: u32) -> [u8; W] {
        self.bytes.borrow()[offset as usize..][..W].try_into().unwrap()
    }

    pub(super) fn put(&self, offset: u32, bytes: &[u8]) {
        self.accesses.borrow_mut().push(Access::Write(self.name, offset));
        self.bytes.borrow_mut()[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }
}

impl Memory for Part {
    fn read16(&self, offset: u32) -> u16 {
        u16::from_le_bytes(self.get(offset))
    }
    fn read32(&self, offset: u32) -> u32 {
        u32::from_le_bytes(self.get(offset))
    }
    fn write16(&self, offset: u32, value: u16) {
        self.put(offset, &value.to_le_bytes());
    }
    fn write32(&self, offset: u32, value: u32) {
        self.put(offset, &value.to_le_bytes());
    }
    fn write64(&self, offset: u32, value: u64) {
        self.put(offset, &value.to_le_bytes());
    }
    fn fence(&self, order: Ordering) {
        self.accesses.borrow_mut().push(Access::Fence(order));
    }
}

struct Bench {
    blk: Blk<Part, Part>,
    layout: Layout,
    ring: Part,
    area: Part,
}

fn bench(size: u16) -> Bench {
    let accesses = Rc::default();
    let layout = Layout::new(size).unwrap();
    let (ring, area) =
        (Part::new("ring", layout.bytes(), &accesses), Part::new("area", AREA_BYTES, &accesses));
    let shape = Shape::new(features::FLUSH, &[1000, 0, 0, 0, 0, 0, 0]).unwrap();
    let blk = Blk::new(Interface::Modern, shape, area.clone(), AREA, [(ring.clone(), layout)]).unwrap();
    accesses.borrow_mut().clear();
    Bench { blk, layout, ring, area }
}

impl Bench {
    fn submit(&mut self, operation: Operation, first: u64, sectors: u32) {
        let request = Request { id: 7, operation, durable: false, buffer: 0, offset: 0, first, sectors };
        self.blk.submit(3, &request, 0x5_0000_0000, 0).unwrap();
    }

    /// Token, length, flags and next of each descriptor of the chain that was added as the `n`-th.
    fn chain(&self, n: u16) -> Vec<(u64, u32, u16)> {
        let mut at = u16::from_le_bytes(self.ring.get(self.layout.available_entry(n)));
        let mut chain = Vec::new();
        loop {
            let descriptor = self.layout.descriptor(at);
            let flags = u16::from_le_bytes(self.ring.get(descriptor + 12));
            let token = u64::from_le_bytes(self.ring.get(descriptor));
            chain.push((token, u32::from_le_bytes(self.ring.get(descriptor + 8)), flags));
            if flags & flags::NEXT == 0 {
                return chain;
            }
            at = u16::from_le_bytes(self.ring.get(descriptor + 14));
        }
    }
}

#[test]
fn a_request_is_a_header_data_and_a_status() {
    let mut bench = bench(8);
    bench.submit(Operation::Read, 5, 2);
    bench.submit(Operation::Write, 6, 1);
    let data = (0x5_0000_0000, 1024, flags::NEXT | flags::WRITE);
    assert_eq!(bench.chain(0), [(AREA, 16, flags::NEXT), data, (AREA + 32, 1, flags::WRITE)]);
    let data = (0x5_0000_0000, 512, flags::NEXT);
    assert_eq!(bench.chain(1), [(AREA + 64, 16, flags::NEXT), data, (AREA + 96, 1, flags::WRITE)]);
    let header = |at: u32| [at, at + 8].map(|at| u64::from_le_bytes(bench.area.get(at)));
    assert_eq!((header(0), header(64)), ([0, 5], [1, 6]));
    assert_eq!(bench.area.get(32), [0xff], "no status that there is");
}

#[test]
fn a_flush_has_no_data_and_what_comes_after_it_has_some_again() {
    let mut bench = bench(4);
    bench.submit(Operation::Flush, 0, 0);
    assert_eq!(bench.chain(0), [(AREA, 16, flags::NEXT), (AREA + 32, 1, flags::WRITE)]);
    assert_eq!(bench.area.get::<8>(0), 4u64.to_le_bytes());
    assert_eq!(bench.blk.publish(), 1);
    bench.area.put(32, &[0]);
    bench.ring.put(bench.layout.used_entry(0) + 4, &1u32.to_le_bytes());
    bench.ring.put(bench.layout.used_index(), &1u16.to_le_bytes());
    assert!(bench.blk.take(0).unwrap().is_some_and(|done| done.tag == 3));
    bench.submit(Operation::Read, 0, 1);
    assert_eq!(bench.chain(1).len(), 3);
}

#[test]
fn the_device_sees_a_batch_when_all_of_it_is_there() {
    let mut bench = bench(8);
    bench.submit(Operation::Read, 0, 1);
    bench.submit(Operation::Write, 1, 1);
    let index = bench.layout.available_index();
    assert_eq!(bench.ring.get(index), [0, 0], "nothing is there before it is published");
    assert!(!bench.ring.accesses.borrow().contains(&Access::Write("ring", index)));
    assert_eq!((bench.blk.publish(), bench.blk.publish()), (1, 0), "once");
    assert_eq!(bench.ring.get(index), [2, 0]);
    let accesses = bench.ring.accesses.take();
    let [.., fence, last] = accesses.as_slice() else { panic!("{accesses:?}") };
    assert_eq!(*fence, Access::Fence(Ordering::Release));
    assert_eq!(*last, Access::Write("ring", index));
}

impl Bench {
    /// The device gives the `n`-th chain back, with this status and as so many bytes.
    fn answer(&self, n: u16, chain: u16, status: u8, length: u32) {
        self.area.put(u32::from(chain) * 64 + 32, &[status]);
        let entry = self.layout.used_entry(n);
        self.ring.put(entry, &u32::from(chain).to_le_bytes());
        self.ring.put(entry + 4, &length.to_le_bytes());
        self.ring.put(self.layout.used_index(), &(n + 1).to_le_bytes());
    }
}

#[test]
fn a_read_that_fails_fills_nothing_and_is_no_fault() {
    let mut bench = bench(8);
    bench.submit(Operation::Read, 0, 1);
    assert_eq!(bench.blk.publish(), 1);
    bench.answer(0, 0, 1, 1);
    assert_eq!(bench.blk.take(0).map(|done| done.map(|done| done.status)), Ok(Some(Status::Media)));
    bench.submit(Operation::Read, 0, 1);
    assert_eq!(bench.blk.publish(), 1);
    bench.answer(1, 0, 0, 1);
    assert_eq!(bench.blk.take(0), Err(DeviceFault::Short { id: 0, length: 1 }));
}

#[test]
fn the_device_can_not_be_through_with_what_it_was_not_shown() {
    let mut bench = bench(8);
    bench.submit(Operation::Read, 0, 1);
    bench.answer(0, 0, 0, 513);
    assert_eq!(bench.blk.take(0), Err(DeviceFault::Index(1)));
}
