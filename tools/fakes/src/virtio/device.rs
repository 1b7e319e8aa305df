//! A device at work: what it does with what it was given.

use capos_virtio::Interface;

use super::fault::{Mischief, RegisterFault, RingFault};
use super::{Chain, Class, Ring, Violation};
use crate::Bus;

/// Features of the model itself: EVENT_IDX if the class has it, VERSION_1, ACCESS_PLATFORM.
const MODERN_FEATURES: u64 = 1 << 32 | 1 << 33;

/// A completion that is kept back.
#[derive(Debug)]
struct Held {
    turns: u32,
    id: u32,
    length: u32,
}

/// A queue as its registers say.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) size: u16,
    pub(super) vector: u16,
    /// Descriptors, available ring, used ring.
    pub(super) addresses: [u64; 3],
    pub(super) ring: Option<Ring>,
    notified: bool,
    held: Vec<Held>,
}

/// The device.
pub struct Device<C> {
    /// What is in it.
    pub class: C,
    /// How it is faulty.
    pub mischief: Mischief,
    /// What a good driver never makes it write down.
    pub violations: Vec<Violation>,
    /// Its way to memory.
    pub bus: Bus,
    /// It looks at its rings by itself, and asks not to be notified.
    pub polls: bool,
    /// Whether MSI-X is on, and how many vectors there are.
    pub vectors: u16,
    pub(super) interface: Interface,
    pub(super) status: u8,
    pub(super) selected: [u32; 2],
    pub(super) accepted: u64,
    pub(super) config_vector: u16,
    pub(super) generation: u8,
    /// As it was last read.
    pub(super) config: Vec<u8>,
    pub(super) queue_select: u16,
    pub(super) queues: Vec<Queue>,
    pub(super) isr: u8,
    pub(super) status_reads: u32,
    interrupts: Vec<u16>,
    /// Resets so far.
    pub resets: u32,
}

impl<C: Class> Device<C> {
    /// Fresh from power-on.
    pub fn new(interface: Interface, class: C, bus: Bus) -> Device<C> {
        let mut device = Device {
            config: Vec::new(),
            class,
            mischief: Mischief::none(),
            violations: Vec::new(),
            bus,
            polls: false,
            vectors: 0,
            interface,
            status: 0,
            selected: [0; 2],
            accepted: 0,
            config_vector: 0xffff,
            generation: 0,
            queue_select: 0,
            queues: Vec::new(),
            isr: 0,
            status_reads: 0,
            interrupts: Vec::new(),
            resets: 0,
        };
        device.reset();
        device
    }

    /// As the driver or the bus asks for.
    pub fn reset(&mut self) {
        (self.status, self.selected, self.accepted, self.queue_select, self.isr) = (0, [0; 2], 0, 0, 0);
        (self.config_vector, self.status_reads) = (0xffff, 0);
        self.interrupts.clear();
        let queue = |size: &u16| Queue { size: *size, vector: 0xffff, ..Queue::default() };
        self.queues = self.class.queues().iter().map(queue).collect();
        self.resets += 1;
    }

    /// How it is spoken to.
    pub fn interface(&self) -> Interface {
        self.interface
    }

    /// What it offers.
    pub fn offered(&self) -> u64 {
        match self.interface {
            Interface::Modern if self.mischief.is(RegisterFault::Ancient) => self.class.features(),
            Interface::Modern => self.class.features() | MODERN_FEATURES,
            Interface::Legacy => self.class.features() & 0xffff_ffff,
        }
    }

    /// What the driver accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Whether the driver has it at work.
    pub fn works(&self) -> bool {
        self.status & 4 != 0
    }

    /// The doorbell of a queue.
    pub fn notify(&mut self, queue: u16) {
        let works = self.works();
        match self.queues.get_mut(usize::from(queue)) {
            Some(queue) if works && queue.ring.is_some() => queue.notified = true,
            _ => self.violations.push(Violation::Notify(queue)),
        }
    }

    /// Interrupts since somebody asked, by vector; 0 when it is a line.
    pub fn interrupts(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.interrupts)
    }

    pub(super) fn interrupt(&mut self, vector: u16, cause: u8) {
        match self.vectors {
            0 => {
                self.isr |= cause;
                self.interrupts.push(0);
            }
            vectors if vector < vectors => self.interrupts.push(vector),
            _ => {}
        }
    }

    /// Its configuration is another now, and it says so.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut C)) {
        change(&mut self.class);
        self.interrupt(self.config_vector, 2);
    }

    /// Something went wrong in it, and it says so.
    pub fn ask_for_reset(&mut self) {
        self.status |= 64;
        self.interrupt(self.config_vector, 2);
    }

    /// Does all that it was told to do.
    pub fn turn(&mut self) {
        for index in 0..self.queues.len() {
            let Some(mut queue) = self.queues.get_mut(index).map(std::mem::take) else { continue };
            if self.status & 64 == 0
                && let Some(mut ring) = queue.ring.take()
            {
                self.turn_of(index, &mut queue, &mut ring);
                queue.ring = Some(ring);
            }
            if let Some(place) = self.queues.get_mut(index) {
                *place = queue;
            }
        }
    }

    fn turn_of(&mut self, index: usize, queue: &mut Queue, ring: &mut Ring) {
        let mut due = Vec::new();
        queue.held.retain_mut(|held| {
            let wait = held.turns > 0;
            held.turns = held.turns.saturating_sub(1);
            if !wait {
                due.push((held.id, held.length));
            }
            wait
        });
        queue.notified |= self.polls && self.works();
        let mut wanted = false;
        for (id, length) in due {
            wanted |= ring.push(&self.bus, id, length);
        }
        while std::mem::take(&mut queue.notified) {
            loop {
                match ring.pop(&self.bus) {
                    Ok(Some(chain)) => {
                        if let Some(length) = self.class.serve(index, &chain, &self.bus) {
                            wanted |= self.complete(queue, ring, &chain, length);
                        }
                    }
                    Ok(None) => break,
                    Err(violation) => {
                        self.violations.push(violation);
                        return self.ask_for_reset();
                    }
                }
            }
            ring.ask(&self.bus);
        }
        for (chain, length) in self.class.through(index, &self.bus) {
            wanted |= self.complete(queue, ring, &chain, length);
        }
        if wanted {
            self.interrupt(queue.vector, 1);
        }
    }

    /// Gives a chain back, rightly or wrongly. True when the driver is to be interrupted.
    fn complete(&mut self, queue: &mut Queue, ring: &mut Ring, chain: &Chain, length: u32) -> bool {
        let (bus, id, room) = (self.bus.clone(), u32::from(chain.head), chain.writable());
        match self.mischief.of_completion() {
            None => ring.push(&bus, id, length),
            Some(RingFault::Id(other)) => ring.push(&bus, other, length),
            Some(RingFault::Twice) => ring.push(&bus, id, length) | ring.push(&bus, id, length),
            // Behind all that are there to be served now.
            Some(RingFault::Reordered) => self.hold(queue, 0, id, length),
            Some(RingFault::Late(turns)) => self.hold(queue, turns, id, length),
            Some(RingFault::Never) => false,
            Some(RingFault::TooLong(more)) => ring.push(&bus, id, room.saturating_add(more.max(1))),
            Some(RingFault::Empty) => ring.push(&bus, id, 0),
            Some(RingFault::Jump(by)) => {
                ring.push(&bus, id, length);
                ring.move_used(&bus, by.wrapping_sub(1))
            }
            Some(RingFault::Mute) => {
                ring.push(&bus, id, length);
                false
            }
        }
    }

    fn hold(&mut self, queue: &mut Queue, turns: u32, id: u32, length: u32) -> bool {
        queue.held.push(Held { turns, id, length });
        false
    }
}
