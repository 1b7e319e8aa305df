//! The schema generator: from `schema/*.capnp` to the code and the book pages that follow from them.
//!
//! The Cap'n Proto compiler parses the files and hands over a `CodeGeneratorRequest` ([`request`]); [`lower`] turns it into our
//! own small [`model`] and refuses what the flat messages of capOS cannot carry; [`lock`] compares it with what was
//! promised before; [`emit`] writes the outputs; [`outputs`] says where they belong and compares them with what is checked in.

pub mod emit;
pub mod fault;
pub mod lock;
pub mod lower;
pub mod model;
pub mod names;
pub mod outputs;
pub mod request;
pub mod source;

pub use fault::{Fault, Faults};
