//! The commands. Each gives the text to show, so that it can also go into a pipe.

mod crash;
mod graph;
mod help;
mod inspect;
mod logs;
mod processes;
mod services;
mod top;
mod trace;

use crate::session::Session;
use crate::storage::{self, interruptible};
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_words::closest;
use diag::Sources;
pub use graph::names;
pub use help::COMMANDS;
use rt::generated::{
    DisksClient, HardwareAuditLogClient, InspectorClient, LogReaderClient, NetworkManagerClient, PowerClient,
    ServicesClient, SystemInfoClient, VolumeClient, WallClockClient,
};

/// Runs one command.
pub async fn run(session: &Session, name: &str, words: &[String]) -> Result<String, Trouble> {
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Err(unknown(session, name).await);
    };
    let (letters, words) = match name {
        "rm" => storage::options(name, "rf", words)?,
        "mkdir" => storage::options(name, "p", words)?,
        "cp" => storage::options(name, "r", words)?,
        "ls" | "cat" | "get" | "put" | "mv" | "df" | "grow" | "collect" => storage::options(name, "", words)?,
        _ => (String::new(), words),
    };
    match (name, words) {
        ("help", []) => Ok(help::all(session)),
        ("help", [about]) => help::about(about),
        ("caps", []) => Ok(inspect::caps(session)),
        ("jobs", []) => Ok(processes::jobs(session)),
        ("kill", [what]) => processes::kill(session, what).await,
        ("services", []) => services::list(session).await,
        ("start", [service]) => services::start(session, service).await,
        ("replace", [service, program]) => services::replace(session, service, program).await,
        ("grant", [service, what]) => services::grant(session, service, what).await,
        ("crash", [service]) => crash::show(session, service, "0").await,
        ("crash", [service, which]) => crash::show(session, service, which).await,
        ("top", []) => top::top(session, "1").await,
        ("top", [times]) => top::top(session, times).await,
        ("graph", []) => graph::all(session).await,
        ("graph", [process]) => graph::one(session, process).await,
        ("trace", [service]) => trace::show(session, service, false).await,
        ("trace", [service, word]) if word == "last" => trace::show(session, service, true).await,
        ("trace", [service, on]) => trace::set(session, service, on).await,
        ("ps", []) => processes::ps(session).await,
        ("mem", []) => inspect::memory(session).await,
        ("ls", []) => interruptible(session, storage::list(session, "")).await,
        ("ls", [path]) => interruptible(session, storage::list(session, path)).await,
        ("cat", [file]) => interruptible(session, storage::text(session, file, false)).await,
        ("get", [file]) => interruptible(session, storage::text(session, file, true)).await,
        ("put", [_]) => Err(Trouble::say("what? Something has to come out of a pipe: echo WORDS | put FILE")),
        ("cp", [from, to]) => storage::copy(session, &letters, from, to).await,
        ("mv", [from, to]) => interruptible(session, storage::rename(session, from, to)).await,
        ("rm", words @ [_, ..]) => interruptible(session, storage::remove(session, &letters, words)).await,
        ("mkdir", words @ [_, ..]) => interruptible(session, storage::make(session, &letters, words)).await,
        ("df", []) => interruptible(session, storage::space(session)).await,
        ("collect", []) => interruptible(session, storage::collect(session)).await,
        ("grow", []) => interruptible(session, storage::grow(session, "")).await,
        ("grow", [volume]) if volume.ends_with(':') => {
            interruptible(session, storage::grow(session, volume)).await
        }
        ("snap", words) => interruptible(session, storage::snapshots(session, words)).await,
        ("mount", words) => storage::mount(session, words).await,
        ("log", words) => logs::log(session, words).await,
        ("time", []) => inspect::time(session).await,
        ("echo", words) => Ok(format!("{}\n", words.join(" "))),
        ("clear", []) => Ok(String::from("\x1b[H\x1b[2J")),
        ("diag", words) => Ok(diagnose(session, words).await),
        ("reboot" | "halt", []) => Ok(diagnose(session, &[String::from(name)]).await),
        ("version", []) => inspect::version(session).await,
        ("exit", []) => {
            session.over.set(true);
            Ok(String::from("Bye.\n"))
        }
        _ => Err(Trouble::Say(format!("usage: {}", command.usage()))),
    }
}

/// A command that does not exist: perhaps a slip of the finger, perhaps the name of a program.
async fn unknown(session: &Session, name: &str) -> Trouble {
    if session.boot_files().await.unwrap_or_default().iter().any(|(file, _)| file == name) {
        return Trouble::Say(format!("no command `{name}`; to start the program: run {name}"));
    }
    match closest(name, COMMANDS.iter().map(|command| command.name)) {
        Some(meant) => Trouble::Say(format!("no command `{name}`; did you mean `{meant}`?")),
        None => Trouble::Say(format!("no command `{name}`; `help` lists them")),
    }
}

/// Whether a command shows things until a key is pressed.
pub fn is_endless(command: &str, words: &[String]) -> bool {
    command == "log" && words.iter().any(|word| word == "-f")
}

async fn diagnose(session: &Session, words: &[String]) -> String {
    let system = session.client::<SystemInfoClient>("system");
    let wall_clock = session.client::<WallClockClient>("wall_clock");
    let log_reader = session.client::<LogReaderClient>("log_reader");
    let hardware_log = session.client::<HardwareAuditLogClient>("hardware_log");
    let power = session.client::<PowerClient>("power");
    let inspector = session.client::<InspectorClient>("inspector");
    let services = session.client::<ServicesClient>("services");
    let disks = session.client::<DisksClient>("disks");
    let volume = session.client::<VolumeClient>("volume");
    let network = session.client::<NetworkManagerClient>("network");
    let sources = Sources {
        system: system.as_deref(),
        wall_clock: wall_clock.as_deref(),
        log_reader: log_reader.as_deref(),
        hardware_log: hardware_log.as_deref(),
        inspector: inspector.as_deref(),
        services: services.as_deref(),
        disks: disks.as_deref(),
        volume: volume.as_deref(),
        network: network.as_deref(),
        power: power.as_deref(),
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    diag::answer(sources, &words).await
}
