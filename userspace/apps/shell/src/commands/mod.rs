//! The commands. Each gives the text to show, so that it can also go into a pipe.

mod files;
mod inspect;
mod logs;
mod processes;

use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Align, Table};
use capos_words::closest;
use diag::Sources;
use rt::generated::{LogReaderClient, PowerClient, SystemInfoClient, WallClockClient};

/// One command, as `help` shows it.
pub struct Command {
    pub name: &'static str,
    /// What follows the name.
    usage: &'static str,
    tells: &'static str,
    /// Capabilities that it can not do without.
    needs: &'static [&'static str],
}

const fn command(
    name: &'static str,
    usage: &'static str,
    tells: &'static str,
    needs: &'static [&'static str],
) -> Command {
    Command { name, usage, tells, needs }
}

/// Every command.
pub const COMMANDS: [Command; 20] = [
    command("help", "[COMMAND]", "this list", &[]),
    command("caps", "", "the capabilities you hold", &[]),
    command(
        "run",
        "NAME [ARG ...] [with CAP[=MINE] ...] [| run ...] [&]",
        "start a program",
        &["spawner", "boot"],
    ),
    command("jobs", "", "programs in the background", &[]),
    command("kill", "PID | SERVICE", "end a program started here, or a service", &[]),
    command("services", "", "what init started", &["services"]),
    command("start", "SERVICE", "start a service that has ended", &["services"]),
    command("ps", "", "processes", &["system"]),
    command("mem", "", "memory", &["system"]),
    command("ls", "", "boot files", &["boot"]),
    command("cat", "FILE", "show a boot file", &["boot"]),
    command("log", "[-f] [COUNT]", "last log records; -f goes on until a key is pressed", &["log_reader"]),
    command("time", "", "time of day and time since boot", &[]),
    command("echo", "[WORD ...]", "show words", &[]),
    command("clear", "", "clear the screen", &[]),
    command("diag", "[COMMAND] [--json]", "diagnostics; `diag help` lists them", &["system"]),
    command("reboot", "", "reset the machine", &["power"]),
    command("halt", "", "turn the machine off", &["power"]),
    command("exit", "", "leave the shell", &[]),
    command("version", "", "what this is", &[]),
];

/// Runs one command.
pub async fn run(session: &Session, name: &str, words: &[String]) -> Result<String, Trouble> {
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Err(unknown(session, name).await);
    };
    match (name, words) {
        ("help", []) => Ok(help(session)),
        ("help", [about]) => help_about(about),
        ("caps", []) => Ok(inspect::caps(session)),
        ("jobs", []) => Ok(processes::jobs(session)),
        ("kill", [what]) => processes::kill(session, what).await,
        ("services", []) => processes::services(session).await,
        ("start", [service]) => processes::start(session, service).await,
        ("ps", []) => processes::ps(session).await,
        ("mem", []) => inspect::memory(session).await,
        ("ls", []) => files::list(session).await,
        ("cat", [file]) => files::show(session, file).await,
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
        _ => {
            Err(Trouble::Say(format!("usage: {}", format!("{} {}", command.name, command.usage).trim_end())))
        }
    }
}

/// Commands that can be done with what is held, and what that is.
fn help(session: &Session) -> String {
    let mut table = Table::new(&[("COMMAND", Align::Left), ("", Align::Left)]);
    let mut lacking = Vec::new();
    for command in &COMMANDS {
        let missing: Vec<&str> =
            command.needs.iter().copied().filter(|name| session.held.find(name).is_none()).collect();
        if missing.is_empty() {
            table.row([format!("{} {}", command.name, command.usage), String::from(command.tells)]);
        } else {
            lacking.push(format!("{} (needs {})", command.name, missing.join(", ")));
        }
    }
    let names: Vec<&str> = session.held.all().map(|granted| granted.name).collect();
    let mut out = table.render();
    out.push_str(&format!("You hold: {}\n", names.join(", ")));
    if !lacking.is_empty() {
        out.push_str(&format!("Not without more: {}\n", lacking.join(", ")));
    }
    out
}

fn help_about(name: &str) -> Result<String, Trouble> {
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => Ok(format!("{} {}\n    {}\n", command.name, command.usage, command.tells)),
        None => Err(Trouble::Say(format!("no command `{name}`; `help` lists them"))),
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

async fn diagnose(session: &Session, words: &[String]) -> String {
    let system = session.client::<SystemInfoClient>("system");
    let wall_clock = session.client::<WallClockClient>("wall_clock");
    let log_reader = session.client::<LogReaderClient>("log_reader");
    let power = session.client::<PowerClient>("power");
    let sources = Sources {
        system: system.as_deref(),
        wall_clock: wall_clock.as_deref(),
        log_reader: log_reader.as_deref(),
        power: power.as_deref(),
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    diag::answer(sources, &words).await
}
