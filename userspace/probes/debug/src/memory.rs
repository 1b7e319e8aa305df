//! D6: memory.

use crate::debuggee::{LAST, ORDER, address_of, marker_address};
use crate::{Setup, debuggee};
use core::sync::atomic::Ordering;
use rt::schema::process_debug::StopCause;
use rt::schema::process_handle::ExitReason;
use rt::{CallError, ExceptionCode};

/// `ud2`.
const UNDEFINED: [u8; 2] = [0x0f, 0x0b];

pub(crate) fn all(setup: &Setup) -> Result<(), CallError> {
    data(setup)?;
    code(setup)
}

fn data(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=count")?;
    crate::stops::wait_until(setup, || Ok(target.number(address_of(&LAST))? > 100))?;
    let stop = target.halt()?;
    let seen = target.number(address_of(&LAST))?;
    setup.audit.pause(5_000_000);
    report.equal("D6 memory of a stopped process stands still", target.number(address_of(&LAST))?, seen);
    let stack = target.debug.read_blocking(stop.rsp, 64)?.len();
    report.equal("D6 its stack can be read", stack, 64);
    target.debug.write_blocking(address_of(&ORDER), &77u64.to_le_bytes())?;
    report.equal("D6 what is written is there", target.number(address_of(&ORDER))?, 77);
    report.equal("D6 and only there", ORDER.load(Ordering::Relaxed), 0);
    target.debug.resume_blocking(0, false, false, 0)?;
    let end = target.handle.wait_blocking()?;
    report.equal("D6 and the program sees it", (end.reason, end.code), (ExitReason::Exited, 77));
    Ok(())
}

/// Code is shared by all processes of a program: a change is one process's own.
fn code(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let (target, other) = (setup.target("--role=count")?, setup.target("--role=count")?);
    let here = marker_address();
    let pages = setup.audit.system().process_blocking(target.handle.info_blocking()?.id)?.pages;
    let before = target.debug.read_blocking(here, 2)?;
    // A thread that runs may see the first byte changed and the second not yet.
    let stop = target.halt()?;
    target.debug.write_blocking(here, &UNDEFINED)?;
    let event = target.go(stop.thread, false, None)?;
    setup.stopped("D6 code can be changed", &event, StopCause::Fault);
    report.equal("D6 the changed instruction is executed", (event.vector, event.rip), (6, here));
    let now = setup.audit.system().process_blocking(target.handle.info_blocking()?.id)?.pages;
    report.equal("D6 the copy is its own, at its expense", now, pages + 1);
    report.equal("D6 another process has the old code", other.debug.read_blocking(here, 2)?, before.clone());
    let seen = other.number(address_of(&LAST))?;
    crate::stops::wait_until(setup, || Ok(other.number(address_of(&LAST))? > seen))?;
    report.check("D6 and runs it", other.number(address_of(&LAST))? > seen, "it counts");
    debuggee::marker(5);
    report.equal("D6 so does the debugger", LAST.load(Ordering::Relaxed), 5);
    target.debug.write_blocking(here, &before)?;
    target.debug.resume_blocking(event.thread, false, false, 0)?;
    target.debug.write_blocking(address_of(&ORDER), &9u64.to_le_bytes())?;
    report.equal("D6 code can be changed back", target.handle.wait_blocking()?.code, 9);
    let beyond = other.debug.write_blocking(0x1000, &[1]);
    report.fails("D6 what is not there cannot be written", beyond, ExceptionCode::NotFound);
    other.handle.kill_blocking()
}
