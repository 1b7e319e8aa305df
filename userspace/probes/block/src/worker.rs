//! One who reads and writes sectors that nobody else does, one request after the other, and knows what is in them.
//!
//! What it wrote and did not flush may be gone when the disk had no power: what it does not find there any more is held against the next flush, which
//! must not say that it is durable. All workers are one client: what one of them is told so all know.

use crate::pages::{Content, Pages};
use crate::tally::Tally;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use capos_block::{Geometry, Operation, Request, Status};
use core::cell::Cell;
use kit::block::{Client, IoError};
use probe::mutate::Rng;
use rt::CallError;

/// Sectors of a request at most.
const MOST: u32 = 16;

/// Where in its memory a request's data begins: a multiple of the first, up to the other.
const STEP: u32 = 512;
const OFFSET: u32 = 4096;

/// A worker.
pub struct Worker {
    client: Rc<Client>,
    pages: Pages,
    tally: Rc<Tally>,
    rng: Rng,
    /// One request in so many dozens is a flush.
    pub flushes: u32,
    geometry: Geometry,
    first: u64,
    contents: Vec<Content>,
    /// Those that are not durable.
    loose: Vec<bool>,
    /// One of them that was not there any more.
    missed: Option<u64>,
    /// How often somebody was told that something is lost.
    losses: u64,
    writes: u32,
}

impl Worker {
    /// For the sectors from `first` on.
    pub async fn new(
        client: &Rc<Client>,
        tally: &Rc<Tally>,
        first: u64,
        sectors: u32,
        seed: u64,
    ) -> Result<Worker, CallError> {
        let geometry = client.geometry();
        let bytes = geometry.bytes(MOST).next_multiple_of(4096) + u64::from(OFFSET);
        Ok(Worker {
            client: Rc::clone(client),
            pages: Pages::new(client, bytes).await?,
            tally: Rc::clone(tally),
            rng: Rng::new(seed),
            flushes: 1,
            geometry,
            first,
            contents: vec![Content::Unknown; sectors as usize],
            loose: vec![false; sectors as usize],
            missed: None,
            losses: 0,
            writes: 0,
        })
    }

    /// So many requests at random, and more as long as something else is `busy`; in the end a flush and a look at all sectors.
    pub async fn work(&mut self, requests: u64, busy: &Cell<bool>) -> Result<(), IoError> {
        let mut done = 0;
        while done < requests || busy.get() {
            let request = self.draw();
            self.perform(request).await?;
            done += 1;
        }
        self.perform(self.request(Operation::Flush, 0, 0)).await?;
        self.look().await
    }

    /// Compares all that is known.
    pub async fn look(&mut self) -> Result<(), IoError> {
        let mut at = 0;
        while at < self.sectors() {
            let count = self.most().min(self.sectors() - at);
            self.perform(self.request(Operation::Read, at, count)).await?;
            at += count;
        }
        Ok(())
    }

    fn most(&self) -> u32 {
        MOST.min(self.geometry.most)
    }

    fn sectors(&self) -> u32 {
        self.contents.len() as u32
    }

    fn request(&self, operation: Operation, at: u32, sectors: u32) -> Request {
        let (first, buffer) = (self.first + u64::from(at), self.pages.number);
        Request { id: 0, operation, durable: false, buffer, offset: 0, first, sectors }
    }

    fn draw(&mut self) -> Request {
        let Geometry { read_only, discard, zero, .. } = self.geometry;
        let operation = match self.rng.below(12) {
            0 if self.rng.chance(1, self.flushes) => Operation::Flush,
            1 if zero && !read_only => Operation::Zero,
            2 if discard && !read_only => Operation::Discard,
            3..=7 if !read_only => Operation::Write,
            _ => Operation::Read,
        };
        let sectors = 1 + self.rng.below(self.most().min(self.sectors()));
        let at = self.rng.below(self.sectors() - sectors + 1);
        let durable = operation.changes() && self.rng.chance(1, 4 * self.flushes);
        let (at, sectors) = if operation == Operation::Flush { (0, 0) } else { (at, sectors) };
        let offset = STEP * self.rng.below(OFFSET / STEP + 1);
        Request { durable, offset, ..self.request(operation, at, sectors) }
    }

    /// Has it done, and judges what came of it.
    async fn perform(&mut self, request: Request) -> Result<(), IoError> {
        if request.operation == Operation::Write {
            self.writes += 1;
            self.each(&request, |pages, at, length, sector, content| {
                pages.fill(at, length, sector, content);
            });
        }
        let done = self.client.perform(request).await;
        self.tally.count(&request);
        if matches!(done, Err(IoError::Failed(Status::Lost, _))) {
            self.tally.lost();
        }
        self.learn();
        match done {
            Ok(()) => self.judge(&request),
            Err(IoError::Failed(Status::Lost, _)) if request.operation == Operation::Flush => {}
            Err(IoError::Failed(status, detail)) => {
                self.tally.failed(&request, status, detail);
                let kept = [Status::Invalid, Status::OutOfRange, Status::ReadOnly, Status::Unsupported];
                if request.operation.changes() && !kept.contains(&status) {
                    self.set(&request, Content::Unknown);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Hears what others were told: of what is not durable nothing is known any more.
    fn learn(&mut self) {
        let losses = self.tally.losses();
        if core::mem::replace(&mut self.losses, losses) != losses {
            for (content, loose) in self.contents.iter_mut().zip(&mut self.loose) {
                if core::mem::take(loose) {
                    *content = Content::Unknown;
                }
            }
            self.missed = None;
        }
    }

    fn judge(&mut self, request: &Request) {
        match request.operation {
            Operation::Read => {
                let (mut known, mut wrong) = (0, None);
                let contents = self.contents_of(request).to_vec();
                for (n, content) in (0..).zip(contents) {
                    let (at, length) = (self.place(request, n), self.geometry.bytes(1));
                    let sector = request.first + u64::from(n);
                    known += u64::from(content != Content::Unknown);
                    if !self.pages.has(at, length, sector, content) {
                        if self.is_loose(sector) {
                            self.missed = Some(sector);
                        } else {
                            let word = self.pages.word(at);
                            wrong = Some(format!("sector {sector}: {content:?} begins with {word:#x}"));
                        }
                    }
                }
                self.tally.verified(known, wrong);
            }
            Operation::Write => self.set(request, Content::Written(self.writes)),
            Operation::Zero => self.set(request, Content::Zero),
            Operation::Discard => self.set(request, Content::Unknown),
            Operation::Flush => {
                self.loose.fill(false);
                let missed =
                    self.missed.take().map(|sector| format!("sector {sector} is lost, and was flushed"));
                self.tally.verified(0, missed);
            }
        }
    }

    fn is_loose(&self, sector: u64) -> bool {
        self.loose.get((sector - self.first) as usize).copied().unwrap_or_default()
    }

    /// Each sector of a write: its room, and what it is to hold.
    fn each(&self, request: &Request, act: impl Fn(&Pages, u64, u64, u64, Content)) {
        for n in 0..request.sectors {
            let sector = request.first + u64::from(n);
            let content = Content::Written(self.writes);
            act(&self.pages, self.place(request, n), self.geometry.bytes(1), sector, content);
        }
    }

    /// Where in memory the n-th sector of a request is.
    fn place(&self, request: &Request, n: u32) -> u64 {
        u64::from(request.offset) + self.geometry.bytes(n)
    }

    fn range(&self, request: &Request) -> core::ops::Range<usize> {
        let begin = (request.first - self.first) as usize;
        begin..begin + request.sectors as usize
    }

    fn contents_of(&self, request: &Request) -> &[Content] {
        self.contents.get(self.range(request)).unwrap_or_default()
    }

    fn set(&mut self, request: &Request, content: Content) {
        let range = self.range(request);
        self.loose.get_mut(range.clone()).unwrap_or_default().fill(!request.durable);
        self.contents.get_mut(range).unwrap_or_default().fill(content);
    }
}
