//! Who has which interrupt vector.

/// Exceptions of the processor are below this one.
pub const EXCEPTIONS: u64 = 32;
/// Debug exception.
pub const DEBUG: u64 = 1;
/// Page fault.
pub const PAGE_FAULT: u64 = 14;
/// The old interrupt controllers are moved here and masked; a spurious interrupt of theirs may still come.
pub const PIC: u8 = 0x20;
/// First vector of I/O interrupt lines; line n of the table in irq.rs has `IRQ + n`.
pub const IRQ: u8 = 0x30;
/// One past the last of them.
pub const IRQ_END: u8 = 0xf0;
/// The local timer.
pub const TIMER: u8 = 0xf0;
/// Another CPU asks this one to reschedule.
pub const KICK: u8 = 0xf1;
/// Another CPU changed an address space that this one has loaded.
pub const FLUSH: u8 = 0xf2;
/// An IOMMU kept a device from something.
pub const IOMMU: u8 = 0xf3;
/// Tried at boot: an interrupt that an IOMMU lets through, and one that it should not.
pub const TRIED: [u8; 2] = [0xf4, 0xf5];
/// The local APIC found something wrong with itself.
pub const APIC_ERROR: u8 = 0xfe;
/// The local APIC had nothing to say after all; never acknowledged.
pub const SPURIOUS: u8 = 0xff;
