//! What a service did last, for people.

use super::services::trouble;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_restart::Event;
use capos_text::{Align, Table, duration};
use rt::ExceptionCode;
use rt::abi::Op;
use rt::generated::ServicesClient;
use rt::schema::interface_name;
use rt::schema::process_handle::TraceKind;
use rt::schema::services::TraceResults;

/// More than a process keeps: one that is as fast as the questions does not hold the shell up.
const MOST: usize = 256;

/// The records of the instance that runs, or of the last one that has ended, if none does or that is asked for.
pub async fn show(session: &Session, name: &str, ended: bool) -> Result<String, Trouble> {
    let services = session.held.client::<ServicesClient>("services")?;
    let (mut events, mut of) = (Vec::new(), TraceResults::default());
    let (mut cursor, mut lost) = (0, 0);
    for _ in 0..MOST {
        let record = match services.trace(cursor, name, ended).await {
            Ok(record) => record,
            // There is always one: that the process was made, or what came after.
            Err(error) if cursor > 0 && error.exception() == Some(ExceptionCode::NotFound) => break,
            Err(error) => return Err(trouble(session, name, error).await),
        };
        (cursor, lost) = (record.next, lost + record.lost);
        events.push(event(&record));
        of = record;
    }
    let title = match of.ended {
        true => format!("instance {} of {name}, which has ended:\n", of.epoch),
        false => String::new(),
    };
    Ok(title + &table(events.iter(), lost))
}

/// Records as people read them.
pub fn table<'a>(events: impl Iterator<Item = &'a Event>, lost: u64) -> String {
    let mut table = Table::new(&[("TIME", Align::Right), ("THREAD", Align::Right), ("WHAT", Align::Left)]);
    for event in events {
        // What was found in a ring afterwards has no time.
        let time = if event.time_ns == 0 { String::from("-") } else { duration(event.time_ns) };
        table.row([time, format!("{}", event.thread), what(event)]);
    }
    let mut text = table.render();
    if lost > 0 {
        text.push_str(&format!("{lost} earlier records are gone\n"));
    }
    text
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

/// Has its calls recorded, or not.
pub async fn set(session: &Session, name: &str, word: &str) -> Result<String, Trouble> {
    let on = match word {
        "on" => true,
        "off" => false,
        _ => return Err(Trouble::Say(format!("`{word}` is neither `on` nor `off` nor `last`"))),
    };
    let services = session.held.client::<ServicesClient>("services")?;
    match services.set_trace(on, name).await {
        Ok(()) if on => Ok(format!("the calls of {name} are recorded\n")),
        Ok(()) => Ok(format!("the calls of {name} are not recorded\n")),
        Err(error) => Err(trouble(session, name, error).await),
    }
}

/// One record in words.
fn what(record: &Event) -> String {
    let (first, second) = (record.first, record.second);
    match TraceKind::from_wire(record.kind.into()).unwrap_or_default() {
        TraceKind::None => String::from("nothing"),
        TraceKind::Created => format!("was made of {first} bytes, priority {second}"),
        TraceKind::Granted => format!("was given {} in slot {second}", interface(first)),
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

/// An interface by its name, if it is one of the system's.
fn interface(id: u64) -> String {
    interface_name(id).map_or_else(|| format!("{id:#x}"), String::from)
}

fn submitted(record: &Event) -> String {
    let target = record.second;
    match Op::from_u8(record.operation) {
        Some(Op::Call) => {
            format!("calls method {} of {} by {target:#x}", record.method, interface(record.first))
        }
        Some(op) => format!("asks for {op:?} of {target:#x}"),
        None => format!("asks for operation {}, which there is not", record.operation),
    }
}

#[cfg(test)]
mod tests {
    use super::what;
    use alloc::string::String;
    use capos_restart::Event;
    use rt::schema::process_handle::TraceKind;
    use rt::schema::timer;

    fn submission(operation: u8) -> String {
        let kind = TraceKind::Submitted as u8;
        what(&Event { kind, operation, method: 3, first: 0xa1, second: 0x20, ..Event::default() })
    }

    #[test]
    fn submissions_are_told_by_their_operation() {
        assert_eq!(submission(1), "calls method 3 of 0xa1 by 0x20");
        assert_eq!(submission(2), "asks for Recv of 0x20");
        let timer = Event {
            kind: TraceKind::Submitted as u8,
            operation: 1,
            first: timer::INTERFACE_ID,
            ..Event::default()
        };
        assert_eq!(what(&timer), "calls method 0 of Timer by 0x0");
        assert_eq!(submission(200), "asks for operation 200, which there is not");
    }

    #[test]
    fn results_have_a_sign() {
        let kind = TraceKind::Completed as u8;
        let record = Event { kind, first: 7, second: (-3i64).cast_unsigned(), ..Event::default() };
        assert_eq!(what(&record), "operation 0x7 is done: -3");
    }
}
