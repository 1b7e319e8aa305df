//! Memory that a unit reads or writes: words in frames that belong to the kernel.

use crate::x86::mem::phys;
use crate::x86::paging::PAGE;
use core::arch::asm;
use core::ptr;

/// Words of a cache line.
const LINE: usize = 8;

/// Some words.
#[derive(Clone, Copy)]
pub struct Words {
    address: u64,
    count: usize,
    /// Whether the unit looks into the processors' caches. If not, what is written is written back at once.
    coherent: bool,
}

impl Words {
    /// So many zeroed pages, kept for ever.
    pub fn new(pages: usize, coherent: bool) -> Option<Words> {
        let address = if pages == 1 { phys::kernel_frame()? } else { phys::kernel_run(pages)? };
        // SAFETY: fresh frames, which nobody else has.
        let words = unsafe { Words::at(address, pages, coherent) };
        words.write_back();
        Some(words)
    }

    /// Gives the page back after all, if it is one.
    pub fn give_back(self) {
        phys::give_back_kernel_frame(self.address);
    }

    /// Those at `address`.
    ///
    /// # Safety
    /// The pages are the kernel's and hold nothing but words for a unit.
    pub unsafe fn at(address: u64, pages: usize, coherent: bool) -> Words {
        Words { address, count: pages * (PAGE as usize / 8), coherent }
    }

    /// Where they are.
    pub fn address(&self) -> u64 {
        self.address
    }

    fn pointer(&self, index: usize) -> Option<*mut u64> {
        (index < self.count).then(|| phys::pointer(self.address + index as u64 * 8).cast())
    }

    /// Word `index`; 0 beyond the last.
    pub fn read(&self, index: usize) -> u64 {
        // SAFETY: in the frames that were named when this was made.
        self.pointer(index).map_or(0, |at| unsafe { ptr::read_volatile(at) })
    }

    /// Sets word `index`.
    pub fn write(&self, index: usize, value: u64) {
        if let Some(at) = self.pointer(index) {
            // SAFETY: as for reading.
            unsafe { ptr::write_volatile(at, value) };
            self.write_back_line(at);
        }
    }

    /// Sets several, of an entry that may be in use: the last first, so that the word that says it is valid comes when all else is there.
    pub fn write_entry(&self, index: usize, entry: &[u64]) {
        entry.iter().enumerate().rev().for_each(|(n, value)| self.write(index + n, *value));
    }

    /// Sets several, of an entry that is in use until its first word has changed.
    pub fn write_entry_off(&self, index: usize, entry: &[u64]) {
        entry.iter().enumerate().for_each(|(n, value)| self.write(index + n, *value));
    }

    /// What was written without this, as by clearing the frames, is seen by the unit, too.
    pub fn write_back(&self) {
        (0..self.count)
            .step_by(LINE)
            .filter_map(|index| self.pointer(index))
            .for_each(|at| self.write_back_line(at));
    }

    fn write_back_line(&self, at: *mut u64) {
        if !self.coherent {
            // SAFETY: writes a line of our own memory back; changes nothing.
            unsafe { asm!("clflush [{}]", in(reg) at, options(nostack, preserves_flags)) };
        }
    }
}
