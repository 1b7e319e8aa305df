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

use alloc::rc::Rc;
use device::Device;
use kit::control::Control;
use kit::device::claim;
use kit::service::{self, End};
use rt::generated::{DeviceClaimClient, TimerClient};
use rt::{Either, Env, EnvError, block_on, log, select};

rt::main!(run);

fn run(mut env: Env) -> i64 {
    match start(&mut env) {
        Ok(never) => never,
        Err(error) => {
            log::error(format_args!("{error}"));
            1
        }
    }
}

fn start(env: &mut Env) -> Result<i64, EnvError> {
    let receiver = service::receiver(env)?;
    let control = Control::take(env);
    let right = env.client::<DeviceClaimClient>("device")?;
    let timer = env.client::<TimerClient>("timer")?;
    let server = Rc::new(server::Server::new());
    let error = block_on(async {
        let served = service::serve_supervised(receiver, Rc::clone(&server), control);
        match select(drive(&right, timer, &server), served).await {
            Either::First(error) => Some(alloc::format!("device: {error}")),
            Either::Second(End::Drained) => None,
            Either::Second(end) => Some(alloc::format!("{end}")),
        }
    });
    let Some(error) = error else { return Ok(0) };
    log::error(format_args!("{error}"));
    Ok(1)
}

/// Waits for the device and drives it until it can not be driven any more.
async fn drive(right: &DeviceClaimClient, timer: TimerClient, server: &server::Server) -> hardware::End {
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
