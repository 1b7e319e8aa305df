//! Driver of virtio's network adapter.
//!
//! `capos-virtio` decides what the device is asked, `kit::nic` who is served; this shell brings the device up and is what stands between the two. When the device does
//! what it must not it is reset, and has all armed buffers again; when it goes on so the driver ends, and whoever starts it again finds a device that was
//! reset.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod device;
mod error;

use device::Device;
use kit::{nic, service};
use rt::Env;

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, nic::start::<Device>)
}
