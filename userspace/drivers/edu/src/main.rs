//! Driver of QEMU's `edu` device.
//!
//! `capos-edu` decides, this shell does: registers, transfers through the kernel's queue, interrupts, and one job at a time for whoever asks.
//! When the device does what it must not it ends, and whoever starts it again finds a device that was reset.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod device;
mod hardware;
mod server;

use alloc::rc::Rc;
use device::Device;
use kit::control::Control;
use kit::service::{self, End};
use rt::generated::{DeviceClient, TimerClient};
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
    let function = env.client::<DeviceClient>("device")?;
    let timer = env.client::<TimerClient>("timer")?;
    let error = block_on(async {
        let (device, line) = match Device::bring_up(function, timer).await {
            Ok(up) => up,
            Err(error) => return Some(alloc::format!("device: {error}")),
        };
        let device = Rc::new(device);
        let server = Rc::new(server::Server::new(Rc::clone(&device)));
        match select(device::run(device, line), service::serve_supervised(receiver, server, control)).await {
            Either::First(error) => Some(alloc::format!("device: {error}")),
            Either::Second(End::Drained) => None,
            Either::Second(end) => Some(alloc::format!("{end}")),
        }
    });
    let Some(error) = error else { return Ok(0) };
    log::error(format_args!("{error}"));
    Ok(1)
}
