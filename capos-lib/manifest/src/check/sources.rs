//! Capabilities: each comes from somebody who has it, and speaks what is expected.

use super::Issues;
use crate::facts::{Facts, SUPERVISOR, SUPERVISOR_EXPORTS};
use crate::issue::Field;
use crate::model::{Grant, Manifest, Service, Source};
use crate::suggest::did_you_mean;
use alloc::format;
use alloc::string::String;
use capos_schema::{INTERFACES, interface_id};

pub(super) fn check(manifest: &Manifest, service: &Service, facts: &Facts, issues: &mut Issues) {
    for export in &service.exports {
        interface_exists(service, Field::Exports, &export.name, &export.interface, issues);
    }
    for grant in &service.caps {
        let Some(offered) = offered(manifest, service, grant, facts, issues) else { continue };
        if interface_exists(service, Field::Caps, &grant.name, &grant.interface, issues)
            && offered != grant.interface
        {
            let message = format!(
                "{service:?} expects {expected}, but {source} speaks {offered}",
                service = service.name,
                expected = grant.interface,
                source = describe(&grant.source),
            );
            issues.add(service, Field::Caps, &grant.name, message);
        }
    }
}

fn interface_exists(
    service: &Service,
    field: Field,
    entry: &str,
    interface: &str,
    issues: &mut Issues,
) -> bool {
    let known = interface_id(interface).is_some();
    if !known {
        let hint = did_you_mean(interface, INTERFACES.iter().map(|(name, _)| *name));
        issues.add_with_hint(service, field, entry, format!("there is no interface {interface:?}"), hint);
    }
    known
}

fn describe(source: &Source) -> String {
    match source {
        Source::Kernel(name) => format!("the kernel's {name:?}"),
        Source::Export { service, export } => format!("{export:?} of {service:?}"),
        Source::IoPort { .. } => String::from("a range of ports"),
        Source::Irq(_) => String::from("an interrupt line"),
        Source::Pci(_) => String::from("a PCI device"),
    }
}

/// The interface of what is granted. `None` when nobody has it, which is reported.
fn offered<'a>(
    manifest: &'a Manifest,
    holder: &Service,
    grant: &'a Grant,
    facts: &Facts,
    issues: &mut Issues,
) -> Option<&'a str> {
    match &grant.source {
        Source::IoPort { .. } => Some("IoPort"),
        Source::Irq(_) => Some("Interrupt"),
        Source::Kernel(name) => facts.object(name).or_else(|| {
            issues.add_with_hint(
                holder,
                Field::Caps,
                &grant.name,
                format!("the kernel has no object {name:?}"),
                kernel_hint(name, facts),
            );
            None
        }),
        Source::Export { .. } | Source::Pci(_) => exported(manifest, holder, grant, issues),
    }
}

/// The same of what another service exports.
fn exported<'a>(
    manifest: &'a Manifest,
    holder: &Service,
    grant: &Grant,
    issues: &mut Issues,
) -> Option<&'a str> {
    let (service, export) = grant.source.provider()?;
    if let Some(exports) = exports_of(manifest, service) {
        return find_export(holder, grant, (service, export), &exports, issues);
    }
    let others = manifest.services.iter().map(|service| service.name.as_str()).chain([SUPERVISOR]);
    let hint = did_you_mean(service, others)
        .or_else(|| Some(String::from("a service that others need is to be in the system's `use`, too")));
    let message = match &grant.source {
        Source::Pci(_) => format!("there is no service {service:?}, which hands devices out"),
        _ => format!("there is no service {service:?}"),
    };
    issues.add_with_hint(holder, Field::Caps, &grant.name, message, hint);
    None
}

/// The two objects that are given in parts have a hint of their own.
fn kernel_hint(name: &str, facts: &Facts) -> Option<String> {
    match name {
        "io_ports" | "ioPort" => Some(String::from("write ioPort: {base: ..., length: ...}")),
        "irqs" | "irq" => Some(String::from("write irq: NUMBER")),
        _ => did_you_mean(name, facts.objects.iter().map(|(name, _)| *name)),
    }
}

/// Names and interfaces of what a service exports; `None` when there is no such service.
fn exports_of<'a>(manifest: &'a Manifest, service: &str) -> Option<alloc::vec::Vec<(&'a str, &'a str)>> {
    if service == SUPERVISOR {
        return Some(SUPERVISOR_EXPORTS.to_vec());
    }
    let found = manifest.services.iter().find(|other| other.name == service)?;
    Some(found.exports.iter().map(|export| (export.name.as_str(), export.interface.as_str())).collect())
}

fn find_export<'a>(
    holder: &Service,
    grant: &Grant,
    (service, export): (&str, &str),
    exports: &[(&'a str, &'a str)],
    issues: &mut Issues,
) -> Option<&'a str> {
    let found = exports.iter().find(|(name, _)| *name == export);
    if found.is_none() {
        let hint = match exports {
            [] => Some(format!("{service:?} exports nothing")),
            [(only, _)] => Some(format!("did you mean {only:?}?")),
            _ => did_you_mean(export, exports.iter().map(|(name, _)| *name)),
        };
        let message = format!("nobody exports it: {service:?} has no export {export:?}");
        issues.add_with_hint(holder, Field::Caps, &grant.name, message, hint);
    }
    found.map(|(_, interface)| *interface)
}
