//! Processes, threads, and who runs when.

pub(crate) mod attention;
pub(crate) mod cpu;
pub(crate) mod create;
pub(crate) mod debug;
pub(crate) mod donation;
pub(crate) mod end;
pub(crate) mod fifo;
pub(crate) mod load;
pub(crate) mod meter;
pub(crate) mod obituary;
pub(crate) mod process;
pub(crate) mod reap;
pub(crate) mod recall;
pub(crate) mod registry;
pub(crate) mod rest;
pub(crate) mod revoke;
pub(crate) mod schedule;
pub(crate) mod share;
pub(crate) mod sleep;
pub(crate) mod slice;
pub(crate) mod steal;
pub(crate) mod stop;
pub(crate) mod thread;
pub(crate) mod timers;
pub(crate) mod trace;
