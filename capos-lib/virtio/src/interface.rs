//! One set of names for the registers of both interfaces.

use crate::register::{Field, Register, Window, legacy, modern};

/// How the device is spoken to. A transitional device has both; one driver uses one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interface {
    /// Virtio 1.
    Modern,
    /// Virtio 0.9.5, as 1.2 describes it.
    Legacy,
}

impl Interface {
    pub(crate) const fn device_feature(self) -> Register {
        match self {
            Interface::Modern => modern::DEVICE_FEATURE,
            Interface::Legacy => legacy::DEVICE_FEATURE,
        }
    }

    pub(crate) const fn driver_feature(self) -> Register {
        match self {
            Interface::Modern => modern::DRIVER_FEATURE,
            Interface::Legacy => legacy::DRIVER_FEATURE,
        }
    }

    /// The device's status.
    pub const fn status(self) -> Register {
        match self {
            Interface::Modern => modern::STATUS,
            Interface::Legacy => legacy::STATUS,
        }
    }

    pub(crate) const fn config_vector(self) -> Register {
        match self {
            Interface::Modern => modern::CONFIG_VECTOR,
            Interface::Legacy => legacy::CONFIG_VECTOR,
        }
    }

    pub(crate) const fn queue_select(self) -> Register {
        match self {
            Interface::Modern => modern::QUEUE_SELECT,
            Interface::Legacy => legacy::QUEUE_SELECT,
        }
    }

    pub(crate) const fn queue_size(self) -> Register {
        match self {
            Interface::Modern => modern::QUEUE_SIZE,
            Interface::Legacy => legacy::QUEUE_SIZE,
        }
    }

    pub(crate) const fn queue_vector(self) -> Register {
        match self {
            Interface::Modern => modern::QUEUE_VECTOR,
            Interface::Legacy => legacy::QUEUE_VECTOR,
        }
    }

    /// What to read when the interrupt is a line: who reads it lets go of the line.
    pub const fn isr(self) -> Register {
        match self {
            Interface::Modern => modern::ISR,
            Interface::Legacy => legacy::ISR,
        }
    }

    pub(crate) const fn field(self, field: Field, msix: bool) -> Register {
        let (window, base) = match self {
            Interface::Modern => (Window::Device, 0),
            Interface::Legacy => (Window::Legacy, legacy::device(msix)),
        };
        Register { window, offset: base + field.offset, width: field.width }
    }
}
