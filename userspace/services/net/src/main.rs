//! The network stack: one adapter, and its sockets as capabilities.
//!
//! `capos-net` decides, this shell does: it moves frames between the stack and the adapter's driver, tells the time, and knows which facet stands for
//! which socket. When the driver is gone it goes on with the next one: frames are lost, and connections are not. When it is gone itself its
//! clients hear so, and begin anew.
//!
//! Arguments: `--address=10.0.0.2/24` and `--router=10.0.0.1` instead of DHCP; `NAME=SCOPE` for each export of an authority, as in `web=*:80,*:443`
//! (nothing is in the scope of one that has none).
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod config;
mod facets;
mod interfaces;
mod line;
mod net;
mod pump;
mod resolver;
mod server;
mod waiting;

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::error::Error;
use kit::service;
use net::Net;
use rt::Env;
use rt::generated::{EntropySourceClient, NicClient, TimerClient};
use server::Server;

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

fn start(env: &mut Env) -> Result<(Rc<Server>, impl Future<Output = String> + use<>), Box<dyn Error>> {
    let nic = Rc::new(env.client::<NicClient>("nic")?);
    let entropy = env.client::<EntropySourceClient>("entropy")?;
    let net = Rc::new(Net::new(env.client::<TimerClient>("timer")?, entropy, config::settings(env)?));
    let server = Rc::new(Server::new(Rc::clone(&net), config::exports(env)?));
    Ok((server, async move { format!("adapter: {}", pump::keep(net, nic).await) }))
}
