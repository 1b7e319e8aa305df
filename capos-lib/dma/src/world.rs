//! What the code is tried in, by tests and fuzzers: a driver's memory that never stays as it is, a device that follows what it
//! finds in its rings, and who owns which byte of memory.

use crate::memory::{Real, Shadow};
use crate::pool::{Addresses, PAGE, Pool, Removal, Slot, Space};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::Range;
use core::sync::atomic::Ordering;

pub mod e1000e;
pub mod nvme;
pub mod virtq;
pub mod window;

/// Numbers from a test or a fuzzer; zeros at the end.
pub struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    /// Whether there is more.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// Eight bytes, of which the input says how many are not 0 and where.
    pub fn word(&mut self) -> u64 {
        let shape = self.byte();
        let bytes = (0..shape & 3).fold(0, |sum, _| sum << 8 | u64::from(self.byte()));
        if shape & 128 != 0 { !(bytes << (shape >> 2 & 31)) } else { bytes << (shape >> 2 & 31) }
    }
}

/// Bytes that are read and written in words.
pub struct Bytes(RefCell<Vec<u8>>);

impl Bytes {
    /// So many zeros.
    pub fn new(length: u32) -> Bytes {
        Bytes(RefCell::new(vec![0; length as usize]))
    }

    /// A word of so many bytes.
    pub fn get(&self, offset: u32, width: u32) -> u64 {
        assert!(offset.is_multiple_of(width), "words lie at multiples of their width");
        let bytes = self.0.borrow();
        let word = bytes.get(offset as usize..(offset + width) as usize).expect("within the ring");
        word.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    /// Writes a word of so many bytes.
    pub fn put(&self, offset: u32, width: u32, value: u64) {
        assert!(offset.is_multiple_of(width), "words lie at multiples of their width");
        let mut bytes = self.0.borrow_mut();
        let word = bytes.get_mut(offset as usize..(offset + width) as usize).expect("within the ring");
        word.copy_from_slice(value.to_le_bytes().get(..width as usize).expect("at most eight"));
    }
}

/// The driver's memory. When it is restless, every other word reads as something else than what was there, and than it would next time.
pub struct DriverMemory {
    /// What the driver wrote.
    pub bytes: Bytes,
    /// Not 0 when it is restless.
    pub noise: Cell<u64>,
    /// In which call of the kernel each byte was read last.
    read: RefCell<Vec<u32>>,
    call: Cell<u32>,
}

impl DriverMemory {
    /// All zero, and calm.
    pub fn new(length: u32) -> DriverMemory {
        let read = RefCell::new(vec![0; length as usize]);
        DriverMemory { bytes: Bytes::new(length), noise: Cell::new(0), read, call: Cell::new(1) }
    }

    /// The kernel is called anew, and may read everything once more.
    pub fn fresh_call(&self) {
        self.call.set(self.call.get() + 1);
    }

    fn answer(&self, offset: u32, width: u32) -> u64 {
        let mut read = self.read.borrow_mut();
        for call in read.get_mut(offset as usize..(offset + width) as usize).expect("within the ring") {
            assert!(*call != self.call.get(), "{offset:#x} was read twice: the driver may have changed it");
            *call = self.call.get();
        }
        stir(&self.noise, self.bytes.get(offset, width), width)
    }
}

/// What a word reads as: itself, unless there is noise.
fn stir(noise: &Cell<u64>, word: u64, width: u32) -> u64 {
    let mut next = noise.get();
    if next == 0 {
        return word;
    }
    next ^= next << 13;
    next ^= next >> 7;
    next ^= next << 17;
    noise.set(next);
    match next >> 60 {
        0 => word ^ 1 << (next % u64::from(8 * width)),
        1 => word.wrapping_add(next % 5).wrapping_sub(2) & u64::MAX >> (64 - 8 * width),
        _ => word,
    }
}

impl Shadow for DriverMemory {
    fn read16(&self, offset: u32) -> u16 {
        self.answer(offset, 2) as u16
    }

    fn read64(&self, offset: u32) -> u64 {
        self.answer(offset, 8)
    }
}

impl Real for Bytes {
    fn read16(&self, offset: u32) -> u16 {
        self.get(offset, 2) as u16
    }

    fn read32(&self, offset: u32) -> u32 {
        self.get(offset, 4) as u32
    }

    fn write16(&self, offset: u32, value: u16) {
        self.put(offset, 2, value.into());
    }

    fn write64(&self, offset: u32, value: u64) {
        self.put(offset, 8, value);
    }

    fn fence(&self, _: Ordering) {}
}

/// Whose every page is. Frames of buffers that went are the next ones to be given out.
pub struct Memory {
    /// The pool under test.
    pub pool: Pool,
    /// Buffers that the driver has: their frames by token.
    pub live: BTreeMap<u64, Range<u64>>,
    /// Buffers that the driver gave up and the device may have: by slot.
    pub dying: BTreeMap<u16, Range<u64>>,
    /// Tokens of buffers that are gone.
    pub gone: Vec<u64>,
    room: usize,
}

/// Where buffers lie.
const FRAMES: u64 = 0x10_0000;

impl Memory {
    /// No buffers yet, and room for so many of up to four pages.
    pub fn new(room: usize) -> Memory {
        let space = Space { bits: 32, shift: 14, floor: 0 };
        let slots = vec![Slot::default(); room].into();
        let pool = Pool::new(space, Addresses::Physical, slots).expect("a sound space");
        Memory { pool, live: BTreeMap::new(), dying: BTreeMap::new(), gone: Vec::new(), room }
    }

    /// Adds a buffer in the first frames that nobody has.
    pub fn insert(&mut self, pages: u64) {
        let mut at = FRAMES;
        while let Some(taken) = self.owned().find(|it| it.start < at + pages * PAGE && at < it.end) {
            at = taken.end;
        }
        if let Ok(token) = self.pool.insert(pages, at) {
            assert!(!self.gone.contains(&token), "a number came back before its time");
            self.live.insert(token, at..at + pages * PAGE);
        } else {
            assert_eq!(self.owned().count(), self.room, "there was room");
        }
    }

    /// Removes the buffer that is `n`th.
    pub fn remove(&mut self, n: usize) {
        let Some(token) = n.checked_rem(self.live.len()).and_then(|n| self.live.keys().nth(n).copied())
        else {
            return;
        };
        let frames = self.live.remove(&token).expect("it is there");
        if let Removal::Pinned(slot) = self.pool.remove(token).expect("it is live") {
            self.dying.insert(slot, frames);
        }
        self.gone.push(token);
    }

    /// Frees what the device is through with.
    pub fn reclaim(&mut self) {
        while let Some(slot) = self.pool.reclaim() {
            assert!(self.dying.remove(&slot).is_some(), "only what was removed goes");
        }
    }

    /// A token: most name a place in a buffer, some a buffer that is gone, some are anything.
    pub fn token(&self, input: &mut Input<'_>) -> u64 {
        let offset = match input.below(4) {
            0 => 0,
            1 => u64::from(input.byte()) << 6,
            2 => PAGE - u64::from(input.byte()),
            _ => u64::from(input.byte()),
        };
        let kind = input.byte();
        let of = |list: &mut dyn Iterator<Item = &u64>, count: usize| {
            usize::from(kind >> 3).checked_rem(count).and_then(|n| list.nth(n).copied())
        };
        match kind & 7 {
            0 => input.word(),
            1 => of(&mut self.gone.iter(), self.gone.len()).unwrap_or(0) + offset,
            _ => of(&mut self.live.keys(), self.live.len()).unwrap_or(0) + offset,
        }
    }

    /// A page of a live buffer, most of the time.
    pub fn page(&self, input: &mut Input<'_>) -> u64 {
        let (which, odd) = (input.byte(), input.byte());
        let live = usize::from(which >> 2).checked_rem(self.live.len()).and_then(|n| self.live.iter().nth(n));
        match live {
            Some((token, frames)) if odd & 31 != 0 => {
                token + u64::from(which & 3) * PAGE % (frames.end - frames.start)
            }
            _ => self.token(input),
        }
    }

    /// What the device should be given, if anything: the naive way.
    pub fn address(&self, token: u64, length: u64) -> Option<u64> {
        let (first, frames) = self.live.range(..=token).next_back()?;
        let left = (frames.end - frames.start).checked_sub(token - first)?;
        (length > 0 && length <= left).then(|| frames.end - left)
    }

    /// Fails unless the device may use all these bytes.
    pub fn check(&self, bytes: &Range<u64>) {
        let whole = self.owned().any(|it| it.start <= bytes.start && bytes.end <= it.end);
        assert!(
            whole && bytes.start < bytes.end,
            "the device was given {bytes:x?}, which is nobody's buffer"
        );
    }

    /// Fails unless so many pieces are pinned.
    pub fn check_pins(&self, pieces: usize) {
        let pins: u64 = self.pool.buffers().map(|it| it.pins).sum();
        assert_eq!(pins as usize, pieces, "what the device has is pinned, and nothing else");
    }

    fn owned(&self) -> impl Iterator<Item = &Range<u64>> {
        self.live.values().chain(self.dying.values())
    }
}
