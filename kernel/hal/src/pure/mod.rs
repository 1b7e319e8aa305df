//! The parts of the x86 machine that are only arithmetic or only an order of accesses, so that they are tested and modelled on the host.

pub mod cmos;
pub mod demangle;
pub mod faults;
pub mod health;
pub mod ports;
pub mod rate;

// These have no tests but their models.
#[cfg(any(all(test, loom), target_os = "none"))]
pub mod mailbox;
#[cfg(any(all(test, loom), target_os = "none"))]
pub mod owner;
#[cfg(any(all(test, loom), target_os = "none"))]
pub mod residence;
