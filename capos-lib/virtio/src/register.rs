//! Registers of the two PCI interfaces, and what is in them.

/// Where a register is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// The modern common configuration (virtio 1.2, 4.1.4.3).
    Common,
    /// The modern interrupt status (4.1.4.5).
    Isr,
    /// The modern device configuration (4.1.4.6).
    Device,
    /// The one I/O BAR of the legacy interface (4.1.4.8).
    Legacy,
}

/// How many bytes one access has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// One.
    Bits8,
    /// Two.
    Bits16,
    /// Four.
    Bits32,
}

/// A register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register {
    /// Where.
    pub window: Window,
    /// From the window's begin.
    pub offset: u32,
    /// Its only width.
    pub width: Width,
}

const fn at(window: Window, offset: u32, width: Width) -> Register {
    Register { window, offset, width }
}

/// A field of the device configuration, by its offset there. One of 64 bits is two of these (4.1.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// From the begin of the device configuration.
    pub offset: u32,
    /// Its width.
    pub width: Width,
    /// The features without which it is not there (2.5.1): it is read as 0 then.
    pub needs: u64,
}

/// Bits of the device status (2.1).
pub mod status {
    use crate::DeviceFault;

    /// The driver knows that there is a device.
    pub const ACKNOWLEDGE: u8 = 1;
    /// It knows how to drive it.
    pub const DRIVER: u8 = 2;
    /// It is set up.
    pub const DRIVER_OK: u8 = 4;
    /// Features are agreed upon.
    pub const FEATURES_OK: u8 = 8;
    /// The device is in trouble.
    pub const NEEDS_RESET: u8 = 64;
    /// The driver gave up.
    pub const FAILED: u8 = 128;
    /// What a bus reads as when nothing answers.
    pub const NOTHING_THERE: u8 = 0xff;

    /// What the status of a device at work must not say.
    pub(crate) fn in_order(status: u8) -> Result<(), DeviceFault> {
        match status {
            NOTHING_THERE => Err(DeviceFault::Gone),
            status if status & NEEDS_RESET != 0 => Err(DeviceFault::NeedsReset),
            // Somebody else has reset it.
            status if status & DRIVER_OK == 0 => Err(DeviceFault::Status(status)),
            _ => Ok(()),
        }
    }
}

/// Feature bits that are not of one device class (6).
pub mod features {
    /// A legacy device takes requests in whatever pieces.
    pub const ANY_LAYOUT: u64 = 1 << 27;
    /// Both sides say which entry they want to be told of.
    pub const EVENT_IDX: u64 = 1 << 29;
    /// The device is no legacy one.
    pub const VERSION_1: u64 = 1 << 32;
    /// What the device takes as addresses is translated and bounded by the platform.
    pub const ACCESS_PLATFORM: u64 = 1 << 33;
}

/// In a vector register: no vector (4.1.5.1.2).
pub const NO_VECTOR: u16 = 0xffff;

/// The modern interface (4.1.4.3, 4.1.4.5).
pub mod modern {
    use super::{Register, Width, Window, at};

    /// Which half of the offered features is shown.
    pub const DEVICE_FEATURE_SELECT: Register = at(Window::Common, 0x00, Width::Bits32);
    /// Offered features.
    pub const DEVICE_FEATURE: Register = at(Window::Common, 0x04, Width::Bits32);
    /// Which half of the accepted features is shown.
    pub const DRIVER_FEATURE_SELECT: Register = at(Window::Common, 0x08, Width::Bits32);
    /// Accepted features.
    pub const DRIVER_FEATURE: Register = at(Window::Common, 0x0c, Width::Bits32);
    /// Vector of configuration changes.
    pub const CONFIG_VECTOR: Register = at(Window::Common, 0x10, Width::Bits16);
    /// How many queues there are.
    pub const NUM_QUEUES: Register = at(Window::Common, 0x12, Width::Bits16);
    /// See [`super::status`].
    pub const STATUS: Register = at(Window::Common, 0x14, Width::Bits8);
    /// Moves on with every change of the configuration.
    pub const GENERATION: Register = at(Window::Common, 0x15, Width::Bits8);
    /// Which queue the registers behind it show.
    pub const QUEUE_SELECT: Register = at(Window::Common, 0x16, Width::Bits16);
    /// Its largest size until somebody writes a smaller one; 0 when there is no such queue.
    pub const QUEUE_SIZE: Register = at(Window::Common, 0x18, Width::Bits16);
    /// Its vector.
    pub const QUEUE_VECTOR: Register = at(Window::Common, 0x1a, Width::Bits16);
    /// Whether the device uses it.
    pub const QUEUE_ENABLE: Register = at(Window::Common, 0x1c, Width::Bits16);
    /// Where it is notified, in units that the capability tells.
    pub const QUEUE_NOTIFY_OFFSET: Register = at(Window::Common, 0x1e, Width::Bits16);
    /// Address of the descriptors, the low half; the high one is 4 further on.
    pub const QUEUE_DESCRIPTORS: Register = at(Window::Common, 0x20, Width::Bits32);
    /// Address of the available ring.
    pub const QUEUE_AVAILABLE: Register = at(Window::Common, 0x28, Width::Bits32);
    /// Address of the used ring.
    pub const QUEUE_USED: Register = at(Window::Common, 0x30, Width::Bits32);
    /// Why it interrupts; reading lets go of the line.
    pub const ISR: Register = at(Window::Isr, 0, Width::Bits8);
}

/// The legacy interface (4.1.4.8).
pub mod legacy {
    use super::{Register, Width, Window, at};

    /// Offered features.
    pub const DEVICE_FEATURE: Register = at(Window::Legacy, 0, Width::Bits32);
    /// Accepted features.
    pub const DRIVER_FEATURE: Register = at(Window::Legacy, 4, Width::Bits32);
    /// The page of the queue's begin; 0 when it is not used.
    pub const QUEUE_PAGE: Register = at(Window::Legacy, 8, Width::Bits32);
    /// Its size, which can not be changed; 0 when there is no such queue.
    pub const QUEUE_SIZE: Register = at(Window::Legacy, 12, Width::Bits16);
    /// Which queue the registers show.
    pub const QUEUE_SELECT: Register = at(Window::Legacy, 14, Width::Bits16);
    /// Notifies the queue that is written there.
    pub const QUEUE_NOTIFY: Register = at(Window::Legacy, 16, Width::Bits16);
    /// See [`super::status`].
    pub const STATUS: Register = at(Window::Legacy, 18, Width::Bits8);
    /// Why it interrupts; reading lets go of the line.
    pub const ISR: Register = at(Window::Legacy, 19, Width::Bits8);
    /// Vector of configuration changes. Only while MSI-X is on: else the device configuration begins here.
    pub const CONFIG_VECTOR: Register = at(Window::Legacy, 20, Width::Bits16);
    /// The queue's vector, likewise.
    pub const QUEUE_VECTOR: Register = at(Window::Legacy, 22, Width::Bits16);

    /// Where the device configuration begins.
    pub const fn device(msix: bool) -> u32 {
        if msix { 24 } else { 20 }
    }
}
