//! The pure part of capOS: all logic that can be tested without a machine. No IO, no clock, no globals; time, randomness and
//! memory are arguments. `cargo test-lib` runs its tests on the host.
#![no_std]

pub use capos_abi as abi;
pub use capos_cap as cap;
pub use capos_mem as mem;
pub use capos_ring as ring;
pub use capos_sched as sched;
