//! Capability tables: what a process holds, and that it holds nothing else.

use crate::Setup;
use core::mem::ManuallyDrop;
use probe::Limits;
use rt::generated::{MemoryObjectClient, TimerClient, VirtualMemoryClient};
use rt::threads::memory;
use rt::{CallError, Cap, CapId, Client, Env, ExceptionCode, TransportError};

/// Slots that the child tries.
const SLOTS: u32 = 64;
/// What the child answers when it holds exactly its three self capabilities and its grants.
const GRANTS: usize = 2;

/// An id as a client that is never released.
fn ghost<C: Client>(id: CapId) -> ManuallyDrop<C> {
    ManuallyDrop::new(C::from(Cap::from_id(id)))
}

/// A child that tries every slot with every generation near by; its exit code is how many name something, times 100, plus how
/// many of those are its timer.
pub fn held(env: &Env) -> i64 {
    let mut found = 0;
    for slot in 0..SLOTS {
        for generation in 0..4 {
            let timer = ghost::<TimerClient>(CapId::new(slot, generation));
            match timer.now_blocking() {
                Ok(_) => found += 101,
                Err(CallError::Transport(TransportError::InvalidCap)) => {}
                Err(_) => found += 100,
            }
        }
    }
    // What the startup block names is what the kernel gave.
    if env.granted().count() == GRANTS { found } else { -1 }
}

pub fn all(setup: &Setup) -> Result<(), CallError> {
    only_what_was_granted(setup)?;
    stale(setup)?;
    wrong(setup)
}

fn only_what_was_granted(setup: &Setup) -> Result<(), CallError> {
    let program = setup.nursery.program("probe-caps")?;
    let limits = Limits { cap_slots: SLOTS, ..Limits::SMALL };
    let child = setup.nursery.child(&program, &limits, "held")?.arg("--role=held");
    let child = child.lend("timer", setup.audit.timer())?.lend("entropy", &setup.entropy)?.start()?;
    let end = child.wait_blocking()?;
    setup.report.equal("a child holds its own three and what it was granted", end.code, 501);
    Ok(())
}

fn stale(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let object = memory().create_object_blocking(4096)?;
    let first = object.cap().id();
    drop(object);
    let second = memory().create_object_blocking(4096)?;
    let old = ghost::<MemoryObjectClient>(first);
    report.fails("an id after its release", old.info_blocking(), TransportError::InvalidCap);
    let id = second.cap().id();
    for (name, near) in [
        ("the next generation", CapId::new(id.index(), id.generation() + 1)),
        ("the last generation", CapId::new(id.index(), id.generation().wrapping_sub(1))),
        ("the null id", CapId::NULL),
    ] {
        let near = ghost::<MemoryObjectClient>(near);
        report.fails(name, near.info_blocking(), TransportError::InvalidCap);
    }
    report.works("the id itself", second.info_blocking());
    Ok(())
}

/// The interface is the permission: an object answers to its own only.
fn wrong(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let timer = setup.audit.timer().cap().id();
    let as_memory = ghost::<VirtualMemoryClient>(timer);
    report.fails("a timer is no memory", as_memory.reserve_blocking(4096), TransportError::WrongInterface);
    let as_timer = ghost::<TimerClient>(CapId::SELF_MEMORY);
    report.fails("memory is no timer", as_timer.now_blocking(), TransportError::WrongInterface);
    let map = |protection| {
        // A timer where a memory object belongs.
        let stranger = ghost::<MemoryObjectClient>(timer);
        memory().map_blocking(&*stranger, 0, 4096, protection)
    };
    let found = map(rt::schema::virtual_memory::Protection::Read);
    report.fails("a capability of the wrong kind as a parameter", found, ExceptionCode::InvalidArgument);
    let nothing = ghost::<MemoryObjectClient>(CapId::NULL);
    let found = memory().map_blocking(&*nothing, 0, 4096, rt::schema::virtual_memory::Protection::Read);
    report.fails("no capability as a parameter", found, TransportError::InvalidCap);
    Ok(())
}
