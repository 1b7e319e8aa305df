//! The runtime of every program: what stands between `_start` and a program's own logic.
//!
//! A program is a crate with `rt::main!(run)` and a `fn run(env: rt::Env) -> i64`. It finds its capabilities by name in the
//! [`Env`], wraps them in the typed clients of [`generated`], and calls them either blocking (shortest path) or as futures on
//! the small executor of [`exec`]. Servers receive with [`serve`].
//!
//! Programs are built for the host's own Linux target without any libc (ADR on userspace targets), told apart from a host build
//! by `--cfg capos`. On the host this crate compiles too, so that clippy, docs and unit tests see it, but nothing of it runs.
#![no_std]

extern crate alloc;

mod arena;
mod blocking;
pub mod cap;
mod emergency;
pub mod entry;
pub mod env;
mod exception;
pub mod exec;
pub mod exhibit;
pub mod fpu;
#[allow(
    clippy::too_many_arguments,
    clippy::useless_conversion,
    reason = "methods have the parameters that the schema gives them"
)]
pub mod generated;
#[cfg(capos)]
mod heap;
pub mod ipc;
pub mod listener;
pub mod log;
#[cfg(capos)]
mod mem;
pub mod misdeed;
pub mod named;
mod op;
#[cfg(capos)]
mod panic;
pub mod raw;
pub mod region;
mod revoke;
mod scratch;
pub mod serve;
pub mod shared;
pub mod sync;
pub mod sys;
pub mod text;
mod thread;
pub mod threads;
pub mod time;

pub use cap::{Cap, Client, Lent, Outgoing};
pub use capos_abi::{self as abi, Blame, CapId, ExceptionCode, TransportError};
pub use capos_block as block;
pub use capos_queue as queue;
pub use capos_schema as schema;
pub use env::{Env, EnvError};
pub use exec::{Either, Signal, Turn, block_on, give_way, select, spawn, with_deadline};
pub use ipc::{CallError, Reply};
pub use named::Named;
pub use serve::{CallContext, Exception, Request};
