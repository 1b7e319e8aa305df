//! The device manager: gives drivers the devices that the manifest describes.
//!
//! It alone may claim PCI functions. Init tells it which devices the manifest's drivers are to have; a driver's facet says by its badge
//! which of these it is for. Who has what, the kernel keeps: this process remembers nothing, so it can be killed at any instruction, and
//! drivers go on with what they have.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod choice;
mod server;
mod wanted;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use kit::service;
use rt::generated::{DeviceManagerClient, DevicesClient, TimerClient};
use rt::{Client, Env, EnvError};
use server::Server;

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

fn start(env: &mut Env) -> Result<(Rc<Server>, impl Future<Output = String> + use<>), EnvError> {
    let kernel = env.client::<DeviceManagerClient>("devices")?;
    let timer = env.client::<TimerClient>("timer")?;
    let wanted = wanted::read(env.args());
    let list_export = env.exports().position(|(_, interface)| interface == DevicesClient::ID);
    let server = Rc::new(Server::new(kernel, timer, wanted, list_export.map(|number| number as u32)));
    let tended = Rc::clone(&server);
    Ok((server, async move { format!("devices: {}", tended.tend().await) }))
}
