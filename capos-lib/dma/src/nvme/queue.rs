//! A pair of a submission and a completion queue.

use super::command::{self, Data, METADATA, PRP1, PRP2, Words};
use super::prp::{List, MOST_PINS, Pins, Pointers};
use super::{Buffers, Controller, Layout};
use crate::memory::{Real, Shadow};
use crate::pool::{Pool, TokenError};
use alloc::boxed::Box;
use core::fmt;
use core::sync::atomic::Ordering;

/// What is known of a command, by its number.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    in_flight: bool,
    pins: u16,
    slots: [u16; MOST_PINS],
}

impl Default for Command {
    fn default() -> Command {
        Command { in_flight: false, pins: 0, slots: [0; MOST_PINS] }
    }
}

/// What was published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use = "the device may sleep until the bell is rung"]
pub struct Published {
    /// Commands.
    pub count: u16,
    /// What to write to the queue's bell, if there is anything new.
    pub bell: Option<u16>,
    /// The limit was reached: there is more.
    pub more: bool,
}

/// Why nothing more is published until the device is reset: the driver's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What was published before.
    pub before: Published,
    /// The entry that is wrong.
    pub entry: u16,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The queue was stopped before, for a refusal or a fault of the device.
    Stopped,
    /// There is no such entry.
    Index(u16),
    /// The device has not fetched what was there.
    Full,
    /// A command has a number below the queue's size that no other one in flight has.
    CommandId(u16),
    /// Fused, with a list of another kind, or bits that there are not.
    Flags,
    /// Metadata has a pointer of its own.
    Metadata,
    /// Not one that a driver may use.
    Opcode(u8),
    /// Not one that a driver may set or get.
    Feature(u8),
    /// No queue of that number and size is attached, or it was created already.
    Queue,
    /// The namespace was not identified, or has no sectors that can be used.
    Namespace,
    /// An answer to Identify is awaited.
    Answer,
    /// More bytes than one command may move.
    TooLong,
    /// A pointer does not lie where one may.
    Misaligned,
    /// The driver says that it read completions that there were not.
    Consumed(u16),
    /// A pointer.
    Token(TokenError),
}

/// What the device did that it may not do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceFault {
    /// It completes a command that it does not have.
    NotInFlight(u16),
    /// It completes a command of another queue.
    WrongQueue(u16),
    /// It fetched what was not there.
    Head(u16),
    /// It overwrites completions that nobody has read.
    Overrun,
}

/// The kernel's side of one queue, for one life of the device.
pub struct Queue {
    id: u16,
    layout: Layout,
    /// The real memory as the device sees it.
    base: u64,
    commands: Box<[Command]>,
    /// Behind the last entry that was published.
    tail: u16,
    /// What the device fetches next.
    head: u16,
    /// The next completion, and its phase.
    completion: u16,
    phase: bool,
    /// How far the driver has read completions.
    consumed: u16,
    /// The Identify command whose answer is awaited, and its namespace.
    answer: Option<(u16, Option<u32>)>,
    stopped: bool,
    fault: Option<DeviceFault>,
}

impl Queue {
    /// For rings that are all zero, at `base` for the device. There is one command for each entry of the layout, or none is made.
    pub fn new(id: u16, layout: Layout, base: u64, commands: Box<[Command]>) -> Option<Queue> {
        (commands.len() == usize::from(layout.size())).then_some(Queue {
            id,
            layout,
            base,
            commands,
            tail: 0,
            head: 0,
            completion: 0,
            phase: true,
            consumed: 0,
            answer: None,
            stopped: false,
            fault: None,
        })
    }

    /// The queue's number.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Publishes up to `limit` new commands. Call [`Queue::collect`] before, since a driver that saw a completion may use its number again.
    ///
    /// # Errors
    /// The first entry that is wrong. Those before it are published; neither it nor any later one ever is.
    pub fn publish(
        &mut self,
        shadow: &impl Shadow,
        real: &impl Real,
        buffers: &impl Buffers,
        pool: &mut Pool,
        controller: &mut Controller,
        limit: u16,
    ) -> Result<Published, Refusal> {
        let refuse = |entry, reason| Refusal { before: Published::default(), entry, reason };
        if self.stopped {
            return Err(refuse(0, Reason::Stopped));
        }
        let wanted = shadow.read16(self.layout.tail());
        real.fence(Ordering::Acquire);
        if wanted >= self.layout.size() {
            self.stopped = true;
            return Err(refuse(wanted, Reason::Index(wanted)));
        }
        let (mut count, mut refused) = (0, None);
        while self.tail != wanted && count < limit {
            if let Err(reason) = self.copy(shadow, real, buffers, pool, controller) {
                (self.stopped, refused) = (true, Some(reason));
                break;
            }
            self.tail = self.layout.after(self.tail);
            count += 1;
        }
        // The device fetches entries when the bell was rung: they come before.
        real.fence(Ordering::SeqCst);
        let bell = (count > 0).then_some(self.tail);
        let before = Published { count, bell, more: !self.stopped && self.tail != wanted };
        match refused {
            None => Ok(before),
            Some(reason) => Err(Refusal { before, entry: self.tail, reason }),
        }
    }

    /// Takes back what the device is through with.
    ///
    /// # Errors
    /// What the device did wrong. It keeps all that it has until it is reset.
    pub fn collect(
        &mut self,
        real: &impl Real,
        pool: &mut Pool,
        controller: &mut Controller,
    ) -> Result<u16, DeviceFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut count = 0;
        loop {
            let entry = self.layout.completion(self.completion);
            // Command number, phase, status; before that the submission queue's head and number (4.6).
            let last = real.read32(entry + 12);
            if (last >> 16 & 1 != 0) != self.phase {
                return Ok(count);
            }
            real.fence(Ordering::Acquire);
            let place = real.read32(entry + 8);
            if let Err(fault) = self.take(last, place, real, pool, controller) {
                (self.stopped, self.fault) = (true, Some(fault));
                return Err(fault);
            }
            count += 1;
        }
    }

    /// How far the driver has read completions, for their bell; none when that is nothing new. Never beyond what the kernel has read itself.
    pub fn consumed(&mut self, shadow: &impl Shadow) -> Result<Option<u16>, Reason> {
        let index = shadow.read16(self.layout.consumed());
        let from = self.consumed;
        if index >= self.layout.size()
            || self.layout.distance(from, index) > self.layout.distance(from, self.completion)
        {
            self.stopped = true;
            return Err(Reason::Consumed(index));
        }
        self.consumed = index;
        Ok((index != from).then_some(index))
    }

    /// The device was reset, and has nothing any more. The queue is through; a new one comes with the device's next life.
    pub fn abandon(&mut self, pool: &mut Pool) {
        self.commands.iter_mut().for_each(|it| it.release(pool));
        self.stopped = true;
    }

    /// Checks and copies the next command.
    fn copy(
        &mut self,
        shadow: &impl Shadow,
        real: &impl Real,
        buffers: &impl Buffers,
        pool: &mut Pool,
        controller: &mut Controller,
    ) -> Result<(), Reason> {
        if self.layout.after(self.tail) == self.head {
            return Err(Reason::Full);
        }
        let at = self.layout.command(self.tail);
        let mut words: Words = [0, 8, 16, 24, 32, 40, 48, 56].map(|word| shadow.read64(at + word));
        let id = command::id(&words);
        let known = self.commands.get_mut(usize::from(id)).filter(|it| !it.in_flight);
        let known = known.ok_or(Reason::CommandId(id))?;
        let data =
            if self.id == 0 { command::admin(&words, controller)? } else { command::io(&words, controller)? };
        let offset = self.layout.list(id);
        [words[PRP1], words[PRP2]] = match data {
            Data::None => [0, 0],
            Data::Ring(base) => [base, 0],
            Data::Answer(_) if self.answer.is_some() => return Err(Reason::Answer),
            Data::Answer(namespace) => {
                self.answer = Some((id, namespace));
                [self.base.wrapping_add(self.layout.answers().into()), 0]
            }
            Data::Bytes(bytes) => {
                let list = List { real, offset, address: self.base.wrapping_add(offset.into()) };
                let tokens = Pointers { prp: [words[PRP1], words[PRP2]] };
                let mut pins = Pins { slots: &mut known.slots, count: 0 };
                let translated = tokens.translate(bytes, &mut pins, &list, buffers, pool);
                known.pins = pins.count;
                match translated {
                    Ok(pointers) => pointers.prp,
                    Err(reason) => {
                        known.release(pool);
                        return Err(reason);
                    }
                }
            }
        };
        known.in_flight = true;
        words[METADATA] = 0;
        (0..).zip(words).for_each(|(n, word)| real.write64(at + 8 * n, word));
        Ok(())
    }

    /// Takes one completion.
    fn take(
        &mut self,
        last: u32,
        place: u32,
        real: &impl Real,
        pool: &mut Pool,
        controller: &mut Controller,
    ) -> Result<(), DeviceFault> {
        let (id, status) = (last as u16, last >> 17);
        let (head, queue) = (place as u16, (place >> 16) as u16);
        if queue != self.id {
            return Err(DeviceFault::WrongQueue(queue));
        }
        if self.layout.after(self.completion) == self.consumed {
            return Err(DeviceFault::Overrun);
        }
        let known = self.commands.get_mut(usize::from(id)).filter(|it| it.in_flight);
        let known = known.ok_or(DeviceFault::NotInFlight(id))?;
        if head >= self.layout.size()
            || self.layout.distance(self.head, head) > self.layout.distance(self.head, self.tail)
        {
            return Err(DeviceFault::Head(head));
        }
        known.release(pool);
        self.head = head;
        if let Some((_, namespace)) = self.answer.take_if(|(awaited, _)| *awaited == id)
            && let Some(namespace) = namespace
            && status == 0
        {
            controller.identified(namespace, sector_shift(real, self.layout.answers()));
        }
        self.completion = self.layout.after(self.completion);
        self.phase ^= self.completion == 0;
        Ok(())
    }
}

impl Command {
    /// The device does not have it any more.
    fn release(&mut self, pool: &mut Pool) {
        self.slots.iter().take(self.pins.into()).for_each(|slot| pool.unpin(*slot));
        (self.pins, self.in_flight) = (0, false);
    }
}

/// The binary logarithm of a namespace's sector size, as the answer at `at` tells (5.15.2.1): of the format that it has, if that has no metadata.
fn sector_shift(real: &impl Real, at: u32) -> Option<u32> {
    let formatted = real.read32(at + 24) >> 16 & 0xff;
    // Higher bits of the format's number, which came with version 2: there are no more than 16 here.
    if formatted & 0x60 != 0 {
        return None;
    }
    let format = real.read32(at + 128 + 4 * (formatted & 15));
    let (metadata, shift) = (format & 0xffff, format >> 16 & 0xff);
    (metadata == 0 && (9..=16).contains(&shift)).then_some(shift)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the queue is stopped until the device is reset"),
            Self::Index(index) => write!(f, "the driver's queue has no entry {index}"),
            Self::Full => {
                f.write_str("the driver writes commands over those that the device has not fetched")
            }
            Self::CommandId(id) => write!(f, "the driver's command cannot have number {id}"),
            Self::Flags => f.write_str("the driver's command is fused, or has no plain pointers"),
            Self::Metadata => f.write_str("the driver's command has metadata"),
            Self::Opcode(opcode) => write!(f, "the driver may not use command {opcode:#x}"),
            Self::Feature(feature) => write!(f, "the driver may not use feature {feature:#x}"),
            Self::Queue => f.write_str("the driver creates a queue that it does not have"),
            Self::Namespace => f.write_str("the driver uses a namespace that was not identified"),
            Self::Answer => f.write_str("the driver identifies more than one thing at once"),
            Self::TooLong => f.write_str("the driver's command moves too much"),
            Self::Misaligned => f.write_str("the driver's pointer is misaligned"),
            Self::Consumed(index) => write!(f, "the driver cannot have read completions to {index}"),
            Self::Token(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for DeviceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInFlight(id) => write!(f, "the device completes command {id}, which it does not have"),
            Self::WrongQueue(queue) => write!(f, "the device completes a command of queue {queue}"),
            Self::Head(head) => write!(f, "the device says that it fetches entry {head}"),
            Self::Overrun => f.write_str("the device overwrites completions"),
        }
    }
}
