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

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use kit::irq::Line;
use kit::ports::Window;
use kit::service;
use rt::generated::{InterruptClient, IoPortClient, SharedQueueClient, TimerClient};
use rt::{Client, Env, EnvError, spawn};
use stream::Stream;

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

fn start(env: &mut Env) -> Result<(Rc<Stream>, impl Future<Output = String> + use<>), EnvError> {
    let window = Window::new(env.client::<IoPortClient>("ports")?);
    let line = Line::new(env.client::<InterruptClient>("irq")?);
    let timer = env.client::<TimerClient>("timer").ok();
    let device = Rc::new(device::Device::new(window));
    if let Some(timer) = timer {
        spawn(device::watch(Rc::clone(&device), timer));
    }
    let input = env.exports().position(|(_, interface)| interface == SharedQueueClient::ID);
    let stream = Rc::new(Stream::new(Rc::clone(&device), input.map(|number| number as u32)));
    Ok((stream, async move { format!("device: {}", device::run(device, line).await) }))
}
