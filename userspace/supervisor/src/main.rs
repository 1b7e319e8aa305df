//! The supervisor: decides what happens to services.
//!
//! What is to be done, `capos-restart` decides; this shell does it, and tells what happened. It holds no capability of any service: init
//! starts what the manifest says, and keeps processes, endpoints and notes. So it may be killed at any instruction: services go on, what
//! was asked of it waits or fails with a typed error, and the next one takes over where it stopped. It never waits for a service without a
//! deadline, and what a service says can hurt only that service.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod act;
mod adopt;
mod clock;
mod crashes;
mod health;
mod last;
mod names;
mod plan;
mod processes;
mod reports;
mod server;
mod state;
mod watch;

use alloc::rc::Rc;
use kit::service::{receiver, serve};
use rt::{CallError, Env, EnvError, block_on, log, spawn};

rt::main!(run);

/// Exit codes: 1 receiving failed, 2 something that init gives is missing, 3 init does not answer.
fn run(mut env: Env) -> i64 {
    match start(&mut env) {
        Ok(code) => code,
        Err(error) => {
            log::error(format_args!("{error}"));
            2
        }
    }
}

fn start(env: &mut Env) -> Result<i64, EnvError> {
    let receiver = receiver(env)?;
    let given = state::Given::take(env)?;
    Ok(block_on(async {
        let state = match take_over(given).await {
            Ok(state) => Rc::new(state),
            Err(error) => {
                log::error(format_args!("{error}"));
                return 3;
            }
        };
        state.watch_all();
        spawn(act::act(Rc::clone(&state)));
        spawn(clock::tick(Rc::clone(&state)));
        let error = serve(receiver, Rc::new(server::Server::new(state))).await;
        log::error(format_args!("receive: {error}"));
        1
    }))
}

async fn take_over(given: state::Given) -> Result<state::State, CallError> {
    let services = plan::load(&given).await?;
    adopt::adopt(given, services).await
}
