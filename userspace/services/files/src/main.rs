//! Files, names and blobs on a disk: one volume, served as capabilities.
//!
//! `capos-fs` and `capos-store` decide, this shell does: it moves blocks, tells the time, and knows which facet stands for what. It holds
//! nothing that is not on the disk but who has what open; clients of an instance that ended hear so and begin anew.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod at_once;
mod disk;
mod found;
mod interfaces;
mod mounted;
mod proof;
mod runs;
mod server;
mod snapshots;
mod thing;
mod together;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use kit::service;
use rt::generated::{BlockDeviceClient, EntropySourceClient, TimerClient, WallClockClient};
use rt::{Env, EnvError};
use server::{Clocks, Server};

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

fn start(env: &mut Env) -> Result<(Rc<Server>, impl Future<Output = String> + use<>), EnvError> {
    let device = Rc::new(env.client::<BlockDeviceClient>("disk")?);
    let clocks = Clocks {
        wall: env.client::<WallClockClient>("wall_clock")?,
        timer: env.client::<TimerClient>("timer")?,
    };
    let exports = env.exports().map(|(_, interface)| interface).collect();
    let server = Rc::new(Server::new(clocks, env.client::<EntropySourceClient>("entropy")?, exports));
    let format = env.args().any(|arg| arg == "--format");
    let kept = Rc::clone(&server);
    Ok((server, async move { format!("volume: {}", mounted::keep(kept, device, format).await) }))
}
