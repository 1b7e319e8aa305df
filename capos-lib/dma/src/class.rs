//! Classes of devices, as data: what a driver may do to which register, how the kernel gives the device a queue, and how the device becomes
//! quiet. To the rest of the kernel all devices are alike.

use crate::e1000e::{self, Adapter};
use crate::edu;
use crate::nvme::Controller;
use crate::window::{Access, Backend, Range, Table, TableError, Widths};
use core::fmt;

pub mod virtio;
mod virtio_legacy;
mod virtio_modern;

pub use virtio_legacy::Legacy;
pub use virtio_modern::{Modern, Region};

/// A register of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register {
    /// Which window: the number of its BAR.
    pub bar: u8,
    /// Where in it.
    pub offset: u64,
    /// Bytes.
    pub width: u8,
}

/// The registers of a device, as the kernel reaches them.
pub trait Registers {
    /// Reads one.
    fn read(&mut self, register: Register) -> u64;
    /// Writes one.
    fn write(&mut self, register: Register, value: u64);
}

/// A step of a sequence by which a device becomes quiet. Nobody waits within the kernel: whoever runs a sequence comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Write this.
    Write(Register, u64),
    /// Read, clear these bits, and write.
    Clear(Register, u64),
    /// Go on when these bits of it are `value`.
    Await {
        /// What is read.
        register: Register,
        /// Bits that count.
        mask: u64,
        /// What they become.
        value: u64,
        /// Nanoseconds after which the device does not answer any more.
        limit: u64,
    },
}

/// Where the parts of a queue are: addresses as the device uses them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ring {
    /// Entries.
    pub size: u16,
    /// What the device reads: a virtqueue, or commands. A virtqueue's parts lie as in `virtq::Layout`.
    pub base: u64,
    /// What the device writes, where that is a ring of its own: completions. Else 0.
    pub completions: u64,
    /// They are addresses that an IOMMU has to translate.
    pub translated: bool,
}

/// How to make a device look at a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bell {
    /// What is written.
    pub register: Register,
    /// The number of the queue, where one register is for all.
    pub value: u64,
}

/// What to do when a driver wrote a register that is guarded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Write this.
    Write(u64),
    /// The driver wants its device reset: as if it had asked for that.
    Reset,
}

/// Why a driver may not write this value now: its own fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GuardError {
    /// These features would make the device do what nobody checks.
    Features(u64),
    /// Not in the state that the device is in.
    NotNow,
    /// Nothing is guarded there.
    NotGuarded,
}

/// Why a queue cannot be attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttachError {
    /// Driver: not in the state that the device is in.
    NotNow,
    /// Driver: the device has no such queue.
    NoSuchQueue,
    /// Driver: the device has the queue, with up to so many entries, or just so many where it dictates that.
    BadSize(u16),
    /// Driver: it has one already.
    Attached,
    /// Driver: it has not accepted that an IOMMU translates, so the device would go past it.
    PastIommu,
    /// The ring lies where the device cannot have it.
    OutOfReach,
    /// Device: what it says about its doorbell is nonsense.
    BadBell,
    /// Kernel: the class has no queues of its own.
    NoQueues,
}

/// A claimed function's class, with what has to be known of the device's state.
#[derive(Clone, Debug)]
pub enum Class {
    /// virtio 1, by capabilities.
    Modern(Modern),
    /// virtio 0.9, by I/O ports.
    Legacy(Legacy),
    /// NVM Express.
    Nvme(Controller),
    /// Intel's 82574L.
    E1000e(Adapter),
    /// QEMU's device for teaching.
    Edu,
    /// Unknown. It may have DMA only with [`Backend::Direct`].
    Plain,
}

impl Class {
    /// Whether the device may have DMA.
    pub fn may_have_dma(&self, backend: Backend) -> bool {
        backend == Backend::Direct || !matches!(self, Class::Plain)
    }

    /// Bits of the addresses that the device takes at most, whatever its driver says: one drops those that it does not have, and reaches
    /// something else.
    pub fn address_bits(&self) -> u32 {
        if matches!(self, Class::Edu) { edu::ADDRESS_BITS } else { u64::BITS }
    }

    /// Whether the function signals by its table of messages (MSI-X), if it has one. QEMU 7.2's 82574L dies when that is switched off within a while after a message: its timer of the
    /// pause between two of them takes that for impossible. It has a single message, too.
    pub fn has_message_table(&self) -> bool {
        !matches!(self, Class::E1000e(_))
    }

    /// The policy of a window of so many bytes.
    pub fn table(&self, bar: u8, length: u64) -> Result<Table, TableError> {
        match self {
            Class::Modern(it) => it.table(bar, length),
            Class::Legacy(it) => it.table(bar, length),
            Class::Nvme(it) => it.table(bar, length),
            Class::E1000e(it) => it.table(bar, length),
            Class::Edu => edu::table(bar, length),
            Class::Plain => named(length, &[(0, length, Widths::ANY, Access::ReadWrite)]),
        }
    }

    /// What to do when the driver writes `value` to a guarded register.
    pub fn guard(&mut self, bar: u8, offset: u64, value: u64) -> Result<Verdict, GuardError> {
        match self {
            Class::Modern(it) => it.guard(bar, offset, value),
            Class::Legacy(it) => it.guard(offset, value),
            Class::Nvme(it) => it.guard(offset, value),
            Class::E1000e(it) => it.guard(offset, value),
            Class::Edu | Class::Plain => Err(GuardError::NotGuarded),
        }
    }

    /// How the device becomes quiet, and forgets what it was given.
    pub fn quiesce(&self) -> &[Step] {
        match self {
            Class::Modern(it) => it.quiesce(),
            Class::Legacy(_) => &virtio_legacy::QUIESCE,
            Class::Nvme(it) => it.quiesce(),
            Class::E1000e(_) => e1000e::quiesce(),
            Class::Edu => &edu::QUIESCE,
            Class::Plain => &[],
        }
    }

    /// The sequence of [`Class::quiesce`] was run to its end.
    pub fn was_reset(&mut self) {
        match self {
            Class::Modern(it) => it.control = virtio::Control::default(),
            Class::Legacy(it) => it.control = virtio::Control::default(),
            Class::Nvme(it) => it.was_reset(),
            Class::E1000e(it) => it.was_reset(),
            Class::Edu | Class::Plain => {}
        }
    }

    /// Whether the device's addresses go through the IOMMU that there is. Those of virtio devices do not unless they offer it (virtio 1.2, 6.3,
    /// ACCESS_PLATFORM), and those of the old interface never do.
    pub fn obeys_iommu(&self, registers: &mut impl Registers) -> bool {
        match self {
            Class::Modern(it) => it.offers_access_platform(registers),
            Class::Legacy(_) => false,
            Class::Nvme(_) | Class::E1000e(_) | Class::Edu | Class::Plain => true,
        }
    }

    /// Whether they do as the driver and the device agreed: a device whose driver does not accept ACCESS_PLATFORM may go on without (virtio 1.2, 6.1).
    fn agreed_to_iommu(&self) -> bool {
        match self {
            Class::Modern(it) => it.control.features & virtio::ACCESS_PLATFORM != 0,
            Class::Legacy(_) => false,
            Class::Nvme(_) | Class::E1000e(_) | Class::Edu | Class::Plain => true,
        }
    }

    /// Gives a queue to the device. Registers by which queues are selected are others afterwards than the driver left them.
    pub fn attach(
        &mut self,
        registers: &mut impl Registers,
        queue: u16,
        ring: Ring,
    ) -> Result<Bell, AttachError> {
        if ring.translated && !self.agreed_to_iommu() {
            return Err(AttachError::PastIommu);
        }
        match self {
            Class::Modern(it) => it.attach(registers, queue, ring),
            Class::Legacy(it) => it.attach(registers, queue, ring),
            Class::Nvme(it) => it.attach(registers, queue, ring),
            Class::E1000e(it) => it.attach(registers, queue, ring),
            Class::Edu | Class::Plain => Err(AttachError::NoQueues),
        }
    }
}

/// Registers as classes list them: first, length, widths, access.
pub(crate) type Named = (u64, u64, Widths, Access);

/// A table of these ranges.
pub(crate) fn named(length: u64, ranges: &[Named]) -> Result<Table, TableError> {
    let mut table = Table::new(length);
    for (first, length, widths, access) in ranges.iter().copied().filter(|it| it.1 > 0) {
        table.add(Range { first, length, widths, access })?;
    }
    Ok(table)
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Features(bits) => write!(f, "the driver wants features {bits:#x}, which are not to be had"),
            Self::NotNow => f.write_str("the driver writes a register that it may not write now"),
            Self::NotGuarded => f.write_str("the register is not guarded"),
        }
    }
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNow => f.write_str("the driver makes a queue before its device may have one"),
            Self::NoSuchQueue => f.write_str("the device has no such queue"),
            Self::BadSize(size) => write!(f, "the device has queues of {size} entries"),
            Self::Attached => f.write_str("the device has that queue already"),
            Self::PastIommu => {
                f.write_str("the driver has not accepted ACCESS_PLATFORM, and an IOMMU translates")
            }
            Self::OutOfReach => f.write_str("the ring lies where the device cannot have it"),
            Self::BadBell => f.write_str("the device's doorbell lies outside of its window"),
            Self::NoQueues => f.write_str("devices of this class have no queues"),
        }
    }
}

#[cfg(test)]
mod tests;
