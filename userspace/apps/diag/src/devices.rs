//! Interrupt lines, and devices by what they are.

use crate::machine::{LIMIT, item};
use crate::pci::{Function, functions, named};
use crate::{Trouble, pci_class, shapes};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Report, Value};
use rt::generated::SystemInfoClient;
use rt::schema::device_manager::{DeviceState, DmaBackend};

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
    if number & MESSAGE == 0 { Value::number(number) } else { Value::Nothing }
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

/// Lines, then functions, by what they are and who has them.
pub(crate) async fn all(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = shapes::DEVICE.report();
    let functions = functions(system).await?;
    let mut interrupts = Vec::new();
    for index in 0..LIMIT {
        let Some(line) = item(system.irq(index).await)? else { break };
        interrupts.push((line.gsi, line.count));
        // Messages are their functions'.
        if line.gsi & MESSAGE != 0 {
            continue;
        }
        let owner = owner(system, &functions, line.gsi, line.owner).await?;
        report.row([
            Value::text("line"),
            Value::Text(format!("{}", line.gsi)),
            Value::text(""),
            Value::text("interrupt line"),
            Value::Text(if owner.is_empty() { String::from("nobody's") } else { driven(&owner) }),
            Value::text(""),
            Value::number(line.count),
        ]);
    }
    for function in functions {
        let sent = interrupts.iter().filter(|(number, _)| sends(&function, *number));
        let count = sent.fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
        let driver = match function.driver {
            0 => String::new(),
            driver => process(system, driver).await?,
        };
        report.row([
            Value::text("pci"),
            Value::Text(named(function.address)),
            Value::Text(format!("{:04x}:{:04x}", function.vendor, function.device)),
            Value::text(pci_class::name(function.class)),
            Value::Text(state(&function, &driver)),
            Value::text(way(&function)),
            Value::number(count),
        ]);
    }
    Ok(report)
}

fn driven(by: &str) -> String {
    format!("driven by {by}")
}

/// Who has it, or why nobody has.
fn state(function: &Function, driver: &str) -> String {
    let lets_pass = function.command & BUS_MASTER != 0;
    let words = match function.state {
        _ if !function.wrong.is_empty() => &function.wrong,
        DeviceState::Draining => "taken back, and not quiet yet",
        _ if !driver.is_empty() => return driven(driver),
        DeviceState::Claimed | DeviceState::Running => "claimed",
        _ if function.bridge && lets_pass => "lets requests pass",
        _ if function.bridge => "the platform's",
        _ if lets_pass => "not quiet",
        _ => "quiet",
    };
    String::from(words)
}

/// How it reaches memory, if it may.
fn way(function: &Function) -> &'static str {
    match (function.state, function.backend, function.guarded) {
        (DeviceState::Running, DmaBackend::Bounce, false) => "bounce",
        (DeviceState::Running, DmaBackend::Bounce, true) => "bounce behind IOMMU",
        (DeviceState::Running, DmaBackend::Unproven, _) => "unproven",
        (DeviceState::Running, DmaBackend::Direct, _) => "direct",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{source, state, way};
    use crate::pci::Function;
    use alloc::string::String;
    use rt::schema::device_manager::{DeviceState, DmaBackend};

    #[test]
    fn interrupts_come_from_lines_and_functions() {
        assert_eq!(source(4), "line 4");
        assert_eq!(source(1 << 31 | 0x0213 << 11 | 7), "02:02.3 message 7");
    }

    #[test]
    fn what_nobody_drives_is_quiet_and_bridges_are_not() {
        let free = Function::at(8);
        assert_eq!(state(&free, ""), "quiet");
        assert_eq!(state(&Function { command: 4, ..Function::at(8) }, ""), "not quiet");
        assert_eq!(state(&Function { bridge: true, ..Function::at(8) }, ""), "the platform's");
        assert_eq!(
            state(&Function { bridge: true, command: 4, ..Function::at(8) }, ""),
            "lets requests pass"
        );
        let draining = Function { state: DeviceState::Draining, ..Function::at(8) };
        assert_eq!(state(&draining, ""), "taken back, and not quiet yet");
        let wrong = Function { wrong: String::from("the device's BAR 0"), ..draining };
        assert_eq!((state(&wrong, ""), way(&wrong)), ("the device's BAR 0".into(), ""));
    }

    #[test]
    fn the_way_to_memory_is_told_of_who_has_one() {
        let has = |state, backend, guarded| way(&Function { state, backend, guarded, ..Function::at(8) });
        assert_eq!(has(DeviceState::Claimed, DmaBackend::Bounce, false), "");
        assert_eq!(has(DeviceState::Running, DmaBackend::Bounce, false), "bounce");
        assert_eq!(has(DeviceState::Running, DmaBackend::Bounce, true), "bounce behind IOMMU");
        assert_eq!(has(DeviceState::Running, DmaBackend::Unproven, true), "unproven");
        assert_eq!(has(DeviceState::Running, DmaBackend::Direct, true), "direct");
    }
}
