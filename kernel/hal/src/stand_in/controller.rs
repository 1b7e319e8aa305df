//! An I/O interrupt controller with 24 lines, which keeps what it is told.

use core::cell::Cell;
use std::thread_local;

/// Where its registers are.
pub const AT: u64 = 0xfec0_0000;
/// Lines that it has.
pub const LINES: u32 = 24;
const VERSION: usize = 1;
/// Where the entries begin, of two words each.
const ENTRIES: usize = 0x10;
const REGISTERS: usize = ENTRIES + 2 * LINES as usize;

thread_local! {
    static SELECTED: Cell<usize> = const { Cell::new(0) };
    static WORDS: [Cell<u32>; REGISTERS] = const { [const { Cell::new(0) }; REGISTERS] };
}

/// Reads the register that is selected.
pub fn read(_register: usize) -> u32 {
    let selected = SELECTED.get();
    if selected == VERSION { (LINES - 1) << 16 | 0x11 } else { WORDS.with(|words| words[selected].get()) }
}

/// Selects a register, or writes the one that is.
pub fn write(register: usize, value: u32) {
    match register {
        0 => SELECTED.set(value as usize),
        _ => WORDS.with(|words| words[SELECTED.get()].set(value)),
    }
}

/// Changes some bits of a line's entry: 0 is its lower word, 1 the upper one.
pub fn flip(line: u32, word: usize, bits: u32) {
    WORDS.with(|words| {
        let word = &words[ENTRIES + 2 * line as usize + word];
        word.set(word.get() ^ bits);
    });
}
