//! The device's side of a split virtqueue.

use capos_virtio::Layout;
use capos_virtio::layout::flags;

use super::Violation;
use crate::Bus;

/// A piece of a chain, as the device sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The device's address of it.
    pub address: u64,
    /// Bytes.
    pub length: u32,
    /// Whether the device writes it.
    pub writable: bool,
}

/// A chain that the device was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    /// Its first descriptor, which is its id.
    pub head: u16,
    /// What it is made of.
    pub pieces: Vec<Piece>,
}

impl Chain {
    /// What the device may write into it.
    pub fn writable(&self) -> u32 {
        self.pieces.iter().filter(|piece| piece.writable).map(|piece| piece.length).sum()
    }

    /// What it is to read.
    pub fn read(&self, bus: &Bus) -> Option<Vec<u8>> {
        let readable = self.pieces.iter().filter(|piece| !piece.writable);
        let parts: Option<Vec<_>> =
            readable.map(|piece| bus.read(piece.address, piece.length as usize)).collect();
        parts.map(|parts| parts.concat())
    }

    /// Writes as much of `bytes` as there is room for, and says how much.
    pub fn write(&self, bus: &Bus, bytes: &[u8]) -> u32 {
        let mut rest = bytes;
        for piece in self.pieces.iter().filter(|piece| piece.writable) {
            let (now, later) = rest.split_at(rest.len().min(piece.length as usize));
            if !now.is_empty() && !bus.write(piece.address, now) {
                break;
            }
            rest = later;
        }
        (bytes.len() - rest.len()) as u32
    }
}

/// A queue as the device was told of it.
#[derive(Clone, Debug)]
pub struct Ring {
    layout: Layout,
    descriptors: u64,
    available: u64,
    used: u64,
    event_index: bool,
    next: u16,
    used_index: u16,
}

impl Ring {
    /// With its parts at these device addresses: descriptors, available ring, used ring.
    pub fn new(layout: Layout, [descriptors, available, used]: [u64; 3], event_index: bool) -> Ring {
        Ring { layout, descriptors, available, used, event_index, next: 0, used_index: 0 }
    }

    fn available_at(&self, offset: u32) -> u64 {
        self.available.wrapping_add(u64::from(offset - self.layout.available()))
    }

    fn used_at(&self, offset: u32) -> u64 {
        self.used.wrapping_add(u64::from(offset - self.layout.used()))
    }

    fn load(&self, bus: &Bus, address: u64) -> Result<u16, Violation> {
        bus.read16(address).ok_or(Violation::Unreachable(address))
    }

    /// The next chain that the driver made available.
    ///
    /// # Errors
    /// What the driver did wrong.
    pub fn pop(&mut self, bus: &Bus) -> Result<Option<Chain>, Violation> {
        let index = self.load(bus, self.available_at(self.layout.available_index()))?;
        let waiting = index.wrapping_sub(self.next);
        if waiting > self.layout.size() {
            return Err(Violation::Index(waiting));
        }
        if waiting == 0 {
            return Ok(None);
        }
        let head = self.load(bus, self.available_at(self.layout.available_entry(self.next)))?;
        self.next = self.next.wrapping_add(1);
        self.chain(bus, head).map(Some)
    }

    /// Asks not to be notified of anything.
    pub fn hush(&self, bus: &Bus) {
        bus.write(self.used_at(self.layout.used()), &1u16.to_le_bytes());
    }

    /// The next entry is the one that the device wants to be notified of.
    pub fn ask(&self, bus: &Bus) {
        if self.event_index {
            bus.write(self.used_at(self.layout.available_event()), &self.next.to_le_bytes());
        }
    }

    fn chain(&self, bus: &Bus, head: u16) -> Result<Chain, Violation> {
        let (mut at, mut pieces) = (head, Vec::<Piece>::new());
        loop {
            if at >= self.layout.size() {
                return Err(Violation::Descriptor(at));
            }
            if pieces.len() >= usize::from(self.layout.size()) {
                return Err(Violation::Loop(head));
            }
            let address = self.descriptors.wrapping_add(self.layout.descriptor(at).into());
            let bytes = bus.read(address, 16).ok_or(Violation::Unreachable(address))?;
            let word =
                |at: usize| bytes[at..].iter().take(8).rev().fold(0u64, |all, it| all << 8 | u64::from(*it));
            let (length, flags, next) = (word(8) as u32, word(12) as u16, word(14) as u16);
            let writable = flags & flags::WRITE != 0;
            let behind = pieces.last().is_some_and(|last| last.writable);
            if flags & !(flags::WRITE | flags::NEXT) != 0 || (behind && !writable) || length == 0 {
                return Err(Violation::Flags(at));
            }
            pieces.push(Piece { address: word(0), length, writable });
            if flags & flags::NEXT == 0 {
                return Ok(Chain { head, pieces });
            }
            at = next;
        }
    }

    /// Gives a chain back. True when the driver wants an interrupt for it.
    pub fn push(&mut self, bus: &Bus, id: u32, length: u32) -> bool {
        let entry = [id.to_le_bytes(), length.to_le_bytes()].concat();
        bus.write(self.used_at(self.layout.used_entry(self.used_index)), &entry);
        self.move_used(bus, 1)
    }

    /// Moves the used index, entries or not.
    pub fn move_used(&mut self, bus: &Bus, by: u16) -> bool {
        let old = self.used_index;
        self.used_index = old.wrapping_add(by);
        bus.write(self.used_at(self.layout.used_index()), &self.used_index.to_le_bytes());
        if self.event_index {
            let event = bus.read16(self.available_at(self.layout.used_event())).unwrap_or(0);
            return self.used_index.wrapping_sub(event).wrapping_sub(1) < by;
        }
        bus.read16(self.available_at(self.layout.available())).unwrap_or(0) & 1 == 0
    }
}
