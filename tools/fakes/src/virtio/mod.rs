//! A virtio device over PCI, both interfaces, with whatever class of device in it.
//!
//! The numbers of registers and bits are written down here once more, from the specification, so that a driver's core and its model do
//! not share a mistake.

mod class;
mod device;
pub mod disk;
mod fault;
pub mod net;
mod registers;
mod ring;

pub use class::{Class, Echo, Entropy};
pub use device::Device;
pub use disk::Disk;
pub use fault::{Mischief, Random, RegisterFault, RingFault};
pub use net::Nic;
pub use ring::{Chain, Piece, Ring};

use capos_virtio::register::Register;

/// What a driver, or the kernel on its behalf, did wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Violation {
    /// There is no such register, or it has another width, or is read-only.
    Access(Register),
    /// The status was changed from this to that, which is no step of an initialisation (3.1.1).
    Status(u8, u8),
    /// These features were accepted and not offered, or too late.
    Features(u64),
    /// A queue was set up that there is not, or too early, or in a form that it can not have.
    Attach(u16),
    /// A queue was notified that does not work yet.
    Notify(u16),
    /// A part of the ring is not in memory that the device reaches.
    Unreachable(u64),
    /// The available index moved by more than the ring holds.
    Index(u16),
    /// A descriptor that there is not.
    Descriptor(u16),
    /// More descriptors than there are: a loop.
    Loop(u16),
    /// A readable piece behind a writable one, an empty one, or flags that were not agreed upon.
    Flags(u16),
}
