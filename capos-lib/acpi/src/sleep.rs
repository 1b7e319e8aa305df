//! The one thing that we read from AML: the package `_S5_`, which holds the values that switch the machine off (7.4.2.6).
//!
//! Real firmware defines it as `Name (_S5_, Package {a, b, ...})` with constants, so looking for these bytes does instead of an
//! interpreter. What does not look like that exactly is passed over.

use crate::bytes::{u8_at, u16_at, u32_at, u64_at};

// AML opcodes (20.2.3 and 20.2.5).
const NAME_OP: u8 = 0x08;
const PACKAGE_OP: u8 = 0x12;
const ROOT: u8 = b'\\';
const NAME: &[u8; 4] = b"_S5_";

/// The sleep types of soft off, 3 bits each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SleepType {
    /// For the first control register.
    pub a: u8,
    /// For the second.
    pub b: u8,
}

/// Looks for `_S5_` in the bytes of a DSDT or SSDT.
pub fn find_s5(aml: &[u8]) -> Option<SleepType> {
    aml.windows(NAME.len()).enumerate().filter(|(_, window)| window == NAME).find_map(|(at, _)| {
        let before = aml.get(..at)?;
        let defined = before.ends_with(&[NAME_OP]) || before.ends_with(&[NAME_OP, ROOT]);
        defined.then(|| package(aml.get(at + NAME.len()..)?))?
    })
}

fn package(aml: &[u8]) -> Option<SleepType> {
    let (op, rest) = aml.split_first()?;
    if *op != PACKAGE_OP {
        return None;
    }
    let mut elements = contents(rest)?;
    let (count, rest) = elements.split_first()?;
    elements = rest;
    let a = integer(&mut elements).filter(|_| *count >= 1)?;
    let b = if *count >= 2 { integer(&mut elements)? } else { 0 };
    (a <= 7 && b <= 7).then_some(SleepType { a: a as u8, b: b as u8 })
}

/// What the package length (20.2.4) at the beginning of `aml` covers, the length's own bytes excluded.
fn contents(aml: &[u8]) -> Option<&[u8]> {
    let lead = u8_at(aml, 0)?;
    let more = usize::from(lead >> 6);
    let mut length = usize::from(if more == 0 { lead & 0x3f } else { lead & 0xf });
    for n in 0..more {
        length |= usize::from(u8_at(aml, 1 + n)?) << (4 + 8 * n);
    }
    aml.get(1 + more..length)
}

/// Takes a constant integer off the front.
fn integer(aml: &mut &[u8]) -> Option<u64> {
    let op = u8_at(aml, 0)?;
    let (value, len) = match op {
        0x00 | 0x01 => (u64::from(op), 1),
        0x0a => (u64::from(u8_at(aml, 1)?), 2),
        0x0b => (u64::from(u16_at(aml, 1)?), 3),
        0x0c => (u64::from(u32_at(aml, 1)?), 5),
        0x0e => (u64_at(aml, 1)?, 9),
        _ => return None,
    };
    *aml = aml.get(len..)?;
    Some(value)
}
