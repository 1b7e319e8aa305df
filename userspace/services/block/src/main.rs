//! The block service: disks and partitions of all drivers, for many clients, through the deaths of drivers.
//!
//! It is given the exports (`Disks`) of drivers, and is a client of each like any other; what it asks of them and what they have not answered stays
//! here, with `kit::block`, as drivers keep what they ask their devices. When a driver is gone the next one is asked again, and clients know of nothing but the time
//! it took. Bytes are never seen here: the memory of clients is attached to the driver's sessions as it was to ours.
//!
//! Exports are `disks`, all that there are, and disks and partitions by the names that arguments give them: `NAME=TARGET`, see [`capos_block::target`].
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod drivers;
mod remote;
mod service;
mod tables;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_block::target::Target;
use core::error::Error;
use drivers::Driver;
use rt::generated::{DisksClient, TimerClient};
use rt::{Client, Env, spawn};
use service::{Export, Service};

rt::main!(run);

fn run(env: Env) -> i64 {
    kit::service::run(env, start)
}

/// What is served, and what is done beside that.
fn start(env: &mut Env) -> Result<(Rc<Service>, impl Future<Output = String> + use<>), Box<dyn Error>> {
    let timer = Rc::new(env.client::<TimerClient>("timer")?);
    let mut drivers = Vec::new();
    let granted: Vec<_> = env.granted().filter(|cap| cap.interface == DisksClient::ID).collect();
    for (cap, number) in granted.into_iter().zip(0..) {
        let disks = DisksClient::from(env.take(cap)?);
        drivers.push(Rc::new(Driver::new(cap.name, disks, Rc::clone(&timer), number)?));
    }
    let service = Rc::new(Service::new(drivers, exports(env)?));
    service
        .drivers()
        .iter()
        .for_each(|driver| spawn(drivers::follow(Rc::clone(driver), Rc::clone(&service))));
    Ok((service, core::future::pending()))
}

/// What each export is, in their order; nothing for all disks.
fn exports(env: &Env) -> Result<Vec<Option<Export>>, Box<dyn Error>> {
    let exports = env.exports().map(|(name, interface)| {
        if interface == DisksClient::ID {
            return Ok(None);
        }
        let mut named = env.args().filter_map(|arg| arg.split_once('=').filter(|(it, _)| *it == name));
        let target = named.next().and_then(|(_, text)| Target::parse(text));
        target
            .map(|target| Some(Export::new(name, target)))
            .ok_or_else(|| alloc::format!("no argument says which disk `{name}` is").into())
    });
    exports.collect()
}
