//! The block device (5.2): a disk in memory with a cache that loses what was not flushed.

use capos_mutate::Rng;

use super::{Chain, Class};
use crate::Bus;

/// Bytes of what it counts in.
const UNIT: u64 = 512;

/// Features (5.2.3), by number.
pub mod features {
    /// A segment has a largest size.
    pub const SIZE_MAX: u64 = 1 << 1;
    /// A request has so many segments at most.
    pub const SEG_MAX: u64 = 1 << 2;
    /// It may only be read.
    pub const RO: u64 = 1 << 5;
    /// It says how large its sectors are.
    pub const BLK_SIZE: u64 = 1 << 6;
    /// It flushes.
    pub const FLUSH: u64 = 1 << 9;
    /// It says whether it writes through.
    pub const CONFIG_WCE: u64 = 1 << 11;
    /// It has several queues.
    pub const MQ: u64 = 1 << 12;
    /// It discards.
    pub const DISCARD: u64 = 1 << 13;
    /// It zeroes.
    pub const WRITE_ZEROES: u64 = 1 << 14;
}

/// How a request goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskFault {
    /// Nothing is done, and this is the status.
    Status(u8),
    /// All is done, and this is the status.
    Says(u8),
    /// All is done, and no status is written.
    Speechless,
    /// All is done, and so few bytes are said to be written.
    Length(u32),
}

/// What a good driver never makes it write down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// Header, data and status are not in pieces as they should be (2.7.4.1, 5.2.6.4).
    Framing(Vec<(u32, bool)>),
    /// A type that there is not, or that was not agreed upon.
    Type(u32),
    /// No whole sectors, beyond the end, or more than it takes.
    Range(u64, u64),
    /// It may only be read.
    ReadOnly,
    /// Flags that there are not.
    Flags(u32),
    /// A piece is not in memory that it reaches.
    Unreachable,
}

/// The disk.
#[derive(Debug)]
pub struct Disk {
    /// What it has.
    pub features: u64,
    /// Its configuration, as [`Disk::new`] wrote it.
    pub config: [u8; 60],
    /// Sizes of its queues.
    pub queues: Vec<u16>,
    /// What is read from it.
    pub bytes: Vec<u8>,
    /// What stays when its power goes.
    pub stable: Vec<u8>,
    /// Faults of the request of that number, counted from 0 over all resets.
    pub faults: Vec<(u32, DiskFault)>,
    /// Any fault, in one of so many requests.
    pub random: Option<(Rng, u32)>,
    /// Types of requests served, in order.
    pub served: Vec<u32>,
    /// What was wrong with them.
    pub wrong: Vec<Wrong>,
}

impl Disk {
    /// Zeroed, with all features, sectors of 512 bytes, ranges of 16 units at most.
    pub fn new(units: usize) -> Disk {
        let features = features::BLK_SIZE | features::FLUSH | features::DISCARD | features::WRITE_ZEROES;
        let bytes = vec![0; units * UNIT as usize];
        let mut disk = Disk {
            features: features | features::SEG_MAX | features::CONFIG_WCE,
            config: [0; 60],
            queues: vec![256],
            stable: bytes.clone(),
            bytes,
            faults: Vec::new(),
            random: None,
            served: Vec::new(),
            wrong: Vec::new(),
        };
        disk.put(0, &(units as u64).to_le_bytes());
        disk.put(12, &126u32.to_le_bytes());
        disk.put(20, &512u32.to_le_bytes());
        disk.put(32, &[1]);
        disk.put(36, &16u32.to_le_bytes());
        disk.put(48, &16u32.to_le_bytes());
        disk
    }

    /// Writes a field of the configuration.
    pub fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.config[offset..][..bytes.len()].copy_from_slice(bytes);
    }

    fn field(&self, offset: usize) -> u64 {
        u32::from_le_bytes(self.config[offset..][..4].try_into().expect("four")).into()
    }

    /// Its power goes and comes back.
    pub fn cut(&mut self) {
        self.bytes.clone_from(&self.stable);
    }

    fn has(&self, feature: u64) -> bool {
        self.features & feature != 0
    }

    /// Bytes from a unit on, if it has them and they are whole sectors.
    fn range(&mut self, unit: u64, bytes: u64, most: u64) -> Option<std::ops::Range<usize>> {
        let sector = if self.has(features::BLK_SIZE) { self.field(20) } else { UNIT };
        let begin = unit.checked_mul(UNIT);
        let range = begin.and_then(|begin| Some(begin..begin.checked_add(bytes)?));
        let fits = |range: &std::ops::Range<u64>| {
            range.end <= self.bytes.len() as u64
                && range.start.is_multiple_of(sector)
                && bytes.is_multiple_of(sector)
                && (1..=most).contains(&bytes)
        };
        let found = range.filter(fits).map(|range| range.start as usize..range.end as usize);
        if found.is_none() {
            self.wrong.push(Wrong::Range(unit, bytes));
        }
        found
    }

    /// Of the next request.
    fn fault(&mut self) -> Option<DiskFault> {
        let number = self.served.len() as u32;
        if let Some((_, fault)) = self.faults.iter().find(|(at, _)| *at == number) {
            return Some(*fault);
        }
        let (rng, rarity) = self.random.as_mut()?;
        if !rng.chance(1, *rarity) {
            return None;
        }
        let (any, small) = (rng.edge() as u32, rng.below(4) as u8);
        let faults = [
            DiskFault::Status(any as u8 | 4),
            DiskFault::Says(small + 3),
            DiskFault::Speechless,
            DiskFault::Length(small.into()),
            DiskFault::Length(any),
        ];
        rng.pick(&faults)
    }

    /// Pieces must be a header of 16 bytes, data in one direction, and a status byte.
    fn is_framed(&mut self, chain: &Chain) -> bool {
        let form: Vec<(u32, bool)> =
            chain.pieces.iter().map(|piece| (piece.length, piece.writable)).collect();
        let framed = matches!(form.as_slice(), [(16, false), (1, true)] | [(16, false), _, (1, true)]);
        if !framed {
            self.wrong.push(Wrong::Framing(form));
        }
        framed
    }

    /// Does what is asked: the bytes that it gives, or the status that says why not.
    fn act(&mut self, kind: u32, unit: u64, data: &[u8], room: u64) -> Result<Vec<u8>, u8> {
        let most = if self.has(features::SIZE_MAX) { self.field(8) } else { u64::MAX };
        let changes = matches!(kind, 1 | 11 | 13);
        if changes && self.has(features::RO) {
            self.wrong.push(Wrong::ReadOnly);
            return Err(1);
        }
        match kind {
            0 => Ok(self.range(unit, room, most).and_then(|at| self.bytes.get(at)).ok_or(1)?.to_vec()),
            1 => {
                let at = self.range(unit, data.len() as u64, most).ok_or(1)?;
                self.write(at, data);
                Ok(Vec::new())
            }
            4 if self.has(features::FLUSH) => {
                self.stable.clone_from(&self.bytes);
                Ok(Vec::new())
            }
            8 => Ok(b"a disk in memory\0\0\0\0".to_vec()),
            11 if self.has(features::DISCARD) => self.fill(data, self.field(36), 0xdd),
            13 if self.has(features::WRITE_ZEROES) => self.fill(data, self.field(48), 0),
            _ => {
                self.wrong.push(Wrong::Type(kind));
                Err(2)
            }
        }
    }

    fn write(&mut self, at: std::ops::Range<usize>, data: &[u8]) {
        self.bytes[at.clone()].copy_from_slice(data);
        let writes_through =
            !self.has(features::FLUSH) || (self.has(features::CONFIG_WCE) && self.config[32] == 0);
        if writes_through {
            self.stable[at].copy_from_slice(data);
        }
    }

    /// Ranges of discards and zeroes (5.2.6).
    fn fill(&mut self, data: &[u8], most: u64, with: u8) -> Result<Vec<u8>, u8> {
        let (Some(unit), Some(words)) = (data.get(..8), data.get(8..16)) else {
            self.wrong.push(Wrong::Range(0, data.len() as u64));
            return Err(1);
        };
        let unit = u64::from_le_bytes(unit.try_into().expect("eight"));
        let words = u64::from_le_bytes(words.try_into().expect("eight"));
        let (units, flags) = (words & 0xffff_ffff, (words >> 32) as u32);
        if flags != 0 || data.len() != 16 {
            self.wrong.push(Wrong::Flags(flags));
            return Err(2);
        }
        let at = self.range(unit, units * UNIT, most * UNIT).ok_or(1)?;
        let bytes = vec![with; at.len()];
        self.write(at, &bytes);
        Ok(Vec::new())
    }
}

impl Class for Disk {
    fn features(&self) -> u64 {
        self.features
    }
    fn queues(&self) -> &[u16] {
        &self.queues
    }
    fn config(&mut self) -> Vec<u8> {
        self.config.to_vec()
    }
    fn serve(&mut self, _: usize, chain: &Chain, bus: &Bus) -> Option<u32> {
        let fault = self.fault();
        let framed = self.is_framed(chain);
        let Some(bytes) = chain.read(bus).filter(|bytes| framed && bytes.len() >= 16) else {
            self.wrong.extend(framed.then_some(Wrong::Unreachable));
            self.served.push(u32::MAX);
            return Some(chain.write(bus, &[]));
        };
        let (header, data) = bytes.split_at(16);
        let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight"));
        let kind = word(0) as u32;
        self.served.push(kind);
        let room = chain.writable() - 1;
        let done = match fault {
            Some(DiskFault::Status(status)) => Err(status),
            _ => self.act(kind, word(8), data, room.into()),
        };
        let status = match (&done, fault) {
            (_, Some(DiskFault::Says(status))) => Some(status),
            (_, Some(DiskFault::Speechless)) => None,
            (Ok(_), _) => Some(0),
            (Err(status), _) => Some(*status),
        };
        let mut answer = done.unwrap_or_default();
        answer.resize(room as usize, 0);
        answer.extend(status);
        let written = chain.write(bus, &answer);
        match fault {
            Some(DiskFault::Length(length)) => Some(length),
            _ => Some(written),
        }
    }
}
