//! One device after the other, and each from one reset to the next.

use crate::device::Device;
use crate::error::Error;
use kit::device::{each, is_settled, outlive};
use kit::nic::Server;
use rt::generated::{DeviceClaimClient, DeviceClient, DmaPoolClient, TimerClient};

/// Waits for a device and drives it, and the next one when it is gone, until one can not be driven any more.
pub async fn drive(right: &DeviceClaimClient, timer: &TimerClient, server: &Server) -> Error {
    let one = async |function: &DeviceClient| {
        outlive(function, timer, Error::may_pass, async || drive_once(function, timer, server).await).await
    };
    each(right, timer, one).await
}

/// From a reset to a fault.
async fn drive_once(function: &DeviceClient, timer: &TimerClient, server: &Server) -> Error {
    server.drive_from(function, async || bring_up_all(function, timer, server).await).await
}

/// Brings the device up, as often as it takes to know how it reaches memory.
async fn bring_up_all(
    function: &DeviceClient,
    timer: &TimerClient,
    server: &Server,
) -> Result<(Device, DmaPoolClient), Error> {
    loop {
        let (device, pool) = Device::set_up(function, timer, server).await?;
        if is_settled(function, timer, || device.look()).await? {
            return Ok((device, pool));
        }
    }
}
