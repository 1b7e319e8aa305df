//! The block service: disks and partitions of all drivers, for many clients, through the deaths of drivers.
//!
//! It is given the exports (`Disks`) of drivers, knows what their disks are divided into, and opens sessions with them for its clients, who may use less than a driver would
//! let them. Bytes and requests are never seen here: they go between client and driver. When a driver is gone its clients open sessions anew, through the capability that they have from here, and are
//! led to the next one, if its disk is the same.
//!
//! Exports are `disks`, all that there are, and disks and partitions by the names that arguments give them: `NAME=TARGET`, see [`capos_block::target`].
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod device;
mod drivers;
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
    for cap in granted {
        let disks = DisksClient::from(env.take(cap)?);
        drivers.push(Rc::new(Driver::new(cap.name, disks, Rc::clone(&timer))));
    }
    let service = Rc::new(Service::new(drivers, exports(env)?));
    for driver in service.drivers() {
        spawn(drivers::follow(Rc::clone(driver), Rc::clone(&service)));
    }
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
