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
    /// What was agreed upon: fields that need more are not there.
    features: u64,
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
        let (values, features) = ([0; F], 0);
        Config { interface, msix, fields, values, features, next, rounds: 0, generation: 0, changed: false }
    }

    pub(crate) const fn values(&self) -> &[u32; F] {
        &self.values
    }

    /// From the begin, with these features. False when there is nothing to read.
    pub(crate) fn begin(&mut self, features: u64) -> bool {
        (self.features, self.rounds, self.changed) = (features, 0, false);
        self.values = [0; F];
        let first = self.field(0);
        self.next = match self.interface {
            Interface::Modern => Next::Count,
            Interface::Legacy => Next::Field(first.unwrap_or(0)),
        };
        first.is_some()
    }

    /// The first field from there on that is there.
    fn field(&self, from: usize) -> Option<usize> {
        let there = |field: &Field| field.needs & !self.features == 0;
        (from..F).find(|index| self.fields.get(*index).is_some_and(there))
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
                if let Some(next) = self.field(index + 1) {
                    self.next = Next::Field(next);
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
        (self.next, self.changed) = (Next::Field(self.field(0).unwrap_or(0)), false);
        if !done && self.rounds >= ROUNDS { Err(DeviceFault::ConfigUnstable) } else { Ok(done) }
    }
}
