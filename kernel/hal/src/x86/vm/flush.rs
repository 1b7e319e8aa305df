//! Telling other CPUs that translations have changed.
//!
//! Each CPU has a counter of flushes wanted and one of flushes done; nobody holds a lock, and whoever waits does what is wanted
//! of itself meanwhile. So two CPUs that wait for each other get on, and so does one that waits for a lock whose holder waits
//! here (the lock polls too, see sync.rs). The kernel does not use user translations at all, so flushing late is harmless there.

use crate::x86::apic;
use crate::x86::cpu::{MAX_CPUS, local};
use crate::x86::paging::PAGE;
use crate::x86::traps::vectors;
use core::arch::asm;
use core::sync::atomic::Ordering;

/// Forgets all translations of this CPU that are not global: those of user space.
fn flush_here() {
    // SAFETY: writes back what is there.
    unsafe { asm!("mov {0}, cr3", "mov cr3, {0}", out(reg) _, options(nostack, preserves_flags)) };
}

/// Does what others want of this CPU.
#[cold]
pub fn poll() {
    local::this().flushes.serve(flush_here);
}

/// Most pages that are forgotten one by one.
const FEW: usize = 32;

/// Forgets what this CPU knows of `pages` pages from `va` on, and of all tables that lead anywhere (Intel SDM vol. 3, 4.10.4.1).
#[inline]
fn forget_here(va: u64, pages: usize) {
    if pages > FEW {
        return flush_here();
    }
    for n in 0..pages as u64 {
        // SAFETY: forgets a translation of user space, which the kernel does not use.
        unsafe { asm!("invlpg [{}]", in(reg) va + n * PAGE, options(nostack, preserves_flags)) };
    }
}

/// Makes the CPUs whose bits are set forget `pages` pages from `va` on, and returns when all have.
#[inline]
pub fn on(cpus: u64, va: u64, pages: usize) {
    let own = local::this().bit.get();
    if cpus & own != 0 {
        forget_here(va, pages);
    }
    if cpus & !own != 0 {
        shoot_down(cpus & !own);
    }
}

/// Flushes other CPUs. They forget everything: who is interrupted for it has paid more already.
#[cold]
#[inline(never)]
fn shoot_down(cpus: u64) {
    let others = (0..MAX_CPUS).filter(|cpu| cpus >> cpu & 1 != 0);
    let mut tickets = [0; MAX_CPUS];
    for cpu in others.clone() {
        if let Some(local) = local::of(cpu) {
            tickets[cpu] = local.flushes.ask();
            apic::send(local.apic_id.load(Ordering::Relaxed), vectors::FLUSH);
        }
    }
    for cpu in others {
        let Some(local) = local::of(cpu) else { continue };
        while !local.flushes.has_done(tickets[cpu]) {
            poll();
            core::hint::spin_loop();
        }
    }
}
