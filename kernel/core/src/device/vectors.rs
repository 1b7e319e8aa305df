//! Interrupts of a function: its messages, of which each goes to who asked for it.

use super::function::Function;
use super::function::State;
use super::windows;
use crate::cap::interrupt::{ClaimError, Interrupt, Line};
use capos_abi::ExceptionCode;
use capos_ledger::Item;
use capos_pci::{Bar, Function as Pci};
use kernel_hal::account::Account;
use kernel_hal::device::Registers;
use kernel_hal::sync::Ref;
use kernel_hal::{MessageEntry, MessagePlace};
use kernel_hal::{Width, pci};

/// Where the mask is in an entry of the table (PCI 3.0, 6.8.2.9).
pub(super) const MASK: u64 = 12;

impl State {
    /// Those that were given up are nobody's.
    pub(super) fn prune_lines(&mut self) {
        let before = self.lines.len();
        self.lines.retain(|line| !line.is_cut());
        self.record.books.take(Item::Vectors, (before - self.lines.len()) as u32);
    }
}

/// The function's table of messages, wherever it lies behind its base address register. `None` without one that can be reached.
pub(super) fn table(function: &Pci) -> Result<Option<Registers>, ExceptionCode> {
    let Some(msix) = &function.msix else { return Ok(None) };
    let (bar, offset) = msix.table;
    let bar = function.bars.get(usize::from(bar)).copied().flatten();
    // It is inside: that was looked at when the function was read.
    let base = bar.filter(Bar::is_placed).and_then(|bar| bar.base.checked_add(offset));
    let table = base.map(|base| Registers::in_memory(base, msix.table_bytes()));
    table.transpose().map_err(windows::memory)
}

/// Has the function signal by messages, all of which are masked one by one until somebody asks for them.
pub(super) fn prepare(function: &Function, state: &State) {
    let Some(msix) = &function.pci.msix else { return };
    let (config, at) = (pci::Access, function.pci.address);
    let Some(table) = state.messages else { return msix.enable(&config, at, false, true) };
    msix.enable(&config, at, true, true);
    for entry in (0..msix.vectors).filter_map(|index| msix.entry(index)) {
        // The last word of an entry.
        let _ = table.write(entry + MASK, Width::Four, 1);
    }
    msix.enable(&config, at, true, false);
}

impl Function {
    /// Messages that it signals by; 0 when it does so by its line.
    pub fn messages(&self) -> u16 {
        let has_table = self.lock().messages.is_some();
        let table = self.pci.msix.filter(|_| has_table);
        table.map_or(u16::from(self.pci.msi.is_some()), |msix| msix.vectors)
    }

    /// Message `index`, or the line of a function without messages, at the expense of `account`.
    pub fn interrupt(
        &self,
        generation: u32,
        index: u16,
        account: &Ref<Account>,
    ) -> Result<Interrupt, ExceptionCode> {
        // With nothing locked: what does not become one is given back.
        let interrupt = match self.place(generation, index)? {
            Some(place) => {
                let entry = MessageEntry { function: self.address(), entry: index, place };
                Interrupt::message(entry, account)
            }
            None => {
                let line = pci::line(self.address()).ok_or(ExceptionCode::NotFound)?;
                Interrupt::line_of(line, self.pci.address, account)
            }
        };
        let interrupt = interrupt.map_err(ClaimError::code)?;
        let booked = self.book(generation, interrupt.line());
        booked.map(|()| interrupt)
    }

    /// Where a message is told what to say. `None` for a function that has its line only.
    fn place(&self, generation: u32, index: u16) -> Result<Option<MessagePlace>, ExceptionCode> {
        let state = self.of(generation)?;
        if let (Some(msix), Some(table)) = (self.pci.msix, state.messages) {
            msix.entry(index).ok_or(ExceptionCode::NotFound)?;
            return Ok(Some(MessagePlace::Table(table)));
        }
        if index > 0 {
            return Err(ExceptionCode::NotFound);
        }
        Ok(self.pci.msi.map(MessagePlace::Configuration))
    }

    /// From now on it is taken back with everything else.
    pub(crate) fn book(&self, generation: u32, line: &Ref<Line>) -> Result<(), ExceptionCode> {
        let mut state = self.of(generation)?;
        state.prune_lines();
        state.lines.try_reserve(1).map_err(|_| ExceptionCode::OutOfMemory)?;
        state.lines.push(line.clone());
        state.record.books.add(Item::Vectors, 1);
        Ok(())
    }
}
