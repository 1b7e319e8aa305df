//! A unit of AMD's kind: its registers, its buffers and its device table (48882, chapters 2 and 3).

use super::unit::{Silent, wait};
use super::words::Words;
use crate::x86::paging::mmio::{self, Window};
use capos_iommu::amd::register::{self, control, status};
use capos_iommu::amd::{self, Command, DeviceEntry};
use capos_iommu::{Fault, Interrupt, Tables};
use core::sync::atomic::{Ordering, fence};

/// Commands, or events, that a buffer of one page holds.
const BUFFER: usize = 256;
/// Words of a command or an event.
const ENTRY: usize = 2;
/// Words of an entry of the device table.
const DEVICE: usize = 4;
/// Functions that the device table has.
const DEVICES: usize = 1 << 16;

/// A unit.
pub struct Amd {
    window: Window,
    devices: Words,
    commands: Words,
    events: Words,
    tail: usize,
    /// Where the unit writes that it is done: what it wrote last.
    done: Words,
    turn: u64,
}

impl Amd {
    /// What every unit translates: tables have four levels or more.
    pub const BITS: u32 = 48;

    /// The unit at `registers`, as firmware left it.
    pub fn find(registers: u64) -> Result<Amd, &'static str> {
        let window = mmio::map(registers, register::WINDOW);
        if window.read64(register::CONTROL) == u64::MAX {
            return Err("it does not answer");
        }
        if window.read64(register::FEATURES) & register::FORGETS_EVERYTHING == 0 {
            return Err("it cannot be told to forget everything");
        }
        let words = |pages| Words::new(pages, true).ok_or("there is no memory for its tables");
        let devices = words(register::DEVICE_TABLE_PAGES as usize)?;
        (0..DEVICES).for_each(|n| devices.write_entry(n * DEVICE, &DeviceEntry::BLOCKED.words()));
        let (commands, events, done) = (words(1)?, words(1)?, words(1)?);
        Ok(Amd { window, devices, commands, events, tail: 0, done, turn: 0 })
    }

    /// Switches it on: no function reaches memory or raises an interrupt from here on. What firmware had switched on is switched off before.
    pub fn start(&mut self) -> Result<(), &'static str> {
        self.begin().map_err(|Silent| "it does not do what it is told")
    }

    fn begin(&mut self) -> Result<(), Silent> {
        self.stop();
        let window = self.window;
        wait(|| window.read64(register::STATUS) & (status::COMMANDS | status::EVENTS) == 0)?;
        window.write64(register::EXCLUSION, 0);
        window.write64(register::DEVICE_TABLE, register::device_table(self.devices.address()));
        window.write64(register::COMMANDS, register::buffer(self.commands.address()));
        window.write64(register::EVENTS, register::buffer(self.events.address()));
        for zero in
            [register::COMMAND_HEAD, register::COMMAND_TAIL, register::EVENT_HEAD, register::EVENT_TAIL]
        {
            window.write64(zero, 0);
        }
        fence(Ordering::SeqCst);
        let on = control::TRANSLATE | control::COMMANDS | control::EVENTS | control::COHERENT;
        window.write64(register::CONTROL, on);
        wait(|| window.read64(register::STATUS) & status::COMMANDS != 0)?;
        self.submit(&[Command::Everything])
    }

    /// Switches it off.
    pub fn stop(&mut self) {
        self.window.write64(register::CONTROL, 0);
    }

    /// Has commands done, and waits until they are.
    fn submit(&mut self, commands: &[Command]) -> Result<(), Silent> {
        commands.iter().for_each(|command| self.push(command.words()));
        self.turn = self.turn.wrapping_add(1);
        self.push(amd::wait(self.done.address(), self.turn));
        // What was written to tables and the buffer comes before this write.
        fence(Ordering::SeqCst);
        self.window.write64(register::COMMAND_TAIL, (self.tail * ENTRY * 8) as u64);
        let (done, turn) = (self.done, self.turn);
        wait(|| done.read(0) == turn)
    }

    fn push(&mut self, words: [u64; 2]) {
        self.commands.write_entry(self.tail * ENTRY, &words);
        self.tail = (self.tail + 1) % BUFFER;
    }

    fn device(&self, source: u16) -> DeviceEntry {
        let at = usize::from(source) * DEVICE;
        DeviceEntry::from_words([0, 1, 2, 3].map(|n| self.devices.read(at + n)))
    }

    /// Changes an entry that the unit may look at meanwhile: each word by itself is right with what the others were before, as the one that
    /// opens comes last, and the one that closes first.
    fn set_device(&mut self, source: u16, entry: DeviceEntry, opens: bool) {
        let (at, words) = (usize::from(source) * DEVICE, entry.words());
        if opens {
            self.devices.write_entry(at, &words);
        } else {
            self.devices.write_entry_off(at, &words);
        }
    }

    /// The table of interrupts of a function, if it has one yet.
    fn interrupts(&self, source: u16) -> Option<Words> {
        let address = self.device(source).interrupts()?;
        // SAFETY: entries name tables that `supply` was given.
        Some(unsafe { Words::at(address, 1, true) })
    }

    pub fn lacks(&self, source: u16) -> bool {
        self.interrupts(source).is_none()
    }

    pub fn supply(&mut self, source: u16, page: Words) {
        let entry = self.device(source).with_interrupts(page.address());
        self.set_device(source, entry, true);
        // All entries are off yet; that there is a table is told with the first that is not.
    }

    pub fn is_attached(&self, source: u16) -> bool {
        self.device(source).reaches_memory()
    }

    pub fn has(&self, source: u16, tables: &Tables, number: u16) -> bool {
        let entry = self.device(source);
        entry == entry.with_memory(tables, number)
    }

    pub fn attach(&mut self, source: u16, tables: &Tables, number: u16) -> Result<(), Silent> {
        let entry = self.device(source).with_memory(tables, number);
        self.set_device(source, entry, true);
        self.submit(&[Command::Device(source), Command::Domain(number)])
    }

    pub fn detach(&mut self, source: u16, number: u16) -> Result<(), Silent> {
        let entry = self.device(source).without_memory();
        self.set_device(source, entry, false);
        self.submit(&[Command::Device(source), Command::Domain(number)])
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
        let table = self.interrupts(source).ok_or(Silent)?;
        let (at, shift) = place(vector);
        let entry = u64::from(interrupt.map_or(0, amd::interrupt_entry));
        table.write(at, table.read(at) & !(0xffff_ffff << shift) | entry << shift);
        self.submit(&[Command::Device(source), Command::Interrupts(source)])
    }

    pub fn has_interrupt(&self, source: u16, interrupt: Interrupt) -> bool {
        let (at, shift) = place(interrupt.vector);
        let entry = self.interrupts(source).map(|table| table.read(at) >> shift & 0xffff_ffff);
        entry == Some(u64::from(amd::interrupt_entry(interrupt)))
    }

    /// Hands over what is recorded until `sink` takes no more. True when something was not recorded.
    pub fn read_faults(&mut self, sink: &mut dyn FnMut(Fault) -> bool) -> bool {
        let place = |register| (self.window.read64(register) as usize / 16) % BUFFER;
        let (mut head, tail) = (place(register::EVENT_HEAD), place(register::EVENT_TAIL));
        while head != tail {
            let event = [self.events.read(head * ENTRY), self.events.read(head * ENTRY + 1)];
            if amd::event(event).is_some_and(|fault| !sink(fault)) {
                break;
            }
            self.events.write_entry_off(head * ENTRY, &[0, 0]);
            head = (head + 1) % BUFFER;
        }
        self.window.write64(register::EVENT_HEAD, (head * 16) as u64);
        let overflow = self.window.read64(register::STATUS) & status::OVERFLOW;
        if overflow != 0 && head == tail {
            self.restart_events();
            return true;
        }
        false
    }

    /// After an overflow nothing is written until the log was off (2.5.1).
    fn restart_events(&mut self) {
        let on = self.window.read64(register::CONTROL);
        self.window.write64(register::CONTROL, on & !control::EVENTS);
        self.window.write64(register::STATUS, status::OVERFLOW);
        self.window.write64(register::EVENT_HEAD, 0);
        self.window.write64(register::EVENT_TAIL, 0);
        self.window.write64(register::CONTROL, on);
    }
}

/// The word of an interrupt's entry, and where it is there: two are in a word.
fn place(vector: u8) -> (usize, u32) {
    (usize::from(vector) / 2, u32::from(vector) % 2 * 32)
}
