//! The hook by which the assembled kernel is called, and the handlers that it gives back.

use super::cpu::{MAX_CPUS, local};
use crate::types::Handlers;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// Names the function that the machine calls once, on the boot CPU, when everything below the kernel core is ready. It answers
/// the handlers for all further events.
///
/// A macro, because only one can define the symbol in the caller's crate, which has no unsafe code of its own.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        extern "Rust" fn capos_kernel_main() -> $crate::Handlers {
            let main: fn() -> $crate::Handlers = $main;
            main()
        }
    };
}

unsafe extern "Rust" {
    fn capos_kernel_main() -> Handlers;
}

struct Slot(UnsafeCell<Handlers>);

// SAFETY: written once, before READY is set, and only read after that.
unsafe impl Sync for Slot {}

pub(super) extern "sysv64" fn no_syscall(_: u64, _: u64, _: u64) {}
fn nothing() {}
fn no_irq(_: crate::types::IrqLine) {}
fn no_fault(_: crate::types::Fault) {}

static HANDLERS: Slot = Slot(UnsafeCell::new(Handlers {
    syscall: no_syscall,
    traced_syscall: no_syscall,
    timer: nothing,
    kick: nothing,
    irq: no_irq,
    fault: no_fault,
}));
static READY: AtomicBool = AtomicBool::new(false);

/// The kernel core's handlers, or ones that do nothing until there are any.
#[inline]
pub(super) fn handlers() -> &'static Handlers {
    // SAFETY: not written any more once user code or a second CPU runs.
    unsafe { &*HANDLERS.0.get() }
}

/// The handlers, if the kernel core has started.
pub(super) fn try_handlers() -> Option<&'static Handlers> {
    READY.load(Ordering::Acquire).then(handlers)
}

/// Starts the kernel core.
pub(super) fn call_kernel_main() {
    // SAFETY: `entry!` defines it with this signature.
    let given = unsafe { capos_kernel_main() };
    // SAFETY: only the boot CPU is here, once, and the others look only after READY.
    unsafe { *HANDLERS.0.get() = given };
    // The others idle until they are released; they look at theirs only after that.
    (0..MAX_CPUS).filter_map(local::of).for_each(|local| local.on_syscall.set(given.syscall));
    READY.store(true, Ordering::Release);
}
