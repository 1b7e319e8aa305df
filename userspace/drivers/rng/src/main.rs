//! Driver of virtio's entropy device.
//!
//! `capos-virtio` decides, this shell does: it brings the device up, keeps buffers with it, serves what comes as a `ByteStream`, and feeds the
//! kernel's pool with some of it. Until there is a device its clients wait. When the device does what it must not it is reset; when it goes on so the driver ends, and whoever
//! starts it again finds a device that was reset.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod device;
mod feed;
mod stock;
mod stream;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use kit::service;
use rt::generated::{DeviceClaimClient, EntropySinkClient, TimerClient};
use rt::{Either, Env, EnvError, select};
use stock::Stock;
use stream::Stream;

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

/// What is served, and what is done beside that.
fn start(env: &mut Env) -> Result<(Rc<Stream>, impl Future<Output = String> + use<>), EnvError> {
    let right = env.client::<DeviceClaimClient>("device")?;
    let sink = env.client::<EntropySinkClient>("entropy_sink").ok();
    let timer = env.client::<TimerClient>("timer")?;
    let stock = Rc::new(Stock::new());
    let stream = Rc::new(Stream::new(Rc::clone(&stock)));
    let work = async move {
        let fed = feed::feed(sink.as_ref(), &stock, &timer);
        match select(device::drive(&right, &timer, &stock), fed).await {
            Either::First(error) => format!("device: {error}"),
            Either::Second(error) => format!("entropy sink: {error}"),
        }
    };
    Ok((stream, work))
}
