//! A unit of Intel's kind: its registers, its queue and its tables (VT-d 5.0, chapters 6, 9 and 11).

use super::unit::{Silent, wait};
use super::words::Words;
use crate::x86::cpu;
use crate::x86::paging::mmio::{self, Window};
use crate::x86::traps::vectors;
use capos_iommu::intel::register::{self, command, fault};
use capos_iommu::intel::{self, Capabilities, Command, IN_USE};
use capos_iommu::{Fault, Interrupt, Tables};
use core::sync::atomic::{Ordering, fence};

/// Commands that a queue of one page holds.
const QUEUE: usize = 256;
/// Words of an entry of any table.
const ENTRY: usize = 2;

/// A unit.
pub struct Intel {
    window: Window,
    can: Capabilities,
    extended_ids: bool,
    root: Words,
    interrupts: Words,
    queue: Words,
    tail: usize,
    /// Where the unit writes that it is done: what it wrote last.
    done: Words,
    turn: u32,
}

/// Why a unit was not set up.
pub type Reason = &'static str;

const NO_MEMORY: Reason = "there is no memory for its tables";
const SILENT: Reason = "it does not do what it is told";

impl Intel {
    /// The unit at `registers`, as firmware left it.
    pub fn find(registers: u64, x2apic: bool) -> Result<Intel, Reason> {
        let window = mmio::map(registers, register::WINDOW);
        let (cap, extended) = (register::CAPABILITIES, register::EXTENDED_CAPABILITIES);
        let can =
            Capabilities::read(window.read64(cap), window.read64(extended)).map_err(|it| it.as_str())?;
        let window =
            if can.window() > register::WINDOW { mmio::map(registers, can.window()) } else { window };
        let page = || Words::new(1, can.coherent).ok_or(NO_MEMORY);
        let (root, interrupts, queue) = (page()?, page()?, page()?);
        let done = Words::new(1, true).ok_or(NO_MEMORY)?;
        let extended_ids = can.extended_ids && x2apic;
        Ok(Intel { window, can, extended_ids, root, interrupts, queue, tail: 0, done, turn: 0 })
    }

    /// Switches it on: no function reaches memory or raises an interrupt from here on. What firmware had switched on is switched off before, as
    /// its tables and its queue are not to be believed.
    pub fn start(&mut self) -> Result<(), Reason> {
        self.begin().map_err(|Silent| SILENT)
    }

    fn begin(&mut self) -> Result<(), Silent> {
        for on in [command::TRANSLATE, command::INTERRUPTS, command::QUEUE, command::COMPATIBLE] {
            self.set(on, false)?;
        }
        let window = self.window;
        window.write64(register::ROOT_TABLE, self.root.address());
        self.set(command::SET_ROOT, true)?;
        window.write64(register::QUEUE_TAIL, 0);
        window.write64(register::QUEUE_ADDRESS, self.queue.address());
        self.set(command::QUEUE, true)?;
        self.submit(&[Command::Contexts, Command::Translations])?;
        let extended = if self.extended_ids { register::EXTENDED_IDS } else { 0 };
        let table = self.interrupts.address() | extended | register::INTERRUPT_TABLE_SIZE;
        window.write64(register::INTERRUPT_TABLE, table);
        self.set(command::SET_INTERRUPTS, true)?;
        self.submit(&[Command::Interrupts])?;
        self.start_faults();
        self.set(command::INTERRUPTS, true)?;
        self.set(command::TRANSLATE, true)?;
        // Firmware may have kept devices out of some memory by other means until now (11.4.12).
        if window.read32(register::PROTECTED_MEMORY) & register::PROTECTION_STATUS != 0 {
            window.write32(register::PROTECTED_MEMORY, 0);
            wait(|| window.read32(register::PROTECTED_MEMORY) & register::PROTECTION_STATUS == 0)?;
        }
        Ok(())
    }

    /// Switches it off, as far as it lets itself be.
    pub fn stop(&mut self) {
        for on in [command::TRANSLATE, command::INTERRUPTS, command::QUEUE] {
            // If it does not answer, nothing is left to be tried.
            let _ = self.set(on, false);
        }
    }

    pub fn capabilities(&self) -> &Capabilities {
        &self.can
    }

    pub fn bits(&self) -> u32 {
        self.can.bits.min(if self.can.four { 48 } else { 39 })
    }

    pub fn has_extended_ids(&self) -> bool {
        self.extended_ids
    }

    /// Changes one bit of the command register, and waits until the status says so.
    fn set(&mut self, bit: u32, on: bool) -> Result<(), Silent> {
        let window = self.window;
        let lasting = window.read32(register::STATUS) & command::LASTING;
        if !on && lasting & bit == 0 {
            return Ok(());
        }
        window.write32(register::COMMAND, if on { lasting | bit } else { lasting & !bit });
        wait(|| (window.read32(register::STATUS) & bit != 0) == on)
    }

    /// Has commands done, and waits until they are.
    fn submit(&mut self, commands: &[Command]) -> Result<(), Silent> {
        commands.iter().for_each(|command| self.push(command.words()));
        self.turn = self.turn.wrapping_add(1);
        self.push(intel::wait(self.done.address(), self.turn));
        // What was written to tables and the queue comes before this write.
        fence(Ordering::SeqCst);
        self.window.write64(register::QUEUE_TAIL, (self.tail as u64) << 4);
        let (window, done, turn) = (self.window, self.done, u64::from(self.turn));
        let mut refused = false;
        wait(|| {
            refused = window.read32(register::FAULT_STATUS) & fault::QUEUE_ERRORS != 0;
            refused || done.read(0) & 0xffff_ffff == turn
        })?;
        if refused { Err(Silent) } else { Ok(()) }
    }

    fn push(&mut self, words: [u64; 2]) {
        self.queue.write_entry(self.tail * ENTRY, &words);
        self.tail = (self.tail + 1) % QUEUE;
    }

    /// The entries of a bus, if there are any yet.
    fn contexts(&self, source: u16) -> Option<Words> {
        let entry = self.root.read(usize::from(source >> 8) * ENTRY);
        // SAFETY: present entries name tables that `supply` was given.
        (entry != 0).then(|| unsafe { Words::at(entry & !0xfff, 1, self.can.coherent) })
    }

    pub fn lacks(&self, source: u16) -> bool {
        self.contexts(source).is_none()
    }

    pub fn supply(&mut self, source: u16, page: Words) {
        self.root.write_entry(usize::from(source >> 8) * ENTRY, &intel::root(page.address()));
    }

    pub fn is_attached(&self, source: u16) -> bool {
        self.contexts(source).is_some_and(|contexts| contexts.read(place(source)) != 0)
    }

    pub fn has(&self, source: u16, tables: &Tables, number: u16) -> bool {
        let at = place(source);
        self.contexts(source).is_some_and(|contexts| {
            [contexts.read(at), contexts.read(at + 1)] == intel::context(tables, number)
        })
    }

    pub fn attach(&mut self, source: u16, tables: &Tables, number: u16) -> Result<(), Silent> {
        let contexts = self.contexts(source).ok_or(Silent)?;
        contexts.write_entry(place(source), &intel::context(tables, number));
        self.submit(&[Command::Contexts, Command::Domain(number)])
    }

    pub fn detach(&mut self, source: u16, number: u16) -> Result<(), Silent> {
        if let Some(contexts) = self.contexts(source) {
            contexts.write_entry_off(place(source), &[0, 0]);
        }
        self.submit(&[Command::Contexts, Command::Domain(number)])
    }

    pub fn forget(&mut self, number: u16) -> Result<(), Silent> {
        self.submit(&[Command::Domain(number)])
    }

    pub fn set_interrupt(
        &mut self,
        source: u16,
        vector: u8,
        interrupt: Option<Interrupt>,
    ) -> Result<(), Silent> {
        let at = usize::from(vector) * ENTRY;
        // Not present while it changes: half of one entry and half of another might be somebody's.
        self.interrupts.write_entry_off(at, &[0, 0]);
        if let Some(interrupt) = interrupt {
            let entry = intel::interrupt_entry(interrupt, source, self.extended_ids);
            self.interrupts.write_entry(at, &entry);
        }
        self.submit(&[Command::Interrupt(vector)])
    }

    pub fn has_interrupt(&self, source: u16, interrupt: Interrupt) -> bool {
        let at = usize::from(interrupt.vector) * ENTRY;
        let entry = intel::interrupt_entry(interrupt, source, self.extended_ids);
        [self.interrupts.read(at), self.interrupts.read(at + 1)] == entry
    }

    /// Clears what firmware left, and has faults interrupt the boot processor. That message is the unit's own and not remapped (5.1.6).
    fn start_faults(&mut self) {
        (0..self.can.fault_records).for_each(|n| self.free_record(n));
        let window = self.window;
        window.write32(register::FAULT_STATUS, window.read32(register::FAULT_STATUS));
        let id = cpu::apic_id(0);
        let upper = if self.extended_ids { id & !0xff } else { 0 };
        window.write32(register::FAULT_DATA, u32::from(vectors::IOMMU));
        window.write32(register::FAULT_ADDRESS, 0xfee0_0000 | (id & 0xff) << 12);
        window.write32(register::FAULT_UPPER_ADDRESS, upper);
        self.set_fault_interrupt(true);
    }

    pub fn set_fault_interrupt(&mut self, on: bool) {
        self.window.write32(register::FAULT_CONTROL, if on { 0 } else { fault::MASKED });
    }

    fn record(&self, n: usize) -> usize {
        self.can.fault_offset + n * 16
    }

    fn free_record(&mut self, n: usize) {
        self.window.write32(self.record(n) + 12, (IN_USE >> 32) as u32);
    }

    /// Hands over what is recorded until `sink` takes no more. True when something was not recorded.
    pub fn read_faults(&mut self, sink: &mut dyn FnMut(Fault) -> bool) -> bool {
        for n in 0..self.can.fault_records {
            let at = self.record(n);
            let record = [self.window.read64(at), self.window.read64(at + 8)];
            let Some(fault) = intel::fault(record) else { continue };
            if !sink(fault) {
                return false;
            }
            self.free_record(n);
        }
        let overflow = self.window.read32(register::FAULT_STATUS) & fault::OVERFLOW;
        if overflow != 0 {
            self.window.write32(register::FAULT_STATUS, overflow);
        }
        overflow != 0
    }
}

/// The first word of a function's entry in the table of its bus.
fn place(source: u16) -> usize {
    usize::from(source & 0xff) * ENTRY
}
