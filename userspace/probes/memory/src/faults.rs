//! What is forbidden ends the process that does it, with a record that says where; its parent sees it.

use crate::Setup;
use crate::translations::{WAYS, lose_a_page_in_use};
use alloc::format;
use probe::{Fields, Limits};
use rt::CallError;
use rt::abi::PAGE_SIZE;
use rt::region::Region;
use rt::schema::process_handle::ExitReason;
use rt::schema::virtual_memory::Protection;
use rt::sys;

const PAGE: u64 = PAGE_SIZE as u64;
/// The processor's number of a page fault.
const PAGE_FAULT: i64 = 14;

/// Ways to die, and whether a write does it.
const ROLES: [(&str, bool); 5] =
    [("reserved", false), ("none", false), ("read-only", true), ("execute", true), ("unmapped", false)];

/// Programs of `probe-fault` and the exception that each ends with.
const MISDEEDS: [(&str, u32); 11] = [
    ("read-null", 14),
    ("read-kernel", 14),
    ("read-noncanonical", 13),
    ("write-text", 14),
    ("execute-data", 14),
    ("cli", 13),
    ("hlt", 13),
    ("out", 13),
    ("undefined", 6),
    ("divide", 0),
    ("stack", 14),
];

/// How long a processor with a stale translation may go on before that counts: long, since the host may let it wait.
const STALE_NS: u64 = 2_000_000_000;

/// A child that does one forbidden thing. Does not return if the kernel is right.
pub fn die(role: &str, delay: u64) -> i64 {
    let done = if WAYS.contains(&role) { lose_a_page_in_use(role, delay) } else { touch(role) };
    if done.is_ok() {
        // Still here: whoever lost its page goes on with it. It gets some time to find out.
        sys::cap_enter(u64::from(u32::MAX), STALE_NS);
    }
    match done {
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
    let limits = Limits { memory_pages: 1400, ..Limits::threads(2) };
    for (role, write) in ROLES {
        let arg = format!("--role={role}");
        let child = setup.nursery.child(&program, &limits, role)?.arg(&arg).start()?;
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
    misdeeds(setup)
}

/// What a program must not do at all, whatever it holds.
fn misdeeds(setup: &Setup) -> Result<(), CallError> {
    let program = setup.nursery.program("probe-fault")?;
    for (name, vector) in MISDEEDS {
        let child = setup.nursery.child(&program, &Limits::SMALL, name)?.arg(name).start()?;
        let end = child.wait_blocking()?;
        let faulted = end.reason == ExitReason::Faulted && end.code == i64::from(vector);
        setup.report.event("misdeed.seen", Fields::new().text("kind", name).value("killed", faulted));
    }
    Ok(())
}
