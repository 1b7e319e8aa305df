//! The queue in an array, with a device that does what the test says.

extern crate std;
use crate::DeviceFault;
use crate::layout::{Layout, flags};
use crate::split::{AddError, Memory, Piece, Queue, Used};
use core::cell::{Cell, RefCell};
use core::sync::atomic::Ordering;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

/// What was done to the memory, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    Read(u32),
    Write(u32),
    Fence(Ordering),
}

#[derive(Clone, Debug)]
struct Ring {
    bytes: Rc<RefCell<Vec<u8>>>,
    accesses: Rc<RefCell<Vec<Access>>>,
    layout: Layout,
    used: Rc<Cell<u16>>,
}

impl Ring {
    fn new(size: u16) -> Ring {
        let layout = Layout::new(size).unwrap();
        let bytes = Rc::new(RefCell::new(vec![0; layout.bytes() as usize]));
        Ring { bytes, accesses: Rc::default(), layout, used: Rc::default() }
    }

    fn get(&self, offset: u32, width: usize) -> u64 {
        let bytes = self.bytes.borrow();
        bytes[offset as usize..][..width].iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
    }

    fn put(&self, offset: u32, width: usize, value: u64) {
        assert_eq!(offset as usize % width, 0);
        let mut bytes = self.bytes.borrow_mut();
        bytes[offset as usize..][..width].copy_from_slice(&value.to_le_bytes()[..width]);
    }

    fn driver_writes(&self, offset: u32, width: usize, value: u64) {
        assert!(offset + width as u32 <= self.layout.used(), "the used ring is the device's");
        self.accesses.borrow_mut().push(Access::Write(offset));
        self.put(offset, width, value);
    }

    fn driver_reads(&self, offset: u32, width: usize) -> u64 {
        assert!(offset >= self.layout.used(), "the driver trusts its own memory only");
        self.accesses.borrow_mut().push(Access::Read(offset));
        self.get(offset, width)
    }

    /// The device uses a chain.
    fn complete(&self, id: u32, length: u32) {
        let entry = self.layout.used_entry(self.used.get());
        self.put(entry, 4, id.into());
        self.put(entry + 4, 4, length.into());
        self.move_used(1);
    }

    fn move_used(&self, by: u16) {
        self.used.set(self.used.get().wrapping_add(by));
        self.put(self.layout.used_index(), 2, self.used.get().into());
    }

    fn accesses(&self) -> Vec<Access> {
        self.accesses.take()
    }
}

impl Memory for Ring {
    fn read16(&self, offset: u32) -> u16 {
        self.driver_reads(offset, 2) as u16
    }
    fn read32(&self, offset: u32) -> u32 {
        self.driver_reads(offset, 4) as u32
    }
    fn write16(&self, offset: u32, value: u16) {
        self.driver_writes(offset, 2, value.into());
    }
    fn write32(&self, offset: u32, value: u32) {
        self.driver_writes(offset, 4, value.into());
    }
    fn write64(&self, offset: u32, value: u64) {
        self.driver_writes(offset, 8, value);
    }
    fn fence(&self, order: Ordering) {
        self.accesses.borrow_mut().push(Access::Fence(order));
    }
}

fn queue(size: u16, event_index: bool) -> (Queue<Ring, 4>, Ring) {
    let ring = Ring::new(size);
    let queue = Queue::new(ring.clone(), ring.layout, event_index);
    ring.accesses();
    (queue, ring)
}

const READ: Piece = Piece { token: 0x1_2345_6000, length: 16, writable: false };
const WRITE: Piece = Piece { token: 0x7000, length: 100, writable: true };

#[test]
fn a_chain_is_written_before_the_device_can_see_it() {
    let (mut queue, ring) = queue(4, false);
    let id = queue.add(&[READ, WRITE]).unwrap();
    let at = ring.layout.descriptor(id);
    assert_eq!((ring.get(at, 8), ring.get(at + 8, 4)), (READ.token, 16));
    assert_eq!(ring.get(at + 12, 2) as u16, flags::NEXT);
    let next = ring.layout.descriptor(ring.get(at + 14, 2) as u16);
    assert_eq!((ring.get(next, 8), ring.get(next + 8, 4)), (WRITE.token, 100));
    assert_eq!(ring.get(next + 12, 2) as u16, flags::WRITE);
    assert_eq!(ring.get(ring.layout.available_entry(0), 2) as u16, id);
    assert_eq!(ring.get(ring.layout.available_index(), 2), 1);
    let accesses = ring.accesses();
    let [.., fence, last] = accesses.as_slice() else { panic!("{accesses:?}") };
    assert_eq!(*fence, Access::Fence(Ordering::Release));
    assert_eq!(*last, Access::Write(ring.layout.available_index()));
}

#[test]
fn chains_come_back_in_any_order_and_free_their_descriptors() {
    let (mut queue, ring) = queue(4, false);
    let ids = [queue.add(&[READ, WRITE]).unwrap(), queue.add(&[WRITE]).unwrap(), queue.add(&[READ]).unwrap()];
    assert_eq!((queue.room(), queue.in_flight()), (0, 3));
    assert_eq!(queue.add(&[READ]), Err(AddError::Full));
    assert_eq!(queue.take_used(), Ok(None));
    for (n, length) in [(2, 0), (0, 100), (1, 7)] {
        ring.complete(ids[n].into(), length);
        assert_eq!(queue.take_used(), Ok(Some(Used { id: ids[n], length })));
    }
    assert_eq!((queue.take_used(), queue.room(), queue.in_flight()), (Ok(None), 4, 0));
    assert!(queue.add(&[READ, READ, WRITE, WRITE]).is_ok());
}

#[test]
fn each_word_of_the_device_is_read_once_and_entries_behind_the_index() {
    let (mut queue, ring) = queue(4, false);
    let id = queue.add(&[WRITE]).unwrap();
    ring.complete(id.into(), 1);
    ring.accesses();
    queue.take_used().unwrap().unwrap();
    let entry = ring.layout.used_entry(0);
    let wanted = [
        Access::Read(ring.layout.used_index()),
        Access::Fence(Ordering::Acquire),
        Access::Read(entry),
        Access::Read(entry + 4),
    ];
    assert_eq!(ring.accesses(), wanted);
}

#[test]
fn indices_wrap() {
    let (mut queue, ring) = queue(4, true);
    for round in 0..70_000u32 {
        let id = queue.add(&[READ, WRITE]).unwrap();
        ring.complete(id.into(), round % 101);
        assert_eq!(queue.take_used(), Ok(Some(Used { id, length: round % 101 })));
    }
    assert_eq!(queue.room(), 4);
}

#[test]
fn a_ring_that_is_larger_than_wanted_is_used_in_part_and_a_smaller_one_whole() {
    let (mut large, ring) = queue(256, false);
    assert_eq!(large.room(), 4);
    for round in 0..600 {
        let id = large.add(&[WRITE, WRITE, WRITE]).unwrap();
        assert!(id < 4);
        ring.complete(id.into(), 300);
        assert!(large.take_used().unwrap().is_some(), "{round}");
    }
    let (mut small, _) = queue(2, false);
    assert_eq!((small.room(), small.add(&[READ, READ, READ])), (2, Err(AddError::Count)));
    assert!(small.add(&[READ, READ]).is_ok());
}

#[test]
fn chains_that_make_no_sense_are_refused_and_change_nothing() {
    let (mut queue, ring) = queue(4, false);
    let huge = Piece { length: u32::MAX, ..READ };
    assert_eq!(queue.add(&[]), Err(AddError::Count));
    assert_eq!(queue.add(&[READ; 5]), Err(AddError::Count));
    assert_eq!(queue.add(&[WRITE, READ]), Err(AddError::Order));
    assert_eq!(queue.add(&[Piece { length: 0, ..READ }]), Err(AddError::Length));
    assert_eq!(queue.add(&[huge, READ]), Err(AddError::Length));
    assert_eq!((queue.room(), queue.in_flight(), ring.accesses()), (4, 0, vec![]));
}

/// Each way to lie about a used chain, and that the queue is closed afterwards.
fn lie(expected: DeviceFault, lie: impl FnOnce(&Ring, u32)) {
    let (mut queue, ring) = queue(4, false);
    let id = queue.add(&[READ, WRITE]).unwrap();
    lie(&ring, id.into());
    while let Ok(taken) = queue.take_used() {
        assert!(taken.is_some(), "the lie was not seen");
    }
    assert_eq!(queue.take_used(), Err(expected));
    ring.put(ring.layout.used_index(), 2, 0);
    assert_eq!((queue.take_used(), queue.may_sleep()), (Err(expected), Err(expected)));
}

#[test]
fn lies_are_faults() {
    lie(DeviceFault::UnknownId(4), |ring, _| ring.complete(4, 0));
    lie(DeviceFault::UnknownId(u32::MAX), |ring, _| ring.complete(u32::MAX, 0));
    lie(DeviceFault::UnknownId(0x1_0000), |ring, id| ring.complete(id + 0x1_0000, 0));
    lie(DeviceFault::NotInFlight(3), |ring, _| ring.complete(3, 0));
    lie(DeviceFault::NotInFlight(1), |ring, id| ring.complete(id + 1, 0)); // the middle of a chain
    lie(DeviceFault::TooLong { id: 0, length: 101, writable: 100 }, |ring, id| ring.complete(id, 101));
    lie(DeviceFault::Index(2), |ring, _| ring.move_used(2));
    lie(DeviceFault::Index(0xffff), |ring, _| ring.move_used(0xffff));
}

#[test]
fn the_same_chain_twice_is_a_fault() {
    let (mut queue, ring) = queue(4, false);
    let first = queue.add(&[WRITE]).unwrap();
    queue.add(&[WRITE]).unwrap();
    ring.complete(first.into(), 1);
    ring.complete(first.into(), 1);
    assert!(matches!(queue.take_used(), Ok(Some(_))));
    assert_eq!(queue.take_used(), Err(DeviceFault::NotInFlight(first.into())));
    let (mut queue, ring) = queue_of_one(first);
    ring.complete(first.into(), 1);
    assert_eq!(queue.take_used(), Err(DeviceFault::Index(1)), "nothing is in flight");
}

/// After its only chain came back.
fn queue_of_one(id: u16) -> (Queue<Ring, 4>, Ring) {
    let (mut queue, ring) = queue(4, false);
    assert_eq!(queue.add(&[WRITE]), Ok(id));
    ring.complete(id.into(), 1);
    assert!(matches!(queue.take_used(), Ok(Some(_))));
    (queue, ring)
}

#[test]
fn without_event_index_the_device_says_whether_it_wants_to_know() {
    let (mut queue, ring) = queue(4, false);
    assert!(!queue.kick());
    queue.add(&[READ]).unwrap();
    assert!(queue.kick());
    assert!(!queue.kick());
    queue.add(&[READ]).unwrap();
    ring.put(ring.layout.used(), 2, 1);
    assert!(!queue.kick());
}

#[test]
fn with_event_index_it_says_which_entry() {
    let (mut queue, ring) = queue(4, true);
    queue.add(&[READ]).unwrap();
    assert!(queue.kick());
    queue.add(&[READ]).unwrap();
    assert!(!queue.kick(), "it wants entry 0");
    ring.put(ring.layout.available_event(), 2, 3);
    queue.add(&[READ]).unwrap();
    assert!(!queue.kick());
    ring.accesses();
    queue.add(&[READ]).unwrap();
    assert!(queue.kick());
    let accesses = ring.accesses();
    let [.., fence, last] = accesses.as_slice() else { panic!("{accesses:?}") };
    assert_eq!(*fence, Access::Fence(Ordering::SeqCst));
    assert_eq!(*last, Access::Read(ring.layout.available_event()));
}

#[test]
fn before_sleeping_the_wish_is_written_and_then_looked_again() {
    let (mut queue, ring) = queue(4, true);
    let id = queue.add(&[WRITE]).unwrap();
    ring.accesses();
    assert_eq!(queue.may_sleep(), Ok(true));
    let wish = ring.layout.used_event();
    let wanted = [
        Access::Write(wish),
        Access::Fence(Ordering::SeqCst),
        Access::Read(ring.layout.used_index()),
        Access::Fence(Ordering::Acquire),
    ];
    assert_eq!(ring.accesses(), wanted);
    ring.complete(id.into(), 3);
    assert_eq!(queue.may_sleep(), Ok(false));
    queue.take_used().unwrap();
    queue.may_sleep().unwrap();
    assert_eq!(ring.get(wish, 2), 1);
}

#[test]
fn nothing_is_taken_behind_a_lie() {
    let (mut queue, ring) = queue(4, false);
    let ids = [queue.add(&[WRITE]).unwrap(), queue.add(&[WRITE]).unwrap()];
    ring.complete(u32::from(ids[0]) + 2, 1);
    ring.complete(ids[1].into(), 1);
    let fault = DeviceFault::NotInFlight(u32::from(ids[0]) + 2);
    assert_eq!([queue.take_used(), queue.take_used()], [Err(fault), Err(fault)]);
}
