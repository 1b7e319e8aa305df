//! D9: the record of a fault.

use crate::Setup;
use crate::stops::stop_in_loop;
use probe::Limits;
use rt::schema::process_debug::SetRegistersParams;
use rt::schema::process_handle::{CrashLog, ExitReason, TraceKind};
use rt::{CallError, ExceptionCode, exhibit};

pub(crate) fn all(setup: &Setup) -> Result<(), CallError> {
    registers(setup)?;
    page_fault(setup)?;
    log_bytes(setup)
}

/// A program that spins with known registers is sent to where no code is, and left alone.
fn registers(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=spin")?;
    let stop = stop_in_loop(setup, &target)?;
    let before = target.debug.registers_blocking(stop.thread)?;
    let away = SetRegistersParams { rip: 0x123_4000, ..crate::stops::params(stop.thread, &before) };
    target.debug.set_registers_blocking(away)?;
    let none = target.handle.crash_blocking();
    report.fails("D9 no record before the end", none, ExceptionCode::NotFound);
    drop(target.debug);
    let end = target.handle.wait_blocking()?;
    report.equal(
        "D9 without a debugger a fault is the end",
        (end.reason, end.code),
        (ExitReason::Faulted, 14),
    );
    let it = target.handle.crash_blocking()?;
    report.equal("D9 cause", (it.vector, it.address, it.rip), (14, 0x123_4000, 0x123_4000));
    // An instruction fetch by user code of what is not there.
    report.equal("D9 the processor's word", it.error_code, 0x14);
    report.equal(
        "D9 thread and stack",
        (it.thread, it.rsp, it.fs_base),
        (stop.thread, before.rsp, before.fs_base),
    );
    let found = [
        it.rax, it.rbx, it.rcx, it.rdx, it.rsi, it.rdi, it.rbp, it.r8, it.r9, it.r10, it.r11, it.r12, it.r13,
        it.r14, it.r15,
    ];
    report.equal("D9 every register", found, exhibit::REGISTERS);
    report.equal("D9 flags", it.rflags & 0x202, 0x202);
    Ok(())
}

fn page_fault(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let program = setup.nursery.program("probe-fault")?;
    let child = setup.nursery.child(&program, &Limits::SMALL, "fault")?.arg("read-noncanonical");
    let handle = child.start()?;
    report.equal("D9 it faults", handle.wait_blocking()?.code, 13);
    let crash = handle.crash_blocking()?;
    report.check("D9 return addresses", crash.backtrace.len() >= 8, crash.backtrace.len());
    let mut cursor = 0;
    let mut last = [TraceKind::None; 2];
    while let Ok(record) = handle.trace_blocking(cursor) {
        if record.kind == TraceKind::Faulted {
            let found = (u32::from(record.method), record.first, record.thread);
            report.equal("D9 the trace tells of it", found, (crash.vector, crash.rip, crash.thread));
        }
        last = [last[1], record.kind];
        cursor = record.next;
    }
    report.equal("D9 and ends with the end", last, [TraceKind::Ending, TraceKind::ThreadEnded]);
    Ok(())
}

/// The log's line of a fault is paid for by who faults.
fn log_bytes(setup: &Setup) -> Result<(), CallError> {
    let program = setup.nursery.program("probe-fault")?;
    for (log_bytes, name, log) in
        [(4096, "rich", CrashLog::Whole), (75, "poor", CrashLog::Shortened), (0, "mute", CrashLog::Missing)]
    {
        let limits = Limits { log_bytes, ..Limits::SMALL };
        let handle = setup.nursery.child(&program, &limits, name)?.arg("read-noncanonical").start()?;
        handle.wait_blocking()?;
        let crash = handle.crash_blocking()?;
        setup.report.equal("D9 the log has what its bytes suffice for", crash.log, log);
        setup.report.equal("D9 and the record is whole", crash.vector, 13);
    }
    Ok(())
}
