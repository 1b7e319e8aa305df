//! What a driver sees of its function's configuration space: all but addresses.

use super::function::Function;
use capos_pci::Config;
use core::ops::Range;
use kernel_hal::pci;

/// Base address registers, the cardbus pointer behind them, and the expansion ROM's (PCI 3.0, 6.1).
const ADDRESSES: [Range<u16>; 2] = [0x10..0x28, 0x30..0x34];

/// 1, 2 or 4 bytes. `None` when they are not aligned, or outside.
pub(crate) fn read(function: &Function, offset: u16, width: u8) -> Option<u32> {
    let (config, at) = (pci::Access, function.pci.address);
    if !matches!(width, 1 | 2 | 4) || !offset.is_multiple_of(u16::from(width)) || offset >= 4096 {
        return None;
    }
    let word = if is_address(function, offset & !3) { 0 } else { config.read32(at, offset & !3) };
    let value = word >> (8 * u32::from(offset & 3));
    Some(match width {
        1 => value & 0xff,
        2 => value & 0xffff,
        _ => value,
    })
}

/// Whether the word at `offset` holds an address: where the function answers, or where its messages go, and what they say.
fn is_address(function: &Function, offset: u16) -> bool {
    // Behind the control word; up to 20 bytes with masks (PCI 3.0, 6.8.1).
    let messages = function.pci.msi.map(|msi| msi.register + 4..msi.register + 24);
    ADDRESSES.iter().chain(messages.iter()).any(|range| range.contains(&offset))
}
