//! Driver of QEMU's `edu` device.
//!
//! `capos-edu` decides, this shell does: registers, transfers through the kernel's queue, interrupts, and one job at a time for whoever asks.
//! Until there is a device they wait.
//! When the device does what it must not it ends, and whoever starts it again finds a device that was reset.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod device;
mod hardware;
mod server;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use device::Device;
use kit::device::claim;
use kit::service;
use rt::generated::{DeviceClaimClient, TimerClient};
use rt::{Env, EnvError};
use server::Server;

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

fn start(env: &mut Env) -> Result<(Rc<Server>, impl Future<Output = String> + use<>), EnvError> {
    let right = env.client::<DeviceClaimClient>("device")?;
    let timer = env.client::<TimerClient>("timer")?;
    let server = Rc::new(Server::new());
    let driven = Rc::clone(&server);
    Ok((server, async move { format!("device: {}", drive(&right, timer, &driven).await) }))
}

/// Waits for the device and drives it until it can not be driven any more.
async fn drive(right: &DeviceClaimClient, timer: TimerClient, server: &Server) -> hardware::End {
    let up = match claim(right, &timer).await {
        Ok(function) => Device::bring_up(function, timer).await,
        Err(error) => return error.into(),
    };
    match up {
        Ok((device, line)) => {
            let device = Rc::new(device);
            server.has(Rc::clone(&device));
            device::run(device, line).await
        }
        Err(end) => end,
    }
}
