//! Memory, and a device's way to it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use capos_virtio::split::Memory;

/// Memory that machine and devices share; clones are the same memory.
#[derive(Clone, Debug)]
pub struct Ram {
    bytes: Rc<RefCell<Vec<u8>>>,
    taken: Rc<Cell<u64>>,
}

impl Ram {
    /// So many zeroed bytes.
    pub fn new(size: usize) -> Ram {
        // Nothing is at 0: addresses that nobody has set lead nowhere.
        Ram { bytes: Rc::new(RefCell::new(vec![0; size])), taken: Rc::new(Cell::new(4096)) }
    }

    /// Fresh memory in whole pages, while there is some.
    pub fn allocate(&self, bytes: u32) -> Option<u64> {
        let at = self.taken.get();
        let end = at + u64::from(bytes).next_multiple_of(4096);
        (end <= self.bytes.borrow().len() as u64).then(|| self.taken.set(end))?;
        Some(at)
    }

    /// Bytes from `address` on, if it has all of them.
    pub fn read(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let begin = usize::try_from(address).ok()?;
        self.bytes.borrow().get(begin..begin.checked_add(length)?).map(<[u8]>::to_vec)
    }

    /// Writes all of `bytes`, or says that there is no memory.
    #[must_use]
    pub fn write(&self, address: u64, bytes: &[u8]) -> bool {
        let place = usize::try_from(address).ok().and_then(|at| Some(at..at.checked_add(bytes.len())?));
        let mut all = self.bytes.borrow_mut();
        let place = place.and_then(|range| all.get_mut(range));
        place.map(|place| place.copy_from_slice(bytes)).is_some()
    }

    /// The word at `address`, if it is there.
    pub fn word(&self, address: u64) -> Option<u64> {
        let begin = usize::try_from(address).ok()?;
        let all = self.bytes.borrow();
        Some(u64::from_le_bytes(*all.get(begin..)?.first_chunk()?))
    }

    /// The ring that begins at `base`, as a driver sees it.
    pub fn ring(&self, base: u64) -> RingMemory {
        RingMemory { ram: self.clone(), base }
    }
}

/// A driver's view of a ring.
#[derive(Clone, Debug)]
pub struct RingMemory {
    ram: Ram,
    base: u64,
}

impl RingMemory {
    fn get<const W: usize>(&self, offset: u32) -> [u8; W] {
        let bytes = self.ram.read(self.base + u64::from(offset), W);
        bytes.and_then(|bytes| bytes.try_into().ok()).expect("a driver stays in its ring")
    }

    fn put(&self, offset: u32, bytes: &[u8]) {
        assert!(self.ram.write(self.base + u64::from(offset), bytes), "a driver stays in its ring");
    }
}

impl Memory for RingMemory {
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
    fn fence(&self, _: Ordering) {}
}

/// One access of a device to memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Touch {
    /// What the device used as an address.
    pub address: u64,
    /// Bytes.
    pub length: u64,
    /// Whether it wrote.
    pub write: bool,
    /// Whether something was there.
    pub done: bool,
}

type Translate = dyn Fn(u64, u64, bool) -> Option<u64>;

/// A device's way to memory; clones are the same way.
#[derive(Clone)]
pub struct Bus {
    ram: Ram,
    translate: Rc<Translate>,
    touches: Rc<RefCell<Vec<Touch>>>,
}

impl Bus {
    /// Device addresses are memory addresses.
    pub fn direct(ram: &Ram) -> Bus {
        Bus::through(ram, |address, _, _| Some(address))
    }

    /// `translate` is given an address, a length and whether it is a write, and says where in memory that is.
    pub fn through(ram: &Ram, translate: impl Fn(u64, u64, bool) -> Option<u64> + 'static) -> Bus {
        Bus { ram: ram.clone(), translate: Rc::new(translate), touches: Rc::default() }
    }

    /// Reads, if that is allowed and there.
    pub fn read(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let at = (self.translate)(address, length as u64, false);
        let bytes = at.and_then(|at| self.ram.read(at, length));
        self.note(address, length, false, bytes.is_some());
        bytes
    }

    /// Writes, if that is allowed and there.
    pub fn write(&self, address: u64, bytes: &[u8]) -> bool {
        let at = (self.translate)(address, bytes.len() as u64, true);
        let done = at.is_some_and(|at| self.ram.write(at, bytes));
        self.note(address, bytes.len(), true, done);
        done
    }

    /// What devices touched since somebody asked.
    pub fn touches(&self) -> Vec<Touch> {
        self.touches.take()
    }

    fn note(&self, address: u64, length: usize, write: bool, done: bool) {
        self.touches.borrow_mut().push(Touch { address, length: length as u64, write, done });
    }

    pub(crate) fn read16(&self, address: u64) -> Option<u16> {
        Some(u16::from_le_bytes(self.read(address, 2)?.try_into().ok()?))
    }
}
