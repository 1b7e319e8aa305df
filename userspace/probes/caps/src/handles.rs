//! `ProcessSpawner` and `ProcessHandle`.

use crate::Setup;
use probe::child::Program;
use probe::{Limits, Nursery, Report};
use rt::generated::ProcessHandleClient;
use rt::schema::process_handle::ExitReason;
use rt::{CallError, ExceptionCode, TransportError};

pub fn all(setup: &Setup) -> Result<(), CallError> {
    let program = setup.nursery.program("probe-spawn")?;
    limits(&setup.report, &setup.nursery, &program);
    life(setup, &program)?;
    never_started(setup, &program)
}

fn limits(report: &Report, nursery: &Nursery, program: &Program) {
    let create = |limits: Limits, size: u64, name: &str| -> Result<ProcessHandleClient, CallError> {
        nursery.spawner().create_blocking(&program.object, limits.params(size, name))
    };
    let with = |limits| create(limits, program.size, "x");
    let (small, size) = (Limits::SMALL, program.size);
    let exhausted = ExceptionCode::BudgetExhausted;
    report.fails("more memory than we have", with(Limits { memory_pages: u32::MAX, ..small }), exhausted);
    report.fails("more slots than we have", with(Limits { cap_slots: 60_000, ..small }), exhausted);
    report.fails("more threads than we have", with(Limits { threads: 100_000, ..small }), exhausted);
    report.fails("more log than we have", with(Limits { log_bytes: u32::MAX, ..small }), exhausted);
    report.fails("too little memory for the program", with(Limits { memory_pages: 3, ..small }), exhausted);
    report.fails("too few slots for itself", with(Limits { cap_slots: 2, ..small }), exhausted);
    let invalid = ExceptionCode::InvalidArgument;
    report.fails("more slots than there are", with(Limits { cap_slots: 1 << 20, ..small }), invalid);
    report.fails("a priority that does not exist", with(Limits { priority: 32, ..small }), invalid);
    report.fails("a priority above ours", with(Limits { priority: 31, ..small }), ExceptionCode::Denied);
    report.fails("a name too long", create(small, size, "0123456789012345678901234567890123456789"), invalid);
    report.check("a program longer than its object", create(small, 1 << 40, "x").is_err(), "refused");
    report.check("a program of no bytes", create(small, 0, "x").is_err(), "refused");
}

fn life(setup: &Setup, program: &Program) -> Result<(), CallError> {
    let report = &setup.report;
    let child = setup.nursery.child(program, &Limits::SMALL, "life")?.arg("7").unstarted();
    let info = child.info_blocking()?;
    report.equal("made, not started", (info.started, info.ended), (false, false));
    report.equal("the first grant's slot", child.grant_blocking(setup.audit.timer())?, 0);
    report.equal("the second grant's slot", child.grant_blocking(setup.audit.timer())?, 1);
    report.works("start", child.start_blocking(&[]));
    report.equal("it ends by itself", child.wait_blocking()?.reason, ExitReason::Exited);
    report.equal("its end can be asked for again", child.wait_blocking()?.reason, ExitReason::Exited);
    let info = child.info_blocking()?;
    report.equal("it is known as ended", (info.started, info.ended), (true, true));
    let late = ExceptionCode::WrongState;
    report.fails("start again", child.start_blocking(&[]), late);
    report.fails("grant when it has ended", child.grant_blocking(setup.audit.timer()), late);
    report.fails(
        "the crash record of one that did not crash",
        child.crash_blocking(),
        ExceptionCode::NotFound,
    );
    report.works("kill when it has ended", child.kill_blocking());
    report.equal("and it still has ended by itself", child.wait_blocking()?.reason, ExitReason::Exited);
    let gone = setup.audit.system().process_blocking(info.id);
    report.check("the system forgets it", gone.map_or(true, |found| found.id != info.id), "looked up by id");
    Ok(())
}

fn never_started(setup: &Setup, program: &Program) -> Result<(), CallError> {
    let report = &setup.report;
    let child = setup.nursery.child(program, &Limits::SMALL, "idle")?.unstarted();
    report.works("kill before start", child.kill_blocking());
    report.equal("it was killed", child.wait_blocking()?.reason, ExitReason::Killed);
    report.fails("start after kill", child.start_blocking(&[]), ExceptionCode::WrongState);

    let limits = Limits { cap_slots: 5, ..Limits::SMALL };
    let child = setup.nursery.child(program, &limits, "full")?.unstarted();
    for _ in 0..2 {
        child.grant_blocking(setup.audit.timer())?;
    }
    let full = child.grant_blocking(setup.audit.timer());
    report.fails("a grant too many", full, TransportError::PeerBudgetExhausted);
    // Dropped without start: the last handle takes it along, as the audit sees.
    Ok(())
}
