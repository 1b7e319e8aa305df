//! What the last instance of each service that ended did last. Init keeps it with the crash records.

use crate::crashes;
use crate::state::{Known, State};
use capos_restart::{Event, Last};
use rt::schema::process_handle::{TraceKind, TraceResults};
use rt::schema::services;
use rt::{CallError, Exception, ExceptionCode, log};

/// The page of notes that holds it.
const PAGE: u8 = crashes::FIRST + crashes::KEPT;

/// Reads the trace of a process that has ended. The kernel keeps a bounded number of records, and there are no new ones.
pub async fn of(epoch: u32, known: &Known) -> Last {
    let mut last = Last { epoch, process: known.process, ..Last::default() };
    let mut cursor = 0;
    while let Ok(record) = known.handle.trace(cursor).await {
        last.lost = last.lost.saturating_add(record.lost);
        last.add(event(&record));
        cursor = record.next;
    }
    last
}

fn event(record: &TraceResults) -> Event {
    Event {
        time_ns: record.time_ns,
        thread: u32::try_from(record.thread).unwrap_or(u32::MAX),
        kind: u8::try_from(record.kind.to_wire()).unwrap_or(0),
        operation: record.operation,
        method: record.method,
        first: record.first,
        second: record.second,
    }
}

/// Keeps it, for `trace`.
pub async fn keep(state: &State, service: usize, last: &Last) {
    if let Err(error) = state.keeper.note(service as u32, PAGE, &last.encode()).await {
        log::error(format_args!("{}: its last trace: {error}", state.name(service)));
    }
}

/// A record of an instance that runs.
pub async fn now(epoch: u32, known: &Known, cursor: u64) -> Result<services::TraceResults, CallError> {
    let record = known.handle.trace(cursor).await?;
    Ok(services::TraceResults {
        next: record.next,
        lost: record.lost,
        time_ns: record.time_ns,
        thread: record.thread,
        first: record.first,
        second: record.second,
        method: record.method,
        operation: record.operation,
        kind: record.kind,
        epoch,
        ended: false,
    })
}

/// A record of the last one that has ended.
pub async fn before(state: &State, service: usize, cursor: u64) -> Result<services::TraceResults, Exception> {
    let bytes = state.keeper.noted(service as u32, PAGE).await.map_err(|_| ExceptionCode::Failed)?;
    let never = || Exception::new(ExceptionCode::WrongState, "no instance of it has ended");
    let last = Last::decode(&bytes).ok_or_else(never)?;
    let (number, event) = last.at(cursor).ok_or(ExceptionCode::NotFound)?;
    Ok(services::TraceResults {
        next: number + 1,
        lost: number - cursor,
        time_ns: event.time_ns,
        thread: event.thread.into(),
        first: event.first,
        second: event.second,
        method: event.method,
        operation: event.operation,
        kind: TraceKind::from_wire(event.kind.into()).unwrap_or_default(),
        epoch: last.epoch,
        ended: true,
    })
}
