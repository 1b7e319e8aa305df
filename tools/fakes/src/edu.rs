//! QEMU's `edu` device, as docs/specs/edu and its source have it; registers by number, as the specification has them.

use capos_mutate::Rng;

use crate::Bus;

/// Where the device's buffer is in what it takes for addresses.
pub const BUFFER: u64 = 0x40000;
const BUFFER_BYTES: usize = 4096;

/// Ways to be faulty, from the beginning on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing answers.
    Gone,
    /// It is another device.
    Kind(u32),
    /// The liveness register gives back what was written.
    Parrot,
    /// Factorials are never done.
    ComputesForEver,
    /// Transfers are never done.
    RunsForEver,
    /// Factorials are off by so much.
    Wrong(u32),
    /// No interrupts.
    Mute,
    /// Interrupts at every turn, for nothing.
    Nagging,
    /// Interrupts at every turn, as if a job were done; and never because it was asked to.
    Hasty,
    /// Acknowledging changes nothing.
    Sticky,
}

/// What a driver, or the kernel on its behalf, did wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// There is no such register.
    Access(u64),
    /// A register was written while what it is for is under way.
    Busy(u64),
    /// A transfer from here and so long is not inside of the buffer, as QEMU 7.2 sees it: the machine ends.
    Range(u64, u64),
}

/// The device.
pub struct Device {
    /// How it is faulty.
    pub fault: Option<Fault>,
    /// One of so many register reads gives anything.
    pub random: Option<(Rng, u32)>,
    /// Turns that a job takes.
    pub delay: u32,
    /// What a good driver never makes it write down.
    pub violations: Vec<Violation>,
    /// Its way to memory, and how many bits its addresses have.
    pub bus: Bus,
    address_bits: u32,
    liveness: u32,
    factorial: u32,
    status: u32,
    interrupt_status: u32,
    /// Source, destination, count, command.
    dma: [u64; 4],
    buffer: [u8; BUFFER_BYTES],
    waited: u32,
    interrupts: u32,
}

impl Device {
    /// Fresh from power-on, with the 28 address bits that it has unless told otherwise.
    pub fn new(bus: Bus) -> Device {
        Device {
            fault: None,
            random: None,
            delay: 0,
            violations: Vec::new(),
            bus,
            address_bits: 28,
            liveness: 0,
            factorial: 0,
            status: 0,
            interrupt_status: 0,
            dma: [0; 4],
            buffer: [0; BUFFER_BYTES],
            waited: 0,
            interrupts: 0,
        }
    }

    /// A read of four bytes.
    pub fn read(&mut self, offset: u32) -> u32 {
        let value = match offset {
            0x00 => self.identification(),
            0x04 => self.liveness,
            0x08 => self.factorial,
            0x20 => self.status,
            0x24 => self.interrupt_status,
            0x80 | 0x88 | 0x90 | 0x98 => {
                self.dma.get((offset as usize - 0x80) / 8).map_or(0, |it| *it as u32)
            }
            _ => {
                self.violations.push(Violation::Access(offset.into()));
                u32::MAX
            }
        };
        let random = self.random.as_mut();
        let random = random.and_then(|(rng, rarity)| rng.chance(1, *rarity).then(|| rng.edge() as u32));
        match self.fault {
            Some(Fault::Gone) => u32::MAX,
            _ => random.unwrap_or(value),
        }
    }

    /// A write of four bytes, or of eight to the registers of transfers.
    pub fn write(&mut self, offset: u32, value: u64) {
        let word = value as u32;
        match offset {
            0x04 if self.fault == Some(Fault::Parrot) => self.liveness = word,
            0x04 => self.liveness = !word,
            0x08 if self.status & 1 != 0 => self.violations.push(Violation::Busy(offset.into())),
            0x08 => (self.factorial, self.status, self.waited) = (word, self.status | 1, 0),
            0x20 => self.status = self.status & 1 | word & 0x80,
            0x60 if self.fault == Some(Fault::Hasty) => {}
            0x60 => self.interrupt(word),
            0x64 if self.fault == Some(Fault::Sticky) => {}
            0x64 => self.interrupt_status &= !word,
            0x80 | 0x88 | 0x90 | 0x98 if self.dma[3] & 1 != 0 => {
                self.violations.push(Violation::Busy(offset.into()));
            }
            0x98 if word & 1 == 0 => {}
            0x80 | 0x88 | 0x90 | 0x98 => {
                self.dma[(offset as usize - 0x80) / 8] = value;
                self.waited = 0;
            }
            _ => self.violations.push(Violation::Access(offset.into())),
        }
    }

    /// How often it interrupted since somebody asked.
    pub fn interrupts(&mut self) -> u32 {
        std::mem::take(&mut self.interrupts)
    }

    /// Does what it was told to do.
    pub fn turn(&mut self) {
        match self.fault {
            Some(Fault::Nagging) => self.interrupts += 1,
            Some(Fault::Hasty) => self.interrupt(0x101),
            _ => {}
        }
        if self.waited < self.delay {
            self.waited += 1;
            return;
        }
        if self.status & 1 != 0 && self.fault != Some(Fault::ComputesForEver) {
            self.compute();
        }
        if self.dma[3] & 1 != 0 && self.fault != Some(Fault::RunsForEver) {
            self.transfer();
        }
    }

    fn identification(&self) -> u32 {
        match self.fault {
            Some(Fault::Kind(kind)) => kind,
            _ => 0x0100_00ed,
        }
    }

    fn interrupt(&mut self, bits: u32) {
        self.interrupt_status |= bits;
        if self.interrupt_status != 0 && self.fault != Some(Fault::Mute) {
            self.interrupts += 1;
        }
    }

    fn compute(&mut self) {
        let mut result = 1u32;
        let mut factor = self.factorial;
        // Zero stays zero, so that large numbers take no longer here.
        while factor > 0 && result != 0 {
            result = result.wrapping_mul(factor);
            factor -= 1;
        }
        if let Some(Fault::Wrong(by)) = self.fault {
            result = result.wrapping_add(by);
        }
        self.factorial = result;
        self.status &= !1;
        if self.status & 0x80 != 0 {
            self.interrupt(1);
        }
    }

    fn transfer(&mut self) {
        let [source, destination, count, command] = self.dma;
        let to_memory = command & 2 != 0;
        let (inside, outside) = if to_memory { (source, destination) } else { (destination, source) };
        let outside = outside & ((1 << self.address_bits) - 1);
        let begin = inside.wrapping_sub(BUFFER);
        // QEMU 7.2 does not allow the last byte either.
        let end = begin.checked_add(count).filter(|end| *end < BUFFER_BYTES as u64 && count > 0);
        match end {
            None => self.violations.push(Violation::Range(inside, count)),
            Some(end) => {
                let buffer = &mut self.buffer[begin as usize..end as usize];
                if to_memory {
                    self.bus.write(outside, buffer);
                } else if let Some(bytes) = self.bus.read(outside, buffer.len()) {
                    buffer.copy_from_slice(&bytes);
                }
            }
        }
        self.dma[3] &= !1;
        if command & 4 != 0 {
            self.interrupt(0x100);
        }
    }
}
