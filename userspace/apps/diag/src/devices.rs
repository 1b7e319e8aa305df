//! Interrupt lines, and devices by what they are.

use crate::machine::{LIMIT, item};
use crate::pci::{Function, functions, named};
use crate::{Trouble, pci_class, shapes};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Report, Value};
use rt::generated::SystemInfoClient;

/// In a PCI function's command register: it may begin transfers of its own.
const BUS_MASTER: u16 = 1 << 2;

/// In the number of an interrupt: it is no line but a message of a function, whose number and the message's follow.
const MESSAGE: u32 = 1 << 31;

/// Where an interrupt comes from.
fn source(number: u32) -> String {
    match number & MESSAGE {
        0 => format!("line {number}"),
        _ => format!("{} message {}", named(number >> 11 & 0xffff), number & 0x7ff),
    }
}

/// The global interrupt that a line is; a message is none.
fn gsi(number: u32) -> Value {
    if number & MESSAGE == 0 { Value::number(number) } else { Value::text("") }
}

/// The name of a process; its number if it has ended meanwhile.
async fn process(system: &SystemInfoClient, id: u64) -> Result<String, Trouble> {
    let found = item(system.process(id).await)?.filter(|found| found.id == id);
    Ok(found.map_or_else(|| format!("process {id}"), |found| found.name))
}

/// Whether the function may send this interrupt.
fn sends(function: &Function, number: u32) -> bool {
    match number & MESSAGE {
        0 => function.has_line(number),
        _ => function.address == number >> 11 & 0xffff,
    }
}

/// Who gets an interrupt: drivers of functions, and who listened to a line that is none of PCI.
async fn owner(
    system: &SystemInfoClient,
    functions: &[Function],
    number: u32,
    listener: String,
) -> Result<String, Trouble> {
    let drivers = functions.iter().filter(|function| sends(function, number)).map(|function| function.driver);
    let mut names = Vec::new();
    for driver in drivers.filter(|driver| *driver != 0) {
        let name = process(system, driver).await?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(if names.is_empty() { listener } else { names.join(", ") })
}

pub(crate) async fn irq(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = shapes::IRQ.report();
    let functions = functions(system).await?;
    for index in 0..LIMIT {
        let Some(line) = item(system.irq(index).await)? else { break };
        let owner = owner(system, &functions, line.gsi, line.owner).await?;
        report.row([
            Value::Text(source(line.gsi)),
            gsi(line.gsi),
            Value::number(line.vector),
            Value::number(line.count),
            Value::Flag(line.masked),
            Value::Text(owner),
            Value::number(line.cpu),
        ]);
    }
    Ok(report)
}

/// Interrupts, then functions, by what they are and who has them.
pub(crate) async fn all(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = shapes::DEVICE.report();
    let functions = functions(system).await?;
    for index in 0..LIMIT {
        let Some(line) = item(system.irq(index).await)? else { break };
        let owner = owner(system, &functions, line.gsi, line.owner).await?;
        report.row([
            Value::text("interrupt"),
            Value::Text(source(line.gsi)),
            Value::Text(format!("{} so far", line.count)),
            Value::text(if line.masked { "masked" } else { "awaited" }),
            Value::Text(driven(owner)),
        ]);
    }
    for function in functions {
        let state = match function.wrong {
            wrong if !wrong.is_empty() => wrong,
            _ if function.driver != 0 => driven(process(system, function.driver).await?),
            _ if function.command & BUS_MASTER != 0 => String::from("lets requests pass"),
            _ => String::from("quiet"),
        };
        report.row([
            Value::text("pci"),
            Value::Text(named(function.address)),
            Value::Text(format!("{:04x}:{:04x}", function.vendor, function.device)),
            Value::text(pci_class::name(function.class)),
            Value::Text(state),
        ]);
    }
    Ok(report)
}

fn driven(owner: String) -> String {
    if owner.is_empty() { String::from("nobody's") } else { format!("driven by {owner}") }
}

#[cfg(test)]
mod tests {
    use super::source;

    #[test]
    fn interrupts_come_from_lines_and_functions() {
        assert_eq!(source(4), "line 4");
        assert_eq!(source(1 << 31 | 0x0213 << 11 | 7), "02:02.3 message 7");
    }
}
