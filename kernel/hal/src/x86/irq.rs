//! Interrupt lines of devices: claimed one by one, masked whenever they fire until their owner has looked.

use super::acpi;
use super::apic::io::{self, Trigger};
use super::cpu;
use super::traps::vectors;
use crate::order::LockRank;
use crate::sync::Lock;
use crate::types::{IrqError, IrqInfo, IrqLine};

/// As many as there are vectors for.
const SLOTS: usize = (vectors::IRQ_END - vectors::IRQ) as usize;

#[derive(Clone, Copy)]
struct Slot {
    gsi: Option<u32>,
    count: u64,
}

static SLOTS_TABLE: Lock<[Slot; SLOTS]> =
    Lock::new(LockRank::Interrupts, [Slot { gsi: None, count: 0 }; SLOTS]);

/// The trigger mode of ISA lines without an override (ACPI 6.5, 5.2.12.5).
const ISA: Trigger = Trigger { active_low: false, level: false };

fn vector_of(slot: usize) -> u8 {
    vectors::IRQ + u8::try_from(slot).unwrap_or(0)
}

/// Takes an ISA line, masked.
pub fn claim_isa(irq: u8) -> Result<IrqLine, IrqError> {
    // 2 is the cascade of the old controllers, 0 the timer that the kernel calibrates with.
    if irq > 15 || irq == 2 {
        return Err(IrqError::NotFound);
    }
    if irq == 0 {
        return Err(IrqError::Taken);
    }
    let (gsi, trigger) = acpi::isa_route(irq).unwrap_or((u32::from(irq), ISA));
    if !io::exists(gsi) {
        return Err(IrqError::NotFound);
    }
    let mut slots = SLOTS_TABLE.lock();
    if slots.iter().any(|slot| slot.gsi == Some(gsi)) {
        return Err(IrqError::Taken);
    }
    let (n, slot) =
        slots.iter_mut().enumerate().find(|(_, slot)| slot.gsi.is_none()).ok_or(IrqError::Taken)?;
    *slot = Slot { gsi: Some(gsi), count: 0 };
    io::route(gsi, trigger, vector_of(n), cpu::apic_id(0));
    Ok(IrqLine(gsi))
}

/// Gives a line back, masked.
pub fn release(line: IrqLine) {
    let mut slots = SLOTS_TABLE.lock();
    if let Some(slot) = slots.iter_mut().find(|slot| slot.gsi == Some(line.0)) {
        io::set_masked(line.0, true);
        slot.gsi = None;
    }
}

fn set_masked(line: IrqLine, masked: bool) {
    let slots = SLOTS_TABLE.lock();
    if slots.iter().any(|slot| slot.gsi == Some(line.0)) {
        io::set_masked(line.0, masked);
    }
}

/// Masks a line.
pub fn mask(line: IrqLine) {
    set_masked(line, true);
}

/// Unmasks a line that somebody claimed.
pub fn unmask(line: IrqLine) {
    set_masked(line, false);
}

/// Line number `index` of those claimed.
pub fn info(index: usize) -> Option<IrqInfo> {
    let slots = SLOTS_TABLE.lock();
    let claimed = slots.iter().enumerate().filter_map(|(n, slot)| Some((n, slot.gsi?, slot.count)));
    let (n, gsi, count) = claimed.into_iter().nth(index)?;
    Some(IrqInfo { gsi, vector: vector_of(n), count, masked: io::is_masked(gsi) })
}

/// A line fired: masks it and says which. `None` when it was released meanwhile.
pub(super) fn on_interrupt(vector: u8) -> Option<IrqLine> {
    let mut slots = SLOTS_TABLE.lock();
    let slot = slots.get_mut(usize::from(vector.checked_sub(vectors::IRQ)?))?;
    let gsi = slot.gsi?;
    slot.count += 1;
    io::set_masked(gsi, true);
    Some(IrqLine(gsi))
}
