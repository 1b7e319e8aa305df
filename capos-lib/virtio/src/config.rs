//! Reading the device configuration while the device may change it (virtio 1.2, 2.5.1 and 2.5.4).
//!
//! A modern device counts its changes: what was read between two equal counts belongs together. A legacy one does not, so all is read until
//! it is twice the same.

use crate::register::{Field, Register, modern};
use crate::{DeviceFault, Interface};

/// Times that all is read before we stop believing that it gets stable.
const ROUNDS: u32 = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Count,
    Field(usize),
}

/// The fields, and where we are in reading them.
#[derive(Debug)]
pub struct Config<const F: usize> {
    interface: Interface,
    msix: bool,
    fields: [Field; F],
    values: [u32; F],
    next: Next,
    /// Times that all was read.
    rounds: u32,
    generation: u32,
    /// Something was not what it was in the round before.
    changed: bool,
}

impl<const F: usize> Config<F> {
    pub(crate) const fn new(interface: Interface, msix: bool, fields: [Field; F]) -> Self {
        let next = Next::Count;
        Config { interface, msix, fields, values: [0; F], next, rounds: 0, generation: 0, changed: false }
    }

    pub(crate) const fn values(&self) -> &[u32; F] {
        &self.values
    }

    /// From the begin. False when there is nothing to read.
    pub(crate) fn begin(&mut self) -> bool {
        self.next = match self.interface {
            Interface::Modern => Next::Count,
            Interface::Legacy => Next::Field(0),
        };
        (self.rounds, self.changed) = (0, false);
        F > 0
    }

    pub(crate) fn register(&self) -> Register {
        let field = match self.next {
            Next::Field(index) => self.fields.get(index),
            Next::Count => None,
        };
        field.map_or(modern::GENERATION, |field| self.interface.field(*field, self.msix))
    }

    /// The value of that register. True when all is read and belongs together.
    pub(crate) fn value(&mut self, value: u32) -> Result<bool, DeviceFault> {
        match self.next {
            Next::Field(index) => {
                if let Some(field) = self.values.get_mut(index) {
                    self.changed |= core::mem::replace(field, value) != value;
                }
                if index + 1 < F {
                    self.next = Next::Field(index + 1);
                    return Ok(false);
                }
                self.rounds += 1;
                self.next = Next::Count;
                if self.interface == Interface::Modern {
                    return Ok(false);
                }
                self.again(self.rounds > 1 && !self.changed)
            }
            Next::Count => {
                let same = core::mem::replace(&mut self.generation, value) == value;
                self.again(self.rounds > 0 && same)
            }
        }
    }

    fn again(&mut self, done: bool) -> Result<bool, DeviceFault> {
        (self.next, self.changed) = (Next::Field(0), false);
        if !done && self.rounds >= ROUNDS { Err(DeviceFault::ConfigUnstable) } else { Ok(done) }
    }
}
