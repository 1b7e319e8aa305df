//! Services: what became of them, and what a person can do about it.

use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Align, Table, duration};
use capos_words::closest;
use diag::services;
use rt::ExceptionCode;
use rt::generated::ServicesClient;
use rt::generated::services::ListReply;

/// What is known of every service.
pub async fn all(session: &Session) -> Result<Vec<ListReply>, Trouble> {
    let services = session.held.client::<ServicesClient>("services")?;
    services::all(&services).await.map_err(|trouble| match trouble {
        diag::Trouble::Call(error) => Trouble::Call(String::from("services"), error),
        other => Trouble::from(other),
    })
}

/// All services.
pub async fn list(session: &Session) -> Result<String, Trouble> {
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("STATE", Align::Left),
        ("PID", Align::Right),
        ("EPOCH", Align::Right),
        ("RESTARTS", Align::Right),
        ("HEALTH", Align::Left),
        ("UP", Align::Right),
        ("LAST END", Align::Left),
    ]);
    for service in all(session).await? {
        let is_up = services::is_up(&service);
        let up_to = |text: String| if is_up { text } else { String::new() };
        table.row([
            service.name,
            String::from(services::state(service.state)),
            up_to(format!("{}", service.process)),
            up_to(format!("{}", service.epoch)),
            format!("{}", service.restarts),
            up_to(String::from(services::health(service.health))),
            up_to(duration(service.uptime_ns)),
            service.last_end,
        ]);
    }
    Ok(table.render())
}

/// Ends a service.
pub async fn kill(session: &Session, name: &str) -> Result<String, Trouble> {
    let services = session.held.client::<ServicesClient>("services")?;
    match services.kill(name).await {
        Ok(()) => Ok(format!("{name} was ended\n")),
        Err(error) => Err(trouble(session, name, error).await),
    }
}

/// Starts a service that has ended.
pub async fn start(session: &Session, name: &str) -> Result<String, Trouble> {
    let services = session.held.client::<ServicesClient>("services")?;
    match services.start(name).await {
        Ok(()) => Ok(format!("{name} was started\n")),
        Err(error) => Err(trouble(session, name, error).await),
    }
}

/// Lets another program take over from the one that serves.
pub async fn replace(session: &Session, name: &str, program: &str) -> Result<String, Trouble> {
    let services = session.held.client::<ServicesClient>("services")?;
    match services.replace(name, program).await {
        Ok(epoch) => Ok(format!("{name} is {program} now, instance {epoch}\n")),
        Err(error) => Err(trouble(session, name, error).await),
    }
}

/// Gives a running service something that the shell holds: `CAP`, or `CAP=MINE` where it goes by another name there.
pub async fn grant(session: &Session, name: &str, what: &str) -> Result<String, Trouble> {
    let services = session.held.client::<ServicesClient>("services")?;
    let (theirs, mine) = what.split_once('=').unwrap_or((what, what));
    let Some((_, cap)) = session.held.find(mine) else {
        return Err(Trouble::Say(format!(
            "nothing held is called `{mine}`; `caps` lists what there is to give"
        )));
    };
    match services.grant(cap, name, theirs).await {
        Ok(()) => Ok(format!("{name} was given {theirs}\n")),
        Err(error) if error.exception() == Some(ExceptionCode::Unsupported) => {
            Err(Trouble::Say(format!("{name} has no use for `{theirs}`")))
        }
        Err(error) => Err(trouble(session, name, error).await),
    }
}

/// What went wrong with a service.
pub async fn trouble(session: &Session, name: &str, error: rt::CallError) -> Trouble {
    match error.exception() {
        Some(ExceptionCode::NotFound) => {
            let all = all(session).await.unwrap_or_default();
            match closest(name, all.iter().map(|service| service.name.as_str())) {
                // It is listed, and no service.
                Some(meant) if meant == name => {
                    Trouble::Say(format!("init looks after {name} itself: only services can be asked that"))
                }
                Some(meant) => Trouble::Say(format!("no service `{name}`; did you mean `{meant}`?")),
                None => Trouble::Say(format!("no service `{name}`; `services` lists them")),
            }
        }
        _ => Trouble::Call(String::from(name), error),
    }
}
