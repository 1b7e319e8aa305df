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

use alloc::rc::Rc;
use kit::control::Control;
use kit::service::{self, End};
use rt::generated::{DeviceManagerClient, DevicesClient, TimerClient};
use rt::{Client, Either, Env, EnvError, block_on, log, select};

rt::main!(run);

fn run(mut env: Env) -> i64 {
    match start(&mut env) {
        Ok(code) => code,
        Err(error) => {
            log::error(format_args!("{error}"));
            1
        }
    }
}

fn start(env: &mut Env) -> Result<i64, EnvError> {
    let receiver = service::receiver(env)?;
    let control = Control::take(env);
    let kernel = env.client::<DeviceManagerClient>("devices")?;
    let timer = env.client::<TimerClient>("timer")?;
    let wanted = wanted::read(env.args());
    let list_export = env.exports().position(|(_, interface)| interface == DevicesClient::ID);
    let server = server::Server::new(kernel, timer, wanted, list_export.map(|number| number as u32));
    let server = Rc::new(server);
    Ok(block_on(async {
        match select(server.tend(), service::serve_supervised(receiver, Rc::clone(&server), control)).await {
            Either::First(error) => log::error(format_args!("devices: {error}")),
            Either::Second(End::Drained) => return 0,
            Either::Second(end) => log::error(format_args!("{end}")),
        }
        1
    }))
}
