//! D1 to D4: stopping and going on, registers, faults that are mended.

use crate::debuggee::{LAST, ORDER, address_of};
use crate::{Setup, Target};
use probe::factory;
use rt::abi::layout::USER_MAX;
use rt::schema::process_debug::{RegistersResults, SetRegistersParams, StopCause, ThreadState, WaitResults};
use rt::schema::process_handle::ExitReason;
use rt::{CallError, ExceptionCode, exhibit};

pub(crate) fn all(setup: &Setup) -> Result<(), CallError> {
    running(setup)?;
    asleep(setup)?;
    registers(setup)?;
    faults(setup)
}

/// The registers in the order of [`exhibit::REGISTERS`].
pub(crate) fn general(it: &WaitResults) -> [u64; 15] {
    [
        it.rax, it.rbx, it.rcx, it.rdx, it.rsi, it.rdi, it.rbp, it.r8, it.r9, it.r10, it.r11, it.r12, it.r13,
        it.r14, it.r15,
    ]
}

/// Waits until a program that spins has got to its loop, and stops it there.
pub(crate) fn stop_in_loop(setup: &Setup, target: &Target) -> Result<WaitResults, CallError> {
    let range = exhibit::spin_loop()..exhibit::spin_loop() + 5;
    for _ in 0..200 {
        let event = target.halt()?;
        if range.contains(&event.rip) {
            return Ok(event);
        }
        target.debug.resume_blocking(0, false, false, 0)?;
        setup.audit.pause(2_000_000);
    }
    setup.report.check("D2 a program that spins is found in its loop", false, "it never was");
    target.halt()
}

fn running(setup: &Setup) -> Result<(), CallError> {
    let target = setup.target("--role=spin")?;
    let report = &setup.report;
    let thread = target.thread()?;
    let event = stop_in_loop(setup, &target)?;
    setup.stopped("D2 a running thread stops where it is", &event, StopCause::Asked);
    report.equal("D2 its id is told", event.thread, thread);
    report.equal("D3 every register is told", general(&event), exhibit::REGISTERS);
    report.equal("D2 and its state", target.debug.thread_blocking(0)?.state, ThreadState::Stopped);
    let wrong = target.debug.registers_blocking(thread + 1_000_000);
    report.fails("D2 there is no such thread", wrong, ExceptionCode::NotFound);
    target.debug.resume_blocking(thread, false, false, 0)?;
    let now = target.debug.registers_blocking(thread);
    report.fails("D3 a running thread shows no registers", now, ExceptionCode::WrongState);
    target.handle.kill_blocking()
}

fn asleep(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let event = factory().create_notification_blocking()?;
    let signal = event.mint_blocking(1, 0)?;
    let target = setup.target_with("--role=event", Some(event))?;
    let last = || target.number(address_of(&LAST));
    wait_until(setup, || Ok(target.debug.thread_blocking(0)?.state == ThreadState::Waiting))?;
    let stop = target.halt()?;
    setup.stopped("D2 a thread that waits stops", &stop, StopCause::Asked);
    signal.signal_blocking()?;
    setup.audit.pause(5_000_000);
    report.equal("D2 what it waits for does not wake it", last()?, 0);
    target.debug.resume_blocking(0, false, false, 0)?;
    wait_until(setup, || Ok(last()? == 1))?;
    report.equal("D2 it is awake when it is let go", last()?, 1);
    let stop = target.halt()?;
    target.debug.resume_blocking(stop.thread, false, false, 0)?;
    signal.signal_blocking()?;
    wait_until(setup, || Ok(last()? == 2))?;
    report.equal("D2 a wait survives a stop", last()?, 2);
    target.handle.kill_blocking()
}

/// Waits, for a while, until `holds` does.
pub(crate) fn wait_until(
    setup: &Setup,
    holds: impl Fn() -> Result<bool, CallError>,
) -> Result<(), CallError> {
    for _ in 0..200 {
        if holds()? {
            break;
        }
        setup.audit.pause(2_000_000);
    }
    Ok(())
}

/// All registers as they are to be set.
pub(crate) fn params(thread: u64, it: &RegistersResults) -> SetRegistersParams {
    SetRegistersParams {
        thread,
        rip: it.rip,
        rsp: it.rsp,
        rflags: it.rflags,
        fs_base: it.fs_base,
        rax: it.rax,
        rbx: it.rbx,
        rcx: it.rcx,
        rdx: it.rdx,
        rsi: it.rsi,
        rdi: it.rdi,
        rbp: it.rbp,
        r8: it.r8,
        r9: it.r9,
        r10: it.r10,
        r11: it.r11,
        r12: it.r12,
        r13: it.r13,
        r14: it.r14,
        r15: it.r15,
    }
}

fn registers(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=spin")?;
    let thread = stop_in_loop(setup, &target)?.thread;
    let before = target.debug.registers_blocking(thread)?;
    let other = SetRegistersParams {
        rax: 0x1111_2222_3333_4444,
        r15: u64::MAX,
        fs_base: 0x1234_5000,
        // All but the trap flag: I/O privilege, interrupts off, virtual mode and whatever else there may be.
        rflags: !0x100,
        ..params(thread, &before)
    };
    target.debug.set_registers_blocking(other)?;
    target.debug.resume_blocking(thread, false, false, 0)?;
    setup.audit.pause(5_000_000);
    let after = target.halt()?;
    report.equal("D3 a register that was set is in force", (after.rax, after.r15), (other.rax, other.r15));
    report.equal("D3 FS base as well", after.fs_base, other.fs_base);
    report.equal("D3 the others are what they were", (after.rbx, after.r14), (before.rbx, before.r14));
    let forbidden = after.rflags & !0x25_0fd7;
    report.equal("D3 flags that are not the program's stay", (forbidden, after.rflags & 0x202), (0, 0x202));
    for (rip, fs_base) in [(USER_MAX, 0), (0xffff_ffff_8000_0000, 0), (1 << 63, 0), (before.rip, USER_MAX)] {
        let wrong = SetRegistersParams { rip, fs_base, ..params(thread, &before) };
        let refused = target.debug.set_registers_blocking(wrong);
        report.fails("D3 no address of the kernel", refused, ExceptionCode::InvalidArgument);
    }
    target.handle.kill_blocking()
}

fn faults(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=fault")?;
    target.debug.write_blocking(address_of(&ORDER), &1u64.to_le_bytes())?;
    let mut event = target.debug.wait_blocking()?;
    for round in 1..=3 {
        setup.stopped("D4 a fault stops the thread", &event, StopCause::Fault);
        report.equal("D4 with its exception", event.vector, 6);
        // UD2 has two bytes.
        event = target.go(event.thread, false, Some(event.rip + 2))?;
        report.equal("D4 and it goes on where it is told", target.number(address_of(&LAST))?, round);
    }
    target.debug.write_blocking(address_of(&ORDER), &2u64.to_le_bytes())?;
    let end = target.go(event.thread, false, Some(event.rip + 2))?;
    setup.stopped("D8 a debugger hears of the end", &end, StopCause::Ended);
    let how = target.handle.wait_blocking()?;
    report.equal("D4 nothing came of the faults", (how.reason, how.code), (ExitReason::Exited, 55));
    Ok(())
}
