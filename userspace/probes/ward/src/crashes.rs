//! Crash records: of the last four faults, also when the supervisor that kept them is dead.

use crate::Ward;
use alloc::vec::Vec;
use capos_restart::{Crash, Event, Last};
use rt::abi::Op;
use rt::schema::process_handle::{ExitReason, TraceKind};
use rt::schema::timer;
use rt::{CallError, ExceptionCode};

/// How often the last thing that an instance did before its fault was to ask for the time, and whether each of these calls was answered.
fn questions(last: &Last) -> (u32, bool) {
    let kinds = |event: &Event| TraceKind::from_wire(event.kind.into()).unwrap_or_default();
    let before = last.events.iter().rev().skip_while(|event| kinds(event) != TraceKind::Faulted).skip(1);
    let (mut count, mut answered, mut all) = (0, false, true);
    for event in before {
        match kinds(event) {
            TraceKind::Completed => answered = event.second > 0,
            TraceKind::Submitted if (event.first, event.method) == (timer::INTERFACE_ID, timer::NOW) => {
                count += 1;
                all &= core::mem::take(&mut answered) && event.operation == Op::Call as u8;
            }
            _ => break,
        }
    }
    (count, all)
}

/// What a trace ends with.
fn ends(last: &Last) -> Vec<Option<TraceKind>> {
    last.events.iter().rev().take(3).map(|event| TraceKind::from_wire(event.kind.into()).ok()).collect()
}

/// What the last instance that ended did last.
async fn before(ward: &Ward) -> Result<Last, CallError> {
    let mut last = Last::default();
    let mut cursor = 0;
    loop {
        match ward.services.trace(cursor, "patient", true).await {
            Ok(it) => {
                (last.epoch, cursor) = (it.epoch, it.next);
                last.lost += it.lost;
                last.add(Event {
                    time_ns: it.time_ns,
                    thread: it.thread as u32,
                    kind: it.kind as u8,
                    operation: it.operation,
                    method: it.method,
                    first: it.first,
                    second: it.second,
                });
            }
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(last),
            Err(error) if error.is_disconnect() => {}
            Err(error) => return Err(error),
        }
    }
}

/// Six faults.
pub async fn all(ward: &Ward) -> Result<(), CallError> {
    let patient = ward.patient()?;
    let none = ward.services.crash(0, "patient").await;
    ward.report.fails("who never crashed has no record", none, ExceptionCode::NotFound);
    for epoch in 1..=6 {
        let line = ward.runs("the patient runs", "patient", epoch).await?;
        ward.suffer(&patient, "fault").await;
        ward.runs("and again after a fault", "patient", epoch + 1).await?;
        let crash = ward.services.crash(0, "patient").await?;
        ward.equal(
            "the record tells which instance it was",
            (crash.epoch, crash.process),
            (epoch, line.process),
        );
        ward.equal("and which program", crash.program.as_str(), "probe-patient");
        let Some(record) = Crash::decode(&crash.record) else {
            ward.equal("a record can be read", false, true);
            continue;
        };
        ward.equal("a page fault", (record.vector, record.address), (14, 0));
        ward.equal("at an instruction of the program", record.rip() > 0x1000, true);
        ward.equal("with return addresses", record.backtrace.len() > 2, true);
        ward.equal("it is told what it did last", questions(&record.last), (epoch, true));
        let fault = record.last.events.iter().find(|event| event.kind == TraceKind::Faulted as u8);
        ward.equal("then the fault, where it was", fault.map(|it| it.first), Some(record.rip()));
        let wanted = [TraceKind::ThreadEnded, TraceKind::Ending, TraceKind::Faulted].map(Some);
        ward.equal("and the end", ends(&record.last).as_slice(), wanted.as_slice());
        let before = before(ward).await?;
        let same = before.events == record.last.events && before.lost == record.last.lost;
        ward.equal("the trace of the last instance is the same", (before.epoch, same), (epoch, true));
    }
    killed(ward).await?;
    if let Err(error) = ward.services.kill("supervisor").await
        && !error.is_disconnect()
    {
        return Err(error);
    }
    for index in 0..4 {
        let crash = loop {
            match ward.services.crash(index, "patient").await {
                Err(error) if error.is_disconnect() => {}
                result => break result?,
            }
        };
        ward.equal("the last four outlive the supervisor, latest first", crash.epoch, 6 - index);
    }
    let older = ward.services.crash(4, "patient").await;
    ward.report.fails("older ones are forgotten", older, ExceptionCode::NotFound);
    let nobody = ward.services.crash(0, "nobody").await;
    ward.report.fails("nobody left nothing", nobody, ExceptionCode::NotFound);
    Ok(())
}

/// Who is killed leaves no crash record, and what it did last all the same: it waited for calls.
async fn killed(ward: &Ward) -> Result<(), CallError> {
    ward.services.kill("patient").await?;
    ward.runs("and again after a kill", "patient", 8).await?;
    let last = before(ward).await?;
    let ending = last.events.iter().find(|event| event.kind == TraceKind::Ending as u8);
    ward.equal("who was killed is told so", ending.map(|it| it.first), Some(ExitReason::Killed as u64));
    let waits = |event: &Event| {
        event.kind == TraceKind::Submitted as u8
            && [Op::Recv as u8, Op::ReturnRecv as u8].contains(&event.operation)
    };
    let ends = |event: &Event| event.kind == TraceKind::Completed as u8;
    let next = last.events.iter().skip(1);
    let pending = last.events.iter().zip(next).filter(|(event, next)| waits(event) && !ends(next));
    ward.equal("and waited for a call", pending.count() > 0, true);
    Ok(())
}
