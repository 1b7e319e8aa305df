//! What a service did last, for people.

use super::services::trouble;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use capos_text::{Align, Table, duration};
use rt::ExceptionCode;
use rt::abi::Op;
use rt::generated::ServicesClient;
use rt::schema::process_handle::TraceKind;
use rt::schema::services::TraceResults;

/// More than a process keeps: one that is as fast as the questions does not hold the shell up.
const MOST: usize = 256;

/// The records of the instance that runs.
pub async fn show(session: &Session, name: &str) -> Result<String, Trouble> {
    let services = session.held.client::<ServicesClient>("services")?;
    let mut table = Table::new(&[("TIME", Align::Right), ("THREAD", Align::Right), ("WHAT", Align::Left)]);
    let (mut cursor, mut lost) = (0, 0);
    for _ in 0..MOST {
        let record = match services.trace(cursor, name).await {
            Ok(record) => record,
            // There is always one: that the process was made, or what came after.
            Err(error) if cursor > 0 && error.exception() == Some(ExceptionCode::NotFound) => break,
            Err(error) => return Err(trouble(session, name, error).await),
        };
        (cursor, lost) = (record.next, lost + record.lost);
        table.row([duration(record.time_ns), format!("{}", record.thread), what(&record)]);
    }
    let mut text = table.render();
    if lost > 0 {
        text.push_str(&format!("{lost} earlier records are gone\n"));
    }
    Ok(text)
}

/// Has its calls recorded, or not.
pub async fn set(session: &Session, name: &str, word: &str) -> Result<String, Trouble> {
    let on = match word {
        "on" => true,
        "off" => false,
        _ => return Err(Trouble::Say(format!("`{word}` is neither `on` nor `off`"))),
    };
    let services = session.held.client::<ServicesClient>("services")?;
    match services.set_trace(on, name).await {
        Ok(()) if on => Ok(format!("the calls of {name} are recorded\n")),
        Ok(()) => Ok(format!("the calls of {name} are not recorded\n")),
        Err(error) => Err(trouble(session, name, error).await),
    }
}

/// One record in words.
fn what(record: &TraceResults) -> String {
    let (first, second) = (record.first, record.second);
    match record.kind {
        TraceKind::None => String::from("nothing"),
        TraceKind::Created => format!("was made of {first} bytes, priority {second}"),
        TraceKind::Granted => format!("was given {first:#x} in slot {second}"),
        TraceKind::ThreadBegan => format!("began at {first:#x}"),
        TraceKind::ThreadEnded => String::from("ended"),
        TraceKind::Faulted => {
            format!("raised exception {} at {first:#x}, address {second:#x}", record.method)
        }
        TraceKind::Ending => format!("the process ends: reason {first}, code {}", second.cast_signed()),
        TraceKind::Stopped => format!("was stopped at {second:#x}"),
        TraceKind::Resumed => String::from("was let go on"),
        TraceKind::Entered => format!("waits for {first} completions"),
        TraceKind::Submitted => submitted(record),
        TraceKind::Completed => format!("operation {first:#x} is done: {}", second.cast_signed()),
        TraceKind::Returned => format!("goes on with {first} completions"),
    }
}

fn submitted(record: &TraceResults) -> String {
    let target = record.second;
    match Op::from_u8(record.operation) {
        Some(Op::Call) => format!("calls method {} of {:#x} by {target:#x}", record.method, record.first),
        Some(op) => format!("asks for {op:?} of {target:#x}"),
        None => format!("asks for operation {}, which there is not", record.operation),
    }
}

#[cfg(test)]
mod tests {
    use super::{TraceResults, what};
    use alloc::string::String;
    use rt::schema::process_handle::TraceKind;

    fn submission(operation: u8) -> String {
        let kind = TraceKind::Submitted;
        what(&TraceResults {
            kind,
            operation,
            method: 3,
            first: 0xa1,
            second: 0x20,
            ..TraceResults::default()
        })
    }

    #[test]
    fn submissions_are_told_by_their_operation() {
        assert_eq!(submission(1), "calls method 3 of 0xa1 by 0x20");
        assert_eq!(submission(2), "asks for Recv of 0x20");
        assert_eq!(submission(200), "asks for operation 200, which there is not");
    }

    #[test]
    fn results_have_a_sign() {
        let kind = TraceKind::Completed;
        let record =
            TraceResults { kind, first: 7, second: (-3i64).cast_unsigned(), ..TraceResults::default() };
        assert_eq!(what(&record), "operation 0x7 is done: -3");
    }
}
