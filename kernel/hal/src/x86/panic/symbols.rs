//! Names of the kernel's functions, from the symbol table of its own ELF file, which the loader left in memory.

use crate::x86::boot::requests;
use capos_elf::{Image, Symbols};
use spin::Once;

struct Table {
    symbols: Symbols<'static>,
    /// How far the loader moved the image from where it was linked.
    slide: u64,
}

static TABLE: Once<Table> = Once::new();

/// Finds the table while the loader's answers are still there. Without a file, backtraces have no names.
pub fn find() {
    if let Some(table) = read() {
        TABLE.call_once(|| table);
    }
}

fn read() -> Option<Table> {
    let file = requests::FILE.get_response()?.file();
    let length = usize::try_from(file.size()).ok()?;
    // SAFETY: the loader keeps the file in memory that nobody reuses, and the direct map has it read-only.
    let bytes: &'static [u8] = unsafe { core::slice::from_raw_parts(file.addr(), length) };
    let image = Image::parse(bytes, file.size()).ok()?;
    let linked = image.segments().map(|segment| segment.address).min()?;
    let base = requests::ADDRESS.get_response()?.virtual_base();
    Some(Table { symbols: Symbols::of(bytes)?, slide: base.wrapping_sub(linked) })
}

/// The function that `address` lies in, and how far into it.
pub fn lookup(address: u64) -> Option<(&'static str, u64)> {
    let table = TABLE.get()?;
    table.symbols.lookup(address.wrapping_sub(table.slide))
}
