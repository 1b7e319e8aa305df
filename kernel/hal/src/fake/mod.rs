//! A machine made of ordinary host memory, for tests of `kernel-core`.
//!
//! It has the modules of the real one and a few controls beside them: which CPU is speaking, what time it is, when the next
//! allocation fails. The kernel's state is global, so tests take turns: hold a [`Session`] while using the machine.

pub mod acpi;
pub mod boot;
pub mod console;
pub mod cpu;
pub mod device;
pub mod dma;
pub mod entropy;
mod heap;
pub mod iommu;
pub mod irq;
pub mod mem;
#[path = "../x86/message.rs"]
#[cfg_attr(
    all(test, not(loom)),
    expect(clippy::duplicate_mod, reason = "tests of this crate have its own units, too")
)]
mod message;
pub mod order;
pub mod panic;
pub mod pci;
pub mod port;
pub mod power;
pub mod ring;
pub mod time;
pub mod user;
pub mod vm;
mod work;

pub use heap::{fail_nth_allocation, fail_nth_frames, never_fail};

use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// The right to use the machine; while one test holds it the others wait.
pub struct Session {
    _turn: MutexGuard<'static, ()>,
}

impl Session {
    /// Waits for the turn and resets the machine to `cpus` idle processors, time 0 and no failures planned.
    pub fn start(cpus: usize) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        never_fail();
        cpu::reset(cpus);
        user::reset();
        time::reset();
        irq::reset();
        pci::reset();
        iommu::reset();
        device::reset();
        dma::reset();
        entropy::fail(None);
        console::reset();
        mem::reset();
        order::forget_all();
        Session { _turn: turn }
    }
}
