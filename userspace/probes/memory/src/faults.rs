//! What is forbidden ends the process that does it, with a record that says where; its parent sees it.

use crate::Setup;
use probe::{Fields, Limits};
use rt::CallError;
use rt::abi::PAGE_SIZE;
use rt::region::Region;
use rt::schema::process_handle::ExitReason;
use rt::schema::virtual_memory::Protection;

const PAGE: u64 = PAGE_SIZE as u64;
/// The processor's number of a page fault.
const PAGE_FAULT: i64 = 14;

/// Ways to die, and whether a write does it.
const ROLES: [(&str, bool); 5] =
    [("reserved", false), ("none", false), ("read-only", true), ("execute", true), ("unmapped", false)];

/// A child that does one forbidden thing. Does not return if the kernel is right.
pub fn die(role: &str) -> i64 {
    match touch(role) {
        Ok(()) => 1,
        Err(_) => 2,
    }
}

fn touch(role: &str) -> Result<(), CallError> {
    let region = Region::reserve(2 * PAGE)?;
    let protection = match role {
        "none" => Some(Protection::None),
        "read-only" => Some(Protection::Read),
        "execute" => Some(Protection::ReadExecute),
        "unmapped" => Some(Protection::ReadWrite),
        _ => None,
    };
    if let Some(protection) = protection {
        region.commit(0, PAGE, protection)?;
    }
    if role == "unmapped" {
        region.store(0, 1);
        rt::threads::memory().unmap_blocking(region.address(), PAGE)?;
    }
    if ROLES.contains(&(role, true)) {
        region.store(0, 1);
    } else {
        core::hint::black_box(region.load(0));
    }
    Ok(())
}

/// Starts one child for each way to die.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    let program = setup.nursery.program("probe-memory")?;
    for (role, write) in ROLES {
        let mut arg = alloc::string::String::from("--role=");
        arg.push_str(role);
        let child = setup.nursery.child(&program, &Limits::SMALL, role)?.arg(&arg).start()?;
        let end = child.wait_blocking()?;
        let crash = child.crash_blocking();
        let (vector, wrote) = crash.map_or((0, false), |crash| (crash.vector, crash.error_code & 2 != 0));
        let faulted = end.reason == ExitReason::Faulted && end.code == PAGE_FAULT;
        let fields = Fields::new()
            .text("kind", role)
            .value("killed", faulted)
            .value("vector", vector)
            .value("as_expected", wrote == write);
        setup.report.event("fault.seen", fields);
    }
    Ok(())
}
