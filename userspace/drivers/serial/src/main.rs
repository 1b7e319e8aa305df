//! Driver of COM1.
//!
//! `capos-uart` decides, this shell does: port calls, interrupt waits, a `ByteStream` server named
//! `line`, and what comes in through a shared queue named `input`. Ports and
//! interrupt are brokered capabilities, so the driver can be killed and started again at any instruction; each start resets the
//! device. Queues are bounded: writers wait for room, and what nobody reads stays in the device.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod device;
mod input;
mod stream;

use alloc::rc::Rc;
use kit::control::Control;
use kit::irq::Line;
use kit::ports::Window;
use kit::service::{self, End};
use rt::generated::{InterruptClient, IoPortClient, SharedQueueClient, TimerClient};
use rt::{Client, Either, Env, EnvError, block_on, log, select, spawn};

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
    let window = Window::new(env.client::<IoPortClient>("ports")?);
    let line = Line::new(env.client::<InterruptClient>("irq")?);
    let timer = env.client::<TimerClient>("timer").ok();
    let device = Rc::new(device::Device::new(window));
    if let Some(timer) = timer {
        spawn(device::watch(Rc::clone(&device), timer));
    }
    let input = env.exports().position(|(_, interface)| interface == SharedQueueClient::ID);
    let stream = Rc::new(stream::Stream::new(Rc::clone(&device), input.map(|number| number as u32)));
    // Either ends only when something is beyond repair; the supervisor starts us again.
    let error = block_on(async {
        match select(device::run(device, line), service::serve_supervised(receiver, stream, control)).await {
            Either::First(error) => Some(alloc::format!("device: {error}")),
            Either::Second(End::Drained) => None,
            Either::Second(end) => Some(alloc::format!("{end}")),
        }
    });
    let Some(error) = error else { return Ok(0) };
    log::error(format_args!("{error}"));
    Ok(1)
}
