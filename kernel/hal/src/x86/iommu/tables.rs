//! Memory for the tables of a domain: frames that the account pays for which the domain was made.

use super::words::Words;
use crate::account::Account;
use crate::sync::Ref;
use crate::types::MemError;
use crate::x86::mem::{cache, phys};
use capos_iommu::Memory;
use capos_mem::Resource;

/// Memory for the tables of a domain.
pub struct TableMemory {
    account: Ref<Account>,
    coherent: bool,
    /// Tables that are not used any more, but which the unit may remember: a list that runs through their first words, where the address of the
    /// next counts as an entry of neither kind.
    given: u64,
    /// Why there was no memory.
    refused: MemError,
}

impl TableMemory {
    pub fn new(account: &Ref<Account>, coherent: bool) -> TableMemory {
        TableMemory { account: account.clone(), coherent, given: 0, refused: MemError::OutOfMemory }
    }

    /// Why there was none.
    pub fn refused(&self) -> MemError {
        self.refused
    }

    fn words(&self, table: u64) -> Words {
        // SAFETY: tables name each other only, all of which `take` gave.
        unsafe { Words::at(table, 1, self.coherent) }
    }

    /// The unit has forgotten what was given back: frees it.
    pub fn release(&mut self) {
        while self.given != 0 {
            let table = self.given;
            self.given = self.words(table).read(0);
            cache::give_back(table);
            self.account.refund(Resource::MemoryPages, 1);
        }
    }

    /// The unit may never forget what was given back: it stays for ever, and is paid for.
    pub fn abandon(&mut self) {
        self.given = 0;
    }
}

impl Memory for TableMemory {
    fn take(&mut self) -> Option<u64> {
        if self.account.charge(Resource::MemoryPages, 1).is_err() {
            self.refused = MemError::BudgetExhausted;
            return None;
        }
        let Some(frame) = cache::take() else {
            self.account.refund(Resource::MemoryPages, 1);
            self.refused = MemError::OutOfMemory;
            return None;
        };
        phys::zero(frame, 1);
        self.words(frame).write_back();
        Some(frame)
    }

    fn give(&mut self, table: u64) {
        self.words(table).write(0, self.given);
        self.given = table;
    }

    fn read(&self, table: u64, index: usize) -> u64 {
        self.words(table).read(index)
    }

    fn write(&mut self, table: u64, index: usize, value: u64) {
        self.words(table).write(index, value);
    }
}
