//! The symbol table of a whole file, for backtraces.

use crate::bytes::{index, u16_at, u32_at, u64_at};

const SECTION_HEADER: usize = 64;
const SYMBOL: usize = 24;

/// The functions of a file that was not stripped.
#[derive(Clone, Copy, Debug)]
pub struct Symbols<'a> {
    symbols: &'a [u8],
    names: &'a [u8],
}

impl<'a> Symbols<'a> {
    /// Finds `.symtab` and its names. `None` when there is none or it is malformed: a backtrace does without.
    pub fn of(file: &'a [u8]) -> Option<Self> {
        const SHT_SYMTAB: u32 = 2;
        let offset = index(u64_at(file, 40)?)?;
        let (size, count) = (usize::from(u16_at(file, 58)?), usize::from(u16_at(file, 60)?));
        if size != SECTION_HEADER {
            return None;
        }
        let table = file.get(offset..offset.checked_add(count * SECTION_HEADER)?)?;
        let mut sections = table.chunks_exact(SECTION_HEADER);
        let symtab = sections.find(|section| u32_at(section, 4) == Some(SHT_SYMTAB))?;
        let link = u32_at(symtab, 40)? as usize;
        let strtab = table.chunks_exact(SECTION_HEADER).nth(link)?;
        Some(Symbols { symbols: contents(file, symtab)?, names: contents(file, strtab)? })
    }

    /// The function that holds `address` (as linked), and how far into it.
    pub fn lookup(&self, address: u64) -> Option<(&'a str, u64)> {
        const STT_FUNC: u8 = 2;
        self.symbols.chunks_exact(SYMBOL).find_map(|symbol| {
            let (start, size) = (u64_at(symbol, 8)?, u64_at(symbol, 16)?);
            let is_function = symbol.get(4)? & 0xf == STT_FUNC;
            let inside = address.checked_sub(start).filter(|offset| is_function && *offset < size.max(1))?;
            Some((self.name(u32_at(symbol, 0)?)?, inside))
        })
    }

    fn name(&self, at: u32) -> Option<&'a str> {
        let rest = self.names.get(at as usize..)?;
        let len = rest.iter().position(|byte| *byte == 0)?;
        core::str::from_utf8(rest.get(..len)?).ok()
    }
}

fn contents<'a>(file: &'a [u8], section: &[u8]) -> Option<&'a [u8]> {
    let (offset, size) = (index(u64_at(section, 24)?)?, index(u64_at(section, 32)?)?);
    file.get(offset..offset.checked_add(size)?)
}
