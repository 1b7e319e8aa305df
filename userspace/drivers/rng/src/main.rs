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

use alloc::rc::Rc;
use kit::control::Control;
use kit::service::{self, End};
use rt::generated::{DeviceClaimClient, EntropySinkClient, TimerClient};
use rt::{Either, Env, EnvError, block_on, log, select};
use stock::Stock;

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
    let sink = env.client::<EntropySinkClient>("entropy_sink").ok();
    let timer = env.client::<TimerClient>("timer")?;
    let stock = Rc::new(Stock::new());
    let stream = Rc::new(stream::Stream::new(Rc::clone(&stock)));
    let error = block_on(async {
        let served = service::serve_supervised(receiver, stream, control);
        let works = select(device::drive(&right, &timer, &stock), feed::feed(sink.as_ref(), &stock, &timer));
        match select(works, served).await {
            Either::First(Either::First(error)) => Some(alloc::format!("device: {error}")),
            Either::First(Either::Second(error)) => Some(alloc::format!("feed: {error}")),
            Either::Second(End::Drained) => None,
            Either::Second(end) => Some(alloc::format!("{end}")),
        }
    });
    let Some(error) = error else { return Ok(0) };
    log::error(format_args!("{error}"));
    Ok(1)
}
