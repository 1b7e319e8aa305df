//! Names: short, printable, and each meaning one thing.

use super::Issues;
use crate::facts::{INIT, SUPERVISOR};
use crate::issue::Field;
use crate::model::{Manifest, Service};
use alloc::format;
use alloc::string::String;

/// What the kernel keeps of a process's name.
const LONGEST: usize = 31;
/// The name under which a service finds the receive right of its own endpoint.
const SERVE: &str = "serve";
/// And that of the endpoint through which its supervisor speaks to it.
const CONTROL: &str = "control";

pub(super) fn check(manifest: &Manifest, issues: &mut Issues) {
    for (n, service) in manifest.services.iter().enumerate() {
        one(service, Field::Name, "", &service.name, issues);
        one(service, Field::Binary, "", &service.binary, issues);
        if service.name == INIT || service.name == SUPERVISOR {
            let message = String::from("a process that every system has goes by this name; a service cannot");
            issues.add(service, Field::Name, "", message);
        }
        if manifest.services.iter().take(n).any(|earlier| earlier.name == service.name) {
            issues.add(service, Field::Name, "", String::from("another service has this name too"));
        }
        caps(service, issues);
        exports(service, issues);
    }
}

fn caps(service: &Service, issues: &mut Issues) {
    for (n, grant) in service.caps.iter().enumerate() {
        one(service, Field::Caps, &grant.name, &grant.name, issues);
        if service.caps.iter().take(n).any(|earlier| earlier.name == grant.name) {
            issues.add(service, Field::Caps, &grant.name, String::from("another one has this name too"));
        }
        if grant.name == SERVE && !service.exports.is_empty() {
            let message = String::from("a service with exports finds its own endpoint under this name");
            issues.add(service, Field::Caps, &grant.name, message);
        }
        if grant.name == CONTROL && service.health.is_some() {
            let message = String::from("a service with health hears from its supervisor under this name");
            issues.add(service, Field::Caps, &grant.name, message);
        }
    }
}

fn exports(service: &Service, issues: &mut Issues) {
    for (n, export) in service.exports.iter().enumerate() {
        one(service, Field::Exports, &export.name, &export.name, issues);
        if service.exports.iter().take(n).any(|earlier| earlier.name == export.name) {
            issues.add(service, Field::Exports, &export.name, String::from("another one has this name too"));
        }
    }
}

/// Names appear on terminals and in JSON, so what could disturb these is refused.
fn one(service: &Service, field: Field, entry: &str, name: &str, issues: &mut Issues) {
    let what = if field == Field::Binary { "the file's name" } else { "the name" };
    if name.is_empty() {
        issues.add(service, field, entry, format!("{what} is empty"));
    } else if name.len() > LONGEST {
        let message = format!("{what} has {} bytes; at most {LONGEST} are possible", name.len());
        issues.add(service, field, entry, message);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(wrong) = name.chars().find(|c| !plain(*c)) {
        let message = format!("{what} has a {wrong:?} in it; letters, digits, - _ . are possible");
        issues.add(service, field, entry, message);
    }
}
