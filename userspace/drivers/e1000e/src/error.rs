//! Why a device is driven no longer.

use capos_e1000e::DeviceFault;
use capos_nic::Stray;
use core::fmt;
use kit::device::Refused;
use kit::nic::Fault;
use rt::CallError;

/// Whose fault it is.
#[derive(Debug)]
pub enum Error {
    /// The kernel refuses something.
    Call(Refused),
    /// The device does what it must not.
    Device(DeviceFault),
    /// It told of what it was not asked.
    Stray,
}

impl Fault for Error {
    fn may_pass(&self) -> bool {
        match self {
            Error::Call(refused) => refused.is_of_device(),
            Error::Device(_) | Error::Stray => true,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Call(refused) => refused.fmt(f),
            Error::Device(fault) => fault.fmt(f),
            Error::Stray => f.write_str("the device told of what it was not asked"),
        }
    }
}

impl From<CallError> for Error {
    #[track_caller]
    fn from(error: CallError) -> Self {
        Error::Call(Refused::from(error))
    }
}

impl From<DeviceFault> for Error {
    fn from(fault: DeviceFault) -> Self {
        Error::Device(fault)
    }
}

impl From<Stray> for Error {
    fn from(_: Stray) -> Self {
        Error::Stray
    }
}
