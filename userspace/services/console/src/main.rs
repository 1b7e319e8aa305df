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

use alloc::rc::Rc;
use kit::control::Control;
use kit::service::{self, End};
use rt::generated::{ByteStreamClient, LogReaderClient, SharedQueueClient, TimerClient};
use rt::{Either, Env, EnvError, block_on, log, select, spawn};

rt::main!(run);

fn run(mut env: Env) -> i64 {
    match start(&mut env) {
        Ok(code) => code,
        Err(error) => {
            log::error(format_args!("{error}"));
            1
        }
    }
}

fn start(env: &mut Env) -> Result<i64, EnvError> {
    let receiver = service::receiver(env)?;
    let control = Control::take(env);
    let line = env.client::<ByteStreamClient>("line")?;
    let input = env.client::<SharedQueueClient>("input")?;
    let server = Rc::new(server::Server::new(line));
    if env.args().any(|arg| arg == "--show-log") {
        let reader = env.client::<LogReaderClient>("log_reader")?;
        let timer = env.client::<TimerClient>("timer")?;
        spawn(kernel_log::show(Rc::clone(&server), reader, timer));
    }
    spawn(server::hand_over(Rc::clone(&server)));
    let error = block_on(async {
        let serve = service::serve_supervised(receiver, Rc::clone(&server), control);
        match select(server::pump(server, input), serve).await {
            Either::First(error) => Some(alloc::format!("line: {error}")),
            Either::Second(End::Drained) => None,
            Either::Second(end) => Some(alloc::format!("{end}")),
        }
    });
    let Some(error) = error else { return Ok(0) };
    log::error(format_args!("{error}"));
    Ok(1)
}
