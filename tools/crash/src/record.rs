//! A disk that notes what is done to it.

use std::cell::{Cell, RefCell};

use capos_store::{BLOCK, Disk, DiskError};

use crate::image::{Block, Image, pieces};

/// Something that happened, in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// A block was written.
    Write(u64, Block),
    /// All writes before became durable.
    Flush,
    /// These writes became durable: their numbers among the events.
    Durable(Vec<usize>),
    /// An operation began: its number.
    Begun(usize),
    /// All operations before that number are to survive.
    Synced(usize),
}

/// How to break what is recorded, to see whether that is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// None.
    None,
    /// Every so-manieth flush, or write that is durable by itself, is forgotten.
    DropFlush(u32),
    /// A superblock is written before what was written since the last flush.
    EarlySuperblock,
}

impl Fault {
    /// Whether the flush of that number, from 1 on, is forgotten.
    pub(crate) fn forgets(self, flush: u32) -> bool {
        matches!(self, Fault::DropFlush(every) if flush.is_multiple_of(every))
    }
}

/// A disk that notes writes and flushes.
pub struct Recorder {
    image: Image,
    events: RefCell<Vec<Event>>,
    fault: Fault,
    flushes: Cell<u32>,
}

impl Recorder {
    /// On top of an image.
    pub fn new(image: Image, fault: Fault) -> Recorder {
        Recorder { image, events: RefCell::default(), fault, flushes: Cell::new(0) }
    }

    /// Notes something that only whoever runs the operations knows.
    pub fn note(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }

    /// What was noted so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.borrow().clone()
    }

    fn note_write(&self, number: u64, block: Block) {
        let mut events = self.events.borrow_mut();
        let is_early = self.fault == Fault::EarlySuperblock && is_superblock(&block);
        let flush = events.iter().rposition(|event| matches!(event, Event::Flush)).filter(|_| is_early);
        match flush {
            Some(flush) => events.insert(flush, Event::Write(number, block)),
            None => events.push(Event::Write(number, block)),
        }
    }
}

/// How a superblock begins (capos-store). Were it wrong, the test that writes them early would not find that.
const SUPERBLOCK: &[u8] = b"capOSvol";

fn is_superblock(block: &Block) -> bool {
    block.starts_with(SUPERBLOCK)
}

impl Disk for Recorder {
    fn blocks(&self) -> u64 {
        self.image.blocks()
    }

    async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.image.read(first, into).await
    }

    async fn write(&self, first: u64, data: &[&[u8]]) -> Result<(), DiskError> {
        for (number, block) in (first..).zip(pieces(data)) {
            if number >= self.blocks() {
                return Err(DiskError::OutOfRange);
            }
            self.image.set(number, block.clone());
            self.note_write(number, block);
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), DiskError> {
        self.flushes.set(self.flushes.get() + 1);
        if !self.fault.forgets(self.flushes.get()) {
            self.note(Event::Flush);
        }
        Ok(())
    }

    async fn discard(&self, first: u64, count: u64) -> Result<(), DiskError> {
        // Whoever discards says that nobody will read this: it may be anything.
        for number in first..first.saturating_add(count).min(self.blocks()) {
            self.note(Event::Write(number, Block::new([0xdd; BLOCK])));
        }
        Ok(())
    }
}
