//! The console service: one terminal for many clients.
//!
//! The state is `capos-terminal`; this shell moves bytes between it and the line, whose input comes through a shared queue and whose
//! output goes to its `ByteStream`, and answers `Console` calls.
//! Clients are told apart by the badge of their facet. The line's driver may die and come back: calls in flight then end in
//! `disconnected` and are made again, so at worst a piece of text appears twice.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod kernel_log;
mod server;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use kit::service;
use rt::generated::{ByteStreamClient, LogReaderClient, SharedQueueClient, TimerClient};
use rt::{Env, EnvError, spawn};
use server::Server;

rt::main!(run);

fn run(env: Env) -> i64 {
    service::run(env, start)
}

fn start(env: &mut Env) -> Result<(Rc<Server>, impl Future<Output = String> + use<>), EnvError> {
    let line = env.client::<ByteStreamClient>("line")?;
    let input = env.client::<SharedQueueClient>("input")?;
    let server = Rc::new(Server::new(line));
    if env.args().any(|arg| arg == "--show-log") {
        let reader = env.client::<LogReaderClient>("log_reader")?;
        let timer = env.client::<TimerClient>("timer")?;
        spawn(kernel_log::show(Rc::clone(&server), reader, timer));
    }
    spawn(server::hand_over(Rc::clone(&server)));
    let pumped = Rc::clone(&server);
    Ok((server, async move { format!("line: {}", server::pump(pumped, input).await) }))
}
