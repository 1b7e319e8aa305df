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
pub mod holdings;
mod iommu;
mod logs;
pub mod look;
mod machine;
mod metrics;
mod network;
mod pci;
mod pci_class;
mod processes;
pub mod services;
mod shapes;
pub mod storage;
mod trouble;

pub use metrics::metrics;
pub use processes::state;
pub use trouble::Trouble;

use alloc::string::String;
use capos_text::{Report, Value};
use rt::generated::{
    DisksClient, HardwareAuditLogClient, InspectorClient, LogReaderClient, NetworkManagerClient, PowerClient,
    ServicesClient, SystemInfoClient, VolumeClient, WallClockClient,
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
    /// All processes and what they hold.
    pub inspector: Option<&'a InspectorClient>,
    /// What became of services.
    pub services: Option<&'a ServicesClient>,
    /// Disks and what is on them.
    pub disks: Option<&'a DisksClient>,
    /// The machine's volume.
    pub volume: Option<&'a VolumeClient>,
    /// What the network is like.
    pub network: Option<&'a NetworkManagerClient>,
    /// Reboot and halt.
    pub power: Option<&'a PowerClient>,
}

impl<'a> Sources<'a> {
    fn system(&self) -> Result<&'a SystemInfoClient, Trouble> {
        self.system.ok_or(Trouble::Missing("system"))
    }

    fn inspector(&self) -> Result<&'a InspectorClient, Trouble> {
        self.inspector.ok_or(Trouble::Missing("inspector"))
    }
}

/// Every command and what it tells.
pub const COMMANDS: [(&str, &str); 22] = [
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
    ("processes", "processes, and what they use of what they were given"),
    ("services", "services, and what became of them"),
    ("holdings", "who holds what, and from whom"),
    ("storage", "disks, what is on them, and how much room there is"),
    ("network", "the network as its stack sees it"),
    ("metrics", "the numbers of all of these for Prometheus"),
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
        None if command == "metrics" && argument.is_none() => return metrics(sources).await,
        None => match gather(sources, command, argument).await {
            Err(Trouble::Unknown(..)) => act(sources, command).await,
            answer => answer,
        },
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

/// The reports of one command that changes nothing.
///
/// # Errors
/// Why there are none; [`Trouble::Unknown`] also of commands that do something.
pub async fn gather(
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
        "processes" => processes::all(sources.inspector()?).await?,
        "holdings" => holdings::all(sources.inspector()?).await?,
        "services" => services::report(sources.services.ok_or(Trouble::Missing("services"))?).await?,
        "network" => network::all(sources.network.ok_or(Trouble::Missing("network"))?).await?,
        "storage" => storage::all(sources.disks.ok_or(Trouble::Missing("disks"))?, sources.volume).await?,
        other => return Err(Trouble::unknown(other)),
    })
}

/// What is left: commands that do something.
async fn act(sources: Sources<'_>, command: &str) -> Result<alloc::vec::Vec<Report>, Trouble> {
    let power = || sources.power.ok_or(Trouble::Missing("power"));
    match command {
        "reboot" => Err(machine::reboot(power()?).await),
        "halt" => Err(machine::halt(power()?).await),
        leave if EXIT.contains(&leave) => Err(Trouble::NotInside),
        other => Err(Trouble::unknown(other)),
    }
}

fn help() -> Report {
    let mut report = shapes::HELP.report();
    for (command, tells) in COMMANDS {
        report.row([Value::text(command), Value::text(tells)]);
    }
    report
}
