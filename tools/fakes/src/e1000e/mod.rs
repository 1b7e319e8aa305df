//! Intel's network adapter 82574L: a model of it, the kernel's policies before it, and one that writes back what it likes.

pub mod device;
pub mod liar;
pub mod machine;

pub use device::{Device, Fault, checksum};
pub use machine::{Machine, Ring};
