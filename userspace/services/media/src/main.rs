//! Files of a medium that others wrote, FAT or ISO 9660, served as capabilities that can only read.
//!
//! `capos-media` knows the formats; this shell moves bytes and knows which facet stands for what. Whatever the medium says, it is only this process that
//! believes it, and all that it holds is that one disk.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod disk;
mod interfaces;
mod mounted;
mod server;

use alloc::rc::Rc;
use alloc::string::String;
use kit::service;
use rt::generated::BlockDeviceClient;
use rt::{Env, EnvError};
use server::Server;

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

fn start(env: &mut Env) -> Result<(Rc<Server>, impl Future<Output = String> + use<>), EnvError> {
    let device = env.client::<BlockDeviceClient>("disk")?;
    let server = Rc::new(Server::new(env.exports().map(|(_, interface)| interface).collect()));
    Ok((Rc::clone(&server), mounted::keep(server, device)))
}
