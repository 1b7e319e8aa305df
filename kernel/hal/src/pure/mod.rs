//! The parts of the x86 machine that are only arithmetic, so that they are tested on the host.

pub mod cmos;
pub mod demangle;
pub mod health;
pub mod ports;
pub mod rate;
