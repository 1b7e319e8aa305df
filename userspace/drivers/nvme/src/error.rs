//! Why a controller is not driven, or not any more.

use capos_nvme::DeviceFault;
use core::fmt;
use kit::device::Refused;
use rt::CallError;

/// Whose fault it is.
#[derive(Debug)]
pub enum Error {
    /// The kernel refuses something.
    Call(Refused),
    /// The device is none.
    Device(DeviceFault),
    /// It has no message interrupts, as they all have.
    NoMessages,
    /// Its doorbells do not lie as they do.
    Doorbells,
    /// Nobody's: its namespaces are others now, and are to be looked at anew.
    Namespaces,
}

impl Error {
    /// Whether a reset may help.
    pub fn may_pass(&self) -> bool {
        match self {
            Error::Device(_) | Error::Namespaces => true,
            Error::Call(refused) => refused.is_of_device(),
            Error::NoMessages | Error::Doorbells => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Call(refused) => refused.fmt(f),
            Error::Device(fault) => fault.fmt(f),
            Error::NoMessages => f.write_str("the device has no message interrupts"),
            Error::Doorbells => f.write_str("the device's doorbells are too far apart"),
            Error::Namespaces => f.write_str("the device's namespaces changed"),
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
