//! What a supervisor decides: when a service that ended is started again and when it is given up, in which order services start, who has
//! to be healthy and is not, how an instance takes over from another, and what the next supervisor has to know.
//!
//! Time and events come in, actions come out ([`Supervision`]); nothing here starts, kills or asks anybody. A supervisor may die between
//! any two of its actions. What it knew comes back as a [`Memory`] per service, and what runs is found by looking; both together make
//! the next one go on where it stopped.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod crash;
mod last;
mod machine;
mod memory;
mod policy;
mod words;

#[cfg(test)]
mod tests;

pub use crash::Crash;
pub use last::{Event, Last};
pub use machine::{
    Action, Escalation, Follow, Found, Health, Refusal, Report, Serving, Spec, State, Supervision, View, Why,
};
pub use memory::Memory;
pub use policy::{Decision, Ending, Outcome, Policy, Restarts, When};
