//! An NVMe controller: registers, queues, and disks in memory.
//!
//! The numbers are written down here once more, from the specification (NVMe base 1.4), so that a driver's core and its model do not share a
//! mistake.

mod command;
mod device;
mod disk;
mod fault;
pub mod liar;
pub mod machine;

pub use device::{Device, Shape};
pub use disk::Disk;
pub use fault::{CompletionFault, Mischief, RegisterFault};

/// What a driver, or the kernel on its behalf, did wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Violation {
    /// There is no such register, or it has another width, or is read-only.
    Access(u64),
    /// It was enabled in a form that it can not have.
    Configuration(u64),
    /// The doorbell of a queue that there is not, or a value that the queue has no entry for.
    Doorbell(u64, u64),
    /// Memory that the device does not reach.
    Unreachable(u64),
    /// A pointer where none may be.
    Pointer(u64),
    /// A command by the number of another one that is not over.
    Number(u16),
    /// A command that there is not, or with fields that nobody set on purpose.
    Command(u8),
    /// A queue that is there already, or can not have this form.
    Queue(u16),
}
