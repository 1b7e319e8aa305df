//! Driver of NVMe controllers, whoever made them.
//!
//! `capos-nvme` decides, `kit::block` serves, this shell does the rest: it brings the controller up, tells it of commands, and serves each namespace that
//! is a disk as a `BlockDevice`. A controller that does what it must not, or does not answer, is reset, and asked again what it had; clients know
//! nothing of it but the time it took. When it goes on so the driver ends, and whoever starts it again finds a device that was reset.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod device;
mod disk;
mod error;
mod pair;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use kit::block::Server;
use kit::service;
use rt::generated::{DeviceClaimClient, TimerClient};
use rt::{Env, EnvError};

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

/// What is served, and what is done beside that.
fn start(env: &mut Env) -> Result<(Rc<Server>, impl Future<Output = String> + use<>), EnvError> {
    let right = env.client::<DeviceClaimClient>("device")?;
    let timer = Rc::new(env.client::<TimerClient>("timer")?);
    // It is made of our own budget.
    let server = Server::new(Rc::clone(&timer)).map_err(|_| EnvError::Missing("notification and alarm"))?;
    let server = Rc::new(server);
    let served = Rc::clone(&server);
    let work = async move { format!("device: {}", device::drive(&right, &timer, &served).await) };
    Ok((server, work))
}
