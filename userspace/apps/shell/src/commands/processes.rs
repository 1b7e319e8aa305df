//! Processes and jobs.

use super::services;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use capos_text::{Align, Report, Table, Value};
use rt::ExceptionCode;
use rt::generated::SystemInfoClient;
use rt::schema::system_info::ProcessState;

/// Every process of the machine.
pub async fn ps(session: &Session) -> Result<String, Trouble> {
    let system = session.held.client::<SystemInfoClient>("system")?;
    let columns = [
        ("pid", Align::Right),
        ("state", Align::Left),
        ("threads", Align::Right),
        ("memory", Align::Right),
        ("limit", Align::Right),
        ("caps", Align::Right),
        ("cpu_time", Align::Right),
        ("name", Align::Left),
    ];
    let mut report = Report::new("process", &columns);
    let mut cursor = 0;
    loop {
        let process = match system.process(cursor).await {
            Ok(process) => process,
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => break,
            Err(error) => return Err(Trouble::Call(String::from("system"), error)),
        };
        report.row([
            Value::number(process.id),
            Value::text(state_name(process.state)),
            Value::number(process.threads),
            Value::Pages(process.pages),
            Value::Pages(process.page_limit),
            Value::Text(format!("{}/{}", process.slots, process.slot_limit)),
            Value::Span(process.cpu_ns),
            Value::Text(process.name),
        ]);
        match process.id.checked_add(1) {
            Some(next) if next > cursor && !report.is_full() => cursor = next,
            _ => break,
        }
    }
    Ok(report.table())
}

fn state_name(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Created => "created",
        ProcessState::Running => "running",
        ProcessState::Ended => "ended",
    }
}

/// Programs in the background.
pub fn jobs(session: &Session) -> String {
    let mut table = Table::new(&[("JOB", Align::Right), ("PID", Align::Right), ("NAME", Align::Left)]);
    for job in session.jobs.running() {
        let Some(number) = job.number else { continue };
        for child in &job.children {
            table.row([format!("{number}"), format!("{}", child.pid), child.name.clone()]);
        }
    }
    if table.is_empty() { String::from("nothing runs in the background\n") } else { table.render() }
}

/// Ends a program that was started here, by its process id, or a service by its name.
pub async fn kill(session: &Session, what: &str) -> Result<String, Trouble> {
    if let Ok(pid) = what.parse::<u64>() {
        let child = session.jobs.child(pid).ok_or_else(|| {
            Trouble::Say(format!(
                "process {pid} was not started here; only who holds a process can end it (`jobs`)"
            ))
        })?;
        child.handle.kill().await.map_err(Trouble::about(what))?;
        return Ok(String::new());
    }
    services::kill(session, what).await
}
