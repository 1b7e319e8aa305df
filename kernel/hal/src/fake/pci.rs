//! PCI: one function.

use crate::types::PciFunction;

/// The first function at or after `cursor`.
pub fn function_at_or_after(cursor: u32) -> Option<PciFunction> {
    let bridge = PciFunction {
        address: 8,
        vendor: 0x8086,
        device: 0x1237,
        class: 0x06_0000,
        header: 0,
        interrupt_line: 0,
    };
    (cursor <= bridge.address).then_some(bridge)
}
