//! Registers of devices: of models that a test puts there.

use super::mem::Frames;
use crate::sync::Ref;
use crate::types::{MemError, OutOfRange, PagesError, WINDOW_MAX, Width};
use std::boxed::Box;
use std::sync::Mutex;
use std::vec::Vec;

/// A device as a test models it.
pub trait Model: Send {
    /// What the register at `offset` says.
    fn read(&mut self, offset: u64, width: Width) -> u64;
    /// It is told something.
    fn write(&mut self, offset: u64, width: Width, value: u64);
}

static MODELS: Mutex<Vec<(u64, Box<dyn Model>)>> = Mutex::new(Vec::new());

/// Puts a model behind the registers at `base`, instead of what was there.
pub fn put(base: u64, model: Box<dyn Model>) {
    remove(base);
    MODELS.lock().expect("no model panics").push((base, model));
}

/// Takes away what is behind the registers at `base`.
pub fn remove(base: u64) {
    MODELS.lock().expect("no model panics").retain(|(at, _)| *at != base);
}

pub(super) fn reset() {
    MODELS.lock().expect("no model panics").clear();
}

/// The registers that one base address register of a device shows.
#[derive(Clone, Copy)]
pub struct Registers {
    base: u64,
    length: u64,
    in_memory: bool,
}

impl Registers {
    /// Those at physical address `base`.
    pub fn in_memory(base: u64, length: u64) -> Result<Registers, MemError> {
        Ok(Registers { base, length, in_memory: true })
    }

    /// Those at I/O ports from `base` on.
    pub fn at_ports(base: u16, length: u16) -> Registers {
        Registers { base: u64::from(base), length: u64::from(length), in_memory: false }
    }

    /// Bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn with(
        &self,
        offset: u64,
        width: Width,
        work: impl FnOnce(&mut dyn Model) -> u64,
    ) -> Result<u64, OutOfRange> {
        let end = offset.checked_add(width.bytes()).ok_or(OutOfRange)?;
        if end > self.length.min(WINDOW_MAX) || !offset.is_multiple_of(width.bytes()) {
            return Err(OutOfRange);
        }
        super::heap::unfailing(|| {
            let mut models = MODELS.lock().expect("no model panics");
            let model = models.iter_mut().find(|(base, _)| *base == self.base);
            Ok(model.map_or(u64::MAX, |(_, model)| work(model.as_mut())))
        })
    }

    /// What a register says; all ones where there is no model.
    pub fn read(&self, offset: u64, width: Width) -> Result<u64, OutOfRange> {
        let all = u64::MAX >> (64 - 8 * width.bytes());
        self.with(offset, width, |model| model.read(offset, width)).map(|value| value & all)
    }

    /// Tells a register something.
    pub fn write(&self, offset: u64, width: Width, value: u64) -> Result<(), OutOfRange> {
        self.with(offset, width, |model| {
            model.write(offset, width, value);
            0
        })
        .map(drop)
    }

    /// The pages from byte `offset` on, to be mapped.
    pub fn pages(&self, offset: u64, pages: usize) -> Result<Ref<Frames>, PagesError> {
        let page = capos_abi::PAGE_SIZE as u64;
        let end = (pages as u64).checked_mul(page).and_then(|length| offset.checked_add(length));
        let whole = self.in_memory && offset.is_multiple_of(page) && pages > 0;
        if !whole || end.is_none_or(|end| end > self.length) {
            return Err(PagesError::Range);
        }
        Frames::of_device(self.base + offset, pages).map_err(PagesError::Memory)
    }
}
