//! A disk that is there in lives, and says of itself whatever a test has it say. It does what it was asked a sector at a time, in any order, forgets what it was at
//! when it dies, and keeps what it did.

use crate::route::Ask;
use crate::{Operation, Request, Tag};
use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

/// What a sector has: which write put it there, 0 for none.
pub type Stamp = u32;

/// Something that the disk is at.
#[derive(Clone, Debug)]
pub struct Work {
    pub tag: Tag,
    pub request: Request,
    pub handle: u64,
    /// Sectors that are done.
    done: u32,
    /// What was read, or what was durable when it was flushed.
    pub read: Vec<Stamp>,
}

impl Work {
    pub fn is_done(&self) -> bool {
        self.done >= self.request.sectors
    }
}

#[derive(Default)]
pub struct Disk {
    /// Every stamp that a sector ever had, oldest first; the last one is what it has. What a stamp written over itself adds is nothing.
    pub sectors: BTreeMap<u64, Vec<Stamp>>,
    /// How many of those of a sector were there at the last flush.
    durable: BTreeMap<u64, usize>,
    pub works: Vec<Work>,
}

impl Disk {
    pub fn ask(&mut self, ask: Ask) {
        assert!(self.works.iter().all(|work| work.tag != ask.tag), "{ask:?} is under way already");
        let Ask { tag, request, handle, .. } = ask;
        self.works.push(Work { tag, request, handle, done: 0, read: vec![] });
    }

    pub fn now(&self, sector: u64) -> Stamp {
        self.sectors.get(&sector).and_then(|stamps| stamps.last()).copied().unwrap_or(0)
    }

    /// Whether a stamp, or one that came after it, is what a sector would have after the power went.
    pub fn is_durable(&self, sector: u64, stamp: Stamp) -> bool {
        let Some(stamps) = self.sectors.get(&sector) else { return false };
        let at = stamps.iter().position(|it| *it == stamp);
        at.is_some_and(|at| at < self.durable.get(&sector).copied().unwrap_or(0))
    }

    /// One step of one work; `stamp` says what a write puts there.
    pub fn step(&mut self, index: usize, stamp: impl Fn(&Request) -> Stamp) {
        let Some(work) = self.works.get_mut(index) else { return };
        if work.is_done() {
            return;
        }
        let sector = work.request.first + u64::from(work.done);
        work.done += 1;
        let request = work.request;
        match request.operation {
            Operation::Read => {
                let now = self.now(sector);
                self.works[index].read.push(now);
            }
            Operation::Flush => {}
            _ => self.put(sector, stamp(&request), request.durable),
        }
    }

    pub fn flush(&mut self) {
        self.durable = self.sectors.iter().map(|(sector, stamps)| (*sector, stamps.len())).collect();
    }

    fn put(&mut self, sector: u64, stamp: Stamp, durable: bool) {
        let stamps = self.sectors.entry(sector).or_default();
        if stamps.last() != Some(&stamp) {
            assert!(!stamps.contains(&stamp), "sector {sector} has {stamp} again after {stamps:?}");
            stamps.push(stamp);
        }
        let count = stamps.len();
        if durable {
            self.durable.insert(sector, count);
        }
    }

    /// What it was at is forgotten.
    pub fn die(&mut self) {
        self.works.clear();
    }
}
