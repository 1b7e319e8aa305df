//! Services, and what became of them.

use crate::{Trouble, shapes};
use alloc::vec::Vec;
use capos_text::{Report, Value};
use rt::ExceptionCode;
use rt::generated::ServicesClient;
use rt::generated::services::ListReply;
use rt::schema::services::{ServiceHealth, ServiceState};

/// What is known of every service.
///
/// # Errors
/// [`Trouble::Call`]
pub async fn all(services: &ServicesClient) -> Result<Vec<ListReply>, Trouble> {
    let mut all = Vec::new();
    let mut cursor = 0;
    loop {
        match services.list(cursor).await {
            Ok(service) => {
                let next = service.next;
                all.push(service);
                if next <= cursor {
                    return Ok(all);
                }
                cursor = next;
            }
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(all),
            Err(error) => return Err(Trouble::Call(error)),
        }
    }
}

pub(crate) async fn report(services: &ServicesClient) -> Result<Vec<Report>, Trouble> {
    let mut report = shapes::SERVICE.report();
    for service in all(services).await? {
        let up = is_up(&service);
        let if_up = |value: Value| if up { value } else { Value::Nothing };
        report.row([
            Value::Text(service.name),
            Value::text(state(service.state)),
            if_up(Value::number(service.process)),
            if_up(Value::number(service.epoch)),
            Value::number(service.restarts),
            if_up(Value::text(health(service.health))),
            if_up(Value::Span(service.uptime_ns)),
            Value::Text(service.last_end),
        ]);
    }
    Ok(alloc::vec![report])
}

/// Whether it has a process.
pub fn is_up(service: &ListReply) -> bool {
    matches!(service.state, ServiceState::Running | ServiceState::Starting)
}

/// How it is, in a word.
pub fn state(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Waiting => "waiting",
        ServiceState::Running => "running",
        ServiceState::Starting => "starting",
        ServiceState::Killed => "killed",
        ServiceState::Ended => "ended",
        ServiceState::Failed => "failed",
    }
}

/// Whether it keeps its promises.
pub fn health(health: ServiceHealth) -> &'static str {
    match health {
        ServiceHealth::Unasked => "-",
        ServiceHealth::Well => "well",
        ServiceHealth::Late => "late",
        ServiceHealth::Waits => "waits for a device",
    }
}
