//! D5: one instruction at a time.

use crate::Setup;
use crate::debuggee::{LAST, ORDER, address_of};
use crate::stops::{general, stop_in_loop, wait_until};
use probe::factory;
use rt::schema::process_debug::{StopCause, ThreadState};
use rt::{CallError, exhibit};

pub(crate) fn all(setup: &Setup) -> Result<(), CallError> {
    instructions(setup)?;
    system_calls(setup)
}

fn instructions(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=spin")?;
    let start = exhibit::spin_loop();
    let mut event = stop_in_loop(setup, &target)?;
    let mut at = exhibit::LOOP.iter().position(|offset| start + offset == event.rip).unwrap_or(0);
    for _ in 0..12 {
        event = target.go(event.thread, true, None)?;
        at = (at + 1) % exhibit::LOOP.len();
        let wanted = (StopCause::Step, start + exhibit::LOOP.get(at).copied().unwrap_or(0));
        report.equal("D5 a step is one instruction", (event.cause, event.rip), wanted);
    }
    report.equal("D5 and changes what that changes", general(&event), exhibit::REGISTERS);
    report.equal("D5 the trap flag is the kernel's", event.rflags & 0x100, 0);
    target.debug.resume_blocking(event.thread, false, false, 0)?;
    setup.audit.pause(5_000_000);
    let running = target.debug.thread_blocking(0)?.state;
    report.equal("D5 without a step it goes on", running, ThreadState::Running);
    target.handle.kill_blocking()
}

/// Steps through a program that makes system calls and waits in one.
fn system_calls(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let event = factory().create_notification_blocking()?;
    let signal = event.mint_blocking(1, 0)?;
    let target = setup.target_with("--role=event", Some(event))?;
    wait_until(setup, || Ok(target.debug.thread_blocking(0)?.state == ThreadState::Waiting))?;
    let mut stop = target.halt()?;
    signal.signal_blocking()?;
    signal.signal_blocking()?;
    let mut steps = 0u64;
    while target.number(address_of(&LAST))? < 1 && steps < 20_000 {
        stop = target.go(stop.thread, true, None)?;
        steps += u64::from(stop.cause == StopCause::Step);
    }
    report.check("D5 out of a system call step by step", (4..20_000).contains(&steps), steps);
    // On into the next wait: the step ends when somebody ends that.
    let mut waiting = false;
    while !waiting && steps < 40_000 {
        target.debug.resume_blocking(stop.thread, true, false, 0)?;
        wait_until(setup, || Ok(target.debug.thread_blocking(0)?.state != ThreadState::Running))?;
        waiting = target.debug.thread_blocking(0)?.state == ThreadState::Waiting;
        if !waiting {
            stop = target.debug.wait_blocking()?;
        }
        steps += 1;
    }
    report.check("D5 and into the next", waiting, steps);
    signal.signal_blocking()?;
    let stop = target.debug.wait_blocking()?;
    setup.stopped("D5 a step over a system call ends behind it", &stop, StopCause::Step);
    target.debug.write_blocking(address_of(&ORDER), &1u64.to_le_bytes())?;
    target.handle.kill_blocking()
}
