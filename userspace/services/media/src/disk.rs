//! The disk that the medium is in or on: read through a session with whoever serves it.
//!
//! Bytes are copied out of memory that the device reaches, so what was judged can not change any more.

use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_media::{Source, SourceError};
use core::cell::{Cell, RefCell};
use kit::block::{Client, IoError};
use rt::block::{Geometry, Operation, Request};
use rt::generated::BlockDeviceClient;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, ExceptionCode, Signal, spawn};

/// Requests at a time.
const DEPTH: u16 = 8;
/// Bytes that one moves at most.
const PIECE: u64 = 128 << 10;
/// Bits of addresses that devices are expected to have.
const ADDRESS_BITS: u8 = 64;

/// Such a disk.
#[derive(Clone)]
pub struct Disk(Rc<Parts>);

struct Parts {
    client: Rc<Client>,
    geometry: Geometry,
    memory: Region,
    buffer: u16,
    /// Where pieces of the memory begin that nothing is under way with.
    free: RefCell<Vec<u64>>,
    progress: Signal,
    has_ended: Cell<bool>,
}

/// Some of the memory, until it is dropped.
struct Piece {
    disk: Disk,
    offset: u64,
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.disk.0.free.borrow_mut().push(self.offset);
        self.disk.0.progress.notify();
    }
}

/// One request. It goes on when nobody waits for it any more, and keeps its piece: until it is over the device may write there.
#[derive(Default)]
struct Asked {
    over: Cell<Option<Result<Piece, IoError>>>,
    progress: Signal,
}

impl Disk {
    /// On a device.
    pub async fn open(device: BlockDeviceClient) -> Result<Disk, CallError> {
        let client = Client::open(device, DEPTH).await?;
        let geometry = client.geometry();
        if u64::from(geometry.sector_bytes()) > PIECE || geometry.most == 0 {
            return Err(CallError::Exception(ExceptionCode::Unsupported.into()));
        }
        let size = PIECE * u64::from(DEPTH);
        let object = rt::threads::memory().create_dma_object(size, ADDRESS_BITS).await?;
        let memory = Region::map(&object, 0, size, Protection::Read)?;
        let buffer = client.attach(object).await?;
        let free = RefCell::new((0..u64::from(DEPTH)).map(|number| number * PIECE).collect());
        let (progress, has_ended) = (Signal::new(), Cell::new(false));
        Ok(Disk(Rc::new(Parts { client, geometry, memory, buffer, free, progress, has_ended })))
    }

    /// Waits until the disk is of no use any more.
    pub async fn ended(&self) {
        loop {
            let progress = self.0.progress.wait();
            if self.0.has_ended.get() {
                return;
            }
            progress.await;
        }
    }

    async fn piece(&self) -> Piece {
        loop {
            let progress = self.0.progress.wait();
            let found = self.0.free.borrow_mut().pop();
            match found {
                Some(offset) => return Piece { disk: self.clone(), offset },
                None => progress.await,
            }
        }
    }

    fn end(&self) {
        self.0.has_ended.set(true);
        self.0.progress.notify();
    }

    /// Reads sectors into a piece of the memory.
    async fn sectors(&self, first: u64, sectors: u32) -> Result<Piece, IoError> {
        let piece = self.piece().await;
        let asked = Rc::new(Asked::default());
        let answer = Rc::clone(&asked);
        spawn(async move {
            let (buffer, offset, operation) = (piece.disk.0.buffer, piece.offset as u32, Operation::Read);
            let request = Request { id: 0, operation, durable: false, buffer, offset, first, sectors };
            let done = piece.disk.0.client.perform(request).await;
            answer.over.set(Some(done.map(|()| piece)));
            answer.progress.notify();
        });
        loop {
            let progress = asked.progress.wait();
            if let Some(over) = asked.over.take() {
                return over;
            }
            progress.await;
        }
    }

    /// Reads bytes: as many as one piece has. How many.
    async fn some(&self, at: u64, into: &mut [u8]) -> Result<usize, IoError> {
        let sector = u64::from(self.0.geometry.sector_bytes());
        let within = at % sector;
        let most = (PIECE / sector).min(self.0.geometry.most.into());
        let sectors = (within + into.len() as u64).div_ceil(sector).min(most);
        let piece = self.sectors(at / sector, sectors as u32).await?;
        let count = (sectors * sector - within).min(into.len() as u64) as usize;
        if let Some(into) = into.get_mut(..count) {
            self.0.memory.read(piece.offset + within, into);
        }
        Ok(count)
    }
}

impl Source for Disk {
    fn bytes(&self) -> u64 {
        self.0.geometry.sectors << self.0.geometry.sector_shift
    }

    async fn read(&self, at: u64, into: &mut [u8]) -> Result<(), SourceError> {
        let mut done = 0;
        while let Some(left) = into.get_mut(done..).filter(|left| !left.is_empty()) {
            done += self.some(at + done as u64, left).await.map_err(|error| match error {
                IoError::Failed(..) => SourceError::Unreadable,
                IoError::Ended(_) => {
                    self.end();
                    SourceError::Gone
                }
            })?;
        }
        Ok(())
    }
}
