//! Calls between processes.

pub(crate) mod calls;
pub(crate) mod deliver;
pub(crate) mod direct;
pub(crate) mod endpoint;
pub(crate) mod loans;
pub(crate) mod ops;
pub(crate) mod transfer;
