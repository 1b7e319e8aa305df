//! Devices as the specification has them, and every way in which they may lie.

mod bars;
mod capabilities;
mod headers;
mod hostile;
mod messages;
mod plugging;
mod shown;
mod virtio;
mod walks;
mod words;

use crate::model::{Device, Machine};
use crate::{Address, Function};

/// Where tests have their function.
pub const HERE: u32 = 0x0010;

pub fn here() -> Address {
    Address::new(HERE).unwrap()
}

/// A machine with one function.
pub fn with(device: Device) -> Machine {
    let machine = Machine::new();
    machine.plug(HERE, device);
    machine
}

/// An endpoint of no special class.
pub fn endpoint() -> Device {
    Device::new(0x1234, 0x11e8, 0xff_0000)
}

pub fn read(device: Device) -> Function {
    Function::read(&with(device), here()).unwrap()
}
