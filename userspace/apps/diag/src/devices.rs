//! ACPI tables, PCI functions, interrupt lines.

use crate::machine::{LIMIT, item};
use crate::{Trouble, pci_class, shapes};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Report, Value};
use rt::generated::SystemInfoClient;
use rt::schema::system_info::PciFunctionResults;

pub(crate) async fn acpi(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = shapes::ACPI.report();
    for index in 0..LIMIT {
        let Some(table) = item(system.acpi_table(index).await)? else { break };
        report.row([
            Value::Text(table.signature),
            Value::number(table.revision),
            Value::number(table.length),
        ]);
    }
    Ok(report)
}

/// Every function, in bus order. A cursor that does not advance ends the list.
async fn functions(system: &SystemInfoClient) -> Result<Vec<PciFunctionResults>, Trouble> {
    let mut found = Vec::new();
    let mut cursor = 0;
    for _ in 0..=LIMIT {
        let Some(function) = item(system.pci_function(cursor).await)? else { break };
        let next = function.next;
        found.push(function);
        if next <= cursor {
            break;
        }
        cursor = next;
    }
    Ok(found)
}

/// `bus:device.function`.
fn address(function: &PciFunctionResults) -> String {
    let address = function.address;
    format!("{:02x}:{:02x}.{}", address >> 8 & 0xff, address >> 3 & 0x1f, address & 7)
}

pub(crate) async fn pci(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = shapes::PCI.report();
    for function in functions(system).await? {
        report.row([
            Value::Text(address(&function)),
            Value::Hex(u64::from(function.vendor), 4),
            Value::Hex(u64::from(function.device), 4),
            Value::Hex(u64::from(function.class), 6),
            Value::Hex(u64::from(function.header), 2),
            Value::number(function.interrupt_line),
        ]);
    }
    Ok(report)
}

pub(crate) async fn irq(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = shapes::IRQ.report();
    for index in 0..LIMIT {
        let Some(line) = item(system.irq(index).await)? else { break };
        report.row([
            Value::number(line.gsi),
            Value::number(line.vector),
            Value::number(line.count),
            Value::Flag(line.masked),
            Value::Text(line.owner),
            Value::number(line.cpu),
        ]);
    }
    Ok(report)
}

pub(crate) async fn all(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = shapes::DEVICE.report();
    for index in 0..LIMIT {
        let Some(line) = item(system.irq(index).await)? else { break };
        let what = if line.owner.is_empty() {
            String::from("nobody's")
        } else {
            format!("driven by {}", line.owner)
        };
        let interrupts = format!("{} interrupts", line.count);
        report.row([
            Value::text("line"),
            Value::Text(format!("gsi {}", line.gsi)),
            Value::Text(interrupts),
            Value::Text(what),
        ]);
    }
    for function in functions(system).await? {
        report.row([
            Value::text("pci"),
            Value::Text(address(&function)),
            Value::Text(format!("{:04x}:{:04x}", function.vendor, function.device)),
            Value::text(pci_class::name(function.class)),
        ]);
    }
    Ok(report)
}
