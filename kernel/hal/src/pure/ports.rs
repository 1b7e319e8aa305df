//! I/O ports that the kernel keeps for itself.

/// Ranges that no process gets, ends included. Giving one away would give the machine away: who can reset it, move its interrupts
/// or start its DMA controllers is not confined any more.
pub const RESERVED: [(u16, u16); 10] = [
    // DMA controllers.
    (0x0000, 0x001f),
    (0x00c0, 0x00df),
    // Page registers of the DMA controllers.
    (0x0080, 0x008f),
    // Interrupt controllers.
    (0x0020, 0x0021),
    (0x00a0, 0x00a1),
    // Timer and its gate.
    (0x0040, 0x0043),
    // Clock chip, whose index register also masks NMIs.
    (0x0070, 0x0071),
    // Keyboard controller's command port and port A: both can reset the processor.
    (0x0064, 0x0064),
    (0x0092, 0x0092),
    // QEMU's firmware configuration device, which copies to any address that it is told.
    (0x0510, 0x051b),
];
/// PCI configuration, with the reset register in the middle.
pub const PCI_CONFIG: (u16, u16) = (0x0cf8, 0x0cff);

/// Whether two ranges with their ends have a port in common.
pub const fn overlap(a: (u16, u16), b: (u16, u16)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

/// The range of `length` ports from `base` on, with its end. `None` when empty or beyond the last port.
pub fn range(base: u16, length: u32) -> Option<(u16, u16)> {
    let last = u32::from(base).checked_add(length.checked_sub(1)?)?;
    Some((base, u16::try_from(last).ok()?))
}

/// Whether some of the range is reserved on every machine.
pub fn is_reserved(range: (u16, u16)) -> bool {
    RESERVED.iter().chain([&PCI_CONFIG]).any(|reserved| overlap(*reserved, range))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{is_reserved, overlap, range};

    #[test]
    fn ranges_end_where_ports_end() {
        assert_eq!(range(0xffff, 1), Some((0xffff, 0xffff)));
        assert_eq!(range(0, 0x1_0000), Some((0, 0xffff)));
        assert_eq!(range(1, 0x1_0000), None);
        assert_eq!(range(5, 0), None);
        assert_eq!(range(5, u32::MAX), None);
    }

    #[test]
    fn serial_and_test_ports_are_free() {
        for (base, length) in [(0x3f8, 8), (0x2f8, 8), (0xe9, 1), (0xf4, 4), (0x60, 1)] {
            assert!(!is_reserved(range(base, length).unwrap()), "{base:#x}");
        }
    }

    #[test]
    fn what_could_take_the_machine_is_not() {
        for port in [0x00, 0x20, 0x43, 0x64, 0x70, 0x71, 0x80, 0x92, 0xa1, 0xc0, 0xcf8, 0xcf9, 0xcff, 0x514] {
            assert!(is_reserved((port, port)), "{port:#x}");
        }
        assert!(is_reserved((0, 0xffff)) && is_reserved((0x60, 0x64)));
    }

    #[test]
    fn touching_is_not_overlapping() {
        assert!(overlap((1, 2), (2, 3)) && !overlap((1, 2), (3, 4)));
    }
}
