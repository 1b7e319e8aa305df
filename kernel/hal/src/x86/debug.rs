//! Debug registers, and what else some threads have and most do not.
//!
//! Only threads that are debugged or traced have [`Extras`]. A bit of the word that holds a thread's FS base says so, because the switch
//! of threads looks at that word anyway (`UserContext::enter`): the others pay nothing.

use super::cpu::local::Local;
use super::start;
use crate::order::LockRank;
use crate::sync::Lock;
use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering};

/// Bit of the word with FS base: the thread has something in its [`Extras`]. No user address has it.
pub const EXTRAS: u64 = 1 << 63;
/// Breakpoints of one thread.
pub const BREAKPOINTS: usize = 4;
/// DR6 without causes (Intel SDM vol. 3, 18.2.3).
const NO_CAUSES: u64 = 0xffff_0ff0;
/// DR7 without breakpoints.
const NOTHING: u64 = 1 << 10;

/// Addresses of breakpoints, and DR7; 0 for none.
type Breakpoints = ([u64; BREAKPOINTS], u64);

/// What a debugged or traced thread has.
pub struct Extras {
    /// Whole: a CPU that looks while others are set must not have the new addresses with the old kinds.
    breakpoints: Lock<Breakpoints>,
    traced: AtomicBool,
}

impl Extras {
    /// None.
    pub const fn new() -> Self {
        Extras {
            breakpoints: Lock::new(LockRank::Own, ([0; BREAKPOINTS], 0)),
            traced: AtomicBool::new(false),
        }
    }

    /// Takes other breakpoints. `control` is for DR7 as the processor has it.
    pub fn set_breakpoints(&self, addresses: [u64; BREAKPOINTS], control: u64) {
        *self.breakpoints.lock() = (addresses, control);
    }

    /// Whether system calls go to the handler for traced threads.
    pub fn set_traced(&self, traced: bool) {
        self.traced.store(traced, Ordering::Release);
    }

    /// Whether there is anything to load.
    pub fn any(&self) -> bool {
        self.breakpoints.lock().1 != 0 || self.traced.load(Ordering::Acquire)
    }

    /// Puts on this CPU all that there is, if its word of FS base says so, or takes off what the last thread had.
    pub fn switch(&self, local: &Local) {
        if local.fs_base.get() & EXTRAS != 0 { self.load(local) } else { unload(local) }
    }

    fn load(&self, local: &Local) {
        let traced = self.traced.load(Ordering::Acquire);
        let handlers = start::handlers();
        local.on_syscall.set(if traced { handlers.traced_syscall } else { handlers.syscall });
        let ([a, b, c, d], control) = *self.breakpoints.lock();
        write_control(NOTHING);
        if control != 0 {
            // SAFETY: addresses of breakpoints; none is enabled at the moment.
            unsafe {
                asm!(
                    "mov dr0, {}", "mov dr1, {}", "mov dr2, {}", "mov dr3, {}",
                    in(reg) a, in(reg) b, in(reg) c, in(reg) d,
                    options(nostack, nomem, preserves_flags)
                )
            };
            write_control(control | NOTHING);
        }
    }
}

/// This CPU's next thread has nothing of the kind.
fn unload(local: &Local) {
    local.on_syscall.set(start::handlers().syscall);
    write_control(NOTHING);
}

/// Breakpoints are what the kernel says from here on, whatever firmware left. Once on each CPU.
pub fn init() {
    write_control(NOTHING);
    take_causes();
}

fn write_control(control: u64) {
    // SAFETY: general detection is never set, and breakpoints are of user addresses, which the kernel does not touch.
    unsafe { asm!("mov dr7, {}", in(reg) control, options(nostack, nomem, preserves_flags)) };
}

/// What brought a debug exception; none are left behind, as the processor only ever adds some.
pub fn take_causes() -> u64 {
    let causes: u64;
    // SAFETY: reading and clearing causes changes nothing else.
    unsafe {
        asm!(
            "mov {0}, dr6", "mov dr6, {1}",
            out(reg) causes, in(reg) NO_CAUSES,
            options(nostack, nomem, preserves_flags)
        )
    };
    causes & (crate::Fault::HIT | crate::Fault::STEP)
}
