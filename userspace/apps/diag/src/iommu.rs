//! IOMMUs: whether devices are kept to what they were given.

use crate::machine::{LIMIT, item};
use crate::pci::named;
use crate::{Trouble, shapes};
use alloc::string::String;
use capos_text::{Report, Value};
use rt::generated::SystemInfoClient;
use rt::schema::system_info::{IommuInterrupts, IommuKind};

pub(crate) async fn all(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = shapes::IOMMU.report();
    let mut found = false;
    for index in 0..LIMIT {
        let Some(unit) = item(system.iommu(index).await)? else { break };
        found = true;
        let last = if unit.faults > 0 { named(unit.last) } else { String::new() };
        report.row([
            Value::number(index),
            Value::text(kind(unit.kind)),
            Value::Text(unit.state),
            Value::text(interrupts(unit.interrupts)),
            Value::number(unit.bits),
            Value::number(unit.faults),
            Value::number(unit.lost),
            Value::Text(last),
        ]);
    }
    if !found {
        report.row([
            Value::number(0),
            Value::text("none"),
            Value::text("absent: the kernel translates for devices"),
            Value::text(""),
            Value::number(0),
            Value::number(0),
            Value::number(0),
            Value::text(""),
        ]);
    }
    Ok(report)
}

fn kind(kind: IommuKind) -> &'static str {
    match kind {
        IommuKind::Unknown => "unknown",
        IommuKind::Intel => "intel",
        IommuKind::Amd => "amd",
    }
}

fn interrupts(interrupts: IommuInterrupts) -> &'static str {
    match interrupts {
        IommuInterrupts::Proven => "proven",
        IommuInterrupts::Forgeable => "forgeable",
        IommuInterrupts::Unproven => "unproven",
    }
}
