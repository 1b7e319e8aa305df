//! What a driver may do to the registers of its device: a policy as data.
//!
//! Every window (a base address register, BAR) has a [`Table`] of ranges, which never overlap; what no range names is forbidden. An access lies
//! whole in one range, at a multiple of its own width. Writes come back as an [`Action`]: what the kernel is to do instead.

use crate::pool::PAGE;

/// Ranges that one window has at most.
pub const MOST_RANGES: usize = 32;

/// Which backend the device's DMA goes through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// The device is given physical addresses, or may ignore the IOMMU: rings and doorbells are the kernel's.
    Bounce,
    /// A verified IOMMU keeps the device within its buffers: rings and doorbells are the driver's.
    Direct,
}

/// Widths that a range takes, as a sum: 1, 2, 4, 8 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Widths(pub u8);

impl Widths {
    /// One byte.
    pub const ONE: Widths = Widths(1);
    /// Two bytes.
    pub const TWO: Widths = Widths(2);
    /// Four bytes.
    pub const FOUR: Widths = Widths(4);
    /// Eight bytes.
    pub const EIGHT: Widths = Widths(8);
    /// Four or eight bytes.
    pub const FOUR_OR_EIGHT: Widths = Widths(12);
    /// Any.
    pub const ANY: Widths = Widths(15);

    fn has(self, width: u8) -> bool {
        matches!(width, 1 | 2 | 4 | 8) && self.0 & width != 0
    }
}

/// What a driver may do to a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read.
    ReadOnly,
    /// Read and write.
    ReadWrite,
    /// Read, and write these bits; the others are written as they are in `fixed`.
    Masked {
        /// Bits that are the driver's.
        writable: u64,
        /// The others.
        fixed: u64,
    },
    /// Write a token, of eight bytes, with the direct backend. The device is given the address of as many bytes as `span`, which stay pinned until it
    /// is reset. With the other only the kernel writes there: the device might use what it was told by somebody else before it is told anew, and
    /// go on where the span ends. What is there is never read: it is an address.
    AddressToken {
        /// Bytes from there that the device may use.
        span: u64,
    },
    /// Write, with the direct backend: with the other only the kernel makes the device look at a ring.
    Doorbell,
    /// Read; what a write means depends on what was before, and the class decides (`class`).
    Guarded,
    /// Nothing.
    Forbidden,
}

/// Some registers with one policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// The first byte, from the window's start.
    pub first: u64,
    /// Bytes.
    pub length: u64,
    /// Widths of accesses.
    pub widths: Widths,
    /// What may be done.
    pub access: Access,
}

/// Why a range does not fit into a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableError {
    /// It is empty, or reaches beyond the window.
    OutOfWindow,
    /// Another one has some of it.
    Overlaps,
    /// A register whose value means something is read and written whole, and an address is not cut off.
    BadWidths,
    /// There are [`MOST_RANGES`].
    Full,
}

/// Why a driver may not do that: always its own fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessError {
    /// The window ends before.
    OutOfWindow,
    /// Registers are read and written at multiples of the width.
    Misaligned,
    /// The width is not one that the register has.
    BadWidth,
    /// It is more than one register, each with a policy of its own.
    Straddles,
    /// It may not be read, or not be written.
    Forbidden,
    /// Doorbells are the kernel's with this backend.
    KernelsDoorbell,
    /// So are addresses.
    KernelsAddress,
}

/// What to do for a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Write this.
    Write(u64),
    /// Pin this much at this token, and write the address that the device is given.
    Translate {
        /// What the driver wrote.
        token: u64,
        /// Bytes.
        span: u64,
    },
    /// Ask the class of the device about this value.
    Ask(u64),
}

/// How a page may be mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mapping {
    /// Not at all: every access is the kernel's.
    No,
    /// For reading.
    ReadOnly,
    /// For reading and writing.
    ReadWrite,
}

/// The policy of one window.
#[derive(Clone, Debug)]
pub struct Table {
    length: u64,
    ranges: [Range; MOST_RANGES],
    count: usize,
}

const NOTHING: Range = Range { first: 0, length: 0, widths: Widths(0), access: Access::Forbidden };

impl Table {
    /// The policy of a window of so many bytes in which all is forbidden.
    pub const fn new(length: u64) -> Table {
        Table { length, ranges: [NOTHING; MOST_RANGES], count: 0 }
    }

    /// Bytes of the window.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The ranges, in order.
    pub fn ranges(&self) -> &[Range] {
        self.ranges.get(..self.count).unwrap_or_default()
    }

    /// Names some registers.
    pub fn add(&mut self, range: Range) -> Result<(), TableError> {
        let end = range.first.checked_add(range.length).filter(|end| *end <= self.length && range.length > 0);
        let end = end.ok_or(TableError::OutOfWindow)?;
        let has_meaning =
            matches!(range.access, Access::Masked { .. } | Access::AddressToken { .. } | Access::Guarded);
        let is_address = matches!(range.access, Access::AddressToken { .. });
        if has_meaning && u64::from(range.widths.0) != range.length || is_address && range.length != 8 {
            return Err(TableError::BadWidths);
        }
        let place = self.ranges().partition_point(|other| other.first < range.first);
        let reaches_in = |other: &Range| other.first + other.length > range.first;
        if place.checked_sub(1).and_then(|before| self.ranges().get(before)).is_some_and(reaches_in)
            || self.ranges().get(place).is_some_and(|after| after.first < end)
        {
            return Err(TableError::Overlaps);
        }
        // The last one, which is none, comes to where the new one goes.
        let behind = self.ranges.get_mut(place..=self.count).ok_or(TableError::Full)?;
        behind.rotate_right(1);
        if let Some(first) = behind.first_mut() {
            *first = range;
        }
        self.count += 1;
        Ok(())
    }

    /// Whether the driver may read so many bytes there.
    pub fn check_read(&self, offset: u64, width: u8) -> Result<(), AccessError> {
        match self.find(offset, width)?.access {
            Access::ReadOnly | Access::ReadWrite | Access::Masked { .. } | Access::Guarded => Ok(()),
            Access::AddressToken { .. } | Access::Doorbell | Access::Forbidden => Err(AccessError::Forbidden),
        }
    }

    /// What to do when the driver writes `value` there.
    pub fn check_write(
        &self,
        backend: Backend,
        offset: u64,
        width: u8,
        value: u64,
    ) -> Result<Action, AccessError> {
        let range = self.find(offset, width)?;
        let bits = u64::MAX.checked_shr(64 - 8 * u32::from(width)).unwrap_or(0);
        let value = value & bits;
        match range.access {
            Access::ReadWrite => Ok(Action::Write(value)),
            Access::Masked { writable, fixed } => {
                Ok(Action::Write(value & writable | fixed & !writable & bits))
            }
            Access::AddressToken { span } if backend == Backend::Direct => {
                Ok(Action::Translate { token: value, span })
            }
            Access::AddressToken { .. } => Err(AccessError::KernelsAddress),
            Access::Doorbell if backend == Backend::Direct => Ok(Action::Write(value)),
            Access::Doorbell => Err(AccessError::KernelsDoorbell),
            Access::Guarded => Ok(Action::Ask(value)),
            Access::ReadOnly | Access::Forbidden => Err(AccessError::Forbidden),
        }
    }

    /// How the page that begins at `offset` may be mapped into the driver. `hidden` are bytes that it may never reach so, whatever the
    /// ranges say: where the table and the pending bits of MSI-X lie.
    ///
    /// A mapped page is one whose every byte may be read, or written as well; widths are then between the driver and its own device.
    pub fn mapping(&self, backend: Backend, offset: u64, hidden: &[core::ops::Range<u64>]) -> Mapping {
        let Some(end) =
            offset.checked_add(PAGE).filter(|end| *end <= self.length && offset.is_multiple_of(PAGE))
        else {
            return Mapping::No;
        };
        if hidden.iter().any(|it| it.start < end && offset < it.end) {
            return Mapping::No;
        }
        let (mut at, mut mapping) = (offset, Mapping::ReadWrite);
        for range in self.ranges().iter().filter(|it| it.first < end && it.first + it.length > offset) {
            if range.first > at {
                return Mapping::No;
            }
            match range.access {
                Access::ReadWrite => {}
                Access::Doorbell if backend == Backend::Direct => {}
                Access::ReadOnly => mapping = Mapping::ReadOnly,
                _ => return Mapping::No,
            }
            at = range.first + range.length;
        }
        if at < end { Mapping::No } else { mapping }
    }

    /// The range that has all of an access.
    fn find(&self, offset: u64, width: u8) -> Result<&Range, AccessError> {
        let bytes = u64::from(width);
        if !Widths::ANY.has(width) {
            return Err(AccessError::BadWidth);
        }
        if !offset.is_multiple_of(bytes) {
            return Err(AccessError::Misaligned);
        }
        let end =
            offset.checked_add(bytes).filter(|end| *end <= self.length).ok_or(AccessError::OutOfWindow)?;
        let place = self.ranges().partition_point(|range| range.first < end);
        let range =
            place.checked_sub(1).and_then(|it| self.ranges().get(it)).ok_or(AccessError::Forbidden)?;
        if range.first + range.length <= offset {
            return Err(AccessError::Forbidden);
        }
        if offset < range.first || end > range.first + range.length {
            return Err(AccessError::Straddles);
        }
        if range.widths.has(width) { Ok(range) } else { Err(AccessError::BadWidth) }
    }
}

#[cfg(test)]
mod tests;
