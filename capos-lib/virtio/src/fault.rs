//! What a device did that a virtio device does not do.

use core::fmt;

/// The device's fault. It is to be reset; what it says until then is worth nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceFault {
    /// The bus reads as all ones: there is no device, or not any more.
    Gone,
    /// Its status does not get zero after a reset.
    ResetStuck,
    /// It lacks these features, without which we can not drive it.
    Lacks(u64),
    /// It does not accept the features that we chose of those that it offers.
    FeaturesRefused,
    /// It has no such queue.
    NoQueue(u16),
    /// A queue can not have this size.
    QueueSize(u16),
    /// It has no room for this interrupt vector.
    NoVector(u16),
    /// Its configuration does not stop changing.
    ConfigUnstable,
    /// Its status is not what we wrote.
    Status(u8),
    /// It says that it needs a reset.
    NeedsReset,
    /// The used ring names a descriptor that this driver does not use.
    UnknownId(u32),
    /// The used ring names a descriptor that does not begin a chain in flight: used twice, or never given.
    NotInFlight(u32),
    /// It claims to have written more into a chain than there was room for.
    TooLong {
        /// The chain.
        id: u16,
        /// What the device says.
        length: u32,
        /// What the device might have written.
        writable: u32,
    },
    /// The used ring's index moved by so much, with fewer chains in flight.
    Index(u16),
    /// It used a buffer that it was to fill, and wrote nothing.
    Empty,
    /// It says that it has filled a buffer, and that it wrote only so much of it.
    Short {
        /// The chain.
        id: u16,
        /// What the device says.
        length: u32,
    },
    /// It answers a request with a status that there is not, or with none.
    Answer(u8),
    /// A disk can not have so many sectors.
    Capacity(u64),
    /// Its sectors can not have so many bytes.
    SectorSize(u32),
    /// It takes only so many bytes at once, less than a sector.
    SegmentSize(u32),
    /// A network adapter can not have this address.
    Address([u8; 6]),
    /// Its network can not have frames of this size.
    Mtu(u16),
    /// It can not have so many pairs of queues.
    Pairs(u16),
    /// It says that a frame is in so many buffers.
    Buffers(u16),
    /// The header of a frame asks for what was not agreed upon: its flags, and how it is segmented.
    Header {
        /// The flags.
        flags: u8,
        /// The kind of segments.
        kind: u8,
    },
    /// It has had buffers for too long and does not use them.
    Silent,
}

impl fmt::Display for DeviceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceFault::Gone => f.write_str("no device answers"),
            DeviceFault::ResetStuck => f.write_str("the reset does not end"),
            DeviceFault::Lacks(features) => write!(f, "the device lacks features {features:#x}"),
            DeviceFault::FeaturesRefused => f.write_str("the device refuses features that it offered"),
            DeviceFault::NoQueue(queue) => write!(f, "the device has no queue {queue}"),
            DeviceFault::QueueSize(size) => write!(f, "a queue can not have size {size}"),
            DeviceFault::NoVector(vector) => write!(f, "the device does not take vector {vector}"),
            DeviceFault::ConfigUnstable => f.write_str("the configuration does not stop changing"),
            DeviceFault::Status(status) => write!(f, "the device's status is {status:#x}"),
            DeviceFault::NeedsReset => f.write_str("the device needs a reset"),
            DeviceFault::UnknownId(id) => write!(f, "the device used descriptor {id}, which there is not"),
            DeviceFault::NotInFlight(id) => write!(f, "the device used chain {id}, which it does not have"),
            DeviceFault::TooLong { id, length, writable } => {
                write!(f, "the device wrote {length} bytes into the {writable} of chain {id}")
            }
            DeviceFault::Index(moved) => write!(f, "the used index jumped by {moved}"),
            DeviceFault::Empty => f.write_str("the device used a buffer and wrote nothing"),
            DeviceFault::Short { id, length } => {
                write!(f, "the device filled chain {id} with {length} bytes only")
            }
            DeviceFault::Answer(status) => write!(f, "the device answers with status {status:#x}"),
            DeviceFault::Capacity(sectors) => write!(f, "a disk can not have {sectors} sectors"),
            DeviceFault::SectorSize(bytes) => write!(f, "a sector can not have {bytes} bytes"),
            DeviceFault::SegmentSize(bytes) => write!(f, "the device takes only {bytes} bytes at once"),
            DeviceFault::Address(address) => write!(f, "an adapter can not have the address {address:x?}"),
            DeviceFault::Mtu(bytes) => write!(f, "a network can not have frames of {bytes} bytes"),
            DeviceFault::Pairs(count) => write!(f, "the device can not have {count} pairs of queues"),
            DeviceFault::Buffers(count) => write!(f, "a frame can not be in {count} buffers"),
            DeviceFault::Header { flags, kind } => {
                write!(f, "a frame has flags {flags:#x} and segments {kind:#x}, which were not agreed upon")
            }
            DeviceFault::Silent => f.write_str("the device does not use what it has"),
        }
    }
}
