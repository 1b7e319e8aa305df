//! What a driver sees of its function's configuration space: all but addresses.

use super::function::Function;
use capos_pci::Config;
use kernel_hal::pci;

/// 1, 2 or 4 bytes; 0 for what it does not see. `None` when they are not aligned, or outside.
pub(crate) fn read(function: &Function, offset: u16, width: u8) -> Option<u32> {
    let (config, at) = (pci::Access, function.pci.address);
    if !matches!(width, 1 | 2 | 4) || !offset.is_multiple_of(u16::from(width)) || offset >= 4096 {
        return None;
    }
    let word = if function.shown.has(offset) { config.read32(at, offset & !3) } else { 0 };
    let value = word >> (8 * u32::from(offset & 3));
    Some(match width {
        1 => value & 0xff,
        2 => value & 0xffff,
        _ => value,
    })
}
