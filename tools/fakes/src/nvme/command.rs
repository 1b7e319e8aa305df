//! What commands do (5, 6).

use super::Violation;
use super::device::{Completions, Device, Submissions};

/// Status fields: done, and what is wrong with a command that will not be right the next time (DNR).
const DONE: u16 = 0;
const INVALID_OPCODE: u16 = 0x4001;
const INVALID_FIELD: u16 = 0x4002;
const OUT_OF_RANGE: u16 = 0x4080;
const READ_ONLY: u16 = 0x4182;
/// And what may be.
const WRITE_FAULT: u16 = 0x280;
const UNRECOVERED: u16 = 0x281;

/// One command.
pub(super) struct Command {
    queue: u16,
    words: [u64; 8],
}

impl Command {
    pub fn new(queue: u16, bytes: &[u8]) -> Command {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
            *word = bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
        }
        Command { queue, words }
    }

    pub fn id(&self) -> u16 {
        (self.words[0] >> 16) as u16
    }

    pub fn opcode(&self) -> u8 {
        self.words[0] as u8
    }

    fn namespace(&self) -> u32 {
        (self.words[0] >> 32) as u32
    }

    fn dword(&self, number: usize) -> u32 {
        (self.words[number / 2] >> (number % 2 * 32)) as u32
    }
}

impl Device {
    /// Does a command, and says so.
    pub(super) fn perform(&mut self, command: Command) {
        // No fused commands, no SGL, no metadata.
        if command.words[0] & 0xff00 != 0 || command.words[1..3] != [0, 0] {
            self.violations.push(Violation::Command(command.opcode()));
        }
        let done = match (command.queue, command.opcode()) {
            (0, 0x0c) => return self.waiting.push(command.id()),
            (0, _) => self.admin(&command),
            _ => (0, self.io(&command)),
        };
        self.complete(command.queue, command.id(), done.0, done.1);
    }

    fn admin(&mut self, command: &Command) -> (u32, u16) {
        let tenth = command.dword(10);
        match command.opcode() {
            0x01 | 0x05 => (0, self.create(command)),
            0x02 => {
                let mut log = vec![0; (tenth >> 16) as usize * 4 + 4];
                log[..6].copy_from_slice(&[0, 0x2c, 0x01, 100, 10, 3]);
                self.mischief.of_answer(&mut log);
                (
                    0,
                    self.transfer(command, log.len() as u64, |at, piece, _| {
                        Some(log[at..at + piece].to_vec())
                    }),
                )
            }
            0x06 => (0, self.identify(command)),
            0x08 => (u32::from(!self.abort(tenth as u16, (tenth >> 16) as u16)), DONE),
            0x09 if tenth & 0xff == 7 => {
                let wanted = (command.dword(11) & 0xffff).min(command.dword(11) >> 16);
                let given = wanted.min(u32::from(self.shape.queues) - 1);
                (given << 16 | given, DONE)
            }
            0x09 if tenth & 0xff == 0x0b => (0, DONE),
            _ => (0, INVALID_OPCODE),
        }
    }

    /// Create I/O Submission Queue, Create I/O Completion Queue (5.3, 5.4).
    fn create(&mut self, command: &Command) -> u16 {
        let (tenth, eleventh) = (command.dword(10), command.dword(11));
        let (queue, size) = (tenth as u16, (tenth >> 16) as u16 + 1);
        let base = command.words[3];
        let (at, is_first) = (usize::from(queue), command.opcode() == 0x05);
        let exists = if is_first {
            self.completions.get(at).map(Option::is_some)
        } else {
            self.submissions.get(at).map(Option::is_some)
        };
        let is_paired = is_first || (eleventh >> 16) as usize == at && self.completions[at].is_some();
        if exists != Some(false)
            || !base.is_multiple_of(4096)
            || u32::from(size) > self.shape.entries
            || !is_paired
        {
            self.violations.push(Violation::Queue(queue));
            return 0x4101;
        }
        if is_first {
            let vector = (eleventh >> 16) as u16;
            let made = Completions { base, size, tail: 0, phase: true, head: 0, vector };
            self.completions[at] = Some(made);
        } else {
            self.submissions[at] = Some(Submissions { base, size, head: 0, tail: 0 });
        }
        DONE
    }

    fn identify(&mut self, command: &Command) -> u16 {
        let id = command.namespace();
        let disk = self.disks.iter().find(|disk| disk.id == id);
        let mut page = match (command.dword(10), disk) {
            (0, Some(disk)) => disk.identify(),
            (1, _) => self.controller(),
            (2, _) => {
                let ids = self.disks.iter().map(|disk| disk.id).filter(|it| *it > id);
                let mut page: Vec<u8> = ids.flat_map(u32::to_le_bytes).collect();
                page.resize(4096, 0);
                page
            }
            (3, Some(disk)) => disk.descriptors(),
            _ => return INVALID_FIELD,
        };
        let patches = self.mischief.answers.iter().filter(|patch| patch.0 == command.dword(10));
        patches.for_each(|(_, at, value)| page[*at] = *value);
        self.mischief.of_answer(&mut page);
        self.transfer(command, 4096, |at, piece, _| Some(page[at..at + piece].to_vec()))
    }

    /// What Identify says of the controller (5.15.2.2).
    fn controller(&self) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[4..24].copy_from_slice(b"SERIAL 1            ");
        page[24..64].copy_from_slice(b"capOS model                             ");
        page[64..72].copy_from_slice(b"1.0     ");
        page[77] = self.shape.mdts;
        page[80..84].copy_from_slice(&self.shape.version.to_le_bytes());
        page[92..96].copy_from_slice(&0x100u32.to_le_bytes());
        (page[258], page[512], page[513]) = (3, 0x66, 0x44);
        page[516..520].copy_from_slice(&256u32.to_le_bytes());
        page[520..522].copy_from_slice(&self.shape.optional.to_le_bytes());
        page[525] = self.shape.cache.into();
        page
    }

    fn io(&mut self, command: &Command) -> u16 {
        let id = command.namespace();
        let Some(at) = self.disks.iter().position(|disk| disk.id == id) else { return 0x400b };
        let (first, twelfth) = (command.words[5], command.dword(12));
        let count = u64::from(twelfth & 0xffff) + 1;
        // As QEMU's does, it takes no notice of FUA.
        let durable = !self.shape.cache;
        match command.opcode() {
            0x00 => self.disks[at].flush(),
            0x01 | 0x02 => return self.move_sectors(command, at, durable),
            0x08 if self.shape.optional & 8 != 0 => {
                let Some(place) = self.disks[at].place(first, count) else { return OUT_OF_RANGE };
                let zeroes = vec![0; place.len()];
                self.disks[at].write(place.start, &zeroes, durable);
            }
            0x09 if self.shape.optional & 4 != 0 => return self.deallocate(command, at),
            _ => return INVALID_OPCODE,
        }
        DONE
    }

    fn move_sectors(&mut self, command: &Command, at: usize, durable: bool) -> u16 {
        let is_write = command.opcode() == 0x01;
        let (first, count) = (command.words[5], u64::from(command.dword(12) & 0xffff) + 1);
        let Some(place) = self.disks[at].place(first, count) else { return OUT_OF_RANGE };
        let limit = if self.shape.mdts == 0 { u64::MAX } else { 4096 << self.shape.mdts };
        if place.len() as u64 > limit {
            return INVALID_FIELD;
        }
        if is_write && self.disks[at].read_only {
            return READ_ONLY;
        }
        if self.damaged.iter().any(|sector| (first..first + count).contains(sector)) {
            return if is_write { WRITE_FAULT } else { UNRECOVERED };
        }
        let begin = place.start;
        let mut disk = std::mem::replace(&mut self.disks[at], super::Disk::new(0, 9, 0));
        let status = self.transfer(command, place.len() as u64, |offset, piece, bytes| match bytes {
            Some(bytes) if is_write => {
                disk.write(begin + offset, bytes, durable);
                None
            }
            _ => Some(disk.bytes[begin + offset..begin + offset + piece].to_vec()),
        });
        self.disks[at] = disk;
        status
    }

    /// Dataset Management (6.7): ranges of 16 bytes.
    fn deallocate(&mut self, command: &Command, at: usize) -> u16 {
        let ranges = u64::from(command.dword(10) & 0xff) + 1;
        let mut list = vec![0; ranges as usize * 16];
        let status = self.transfer(command, ranges * 16, |offset, piece, bytes| {
            if let Some(bytes) = bytes {
                list[offset..offset + piece].copy_from_slice(bytes)
            }
            None
        });
        if status != DONE || command.dword(11) & 4 == 0 {
            return status;
        }
        for range in list.chunks(16) {
            let count = u32::from_le_bytes([range[4], range[5], range[6], range[7]]);
            let first = u64::from_le_bytes(range[8..].try_into().unwrap_or_default());
            let Some(place) = self.disks[at].place(first, count.into()) else { return OUT_OF_RANGE };
            self.disks[at].discarded.push((first, count.into()));
            let zeroes = vec![0; place.len()];
            self.disks[at].write(place.start, &zeroes, !self.shape.cache);
        }
        DONE
    }

    /// Has `each` do every piece of the data: with its offset and length, and with the bytes that are there if the device is to read them, that is when
    /// the opcode says so (bit 0); what it gives is written.
    fn transfer(
        &mut self,
        command: &Command,
        bytes: u64,
        mut each: impl FnMut(usize, usize, Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> u16 {
        let reads = command.opcode() & 1 != 0;
        let Some(pieces) = self.pieces(command, bytes) else {
            self.violations.push(Violation::Pointer(command.words[4]));
            return 0x4013;
        };
        let mut offset = 0;
        for (address, length) in pieces {
            let there = if reads { self.bus.read(address, length) } else { None };
            let done = match each(offset, length, there.as_deref()) {
                Some(bytes) if !reads => self.bus.write(address, &bytes),
                _ => there.is_some(),
            };
            if !done {
                self.violations.push(Violation::Unreachable(address));
                return 0x0004;
            }
            offset += length;
        }
        DONE
    }

    /// Where the data lies (4.3).
    fn pieces(&self, command: &Command, bytes: u64) -> Option<Vec<(u64, usize)>> {
        let [first, second] = [command.words[3], command.words[4]];
        let room = 4096 - first % 4096;
        if first % 4 != 0 {
            return None;
        }
        let mut pieces = vec![(first, bytes.min(room) as usize)];
        let mut rest = bytes.saturating_sub(room);
        if rest == 0 {
            return Some(pieces);
        }
        if rest <= 4096 {
            pieces.push((second, rest as usize));
            return (second % 4096 == 0).then_some(pieces);
        }
        let mut at = second;
        while rest > 0 {
            if at % 8 != 0 {
                return None;
            }
            let word = |at| Some(u64::from_le_bytes(self.bus.read(at, 8)?.try_into().ok()?));
            if at % 4096 == 4088 && rest > 4096 {
                at = word(at)?;
            }
            let page = word(at)?;
            pieces.push((page, rest.min(4096) as usize));
            if page % 4096 != 0 {
                return None;
            }
            rest = rest.saturating_sub(4096);
            at += 8;
        }
        Some(pieces)
    }
}
