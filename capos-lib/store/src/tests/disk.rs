//! A disk in memory that remembers what was done to it, and fails on demand.

use crate::{BLOCK, Disk, DiskError, Write};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

/// Runs what never waits.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a disk in memory waits for nothing"),
    }
}

pub type Content = BTreeMap<u64, Box<[u8; BLOCK]>>;

/// What was done to a disk.
#[derive(Clone)]
pub enum Event {
    Write(u64, Box<[u8; BLOCK]>),
    Flush,
}

#[derive(Default)]
pub struct State {
    pub content: RefCell<Content>,
    pub events: RefCell<Vec<Event>>,
    /// Reads, writes and flushes so far.
    pub operations: Cell<u64>,
    /// The operation that fails, and whether all after it do, too.
    pub fail: Cell<Option<(u64, bool)>>,
    /// What fails, fails for this reason; none for the medium's.
    pub why: Cell<Option<DiskError>>,
    /// Blocks that cannot be read or written.
    pub bad: RefCell<Vec<u64>>,
    pub discarded: Cell<u64>,
    pub record: Cell<bool>,
}

#[derive(Clone)]
pub struct Memory {
    pub blocks: u64,
    pub state: Rc<State>,
}

impl Memory {
    pub fn new(blocks: u64) -> Memory {
        Memory { blocks, state: Rc::default() }
    }

    /// Another disk with what this one has.
    pub fn with(blocks: u64, content: Content) -> Memory {
        let disk = Memory::new(blocks);
        *disk.state.content.borrow_mut() = content;
        disk
    }

    fn operation(&self, first: u64, count: usize) -> Result<(), DiskError> {
        let number = self.state.operations.get();
        self.state.operations.set(number + 1);
        let fails = self.state.fail.get().is_some_and(|(n, more)| n == number || more && n < number);
        let touched = first..first + count as u64;
        if fails || self.state.bad.borrow().iter().any(|bad| touched.contains(bad)) {
            return Err(self.state.why.get().unwrap_or(DiskError::Media));
        }
        if first + count as u64 > self.blocks { Err(DiskError::OutOfRange) } else { Ok(()) }
    }

    /// Changes a byte of a block.
    pub fn spoil(&self, block: u64, at: usize) {
        let mut content = self.state.content.borrow_mut();
        content.entry(block).or_insert_with(|| Box::new([0; BLOCK]))[at] ^= 0x55;
    }
}

impl Disk for Memory {
    fn blocks(&self) -> u64 {
        self.blocks
    }

    async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.operation(first, into.len() / BLOCK)?;
        let content = self.state.content.borrow();
        for (block, into) in (first..).zip(into.chunks_exact_mut(BLOCK)) {
            match content.get(&block) {
                Some(bytes) => into.copy_from_slice(&bytes[..]),
                None => into.fill(0),
            }
        }
        Ok(())
    }

    async fn write(&self, first: u64, pieces: &[&[u8]]) -> Result<(), DiskError> {
        let bytes: Vec<u8> = pieces.concat();
        assert_eq!(bytes.len() % BLOCK, 0);
        self.operation(first, bytes.len() / BLOCK)?;
        for (block, bytes) in (first..).zip(bytes.chunks_exact(BLOCK)) {
            let bytes: Box<[u8; BLOCK]> = Box::new(bytes.try_into().unwrap());
            if self.state.record.get() {
                self.state.events.borrow_mut().push(Event::Write(block, bytes.clone()));
            }
            self.state.content.borrow_mut().insert(block, bytes);
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), DiskError> {
        self.operation(0, 0)?;
        if self.state.record.get() {
            self.state.events.borrow_mut().push(Event::Flush);
        }
        Ok(())
    }

    /// What fails does not keep the rest from being done.
    async fn write_durable(&self, writes: &[Write<'_>]) -> Result<(), (u64, DiskError)> {
        let mut failed = Ok(());
        for Write { first, pieces } in writes {
            failed = failed.and(self.write(*first, pieces).await.map_err(|error| (*first, error)));
        }
        failed.and(self.flush().await.map_err(|error| (0, error)))
    }

    async fn discard(&self, first: u64, count: u64) -> Result<(), DiskError> {
        self.state.discarded.set(self.state.discarded.get() + count);
        // What nobody wants any more may be anything.
        for block in first..first + count {
            self.spoil(block, 7);
        }
        Ok(())
    }
}
