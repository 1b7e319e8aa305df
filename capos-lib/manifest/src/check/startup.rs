//! What a process is told when it starts has to fit into its startup block.

use super::Issues;
use crate::issue::Field;
use crate::model::{Manifest, Service, Source};
use alloc::format;
use alloc::string::String;
use capos_abi::startup::{Record, StartupError, Writer};

/// Room for the records of a startup block.
pub const STARTUP_MAX: usize = 3900;
/// This argument is replaced by one with number and name for each client.
const CLIENTS: &str = "--clients";

pub(super) fn check(manifest: &Manifest, service: &Service, issues: &mut Issues) {
    match write(manifest, service) {
        Ok(()) => {}
        Err(StartupError::TextTooLong) => {
            let long = service.args.iter().find(|arg| arg.len() > usize::from(u8::MAX));
            let (field, what) = match long {
                Some(arg) => (Field::Args, format!("an argument has {} bytes", arg.len())),
                // Names of this length were reported as names already.
                None => return,
            };
            issues.add(service, field, "", format!("{what}; at most 255 are possible"));
        }
        Err(StartupError::NoRoom) => {
            let message = format!(
                "the names of its {} capabilities and {} exports and its {} arguments do not fit into {STARTUP_MAX} bytes",
                service.caps.len(),
                service.exports.len(),
                service.args.len(),
            );
            issues.add(service, Field::Name, "", message);
        }
    }
}

/// Writes the block as init will. Interface ids all have the same length, so any will do.
fn write(manifest: &Manifest, service: &Service) -> Result<(), StartupError> {
    let mut buffer = [0; STARTUP_MAX];
    let mut writer = Writer::new(&mut buffer);
    writer.push(Record::Name(&service.name))?;
    for arg in &service.args {
        if arg != CLIENTS {
            writer.push(Record::Arg(arg))?;
            continue;
        }
        for (number, client) in clients(manifest, service) {
            writer.push(Record::Arg(&client_arg(number, client)))?;
        }
    }
    for grant in &service.caps {
        writer.push(Record::Cap { name: &grant.name, interface: 0 })?;
    }
    if !service.exports.is_empty() {
        writer.push(Record::Cap { name: "serve", interface: 0 })?;
    }
    if service.health.is_some() {
        writer.push(Record::Cap { name: "control", interface: 0 })?;
    }
    for export in &service.exports {
        writer.push(Record::Export { name: &export.name, interface: 0 })?;
    }
    Ok(())
}

fn client_arg(number: usize, client: &str) -> String {
    format!("--client={number}:{client}")
}

/// The services that hold something of this one, with their numbers.
fn clients<'a>(manifest: &'a Manifest, service: &'a Service) -> impl Iterator<Item = (usize, &'a str)> {
    let holds = move |other: &&Service| {
        other
            .caps
            .iter()
            .any(|grant| matches!(&grant.source, Source::Export { service: of, .. } if *of == service.name))
    };
    let numbered = manifest.services.iter().enumerate().filter(move |(_, other)| holds(other));
    numbered.map(|(number, other)| (number, other.name.as_str()))
}
