//! Interrupts through a unit: who may raise which, and where it goes.
//!
//! The entry of an interrupt has the number of its vector, which is one line's or message's in the whole machine, so that nothing has to be
//! allotted. The unit compares who raises it: Intel's has that in the entry, AMD's has a table for each function.

use super::unit::Unit;
use super::words::Words;
use crate::sync::Lock;
use capos_iommu::{Interrupt, Message};

/// Who something is to the unit that serves it.
#[derive(Clone, Copy)]
pub struct Origin {
    pub(super) unit: &'static Lock<Unit>,
    /// bus << 8 | device << 3 | function.
    pub(super) source: u16,
}

impl Origin {
    /// Gets the memory that the unit needs for it. False when there is none. To be called before any lock is taken that comes after those of
    /// memory.
    pub fn prepare(&self) -> bool {
        if !self.unit.lock().lacks(self.source) {
            return true;
        }
        let Some(page) = Words::new(1, false) else { return false };
        if !self.unit.lock().supply(self.source, page) {
            page.give_back();
        }
        true
    }

    /// Has it raise `interrupt`, and nobody else. If the unit does not do what it is told, the entry says nothing of use to anybody.
    pub fn set(&self, interrupt: Interrupt) {
        let _ = self.unit.lock().set_interrupt(self.source, interrupt.vector, Some(interrupt));
    }

    /// Whether the unit has it so: for audits.
    pub fn has(&self, interrupt: Interrupt) -> bool {
        self.unit.lock().has_interrupt(self.source, interrupt)
    }

    /// The message that raises `vector`.
    pub fn message(&self, vector: u8) -> Message {
        self.unit.lock().message(vector)
    }

    /// What the entry of a line of it has, which is an I/O APIC, so that it raises `vector`.
    pub fn line(&self, vector: u8) -> [u32; 2] {
        self.unit.lock().io_apic_entry(vector)
    }

    /// The interrupt is nobody's.
    pub fn clear(&self, vector: u8) {
        // As above.
        let _ = self.unit.lock().set_interrupt(self.source, vector, None);
    }

    /// Whether its interrupts reach processors with ids of more than a byte.
    pub fn has_extended_ids(&self) -> bool {
        self.unit.lock().has_extended_ids()
    }
}
