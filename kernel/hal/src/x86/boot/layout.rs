//! Where the linker put things, and where the loader put the whole.

use core::ops::Range;

unsafe extern "C" {
    static __text_start: u8;
    static __text_end: u8;
    static __constants_start: u8;
    static __constants_end: u8;
    static __data_start: u8;
    static __data_end: u8;
}

/// The loader's choice of place. The kernel is linked position independent and takes what it gets.
#[derive(Clone, Copy)]
pub struct Image {
    pub physical_base: u64,
    pub virtual_base: u64,
}

fn between(start: *const u8, end: *const u8) -> Range<u64> {
    start as u64..end as u64
}

/// Code.
pub fn text() -> Range<u64> {
    between(&raw const __text_start, &raw const __text_end)
}

/// Constants, and what was constant once the loader had relocated it.
pub fn constants() -> Range<u64> {
    between(&raw const __constants_start, &raw const __constants_end)
}

/// Variables.
pub fn data() -> Range<u64> {
    between(&raw const __data_start, &raw const __data_end)
}
