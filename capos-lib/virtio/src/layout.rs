//! Where the words of a split virtqueue lie.
//!
//! One form serves both interfaces: that of the legacy one, contiguous with the used ring on a page of its own (virtio 1.2, 2.7.2). The
//! modern one leaves it to us (2.7), and what the device writes has to be on other pages than what the driver writes anyway.

/// Alignment of the used ring, and of the whole, in the legacy interface.
pub const PAGE: u32 = 4096;

/// Bytes of a descriptor (2.7.5): address, length, flags, next.
pub const DESCRIPTOR: u32 = 16;

/// Bytes of an entry of the used ring (2.7.8): id, length.
pub const USED_ENTRY: u32 = 8;

/// Bits in a descriptor's flags (2.7.5).
pub mod flags {
    /// Another descriptor follows.
    pub const NEXT: u16 = 1 << 0;
    /// The device writes it; else it reads it.
    pub const WRITE: u16 = 1 << 1;
    /// It is a table of descriptors.
    pub const INDIRECT: u16 = 1 << 2;
}

/// The bit in the used ring's flags by which a device asks not to be notified (2.7.10).
pub const NO_NOTIFY: u16 = 1 << 0;

/// A queue of so many descriptors. All offsets are from the ring's begin; indices may run freely.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    size: u16,
}

impl Layout {
    /// For a size that there can be: a power of two, at most 32768 (2.7).
    pub const fn new(size: u16) -> Option<Layout> {
        if size.is_power_of_two() { Some(Layout { size }) } else { None }
    }

    /// Descriptors.
    pub const fn size(self) -> u16 {
        self.size
    }

    /// Descriptor `index`; address at 0, length at 8, flags at 12, next at 14.
    pub const fn descriptor(self, index: u16) -> u32 {
        (index & (self.size - 1)) as u32 * DESCRIPTOR
    }

    /// The available ring: its flags.
    pub const fn available(self) -> u32 {
        self.size as u32 * DESCRIPTOR
    }

    /// One past the newest entry of the available ring.
    pub const fn available_index(self) -> u32 {
        self.available() + 2
    }

    /// Entry `index` of the available ring.
    pub const fn available_entry(self, index: u16) -> u32 {
        self.available() + 4 + (index & (self.size - 1)) as u32 * 2
    }

    /// Behind the available ring: the used entry that the driver wants to be interrupted for (2.7.10, with EVENT_IDX).
    pub const fn used_event(self) -> u32 {
        self.available() + 4 + self.size as u32 * 2
    }

    /// The used ring: its flags. Nothing at or behind it is written by the driver, and nothing before it by the device.
    pub const fn used(self) -> u32 {
        pages(self.used_event() + 2)
    }

    /// One past the newest entry of the used ring.
    pub const fn used_index(self) -> u32 {
        self.used() + 2
    }

    /// Entry `index` of the used ring; id at 0, length at 4.
    pub const fn used_entry(self, index: u16) -> u32 {
        self.used() + 4 + (index & (self.size - 1)) as u32 * USED_ENTRY
    }

    /// Behind the used ring: the available entry that the device wants to be notified of (with EVENT_IDX).
    pub const fn available_event(self) -> u32 {
        self.used() + 4 + self.size as u32 * USED_ENTRY
    }

    /// Bytes of all parts together, in whole pages.
    pub const fn bytes(self) -> u32 {
        pages(self.available_event() + 2)
    }
}

/// So many bytes, up to the end of the last page. Written with a mask, by which compilers know that it is aligned: a queue asks for every entry.
const fn pages(bytes: u32) -> u32 {
    (bytes + PAGE - 1) & !(PAGE - 1)
}
