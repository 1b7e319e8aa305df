//! D10: what a process did last.

use crate::Setup;
use crate::debuggee::{LAST, address_of};
use crate::stops::wait_until;
use alloc::vec::Vec;
use probe::factory;
use rt::generated::ProcessHandleClient;
use rt::schema::notification;
use rt::schema::process_handle::{TraceKind, TraceResults};
use rt::{CallError, ExceptionCode};

/// Records that are kept.
const KEPT: u64 = 128;

fn all_of(handle: &ProcessHandleClient) -> Vec<TraceResults> {
    let mut records: Vec<TraceResults> = Vec::new();
    while let Ok(record) = handle.trace_blocking(records.last().map_or(0, |last| last.next)) {
        records.push(record);
    }
    records
}

fn count(records: &[TraceResults], kind: TraceKind) -> usize {
    records.iter().filter(|record| record.kind == kind).count()
}

pub(crate) fn all(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let event = factory().create_notification_blocking()?;
    let signal = event.mint_blocking(1, 0)?;
    let target = setup.target_with("--role=event", Some(event))?;
    let mut expected = 0;
    let mut go = |rounds: u64| -> Result<(), CallError> {
        for _ in 0..rounds {
            expected += 1;
            signal.signal_blocking()?;
            wait_until(setup, || Ok(target.number(address_of(&LAST))? == expected))?;
        }
        Ok(())
    };
    go(3)?;
    let quiet = all_of(&target.handle);
    let kinds: Vec<TraceKind> = quiet.iter().map(|record| record.kind).collect();
    let usual = [TraceKind::Created, TraceKind::Granted, TraceKind::ThreadBegan];
    report.equal("D10 what happens seldom is recorded", kinds.get(..3), Some(usual.as_slice()));
    report.equal("D10 calls are not, unless asked", count(&quiet, TraceKind::Submitted), 0);
    target.debug.set_trace_blocking(true)?;
    go(4)?;
    let traced = all_of(&target.handle);
    let waits = traced.iter().filter(|it| {
        it.kind == TraceKind::Submitted
            && (it.method, it.first) == (notification::WAIT, notification::INTERFACE_ID)
    });
    // It was asleep when tracing began: its next call is the first.
    report.check("D10 then every call is", (3..=4).contains(&waits.count()), "waits");
    let ends = count(&traced, TraceKind::Completed);
    report.check("D10 and its end", (3..=4).contains(&ends), ends);
    let rising = traced.windows(2).all(|pair| pair[0].time_ns <= pair[1].time_ns && pair[1].lost == 0);
    report.check("D10 in the order of time", rising, "rising");
    target.debug.set_trace_blocking(false)?;
    go(2)?;
    let before = all_of(&target.handle).len();
    go(3)?;
    report.equal("D10 no more when it is off", all_of(&target.handle).len(), before);
    target.debug.set_trace_blocking(true)?;
    go(60)?;
    let id = target.thread()?;
    target.handle.kill_blocking()?;
    drop(target.debug);
    let dead = all_of(&target.handle);
    report.equal("D10 the last are kept", dead.len() as u64, KEPT);
    report.check("D10 and what was lost is told", dead.first().is_some_and(|first| first.lost > 0), "lost");
    let last: Vec<(TraceKind, u64)> = dead.iter().rev().take(2).map(|it| (it.kind, it.thread)).collect();
    let wanted = [(TraceKind::ThreadEnded, id), (TraceKind::Ending, 0)];
    report.equal("D10 also after the end", last.as_slice(), wanted.as_slice());
    let beyond = target.handle.trace_blocking(u64::MAX).map(|_| ());
    report.fails("D10 none that did not happen", beyond, ExceptionCode::NotFound);
    untraced(setup)
}

/// Nobody asked for a trace, and yet what was done last is told afterwards.
fn untraced(setup: &Setup) -> Result<(), CallError> {
    let report = &setup.report;
    let event = factory().create_notification_blocking()?;
    let signal = event.mint_blocking(1, 0)?;
    let target = setup.target_with("--role=event", Some(event))?;
    for expected in 1..=20 {
        signal.signal_blocking()?;
        wait_until(setup, || Ok(target.number(address_of(&LAST))? == expected))?;
    }
    target.handle.kill_blocking()?;
    drop(target.debug);
    let records = all_of(&target.handle);
    let asked: Vec<&TraceResults> = records.iter().filter(|it| it.kind == TraceKind::Submitted).collect();
    let waits = |it: &&TraceResults| {
        (it.method, it.first) == (notification::WAIT, notification::INTERFACE_ID) && it.time_ns == 0
    };
    report.equal("D11 the last calls of who is not traced are told", asked.len(), 12);
    report.check("D11 which are its waits", asked.iter().all(waits), "waits");
    // All but the one in which it was killed.
    report.equal("D11 with their completions", count(&records, TraceKind::Completed), 11);
    let ending = records.iter().position(|it| it.kind == TraceKind::Ending);
    let last = records.iter().rposition(|it| it.kind == TraceKind::Submitted);
    report.check("D11 before the end", last < ending, "before");
    Ok(())
}
