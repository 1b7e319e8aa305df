//! What every network driver does around its device: one after the other, and each from one reset to the next.

use super::{Device, Fault, Server};
use crate::device::{each, is_settled, outlive};
use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::error::Error;
use rt::Env;
use rt::generated::{DeviceClaimClient, DeviceClient, DmaPoolClient, TimerClient};

/// What a driver of such devices serves, and what is done beside that.
pub fn start<D: Device>(
    env: &mut Env,
) -> Result<(Rc<Server>, impl Future<Output = String> + use<D>), Box<dyn Error>> {
    let right = env.client::<DeviceClaimClient>("device")?;
    let timer = Rc::new(env.client::<TimerClient>("timer")?);
    let server = Rc::new(Server::new(Rc::clone(&timer))?);
    let driven = Rc::clone(&server);
    let work = async move { format!("device: {}", drive::<D>(&right, &timer, &driven).await) };
    Ok((server, work))
}

/// Waits for a device and drives it, and the next one when it is gone, until one can not be driven any more.
async fn drive<D: Device>(right: &DeviceClaimClient, timer: &TimerClient, server: &Server) -> D::Fault {
    let one = async |function: &DeviceClient| {
        let life =
            async || server.drive_from(function, async || bring_up::<D>(function, timer, server).await).await;
        outlive(function, timer, D::Fault::may_pass, life).await
    };
    each(right, timer, one).await
}

/// Brings the device up, as often as it takes to know how it reaches memory.
async fn bring_up<D: Device>(
    function: &DeviceClient,
    timer: &TimerClient,
    server: &Server,
) -> Result<(D, DmaPoolClient), D::Fault> {
    loop {
        let (device, pool) = D::set_up(function, timer, server).await?;
        if is_settled(function, timer, || device.look()).await? {
            return Ok((device, pool));
        }
    }
}
