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
use hardware::End;
use kit::device::each;
use kit::service;
use rt::generated::{DeviceClaimClient, DeviceClient, TimerClient};
use rt::{Env, EnvError};
use server::Server;

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

fn start(env: &mut Env) -> Result<(Rc<Server>, impl Future<Output = String> + use<>), EnvError> {
    let right = env.client::<DeviceClaimClient>("device")?;
    let timer = Rc::new(env.client::<TimerClient>("timer")?);
    let server = Rc::new(Server::new());
    let driven = Rc::clone(&server);
    let work = async move {
        let drive = async |function: &DeviceClient| drive(function, &timer, &driven).await;
        format!("device: {}", each(&right, &timer, drive).await)
    };
    Ok((server, work))
}

/// Drives a device until it can not be driven any more.
async fn drive(function: &DeviceClient, timer: &Rc<TimerClient>, server: &Server) -> End {
    match Device::bring_up(function, Rc::clone(timer)).await {
        Ok((device, line)) => {
            let device = Rc::new(device);
            server.has(Rc::clone(&device));
            let end = device::run(&device, line).await;
            server.has_none();
            end
        }
        Err(end) => end,
    }
}
