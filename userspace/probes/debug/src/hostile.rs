//! A debugger that asks for what is not, and one that goes away at the wrong moment.

use crate::Setup;
use crate::debuggee::{LAST, address_of};
use rt::abi::layout::USER_MAX;
use rt::{CallError, ExceptionCode};

pub(crate) fn all(setup: &Setup) -> Result<(), CallError> {
    addresses(setup)?;
    threads(setup)?;
    midway(setup)
}

fn addresses(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=count")?;
    let nowhere = [
        0,
        1,
        0x1000,
        USER_MAX - 1,
        USER_MAX,
        0x0000_8000_0000_0000,
        0xffff_7fff_ffff_ffff,
        0xffff_8000_0000_0000,
        0xffff_ffff_8000_0000,
        u64::MAX - 8,
        u64::MAX,
    ];
    for address in nowhere {
        let read = target.debug.read_blocking(address, 9);
        report.fails("D6 nothing to read there", read, ExceptionCode::NotFound);
        let write = target.debug.write_blocking(address, &[1; 9]);
        report.fails("D6 nothing to write there", write, ExceptionCode::NotFound);
    }
    let seen = target.halt()?;
    let top = rt::abi::layout::STACK_TOP;
    let half = target.debug.write_blocking(top - 8, &[0xee; 16]);
    report.fails("D6 a write that leaves the stack", half, ExceptionCode::NotFound);
    let left = target.debug.read_blocking(top - 8, 8)?;
    report.check("D6 is none at all", left != [0xee; 8], "unchanged");
    let long = target.debug.read_blocking(seen.rsp, 4001);
    report.fails("D6 too much to read", long, ExceptionCode::InvalidArgument);
    report.equal("D6 nothing to read is nothing", target.debug.read_blocking(seen.rsp, 0)?.len(), 0);
    target.handle.kill_blocking()
}

fn threads(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=spin")?;
    let (none, state) = (ExceptionCode::NotFound, ExceptionCode::WrongState);
    let id = target.thread()?;
    report.fails("D2 it is not stopped", target.debug.resume_blocking(id, false, false, 0), state);
    for wrong in [u64::MAX, id - 1, id + 1_000_000] {
        report.fails("D2 no such thread to stop", target.debug.stop_blocking(wrong), none);
        report.fails("D2 none to let go", target.debug.resume_blocking(wrong, false, false, 0), none);
        report.fails("D8 none to harm", target.debug.inject_blocking(wrong, 6), none);
    }
    let all = target.debug.resume_blocking(0, true, false, 0);
    report.fails("D5 not all at once", all, ExceptionCode::InvalidArgument);
    let stop = target.halt()?;
    for rip in [USER_MAX, 1 << 63, 0xffff_ffff_8000_0000] {
        let away = target.debug.resume_blocking(stop.thread, false, true, rip);
        report.fails("D2 nowhere to go on", away, ExceptionCode::InvalidArgument);
    }
    target.debug.stop_blocking(0)?;
    target.debug.stop_blocking(stop.thread)?;
    target.debug.resume_blocking(0, false, false, 0)?;
    target.debug.resume_blocking(0, false, false, 0)?;
    report.fails("D2 it goes", target.debug.registers_blocking(stop.thread), state);
    target.handle.kill_blocking()
}

/// The debugger goes while it waits, while it steps, and with everything set.
fn midway(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=count")?;
    let stop = target.halt()?;
    target.debug.set_breakpoint_blocking(crate::breakpoints::at_marker(3))?;
    target.debug.resume_blocking(stop.thread, true, false, 0)?;
    drop(target.debug);
    let debug = target.handle.debug_blocking()?;
    let next = crate::Target { handle: target.handle, debug };
    let seen = next.number(address_of(&LAST))?;
    crate::stops::wait_until(setup, || Ok(next.number(address_of(&LAST))? > seen))?;
    report.check(
        "D1 a step that nobody waits for is none",
        next.number(address_of(&LAST))? > seen,
        "it counts",
    );
    // A wait whose debugger gives the right up while it waits ends.
    let ended = rt::block_on(async {
        let debug = &next.debug;
        let wait = debug.wait();
        let twice = async {
            let again = debug.wait().await;
            report.fails("D2 one wait at a time", again, ExceptionCode::WrongState);
            next.handle.kill().await
        };
        let mut wait = core::pin::pin!(wait);
        match rt::select(wait.as_mut(), twice).await {
            rt::Either::First(early) => early,
            rt::Either::Second(_) => wait.await,
        }
    })?;
    setup.stopped("D8 a wait ends with the process", &ended, rt::schema::process_debug::StopCause::Ended);
    let own = next.handle.debug_blocking().map(drop);
    report.fails("D1 nothing to debug any more", own, ExceptionCode::WrongState);
    Ok(())
}
