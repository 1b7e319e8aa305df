//! Why a device is driven no longer.

use capos_nic::Stray;
use capos_virtio::DeviceFault;
use core::fmt;
use kit::nic::Fault;
use rt::CallError;

/// What of it is the device's fault is that of virtio's devices, but for one.
#[derive(Debug)]
pub enum Error {
    /// As of all of them.
    Virtio(kit::virtio::Error),
    /// It told of what it was not asked.
    Stray,
}

impl Fault for Error {
    fn may_pass(&self) -> bool {
        match self {
            Error::Virtio(error) => error.may_pass(),
            Error::Stray => true,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Virtio(error) => error.fmt(f),
            Error::Stray => f.write_str("the device told of what it was not asked"),
        }
    }
}

impl From<kit::virtio::Error> for Error {
    fn from(error: kit::virtio::Error) -> Self {
        Error::Virtio(error)
    }
}

impl From<CallError> for Error {
    #[track_caller]
    fn from(error: CallError) -> Self {
        Error::Virtio(error.into())
    }
}

impl From<DeviceFault> for Error {
    fn from(fault: DeviceFault) -> Self {
        Error::Virtio(fault.into())
    }
}

impl From<Stray> for Error {
    fn from(_: Stray) -> Self {
        Error::Stray
    }
}
