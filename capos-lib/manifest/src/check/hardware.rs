//! Ports and interrupt lines: real ones, and each with one owner.

use super::Issues;
use crate::facts::RESERVED_PORTS;
use crate::issue::Field;
use crate::model::{Grant, Manifest, Service, Source};
use alloc::format;
use alloc::string::String;

/// ISA interrupt lines.
const ISA_LINES: u32 = 16;

pub(super) fn check(manifest: &Manifest, issues: &mut Issues) {
    let grants =
        || manifest.services.iter().flat_map(|service| service.caps.iter().map(move |it| (service, it)));
    for (n, (service, grant)) in grants().enumerate() {
        if let Some(message) = impossible(&grant.source) {
            issues.add(service, Field::Caps, &grant.name, message);
            continue;
        }
        if let Some((other, taken)) = grants().take(n).find(|(_, earlier)| collide(earlier, grant)) {
            issues.add(service, Field::Caps, &grant.name, taken_by(other, taken, grant));
        }
    }
}

fn impossible(source: &Source) -> Option<String> {
    match source {
        Source::IoPort { length: 0, .. } => Some(String::from("a range without ports")),
        Source::IoPort { base, length } if u32::from(*base) + u32::from(*length) > 0x1_0000 => {
            Some(format!("{length} ports from {base:#x} on reach beyond the last port, 0xffff"))
        }
        Source::IoPort { base, length } => reserved(*base, *length),
        Source::Irq(line) if *line >= ISA_LINES => {
            Some(format!("there is no interrupt line {line}; the last is {}", ISA_LINES - 1))
        }
        Source::Irq(line @ (0 | 2)) => Some(format!("interrupt line {line} belongs to the kernel")),
        _ => None,
    }
}

/// The range is not empty and ends where ports end.
fn reserved(base: u16, length: u16) -> Option<String> {
    let end = base.saturating_add(length.saturating_sub(1));
    let (first, last) = RESERVED_PORTS.iter().find(|(first, last)| base <= *last && *first <= end)?;
    Some(match first == last {
        true => format!("port {first:#x} belongs to the kernel"),
        false => format!("ports {first:#x} to {last:#x} belong to the kernel"),
    })
}

fn collide(a: &Grant, b: &Grant) -> bool {
    match (&a.source, &b.source) {
        (Source::Irq(a), Source::Irq(b)) => a == b,
        (Source::IoPort { base: a, length: la }, Source::IoPort { base: b, length: lb }) => {
            let end = |base: u16, length: u16| u32::from(base) + u32::from(length);
            u32::from(*a) < end(*b, *lb) && u32::from(*b) < end(*a, *la)
        }
        _ => false,
    }
}

fn taken_by(other: &Service, taken: &Grant, grant: &Grant) -> String {
    let what = match &grant.source {
        Source::IoPort { base, length } => {
            format!("ports {base:#x} to {:#x} overlap", u32::from(*base) + u32::from(*length) - 1)
        }
        _ => String::from("the same line"),
    };
    format!("{what} with {:?} of service {:?}", taken.name, other.name)
}
