//! Records of faults (7.3, 11.4.14).

use crate::{Access, Fault, PAGE, Reason};

/// The bit of the upper word that says that a record is in use; writing it frees the record.
pub const IN_USE: u64 = 1 << 63;
const READ: u64 = 1 << 62;

/// What a record says. `None` when it is not in use.
pub fn fault(record: [u64; 2]) -> Option<Fault> {
    let [low, high] = record;
    if high & IN_USE == 0 {
        return None;
    }
    let source = (high & 0xffff) as u16;
    let [.., code, _, _, _] = high.to_le_bytes();
    let interrupt = (0x20..=0x2f).contains(&code);
    let access = match high & READ != 0 {
        _ if interrupt => Access::Interrupt,
        true => Access::Read,
        false => Access::Write,
    };
    // Of an interrupt the upper 16 bits are its number.
    let address = if interrupt { low >> 48 } else { low & !(PAGE - 1) };
    Some(Fault { source, access, address, reason: reason(code) })
}

/// Table 23 of 7.1.3, as far as the kernel's tables can bring it about.
fn reason(code: u8) -> Reason {
    match code {
        0x1 | 0x2 => Reason::Unattached,
        0x4 => Reason::OutOfRange,
        0x5 | 0x6 => Reason::Denied,
        // A request that says it is translated, or wants to be, which no context entry allows.
        0xd => Reason::Denied,
        0x3 | 0x7..=0xc => Reason::Tables,
        0x20..=0x22 | 0x25 | 0x26 => Reason::Interrupt,
        0x23 | 0x24 => Reason::Tables,
        other => Reason::Other(other),
    }
}
