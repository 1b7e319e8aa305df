//! Driver of virtio's network adapter.
//!
//! `capos-virtio` decides what the device is asked, `kit::nic` who is served; this shell brings the device up and is what stands between the two. When the device does
//! what it must not it is reset, and has all armed buffers again; when it goes on so the driver ends, and whoever starts it again finds a device that was
//! reset.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod device;
mod drive;
mod error;

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::error::Error;
use kit::nic::Server;
use kit::service;
use rt::Env;
use rt::generated::{DeviceClaimClient, TimerClient};

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

/// What is served, and what is done beside that.
fn start(env: &mut Env) -> Result<(Rc<Server>, impl Future<Output = String> + use<>), Box<dyn Error>> {
    let right = env.client::<DeviceClaimClient>("device")?;
    let timer = Rc::new(env.client::<TimerClient>("timer")?);
    let server = Rc::new(Server::new(Rc::clone(&timer))?);
    let driven = Rc::clone(&server);
    let work = async move { format!("device: {}", drive::drive(&right, &timer, &driven).await) };
    Ok((server, work))
}
