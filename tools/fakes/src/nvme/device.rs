//! A controller at work: registers, doorbells, and completions.

use super::command::Command;
use super::fault::{CompletionFault, Mischief, RegisterFault};
use super::{Disk, Violation};
use crate::Bus;

/// What it is like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Entries that a queue may have.
    pub entries: u32,
    /// Queues for requests.
    pub queues: u16,
    /// MDTS.
    pub mdts: u8,
    /// It keeps what is written until a flush.
    pub cache: bool,
    /// Optional commands (ONCS).
    pub optional: u16,
    /// Version of the specification.
    pub version: u32,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { entries: 2048, queues: 64, mdts: 7, cache: true, optional: 0x0c, version: 0x0001_0400 }
    }
}

/// A queue of commands, as it was created.
#[derive(Clone, Copy, Debug)]
pub(super) struct Submissions {
    pub base: u64,
    pub size: u16,
    pub head: u16,
    pub tail: u16,
}

/// A queue of completions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completions {
    pub base: u64,
    pub size: u16,
    pub tail: u16,
    pub phase: bool,
    /// How far the driver has read.
    pub head: u16,
    pub vector: u16,
}

/// A completion that is yet to be written.
#[derive(Clone, Copy, Debug)]
struct Due {
    queue: u16,
    id: u16,
    result: u32,
    status: u16,
    turns: u32,
    fault: Option<CompletionFault>,
}

/// The device.
pub struct Device {
    /// What it is like.
    pub shape: Shape,
    /// Its namespaces.
    pub disks: Vec<Disk>,
    /// How it is faulty.
    pub mischief: Mischief,
    /// What a good driver never makes it write down.
    pub violations: Vec<Violation>,
    /// Its way to memory.
    pub bus: Bus,
    /// Sectors that can not be read or written.
    pub damaged: Vec<u64>,
    /// Commands that it was given, by opcode; of queue 0 with 0x100 more.
    pub seen: Vec<u16>,
    /// It tells of these events (5.2.1), as far as it is asked.
    pub events: Vec<u32>,
    pub(super) submissions: Vec<Option<Submissions>>,
    pub(super) completions: Vec<Option<Completions>>,
    pub(super) in_flight: Vec<(u16, u16)>,
    pub(super) waiting: Vec<u16>,
    admin: [u64; 3],
    configuration: u64,
    status: u64,
    due: Vec<Due>,
    interrupts: Vec<u16>,
}

impl Device {
    /// Fresh from power-on.
    pub fn new(shape: Shape, disks: Vec<Disk>, bus: Bus) -> Device {
        let mut device = Device {
            shape,
            disks,
            mischief: Mischief::none(),
            violations: Vec::new(),
            bus,
            damaged: Vec::new(),
            seen: Vec::new(),
            events: Vec::new(),
            submissions: Vec::new(),
            completions: Vec::new(),
            in_flight: Vec::new(),
            waiting: Vec::new(),
            admin: [0; 3],
            configuration: 0,
            status: 0,
            due: Vec::new(),
            interrupts: Vec::new(),
        };
        device.reset();
        device
    }

    /// As the driver or the bus asks for.
    pub fn reset(&mut self) {
        (self.configuration, self.status) = (0, 0);
        self.submissions = vec![None; usize::from(self.shape.queues) + 1];
        self.completions = vec![None; usize::from(self.shape.queues) + 1];
        self.in_flight.clear();
        self.waiting.clear();
        self.due.clear();
        self.interrupts.clear();
    }

    /// Interrupts since somebody asked, by vector.
    pub fn interrupts(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.interrupts)
    }

    fn is(&self, fault: RegisterFault) -> bool {
        self.mischief.register == Some(fault)
    }

    fn is_gone(&self) -> bool {
        let asked = self.mischief.counts.iter().any(|completions| *completions > 0);
        self.is(RegisterFault::Gone) || asked && self.is(RegisterFault::GoneOnceAsked)
    }

    /// A register as it reads.
    pub fn read(&mut self, offset: u64) -> u64 {
        if self.is_gone() {
            return if offset == 0 { u64::MAX } else { u32::MAX.into() };
        }
        let value = match offset {
            0x00 => match self.mischief.register {
                Some(RegisterFault::Capabilities(value)) => value,
                // Half a second, the NVM commands, contiguous queues.
                _ => u64::from(self.shape.entries - 1) | 1 << 16 | 1 << 24 | 1 << 37,
            },
            0x08 => self.shape.version.into(),
            0x14 => self.configuration,
            0x1c if self.is(RegisterFault::AlwaysReady) => 1,
            0x1c => self.status,
            _ => {
                self.violations.push(Violation::Access(offset));
                0
            }
        };
        self.mischief.of_read(value)
    }

    /// A register written: halves of addresses one by one, as the kernel does it.
    pub fn write(&mut self, offset: u64, value: u64) {
        let half = |old: u64, shift: u32| old & !(0xffff_ffff << shift) | (value & 0xffff_ffff) << shift;
        match offset {
            0x14 => self.configure(value),
            0x24 => self.admin[0] = value,
            0x28 => self.admin[1] = half(self.admin[1], 0),
            0x2c => self.admin[1] = half(self.admin[1], 32),
            0x30 => self.admin[2] = half(self.admin[2], 0),
            0x34 => self.admin[2] = half(self.admin[2], 32),
            0x1000.. if offset.is_multiple_of(4) => self.doorbell((offset - 0x1000) / 4, value),
            _ => self.violations.push(Violation::Access(offset)),
        }
    }

    fn configure(&mut self, value: u64) {
        self.configuration = value;
        if value & 1 == 0 {
            return self.reset();
        }
        // Entries of 64 and 16 bytes, pages of 4096, NVM commands.
        if value & 0x00ff_3ff0 != 6 << 16 | 4 << 20
            || !self.admin[1].is_multiple_of(4096)
            || !self.admin[2].is_multiple_of(4096)
        {
            self.violations.push(Violation::Configuration(value));
        }
        let size = |shift: u32| (self.admin[0] >> shift & 0xfff) as u16 + 1;
        self.submissions[0] = Some(Submissions { base: self.admin[1], size: size(0), head: 0, tail: 0 });
        self.completions[0] = Some(Completions {
            base: self.admin[2],
            size: size(16),
            tail: 0,
            phase: true,
            head: 0,
            vector: 0,
        });
        self.status = match self.mischief.register {
            Some(RegisterFault::NeverReady) => 0,
            Some(RegisterFault::FatalWhenEnabled) => 3,
            _ => 1,
        };
    }

    fn doorbell(&mut self, index: u64, value: u64) {
        let (queue, word) = ((index / 2) as usize, value as u16);
        let known = if index.is_multiple_of(2) {
            let place = self.submissions.get_mut(queue).and_then(Option::as_mut);
            place.filter(|it| value < it.size.into()).map(|it| it.tail = word)
        } else {
            let place = self.completions.get_mut(queue).and_then(Option::as_mut);
            place.filter(|it| value < it.size.into()).map(|it| it.head = word)
        };
        if known.is_none() {
            self.violations.push(Violation::Doorbell(index, value));
        }
    }

    /// Does all that it was told to do.
    pub fn turn(&mut self) {
        if self.status & 3 != 1 {
            return;
        }
        for queue in 0..self.submissions.len() as u16 {
            while let Some(command) = self.fetch(queue) {
                self.perform(command);
            }
        }
        while let Some(told) = self.events.pop() {
            let Some(id) = self.waiting.pop() else {
                self.events.push(told);
                break;
            };
            self.complete(0, id, told, 0);
        }
        self.deliver();
    }

    fn fetch(&mut self, queue: u16) -> Option<Command> {
        let it = self.submissions.get_mut(usize::from(queue))?.as_mut()?;
        if it.head == it.tail || self.status & 2 != 0 {
            return None;
        }
        let at = it.base + u64::from(it.head) * 64;
        it.head = (it.head + 1) % it.size;
        let Some(bytes) = self.bus.read(at, 64) else {
            self.violations.push(Violation::Unreachable(at));
            self.status |= 2;
            return None;
        };
        let command = Command::new(queue, &bytes);
        if self.in_flight.contains(&(queue, command.id())) {
            self.violations.push(Violation::Number(command.id()));
        }
        self.in_flight.push((queue, command.id()));
        self.seen.push(u16::from(command.opcode()) | if queue == 0 { 0x100 } else { 0 });
        Some(command)
    }

    /// A command is over; whether the driver gets to know it rightly is another question.
    pub(super) fn complete(&mut self, queue: u16, id: u16, result: u32, status: u16) {
        let fault = self.mischief.of_completion(queue == 0);
        let mut due = Due { queue, id, result, status, turns: 0, fault };
        match fault {
            Some(CompletionFault::Never) => return,
            Some(CompletionFault::Late(turns)) => due.turns = turns,
            Some(CompletionFault::Fatal) => self.status |= 2,
            Some(CompletionFault::Status(other)) => due.status = other,
            Some(CompletionFault::Twice) => self.due.push(due),
            _ => {}
        }
        self.due.push(due);
    }

    /// Gives up a command that is due later, or never comes; says whether there was one.
    pub(super) fn abort(&mut self, queue: u16, id: u16) -> bool {
        if self.mischief.stubborn {
            return false;
        }
        let late = self.due.iter_mut().find(|due| (due.queue, due.id) == (queue, id));
        if let Some(due) = late {
            (due.turns, due.status, due.fault) = (0, 7, None);
            return true;
        }
        let waits = queue == 0 && self.waiting.contains(&id);
        let lost = self.in_flight.contains(&(queue, id)) && !waits;
        if lost {
            self.due.push(Due { queue, id, result: 0, status: 7, turns: 0, fault: None });
        }
        lost
    }

    fn deliver(&mut self) {
        for mut due in std::mem::take(&mut self.due) {
            if due.turns > 0 {
                due.turns -= 1;
                self.due.push(due);
            } else if !self.post(&due) {
                self.due.push(due);
            }
        }
    }

    /// Writes a completion; false when there is no room.
    fn post(&mut self, due: &Due) -> bool {
        let head = self.submissions[usize::from(due.queue)].map_or(0, |it| it.head);
        let size = self.submissions[usize::from(due.queue)].map_or(1, |it| it.size);
        let Some(it) = self.completions[usize::from(due.queue)].as_mut() else { return true };
        if (it.tail + 1) % it.size == it.head {
            return false;
        }
        let (mut id, mut queue, mut head, mut phase) = (due.id, due.queue, head, it.phase);
        match due.fault {
            Some(CompletionFault::Id(other)) => id = other,
            Some(CompletionFault::Queue(other)) => queue = other,
            Some(CompletionFault::Head(by)) if by < 8 => head = (head + by) % size,
            Some(CompletionFault::Head(other)) => head = other,
            Some(CompletionFault::Phase) => phase = !phase,
            _ => {}
        }
        let last = u32::from(id) | u32::from(phase) << 16 | u32::from(due.status) << 17;
        let place = u32::from(head) | u32::from(queue) << 16;
        let entry: Vec<u8> = [due.result, 0, place, last].iter().flat_map(|it| it.to_le_bytes()).collect();
        let at = it.base + u64::from(it.tail) * 16;
        it.tail = (it.tail + 1) % it.size;
        it.phase ^= it.tail == 0;
        let vector = it.vector;
        if !self.bus.write(at, &entry) {
            self.violations.push(Violation::Unreachable(at));
        }
        self.in_flight.retain(|flight| *flight != (due.queue, due.id));
        if due.fault != Some(CompletionFault::Mute) {
            self.interrupts.push(vector);
        }
        true
    }
}
