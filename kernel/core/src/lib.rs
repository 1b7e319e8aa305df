//! The kernel's logic, without a line of unsafe code.
//!
//! The machine (`kernel-hal`) calls the handlers that [`start`] returns. Each runs to completion with interrupts off and ends by
//! deciding what its CPU resumes. `ring` takes submissions apart, `ipc` carries messages, `cap` holds the kernel's own objects,
//! `device` knows who drives which device, and `task` has everything that lives and ends.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod audit;
mod boot;
mod cap;
mod device;
mod ipc;
mod log;
mod ring;
mod task;
mod trap;

use kernel_hal::Handlers;

/// Starts init and returns the handlers; once, on the boot CPU, before any other CPU asks for work.
///
/// Without init there is nothing to run, so a system that cannot start it panics with the reason.
pub fn start() -> Handlers {
    if let Err(error) = boot::start() {
        panic!("cannot start init: {error:?}");
    }
    trap::HANDLERS
}

#[cfg(test)]
mod tests;
