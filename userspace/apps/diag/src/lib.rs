//! Diagnostics: what this machine is and how it is doing, in bounded answers.
//!
//! Each command gathers a [`Report`], shown as a table or, with `--json`, as one JSON object per line. The commands work with
//! no disk and no network; what they need is in [`Sources`], and a command whose capability is missing says so. The program
//! `diag` gives them a prompt of their own, the shell runs them as `diag COMMAND`.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod acpi;
mod audit;
mod devices;
mod hardware;
mod iommu;
mod logs;
mod machine;
mod pci;
mod pci_class;
mod shapes;
mod trouble;

pub use trouble::Trouble;

use alloc::string::String;
use capos_text::{Report, Value};
use rt::generated::{
    HardwareAuditLogClient, LogReaderClient, PowerClient, SystemInfoClient, WallClockClient,
};

/// What the commands ask. Each may be missing.
#[derive(Clone, Copy, Default)]
pub struct Sources<'a> {
    /// Counters and tables.
    pub system: Option<&'a SystemInfoClient>,
    /// Time of day.
    pub wall_clock: Option<&'a WallClockClient>,
    /// The log.
    pub log_reader: Option<&'a LogReaderClient>,
    /// What happened to devices.
    pub hardware_log: Option<&'a HardwareAuditLogClient>,
    /// Reboot and halt.
    pub power: Option<&'a PowerClient>,
}

impl<'a> Sources<'a> {
    fn system(&self) -> Result<&'a SystemInfoClient, Trouble> {
        self.system.ok_or(Trouble::Missing("system"))
    }
}

/// Every command and what it tells.
pub const COMMANDS: [(&str, &str); 16] = [
    ("help", "what can be asked"),
    ("status", "the whole at a glance"),
    ("cpu", "processors and their counters"),
    ("mem", "memory: who has it, and what the firmware says there is"),
    ("audit", "the kernel's books, and whether they are in order"),
    ("acpi", "ACPI tables and what they say"),
    ("pci", "PCI functions, where they answer and what they can do"),
    ("iommu", "whether devices are kept to what they were given"),
    ("irq", "interrupts by line and by message"),
    ("timers", "clock sources"),
    ("devices", "PCI functions and lines by what they are"),
    ("hardware", "what happened to devices last: hardware [COUNT]"),
    ("logs", "last log records: logs [COUNT]"),
    ("reboot", "reset the machine"),
    ("halt", "turn the machine off"),
    ("exit", "leave the diagnostics, as Ctrl-D does"),
];

/// Which of them take a count.
const COUNTED: [&str; 2] = ["hardware", "logs"];

/// What leaves the prompt.
pub const EXIT: [&str; 2] = ["exit", "quit"];

/// Answers one command, `--json` anywhere among its words.
pub async fn answer(sources: Sources<'_>, words: &[&str]) -> String {
    let json = words.contains(&"--json");
    let mut plain = words.iter().copied().filter(|word| *word != "--json");
    let command = plain.next().unwrap_or("help");
    let argument = plain.next();
    let result = match plain.next() {
        Some(surplus) => Err(Trouble::Surplus(String::from(surplus))),
        None => report(sources, command, argument).await,
    };
    match result {
        Ok(reports) if json => reports.iter().map(Report::json).collect(),
        Ok(reports) => {
            let tables: alloc::vec::Vec<String> = reports.iter().map(Report::table).collect();
            tables.join("\n")
        }
        Err(trouble) if json => trouble.json(),
        Err(trouble) => alloc::format!("diag: {trouble}\n"),
    }
}

async fn report(
    sources: Sources<'_>,
    command: &str,
    argument: Option<&str>,
) -> Result<alloc::vec::Vec<Report>, Trouble> {
    if let (Some(argument), true) = (argument, !COUNTED.contains(&command)) {
        return Err(Trouble::Surplus(String::from(argument)));
    }
    Ok(match command {
        "help" => alloc::vec![help()],
        "status" => alloc::vec![machine::status(sources).await?],
        "cpu" => machine::cpu(sources.system()?).await?,
        "mem" => machine::memory(sources.system()?).await?,
        "audit" => audit::all(sources.system()?).await?,
        "acpi" => acpi::all(sources.system()?).await?,
        "pci" => pci::all(sources.system()?).await?,
        "iommu" => alloc::vec![iommu::all(sources.system()?).await?],
        "irq" => alloc::vec![devices::irq(sources.system()?).await?],
        "timers" => alloc::vec![machine::timers(sources.system()?).await?],
        "devices" => alloc::vec![devices::all(sources.system()?).await?],
        "hardware" => {
            hardware::last(sources.hardware_log.ok_or(Trouble::Missing("hardware_log"))?, argument).await?
        }
        "logs" => {
            alloc::vec![
                logs::last(sources.log_reader.ok_or(Trouble::Missing("log_reader"))?, argument).await?
            ]
        }
        "reboot" => return Err(machine::reboot(sources.power.ok_or(Trouble::Missing("power"))?).await),
        "halt" => return Err(machine::halt(sources.power.ok_or(Trouble::Missing("power"))?).await),
        leave if EXIT.contains(&leave) => return Err(Trouble::NotInside),
        other => return Err(Trouble::unknown(other)),
    })
}

fn help() -> Report {
    let mut report = shapes::HELP.report();
    for (command, tells) in COMMANDS {
        report.row([Value::text(command), Value::text(tells)]);
    }
    report
}
