//! Calls between processes.

pub(crate) mod calls;
pub(crate) mod deliver;
pub(crate) mod direct;
pub(crate) mod direct_events;
pub(crate) mod direct_faults;
pub(crate) mod endpoint;
pub(crate) mod events;
pub(crate) mod loans;
pub(crate) mod ops;
pub(crate) mod park;
pub(crate) mod runs;
pub(crate) mod timed;
pub(crate) mod transfer;
