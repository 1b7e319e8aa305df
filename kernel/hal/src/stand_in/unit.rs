//! A unit of either kind that does at once what it is told, and writes it down with what its tables let a device do at that moment.

use super::mem::phys;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use capos_iommu::{amd, intel};
use core::cell::RefCell;
use core::mem;
use std::thread_local;

/// Who is looked at: what it reaches at [`IOVA`], and whether it raises [`VECTOR`].
pub const SOURCE: u16 = 0x0138;
pub const IOVA: u64 = 0x1_2345_6000;
pub const VECTOR: u8 = 0x43;

const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Commands that a queue of either kind has room for.
const QUEUE: u64 = 256;

/// Kinds of units, as far as they are told different things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Model {
    Intel,
    /// Intel's that remembers what is absent, too.
    Caching,
    Amd,
}

/// A command, and what the device could do when the unit got it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    pub command: [u64; 2],
    pub reaches: bool,
    pub raises: bool,
}

struct State {
    model: Model,
    registers: BTreeMap<usize, u64>,
    head: u64,
    silent: bool,
    told: Vec<Told>,
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

fn with<R>(work: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(|state| work(state.as_mut().expect("a test installs one first")))
}

/// From now on there is a new one of that kind.
pub fn install(model: Model) {
    let registers = match model {
        Model::Amd => [(amd::register::FEATURES, amd::register::FORGETS_EVERYTHING)].into(),
        Model::Intel | Model::Caching => {
            // 256 domains, four levels, 48 bits, records of faults behind what all have; a queue and interrupts.
            let cap = 2 | u64::from(model == Model::Caching) << 7 | 1 << 10 | 47 << 16 | 0x20 << 24;
            [(intel::register::CAPABILITIES, cap), (intel::register::EXTENDED_CAPABILITIES, 0b1010)].into()
        }
    };
    let state = State { model, registers, head: 0, silent: false, told: Vec::new() };
    STATE.set(Some(state));
}

/// From now on it does nothing.
pub fn fall_silent() {
    with(|state| state.silent = true);
}

/// What it was told since this was asked last.
pub fn told() -> Vec<Told> {
    with(|state| mem::take(&mut state.told))
}

/// Whether the device raises a vector.
pub fn raises(vector: u8) -> bool {
    with(|state| state.raises(vector))
}

/// Has the entry of a vector lead to another one, or back.
pub fn divert(vector: u8) {
    let (at, bit) = with(|state| state.interrupt(vector)).expect("it has one");
    // SAFETY: as for reading words; nobody else changes it meanwhile.
    unsafe { phys::pointer(at).cast::<u64>().write_volatile(word(at) ^ 1 << (bit + 16)) };
}

/// It keeps the device from something, and has no room to say so.
pub fn overflow() {
    with(|state| {
        let (register, bit) = state.overflow();
        *state.registers.entry(register).or_default() |= bit;
    });
}

/// Reads a register.
pub fn read(register: usize) -> u64 {
    with(|state| state.register(register))
}

/// Writes a register.
pub fn write(register: usize, value: u64) {
    with(|state| {
        if register == state.overflow().0 {
            // Cleared by writing ones.
            *state.registers.entry(register).or_default() &= !value;
            return;
        }
        state.registers.insert(register, value);
        match (state.model, register) {
            (Model::Amd, amd::register::CONTROL) => {
                let on = |bit, status| if value & bit == 0 { 0 } else { status };
                let status = on(amd::register::control::COMMANDS, amd::register::status::COMMANDS)
                    | on(amd::register::control::EVENTS, amd::register::status::EVENTS);
                state.registers.insert(amd::register::STATUS, status);
            }
            (Model::Amd, amd::register::COMMAND_TAIL) => state.work(amd::register::COMMANDS, value / 16),
            (Model::Intel | Model::Caching, intel::register::COMMAND) => {
                state.registers.insert(intel::register::STATUS, value);
            }
            (Model::Intel | Model::Caching, intel::register::QUEUE_TAIL) => {
                state.work(intel::register::QUEUE_ADDRESS, value >> 4);
            }
            _ => {}
        }
    });
}

/// A word of memory.
fn word(address: u64) -> u64 {
    // SAFETY: registers and tables name memory that stays, see `phys`.
    unsafe { phys::pointer(address).cast::<u64>().read_volatile() }
}

impl State {
    /// Where it says that it had no room, and how.
    fn overflow(&self) -> (usize, u64) {
        match self.model {
            Model::Amd => (amd::register::STATUS, amd::register::status::OVERFLOW),
            _ => (intel::register::FAULT_STATUS, intel::register::fault::OVERFLOW.into()),
        }
    }

    fn register(&self, register: usize) -> u64 {
        self.registers.get(&register).copied().unwrap_or(0)
    }

    /// Does what stands in the queue before `tail`.
    fn work(&mut self, queue: usize, tail: u64) {
        while !self.silent && self.head != tail {
            let at = (self.register(queue) & ADDRESS) + self.head * 16;
            let command = [word(at), word(at + 8)];
            self.head = (self.head + 1) % QUEUE;
            let done = match self.model {
                Model::Amd => (command[0] >> 60 == 1).then_some((command[0] & ADDRESS, command[1])),
                _ => (command[0] & 0xf == 5).then_some((command[1], command[0] >> 32)),
            };
            match done {
                // SAFETY: who submits waits for a word of its own.
                Some((address, value)) => unsafe {
                    phys::pointer(address).cast::<u64>().write_volatile(value)
                },
                None => {
                    let (reaches, raises) = (self.reaches().is_some(), self.raises(VECTOR));
                    self.told.push(Told { command, reaches, raises });
                }
            }
        }
    }

    /// Tables and levels of the device.
    fn tables(&self) -> Option<(u64, u64)> {
        let (bus, function) = (u64::from(SOURCE >> 8), u64::from(SOURCE & 0xff));
        match self.model {
            Model::Amd => {
                let entry = word(self.device());
                (entry >> 61 & 0b11 == 0b11).then_some((entry & ADDRESS, entry >> 9 & 7))
            }
            _ => {
                let root = word(self.register(intel::register::ROOT_TABLE) + bus * 16);
                let context = (root & 1 != 0).then_some((root & ADDRESS) + function * 16)?;
                (word(context) & 1 != 0).then_some((word(context) & ADDRESS, (word(context + 8) & 7) + 2))
            }
        }
    }

    fn reaches(&self) -> Option<()> {
        let (mut table, levels) = self.tables()?;
        for level in (0..levels).rev() {
            let entry = word(table + (IOVA >> (12 + 9 * level) & 511) * 8);
            table = (entry & 1 != 0).then_some(entry & ADDRESS)?;
        }
        Some(())
    }

    /// Where the entry of a vector is, and at which bit it begins. `None` as long as there are none.
    fn interrupt(&self, vector: u8) -> Option<(u64, u64)> {
        let vector = u64::from(vector);
        let (table, at, bit) = match self.model {
            Model::Amd => (word(self.device() + 16) & ADDRESS, vector / 2 * 8, vector % 2 * 32),
            _ => (self.register(intel::register::INTERRUPT_TABLE) & ADDRESS, vector * 16, 0),
        };
        (table != 0).then_some((table + at, bit))
    }

    fn raises(&self, vector: u8) -> bool {
        self.interrupt(vector).is_some_and(|(at, bit)| word(at) >> bit & 1 != 0)
    }

    fn device(&self) -> u64 {
        (self.register(amd::register::DEVICE_TABLE) & ADDRESS) + u64::from(SOURCE) * 32
    }
}
