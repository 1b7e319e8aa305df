//! One device after the other, and each from one reset to the next.

use crate::device::Device;
use kit::block::{Server, Stop};
use kit::device::{each_or, is_settled};
use kit::virtio::Error;
use rt::generated::{DeviceClaimClient, DeviceClient, DmaPoolClient, TimerClient};
use rt::log;

/// Resets in a driver's life, after faults of the device. A device that goes on so is the supervisor's business.
const RESETS: usize = 8;

/// Waits for a device and drives it, and the next one when it is gone, until one can not be driven any more.
pub async fn drive(right: &DeviceClaimClient, timer: &TimerClient, server: &Server) -> Error {
    let none = || server.has_no_device();
    each_or(right, timer, &none, async |function: &DeviceClient| drive_one(function, timer, server).await)
        .await
}

/// Drives a device until it can not be driven any more.
async fn drive_one(function: &DeviceClient, timer: &TimerClient, server: &Server) -> Error {
    let mut resets = 0;
    loop {
        let error = drive_once(function, timer, server).await;
        if !matches!(error, Error::Device(_)) || resets == RESETS {
            return error;
        }
        log::warn(format_args!("device: {error}; it is reset"));
        resets += 1;
        if let Err(error) = function.reset_blocking() {
            return Error::from(error);
        }
    }
}

/// From a reset to a fault.
async fn drive_once(function: &DeviceClient, timer: &TimerClient, server: &Server) -> Error {
    let (mut device, pool) = match bring_up_all(function, timer, server).await {
        Ok(up) => up,
        Err(error) => return error,
    };
    match server.drive(&mut device, pool).await {
        Stop::Fault(error) => error,
        Stop::Call(error) => Error::from(error),
    }
}

/// Brings the device up, as often as it takes to know how it reaches memory.
async fn bring_up_all(
    function: &DeviceClient,
    timer: &TimerClient,
    server: &Server,
) -> Result<(Device, DmaPoolClient), Error> {
    loop {
        let (mut device, pool) = Device::set_up(function, timer, server.interrupts()?).await?;
        if is_settled(function, timer, || device.look()).await? {
            device.learn_name(timer).await?;
            return Ok((device, pool));
        }
    }
}
