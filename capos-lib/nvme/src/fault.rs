//! What a device did that an NVMe controller does not do.

use core::fmt;

/// The device's fault. It is to be reset; what it says until then is worth nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceFault {
    /// The bus reads as all ones: there is no device, or not any more.
    Gone,
    /// It was ready before anybody enabled it.
    ResetStuck,
    /// It does not get ready in the time that it asked for.
    NotReady,
    /// It says that it broke down (CSTS.CFS).
    Fatal,
    /// It has no NVM command set.
    NoCommands,
    /// Its smallest pages have so many times 4096 bytes, as a binary logarithm.
    PageSize(u8),
    /// Its queues can have so few entries.
    QueueSize(u32),
    /// Its commands or completions have other lengths than ours.
    EntrySize,
    /// It is a controller of another type, which has no namespaces: discovery, administrative.
    Type(u8),
    /// Its list of namespaces is none.
    NamespaceList,
    /// It refuses what it has to do for us: the opcode of an admin command, and its status.
    Refuses {
        /// Of the command.
        opcode: u8,
        /// As in [`crate::Status`].
        status: u16,
    },
    /// It completes a command by a number that there is not.
    UnknownId(u16),
    /// It completes a command that it does not have: never given, or completed before.
    NotInFlight(u16),
    /// It completes a command of another queue.
    WrongQueue(u16),
    /// It says that it fetched commands that nobody wrote, or completes one that it did not fetch.
    Head(u16),
    /// It does not complete what it has, not even when it was told to abort it.
    Silent,
}

impl fmt::Display for DeviceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceFault::Gone => f.write_str("no device answers"),
            DeviceFault::ResetStuck => f.write_str("the device does not stop"),
            DeviceFault::NotReady => f.write_str("the device does not get ready"),
            DeviceFault::Fatal => f.write_str("the device says that it broke down"),
            DeviceFault::NoCommands => f.write_str("the device does not have the NVM command set"),
            DeviceFault::PageSize(shift) => write!(f, "the device's pages have 4096 << {shift} bytes"),
            DeviceFault::QueueSize(size) => write!(f, "the device's queues have {size} entries"),
            DeviceFault::EntrySize => f.write_str("the device's entries do not have 64 and 16 bytes"),
            DeviceFault::Type(kind) => write!(f, "the device is a controller of type {kind}"),
            DeviceFault::NamespaceList => f.write_str("the device's list of namespaces is none"),
            DeviceFault::Refuses { opcode, status } => {
                write!(f, "the device refuses command {opcode:#x} with status {status:#x}")
            }
            DeviceFault::UnknownId(id) => write!(f, "the device completes command {id}, which there is not"),
            DeviceFault::NotInFlight(id) => {
                write!(f, "the device completes command {id}, which it does not have")
            }
            DeviceFault::WrongQueue(queue) => write!(f, "the device completes a command of queue {queue}"),
            DeviceFault::Head(head) => write!(f, "the device says that it fetches entry {head}"),
            DeviceFault::Silent => f.write_str("the device does not complete what it has"),
        }
    }
}
