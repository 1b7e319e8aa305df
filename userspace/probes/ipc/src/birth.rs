//! What a process finds when it begins, and system calls that are none.

use crate::Setup;
use rt::abi::layout::{STACK_PAGES, STACK_TOP};
use rt::abi::{CapId, PAGE_SIZE};
use rt::schema::virtual_memory::Protection;
use rt::{TransportError, sys, threads};

/// All cases; gives how many clauses were checked.
pub fn all(setup: &Setup) -> usize {
    let report = &setup.report;
    let unknown = i64::from(TransportError::UnknownOp.code());
    report.equal("A3 a system call that is none", sys::unknown(2), unknown);
    report.equal("A3 nor is a large number", sys::unknown(u64::MAX), unknown);
    let local = 0u8;
    let deep = STACK_TOP.saturating_sub(core::ptr::from_ref(&local).addr() as u64);
    let inside = deep > 0 && deep <= (STACK_PAGES * PAGE_SIZE) as u64;
    report.check("P1 the first stack lies where it should", inside, deep);
    let memory = threads::memory();
    let guard = STACK_TOP - ((STACK_PAGES + 1) * PAGE_SIZE) as u64;
    let below = memory.protect_blocking(guard, PAGE_SIZE as u64, Protection::Read);
    report.check("P1 and nothing below it", below.is_err(), format_args!("{below:?}"));
    let own = [memory.cap().id(), CapId::SELF_THREADS, probe::factory().cap().id()];
    report.equal(
        "P2 its own three are the first",
        own.map(|id| (id.index(), id.generation())),
        [(0, 1), (1, 1), (2, 1)],
    );
    let clock = setup.audit.timer().cap().id();
    let granted = (clock.index() >= CapId::FIRST_GRANT, clock.generation());
    report.equal("P2 grants come behind", granted, (true, 1));
    6
}
