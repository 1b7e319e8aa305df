//! What a process is told when it starts has to fit into its startup block.

use super::Issues;
use crate::arguments::arguments;
use crate::issue::Field;
use crate::model::{Manifest, Service};
use alloc::format;
use capos_abi::startup::{Record, StartupError, Writer};

/// Room for the records of a startup block.
pub const STARTUP_MAX: usize = 3900;

pub(super) fn check(manifest: &Manifest, service: &Service, issues: &mut Issues) {
    match write(manifest, service) {
        Ok(()) => {}
        Err(StartupError::TextTooLong) => {
            let long = arguments(manifest.services.iter(), service)
                .into_iter()
                .find(|arg| arg.len() > usize::from(u8::MAX));
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
    for arg in &arguments(manifest.services.iter(), service) {
        writer.push(Record::Arg(arg))?;
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
