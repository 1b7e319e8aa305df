//! Who called whom, by frame pointers. The stack may be what is broken, so every step is checked to stay inside of it.

use super::symbols;
use crate::pure::demangle::Symbol;
use crate::x86::smp;
use core::fmt::{self, Write};

/// Most callers listed.
const DEPTH: usize = 32;
const WORD: u64 = 8;

/// Writes `rip`, if known, and the return addresses found from `rbp` on.
pub fn write(out: &mut dyn Write, cpu: usize, rip: Option<u64>, rbp: u64) -> fmt::Result {
    writeln!(out, "  backtrace:")?;
    if let Some(rip) = rip {
        write_line(out, rip, rip)?;
    }
    let Some(stack) = smp::stack_around(cpu, rbp) else { return writeln!(out, "    (no stack at {rbp:#x})") };
    let mut at = rbp;
    for _ in 0..DEPTH {
        let whole = at.is_multiple_of(WORD) && at.checked_add(2 * WORD).is_some_and(|end| end <= stack.end);
        if !whole || !stack.contains(&at) {
            break;
        }
        // SAFETY: two aligned words inside of a mapped stack of this CPU.
        let [caller, address] = unsafe { *core::ptr::with_exposed_provenance::<[u64; 2]>(at as usize) };
        if address == 0 {
            break;
        }
        // The call is the instruction before the one returned to.
        write_line(out, address, address.wrapping_sub(1))?;
        if caller <= at {
            break;
        }
        at = caller;
    }
    Ok(())
}

fn write_line(out: &mut dyn Write, address: u64, inside: u64) -> fmt::Result {
    match symbols::lookup(inside) {
        Some((name, offset)) => {
            let offset = offset + address.wrapping_sub(inside);
            writeln!(out, "    {address:#018x} {}+{offset:#x}", Symbol(name))
        }
        None => writeln!(out, "    {address:#018x}"),
    }
}
