//! D1 and D8: the end of the debugger, and of what it debugs.

use crate::Setup;
use crate::breakpoints::at_marker;
use crate::debuggee::{LAST, ORDER, address_of};
use crate::stops::wait_until;
use rt::schema::process_debug::StopCause;
use rt::schema::process_handle::ExitReason;
use rt::{CallError, ExceptionCode, TransportError};

pub(crate) fn all(setup: &Setup) -> Result<(), CallError> {
    debugger_goes(setup)?;
    handle_is_taken_back(setup)?;
    killed_while_stopped(setup)?;
    injected(setup)
}

fn debugger_goes(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=count")?;
    let second = target.handle.debug_blocking().map(drop);
    report.fails("D1 one debugger at a time", second, ExceptionCode::WrongState);
    target.halt()?;
    target.debug.set_breakpoint_blocking(at_marker(1))?;
    let seen = target.number(address_of(&LAST))?;
    drop(target.debug);
    // Giving it up is an operation like others: the next call comes after it.
    let debug = target.handle.debug_blocking()?;
    let next = crate::Target { handle: target.handle, debug };
    wait_until(setup, || Ok(next.number(address_of(&LAST))? > seen))?;
    let goes_on = next.number(address_of(&LAST))? > seen;
    report.check("D1 without a debugger it goes on, and has no breakpoints", goes_on, "it counts");
    next.debug.write_blocking(address_of(&ORDER), &4u64.to_le_bytes())?;
    drop(next.debug);
    report.equal("D1 to its end", next.handle.wait_blocking()?.code, 4);
    report.fails("D1 nothing to debug", next.handle.debug_blocking().map(drop), ExceptionCode::WrongState);
    Ok(())
}

fn handle_is_taken_back(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=count")?;
    target.halt()?;
    let seen = target.number(address_of(&LAST))?;
    target.handle.cap().revoke_blocking()?;
    let gone = target.debug.thread_blocking(0).map(drop);
    report.fails("D1 it goes with the handle", gone, TransportError::InvalidCap);
    let next = crate::Target { debug: target.handle.debug_blocking()?, handle: target.handle };
    wait_until(setup, || Ok(next.number(address_of(&LAST))? > seen))?;
    report.check("D1 and what was stopped goes on", next.number(address_of(&LAST))? > seen, "it counts");
    next.handle.kill_blocking()
}

fn killed_while_stopped(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=spin")?;
    let stop = target.halt()?;
    target.handle.kill_blocking()?;
    report.equal(
        "D8 a stopped process can be killed",
        target.handle.wait_blocking()?.reason,
        ExitReason::Killed,
    );
    setup.stopped("D8 its debugger hears of it", &target.debug.wait_blocking()?, StopCause::Ended);
    let gone = ExceptionCode::NotFound;
    report.fails("D8 no thread is left", target.debug.thread_blocking(0), gone);
    report.fails("D8 none to stop", target.debug.stop_blocking(stop.thread), gone);
    report.fails("D8 none to let go", target.debug.resume_blocking(stop.thread, false, false, 0), gone);
    report.fails("D8 no registers", target.debug.registers_blocking(stop.thread), gone);
    report.fails("D8 no memory", target.debug.read_blocking(address_of(&LAST), 8), gone);
    report.fails("D8 none to change", target.debug.write_blocking(address_of(&LAST), &[0; 8]), gone);
    report.fails("D8 nobody to harm", target.debug.inject_blocking(stop.thread, 6), gone);
    Ok(())
}

fn injected(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=spin")?;
    let stop = crate::stops::stop_in_loop(setup, &target)?;
    let refused = target.debug.inject_blocking(stop.thread, 32);
    report.fails("D8 no such exception", refused, ExceptionCode::InvalidArgument);
    target.debug.inject_blocking(stop.thread, 17)?;
    let how = target.handle.wait_blocking()?;
    report.equal("D8 a fault can be injected", (how.reason, how.code), (ExitReason::Faulted, 17));
    let crash = target.handle.crash_blocking()?;
    report.equal("D8 with a crash record", (crash.vector, crash.rip, crash.r15), (17, stop.rip, stop.r15));
    Ok(())
}
