//! The machine's page without a machine: the same core and the same page as in `httpd`, on a socket of the host, with reports that a machine once told
//! (`data`, from the lab case diag-system). Time goes on in them, and services can be ended and started.

mod machine;
mod serve;

pub use machine::{Machine, Mood};
pub use serve::{TOKEN, serve};
