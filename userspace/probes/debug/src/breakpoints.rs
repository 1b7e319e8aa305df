//! D7: breakpoints.

use crate::debuggee::{LAST, ORDER, address_of, marker_address};
use crate::{Setup, Target};
use rt::schema::process_debug::{BreakAction, BreakKind, SetBreakpointParams, StopCause};
use rt::schema::process_handle::ExitReason;
use rt::{CallError, ExceptionCode};

/// At the function that the debuggee calls with 1, 2, 3 ...
pub(crate) fn at_marker(hits: u32) -> SetBreakpointParams {
    SetBreakpointParams { length: 1, hits, address: marker_address(), ..SetBreakpointParams::default() }
}

pub(crate) fn all(setup: &Setup) -> Result<(), CallError> {
    executed(setup)?;
    written(setup)?;
    actions(setup)?;
    refused(setup)
}

/// A debuggee that has not called the function yet cannot be had: it counts from where it is stopped.
fn stopped_counter(setup: &Setup) -> Result<(Target, u64), CallError> {
    let target = setup.target("--role=count")?;
    let thread = target.halt()?.thread;
    Ok((target, thread))
}

fn executed(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let (target, thread) = stopped_counter(setup)?;
    target.debug.set_breakpoint_blocking(at_marker(1))?;
    let first = target.go(thread, false, None)?;
    setup.stopped("D7 a breakpoint stops", &first, StopCause::Breakpoint);
    report.equal("D7 before its instruction", first.rip, marker_address());
    let next = target.go(thread, false, None)?;
    report.equal("D7 the next time is the next call", next.rdi, first.rdi + 1);
    report.equal("D7 the instruction was executed", target.number(address_of(&LAST))?, first.rdi);
    report.equal("D7 hits are counted", target.debug.clear_breakpoint_blocking(0)?, 2);
    let third = SetBreakpointParams { slot: 3, thread, ..at_marker(5) };
    target.debug.set_breakpoint_blocking(third)?;
    // The call that it stands before is the first hit.
    target.debug.resume_blocking(thread, true, false, 0)?;
    target.debug.wait_blocking()?;
    let fifth = target.go(thread, false, None)?;
    report.equal("D7 the nth hit", (fifth.cause, fifth.breakpoint), (StopCause::Breakpoint, 3));
    let tenth = target.go(thread, false, None)?;
    report.equal("D7 and the nth after that", tenth.rdi, fifth.rdi + 5);
    let other = SetBreakpointParams { slot: 3, thread: thread + 1_000, ..at_marker(1) };
    target.debug.set_breakpoint_blocking(other)?;
    target.debug.resume_blocking(thread, false, false, 0)?;
    setup.audit.pause(5_000_000);
    report.equal("D7 another thread's does not stop", target.debug.clear_breakpoint_blocking(3)?, 0);
    target.handle.kill_blocking()
}

fn written(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let (target, thread) = stopped_counter(setup)?;
    let last = address_of(&LAST);
    let (length, hits) = (8, 3);
    let write =
        SetBreakpointParams { slot: 1, kind: BreakKind::Write, length, hits, address: last, ..at_marker(1) };
    let before = target.number(last)?;
    target.debug.set_breakpoint_blocking(write)?;
    let event = target.go(thread, false, None)?;
    report.equal("D7 a write is seen", (event.cause, event.breakpoint), (StopCause::Breakpoint, 1));
    report.equal("D7 after it was done, the third time", target.number(last)?, before + 3);
    target.debug.clear_breakpoint_blocking(1)?;
    let address = address_of(&ORDER);
    let read = SetBreakpointParams { slot: 2, kind: BreakKind::Access, hits: 1, address, ..write };
    target.debug.set_breakpoint_blocking(read)?;
    let event = target.go(thread, false, None)?;
    report.equal("D7 a read is seen", (event.cause, event.breakpoint), (StopCause::Breakpoint, 2));
    let only = SetBreakpointParams { kind: BreakKind::Write, ..read };
    target.debug.set_breakpoint_blocking(only)?;
    target.debug.resume_blocking(thread, false, false, 0)?;
    setup.audit.pause(5_000_000);
    report.equal("D7 a read is no write", target.debug.clear_breakpoint_blocking(2)?, 0);
    target.handle.kill_blocking()
}

fn actions(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let (target, thread) = stopped_counter(setup)?;
    let fault = SetBreakpointParams { action: BreakAction::Fault, vector: 13, ..at_marker(4) };
    target.debug.set_breakpoint_blocking(fault)?;
    let end = target.go(thread, false, None)?;
    setup.stopped("D7 a fault injected at the nth hit ends it", &end, StopCause::Ended);
    let how = target.handle.wait_blocking()?;
    report.equal("D7 as a fault", (how.reason, how.code), (ExitReason::Faulted, 13));
    let crash = target.handle.crash_blocking()?;
    report.equal("D7 with a record of the place", (crash.vector, crash.rip), (13, marker_address()));
    let (target, _) = stopped_counter(setup)?;
    target
        .debug
        .set_breakpoint_blocking(SetBreakpointParams { action: BreakAction::Kill, ..at_marker(2) })?;
    target.debug.resume_blocking(0, false, false, 0)?;
    report.equal("D7 a kill at the nth hit", target.handle.wait_blocking()?.reason, ExitReason::Killed);
    Ok(())
}

fn refused(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let (target, _) = stopped_counter(setup)?;
    let good =
        SetBreakpointParams { kind: BreakKind::Write, length: 8, address: address_of(&LAST), ..at_marker(1) };
    let bad = [
        SetBreakpointParams { slot: 4, ..good },
        SetBreakpointParams { length: 3, ..good },
        SetBreakpointParams { length: 0, ..good },
        SetBreakpointParams { address: good.address + 1, ..good },
        SetBreakpointParams { hits: 0, ..good },
        SetBreakpointParams { vector: 32, ..good },
        SetBreakpointParams { kind: BreakKind::Execute, ..good },
        SetBreakpointParams { address: 0xffff_ffff_8000_0000, ..good },
        SetBreakpointParams { address: rt::abi::layout::USER_MAX, ..good },
        SetBreakpointParams { address: u64::MAX - 7, ..good },
        SetBreakpointParams { address: 0, ..good },
    ];
    for params in bad {
        let refused = target.debug.set_breakpoint_blocking(params);
        report.fails("D7 an impossible breakpoint", refused, ExceptionCode::InvalidArgument);
    }
    report.fails("D7 none to clear", target.debug.clear_breakpoint_blocking(0), ExceptionCode::NotFound);
    report.fails("D7 no such slot", target.debug.clear_breakpoint_blocking(9), ExceptionCode::NotFound);
    target.handle.kill_blocking()
}
