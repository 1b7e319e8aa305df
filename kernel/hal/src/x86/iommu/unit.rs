//! A unit of either kind.

use super::amd::Amd;
use super::intel::Intel;
use crate::x86::time;
use capos_iommu::{Fault, Format, Interrupt, Message, Tables};

/// How long a unit may take for anything. Broken ones take longer, and are not asked again.
const PATIENCE_NS: u64 = 100_000_000;

/// Waits until `done`, but not for ever.
pub fn wait(mut done: impl FnMut() -> bool) -> Result<(), Silent> {
    let until = time::now_ns() + PATIENCE_NS;
    while !done() {
        if time::now_ns() > until {
            return Err(Silent);
        }
        core::hint::spin_loop();
    }
    Ok(())
}

/// A unit did not do what it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Silent;

/// What is of its kind alone.
pub enum Kind {
    Intel(Intel),
    Amd(Amd),
}

impl Kind {
    /// Switches it on; says why not.
    pub fn start(&mut self) -> Result<(), &'static str> {
        match self {
            Kind::Intel(intel) => intel.start(),
            Kind::Amd(amd) => amd.start(),
        }
    }

    /// Switches it off, as far as it lets itself be.
    pub fn stop(&mut self) {
        match self {
            Kind::Intel(intel) => intel.stop(),
            Kind::Amd(amd) => amd.stop(),
        }
    }
}

/// A unit.
pub struct Unit {
    pub kind: Kind,
    /// Numbers of domains, of which bits that are set are in use. Number 0 is nobody's: Intel's units have it for what is absent.
    numbers: [u64; 4],
    /// It answered so far. Once it has not, it is told nothing any more: what it was to forget it may remember.
    pub answers: bool,
    /// How often it kept a device from something.
    pub faults: u64,
    /// How often it could not say so.
    pub lost: u64,
    /// Whom it last kept from something.
    pub last: u16,
}

impl Unit {
    pub fn new(kind: Kind) -> Unit {
        Unit { kind, numbers: [1, 0, 0, 0], answers: true, faults: 0, lost: 0, last: 0 }
    }

    /// Bits of addresses that it translates.
    pub fn bits(&self) -> u32 {
        match &self.kind {
            Kind::Intel(intel) => intel.bits(),
            Kind::Amd(_) => Amd::BITS,
        }
    }

    /// Format and levels of tables for so many bits, whether there are large pages, and whether tables are looked for in caches.
    pub fn shape(&self, bits: u32) -> (Format, u32, bool, bool) {
        match &self.kind {
            Kind::Intel(intel) => {
                let can = intel.capabilities();
                (Format::Intel, can.levels(bits), can.large, can.coherent)
            }
            Kind::Amd(_) => (Format::Amd, if bits <= 39 { 3 } else { 4 }, true, true),
        }
    }

    /// Whether it has to be told of what is mapped where nothing was.
    pub fn caches_absent(&self) -> bool {
        match &self.kind {
            Kind::Intel(intel) => intel.capabilities().caches_absent,
            // The flag for it (NpCache) is in configuration space; being told costs little.
            Kind::Amd(_) => true,
        }
    }

    /// A number for a domain. `None` when all are in use.
    pub fn take_number(&mut self) -> Option<u16> {
        let most = match &self.kind {
            Kind::Intel(intel) => intel.capabilities().domains.min(255),
            Kind::Amd(_) => 255,
        };
        let number = (1..=most).find(|n| self.numbers[*n as usize / 64] >> (n % 64) & 1 == 0)?;
        self.numbers[number as usize / 64] |= 1 << (number % 64);
        u16::try_from(number).ok()
    }

    pub fn give_number(&mut self, number: u16) {
        if let Some(word) = self.numbers.get_mut(usize::from(number) / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    /// Does `work` if the unit has always answered.
    fn ask<R>(&mut self, work: impl FnOnce(&mut Kind) -> Result<R, Silent>) -> Result<R, Silent> {
        if !self.answers {
            return Err(Silent);
        }
        let outcome = work(&mut self.kind);
        self.answers = outcome.is_ok();
        outcome
    }

    /// Whether `source` may reach memory.
    pub fn is_attached(&self, source: u16) -> bool {
        match &self.kind {
            Kind::Intel(intel) => intel.is_attached(source),
            Kind::Amd(amd) => amd.is_attached(source),
        }
    }

    /// Whether `source` reaches what the tables map, as that domain.
    pub fn has(&self, source: u16, tables: &Tables, number: u16) -> bool {
        match &self.kind {
            Kind::Intel(intel) => intel.has(source, tables, number),
            Kind::Amd(amd) => amd.has(source, tables, number),
        }
    }

    /// Memory that it wants before `source` is attached or has interrupts, if it lacks some. Without the lock, as there is no lock to be had
    /// after this one by which memory comes.
    pub fn lacks(&self, source: u16) -> bool {
        match &self.kind {
            Kind::Intel(intel) => intel.lacks(source),
            Kind::Amd(amd) => amd.lacks(source),
        }
    }

    /// Takes that memory: a page of zeroes, for ever. False if it is not wanted any more.
    pub fn supply(&mut self, source: u16, page: super::words::Words) -> bool {
        let wanted = self.lacks(source);
        if wanted {
            match &mut self.kind {
                Kind::Intel(intel) => intel.supply(source, page),
                Kind::Amd(amd) => amd.supply(source, page),
            }
        }
        wanted
    }

    /// `source` reaches what the tables map.
    pub fn attach(&mut self, source: u16, tables: &Tables, number: u16) -> Result<(), Silent> {
        self.ask(|kind| match kind {
            Kind::Intel(intel) => intel.attach(source, tables, number),
            Kind::Amd(amd) => amd.attach(source, tables, number),
        })
    }

    /// `source` reaches no memory.
    pub fn detach(&mut self, source: u16, number: u16) -> Result<(), Silent> {
        self.ask(|kind| match kind {
            Kind::Intel(intel) => intel.detach(source, number),
            Kind::Amd(amd) => amd.detach(source, number),
        })
    }

    /// Nothing is remembered of what was mapped in a domain.
    pub fn forget(&mut self, number: u16) -> Result<(), Silent> {
        self.ask(|kind| match kind {
            Kind::Intel(intel) => intel.forget(number),
            Kind::Amd(amd) => amd.forget(number),
        })
    }

    /// Entry `vector` is that interrupt, for `source` alone, or is nobody's.
    pub fn set_interrupt(
        &mut self,
        source: u16,
        vector: u8,
        interrupt: Option<Interrupt>,
    ) -> Result<(), Silent> {
        self.ask(|kind| match kind {
            Kind::Intel(intel) => intel.set_interrupt(source, vector, interrupt),
            Kind::Amd(amd) => amd.set_interrupt(source, vector, interrupt),
        })
    }

    /// Whether the entry is that interrupt, for `source`.
    pub fn has_interrupt(&self, source: u16, interrupt: Interrupt) -> bool {
        match &self.kind {
            Kind::Intel(intel) => intel.has_interrupt(source, interrupt),
            Kind::Amd(amd) => amd.has_interrupt(source, interrupt),
        }
    }

    /// The message that raises entry `vector`.
    pub fn message(&self, vector: u8) -> Message {
        match &self.kind {
            Kind::Intel(_) => capos_iommu::intel::message(vector),
            Kind::Amd(_) => capos_iommu::amd::message(vector),
        }
    }

    /// What an I/O APIC's entry has to raise it: lower word, upper word.
    pub fn io_apic_entry(&self, vector: u8) -> [u32; 2] {
        match &self.kind {
            Kind::Intel(_) => capos_iommu::intel::io_apic_entry(vector, vector),
            Kind::Amd(_) => capos_iommu::amd::io_apic_entry(vector),
        }
    }

    /// Whether interrupts reach processors with ids of more than a byte.
    pub fn has_extended_ids(&self) -> bool {
        matches!(&self.kind, Kind::Intel(intel) if intel.has_extended_ids())
    }

    /// Hands over what it has recorded until `sink` takes no more.
    pub fn read_faults(&mut self, sink: &mut dyn FnMut(Fault) -> bool) {
        let (faults, last) = (&mut self.faults, &mut self.last);
        let mut counted = |fault: Fault| {
            let taken = sink(fault);
            if taken {
                *faults += 1;
                *last = fault.source;
            }
            taken
        };
        let overflowed = match &mut self.kind {
            Kind::Intel(intel) => intel.read_faults(&mut counted),
            Kind::Amd(amd) => amd.read_faults(&mut counted),
        };
        self.lost += u64::from(overflowed);
    }

    /// Whether faults interrupt.
    pub fn set_fault_interrupt(&mut self, on: bool) {
        if let Kind::Intel(intel) = &mut self.kind {
            intel.set_fault_interrupt(on);
        }
    }
}
