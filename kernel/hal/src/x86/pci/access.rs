//! Ways to PCI configuration space: through ports, which reach the first 256 bytes of a function (PCI 3.0, 3.2.2.3.2), and through
//! memory, which reaches all 4096 (PCI Express 5.0, 7.2.2).

use crate::order::LockRank;
use crate::sync::Lock;
use crate::x86::acpi;
use crate::x86::paging::mmio::{self, Window};
use capos_pci::{Address, Config};
use spin::Once;
use x86_64::instructions::port::Port;

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;
/// What ports reach of a function.
const BY_PORTS: u16 = 0x100;
/// Bytes that a bus and a function have in memory.
const BUS: u64 = 1 << 20;
const FUNCTION: usize = 1 << 12;
const BUSES: usize = 256;

static TURN: Lock<()> = Lock::new(LockRank::Device, ());
/// Whether there is the way through ports.
static PORTS: Once<bool> = Once::new();
/// The way through memory, of each bus that has functions.
static MEMORY: [Once<Option<Window>>; BUSES] = [const { Once::new() }; BUSES];

/// All of configuration space. What may be written there is not asked.
pub struct Raw;

fn has_ports() -> bool {
    *PORTS.call_once(|| {
        let _turn = TURN.lock();
        // SAFETY: the register keeps what is written there, if it is there; reading it has no side effect.
        unsafe {
            let mut address = Port::<u32>::new(ADDRESS);
            let before = address.read();
            address.write(ENABLE);
            let there = address.read() == ENABLE;
            address.write(before);
            there
        }
    })
}

/// Does `work` with the data port while it stands for a register.
fn by_ports<R>(at: Address, register: u16, work: impl FnOnce(u16) -> R) -> Option<R> {
    if register >= BY_PORTS || !has_ports() {
        return None;
    }
    let _turn = TURN.lock();
    // SAFETY: it selects a register; the lock keeps that and the access together.
    unsafe { Port::new(ADDRESS).write(ENABLE | at.number() << 8 | u32::from(register & !3)) };
    Some(work(DATA + (register & 3)))
}

/// The bus in memory, and where a register is there.
fn in_memory(at: Address, register: u16) -> Option<(Window, usize)> {
    let bus = MEMORY.get(usize::from(at.bus()))?;
    // Without ports every bus that anybody comes to is one to which a bridge leads.
    let window = if has_ports() { *bus.get()? } else { *bus.call_once(|| map(at.bus())) };
    let function = usize::from(at.device()) << 3 | usize::from(at.function());
    Some((window?, function * FUNCTION + usize::from(register)))
}

fn map(bus: u8) -> Option<Window> {
    let base = acpi::configuration(bus)?;
    Some(mmio::map(base, BUS as usize)).filter(|window| !window.is_empty())
}

/// Opens the way through memory to the bus of `at`, where a function answers, unless something else answers there.
pub fn open(at: Address) {
    let Some(bus) = MEMORY.get(usize::from(at.bus())) else { return };
    bus.call_once(|| {
        let window = map(at.bus())?;
        let function = usize::from(at.device()) << 3 | usize::from(at.function());
        let same = |register: u16| {
            window.read32(function * FUNCTION + usize::from(register)) == Raw.read32(at, register)
        };
        (same(0x00) && same(0x08)).then_some(window)
    });
}

impl Config for Raw {
    fn read32(&self, at: Address, register: u16) -> u32 {
        match in_memory(at, register) {
            Some((window, place)) => window.read32(place),
            // SAFETY: reading configuration space has no side effect that matters to memory.
            None => by_ports(at, register, |port| unsafe { Port::new(port).read() }).unwrap_or(u32::MAX),
        }
    }

    fn write32(&self, at: Address, register: u16, value: u32) {
        match in_memory(at, register) {
            Some((window, place)) => window.write32(place, value),
            // SAFETY: who writes asked `Header::may_write`, or is about to put back what was there.
            None => drop(by_ports(at, register, |port| unsafe { Port::new(port).write(value) })),
        }
    }

    fn write16(&self, at: Address, register: u16, value: u16) {
        match in_memory(at, register) {
            Some((window, place)) => window.write16(place, value),
            // SAFETY: as for 32 bits.
            None => drop(by_ports(at, register, |port| unsafe { Port::new(port).write(value) })),
        }
    }

    fn write8(&self, at: Address, register: u16, value: u8) {
        match in_memory(at, register) {
            Some((window, place)) => window.write8(place, value),
            // SAFETY: as for 32 bits.
            None => drop(by_ports(at, register, |port| unsafe { Port::new(port).write(value) })),
        }
    }
}
