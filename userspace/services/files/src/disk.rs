//! The volume's disk: blocks of 4 KiB, through a session with whoever serves the device.
//!
//! Bytes are copied between the volume's memory and some that the device reaches: what the device wrote is judged only when it can not change any more.

use crate::runs::Runs;
use crate::together::together;
use alloc::rc::Rc;
use capos_store::{BLOCK, Disk, DiskError, Write};
use core::cell::{Cell, RefCell};
use kit::block::{Client, IoError};
use rt::block::{Geometry, Operation, Request, Status};
use rt::generated::BlockDeviceClient;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, ExceptionCode, Signal};

/// Requests at a time.
const DEPTH: u16 = 64;
/// Bytes of the memory that the device reaches: one piece.
const MEMORY: u64 = 2 << 20;
/// Bits of addresses that devices are expected to have.
const ADDRESS_BITS: u8 = 64;
/// Blocks that one request moves at most.
const MOST: u64 = 32;
const BYTES: u64 = BLOCK as u64;
/// Requests that are made durable by themselves rather than by a flush behind all: a driver may have to flush for each. What a small commit takes: its blocks,
/// which mostly lie together, and its superblock.
const FEW: u64 = 2;

/// Such a disk.
pub struct Blocks {
    client: Rc<Client>,
    /// As it was when we began: only its sectors may become more.
    geometry: Geometry,
    memory: Region,
    buffer: u16,
    free: RefCell<Runs>,
    freed: Signal,
    /// Something was written that is not durable.
    is_loose: Cell<bool>,
}

/// Some of the memory, until it is dropped.
struct Run<'a> {
    disk: &'a Blocks,
    first: u64,
    count: u64,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.disk.free.borrow_mut().give(self.first, self.count);
        self.disk.freed.notify();
    }
}

impl Blocks {
    /// On a device.
    pub async fn open(device: &Rc<BlockDeviceClient>) -> Result<Blocks, CallError> {
        let client = Client::open(Rc::clone(device), DEPTH).await?;
        let geometry = client.geometry();
        if geometry.bytes(geometry.most) < BYTES || u64::from(geometry.sector_bytes()) > BYTES {
            return Err(CallError::Exception(ExceptionCode::Unsupported.into()));
        }
        let object = rt::threads::memory().create_dma_object(MEMORY, ADDRESS_BITS).await?;
        let memory = Region::map(&object, 0, MEMORY, Protection::ReadWrite)?;
        let buffer = client.attach(object).await?;
        let free = RefCell::new(Runs::new());
        Ok(Blocks { client, geometry, memory, buffer, free, freed: Signal::new(), is_loose: Cell::new(true) })
    }

    /// Looks whether there are more blocks than there were.
    pub async fn look_again(&self) -> Result<(), CallError> {
        self.client.look_again().await
    }

    /// Blocks that one request moves at most.
    fn most(&self) -> u64 {
        MOST.min(self.geometry.bytes(self.geometry.most) / BYTES)
    }

    fn sectors(&self, blocks: u64) -> u64 {
        blocks * (BYTES >> self.geometry.sector_shift)
    }

    async fn run(&self, count: u64) -> Run<'_> {
        loop {
            let freed = self.freed.wait();
            let found = self.free.borrow_mut().take(count);
            match found {
                Some(first) => return Run { disk: self, first, count },
                None => freed.await,
            }
        }
    }

    async fn ask(
        &self,
        operation: Operation,
        durable: bool,
        block: u64,
        run: &Run<'_>,
    ) -> Result<(), DiskError> {
        let request = Request {
            id: 0,
            operation,
            durable,
            buffer: self.buffer,
            offset: (run.first * BYTES) as u32,
            first: self.sectors(block),
            sectors: self.sectors(run.count) as u32,
        };
        self.client.perform(request).await.map_err(disk_error)
    }

    async fn read_run(&self, block: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let run = self.run(into.len() as u64 / BYTES).await;
        self.ask(Operation::Read, false, block, &run).await?;
        self.memory.read(run.first * BYTES, into);
        Ok(())
    }

    /// Writes pieces of whole blocks, one behind the other; where it failed, and why.
    async fn write_pieces(
        &self,
        first: u64,
        pieces: &[&[u8]],
        durable: bool,
    ) -> Result<(), (u64, DiskError)> {
        let mut block = first;
        let mut left: u64 = pieces.iter().map(|piece| (piece.len() / BLOCK) as u64).sum();
        let mut pieces = pieces.iter().flat_map(|piece| piece.chunks(BLOCK));
        while left > 0 {
            let run = self.run(left.min(self.most())).await;
            for (place, piece) in (run.first..run.first + run.count).zip(&mut pieces) {
                self.memory.write(place * BYTES, piece);
            }
            let written = self.ask(Operation::Write, durable, block, &run).await;
            written.map_err(|error| (block, error))?;
            (block, left) = (block + run.count, left - run.count);
        }
        Ok(())
    }
}

fn disk_error(error: IoError) -> DiskError {
    match error {
        IoError::Failed(Status::Media, _) => DiskError::Media,
        IoError::Failed(Status::Full, _) => DiskError::Full,
        IoError::Failed(Status::ReadOnly, _) => DiskError::ReadOnly,
        IoError::Failed(Status::OutOfRange, _) => DiskError::OutOfRange,
        IoError::Failed(Status::Lost, _) => DiskError::Lost,
        IoError::Failed(Status::Gone, _) | IoError::Ended(_) => DiskError::Gone,
        // Of requests as ours are, a disk that works says nothing else: that one is its fault, and no reason to give up the others.
        IoError::Failed(Status::Done | Status::Invalid | Status::Unsupported | Status::Device, _) => {
            DiskError::Failed
        }
    }
}

impl Disk for Blocks {
    fn blocks(&self) -> u64 {
        let geometry = self.client.geometry();
        (geometry.sectors << geometry.sector_shift) / BYTES
    }

    async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let piece = (self.most() * BYTES) as usize;
        for (block, into) in (first..).step_by(self.most() as usize).zip(into.chunks_mut(piece)) {
            self.read_run(block, into).await?;
        }
        Ok(())
    }

    async fn write(&self, first: u64, pieces: &[&[u8]]) -> Result<(), DiskError> {
        self.is_loose.set(true);
        self.write_pieces(first, pieces, false).await.map_err(|(_, error)| error)
    }

    async fn write_durable(&self, writes: &[Write<'_>]) -> Result<(), (u64, DiskError)> {
        // A flush is one request more, and makes the device write down everything: only for what is much, or has others to be flushed with it.
        let count = |write: &Write<'_>| write.pieces.iter().map(|piece| piece.len()).sum::<usize>() as u64;
        let requests: u64 = writes.iter().map(|write| count(write).div_ceil(self.most() * BYTES)).sum();
        let durable = !self.is_loose.get() && requests <= FEW;
        self.is_loose.set(!durable);
        match writes {
            [Write { first, pieces }] => self.write_pieces(*first, pieces, durable).await?,
            all => {
                together(all.iter().map(|write| self.write_pieces(write.first, &write.pieces, durable)))
                    .await?;
            }
        }
        if durable { Ok(()) } else { self.flush().await.map_err(|error| (0, error)) }
    }

    async fn flush(&self) -> Result<(), DiskError> {
        if self.geometry.cache {
            self.client.flush().await.map_err(disk_error)?;
        }
        self.is_loose.set(false);
        Ok(())
    }

    async fn discard(&self, first: u64, count: u64) -> Result<(), DiskError> {
        if !self.geometry.discard {
            return Ok(());
        }
        let (mut first, mut left) = (self.sectors(first), self.sectors(count));
        while left > 0 {
            let sectors = left.min(u32::MAX.into()) as u32;
            let request = Request {
                id: 0,
                operation: Operation::Discard,
                durable: false,
                buffer: 0,
                offset: 0,
                first,
                sectors,
            };
            self.client.perform(request).await.map_err(disk_error)?;
            (first, left) = (first + u64::from(sectors), left - u64::from(sectors));
        }
        Ok(())
    }
}
