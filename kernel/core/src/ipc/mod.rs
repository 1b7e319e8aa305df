//! Calls between processes: endpoints, the calls in flight, and what travels beside a message.

pub(crate) mod deliver;
pub(crate) mod endpoint;
pub(crate) mod ops;
pub(crate) mod replies;
pub(crate) mod transfer;
