//! Interrupt lines, and devices by what they are.

use crate::machine::{LIMIT, item};
use crate::pci::{functions, named};
use crate::{Trouble, pci_class, shapes};
use alloc::format;
use alloc::string::String;
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

pub(crate) async fn irq(system: &SystemInfoClient) -> Result<Report, Trouble> {
    let mut report = shapes::IRQ.report();
    for index in 0..LIMIT {
        let Some(line) = item(system.irq(index).await)? else { break };
        report.row([
            Value::Text(source(line.gsi)),
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
            Value::Text(source(line.gsi)),
            Value::Text(interrupts),
            Value::Text(what),
            Value::text(if line.masked { "masked" } else { "" }),
        ]);
    }
    for function in functions(system).await? {
        report.row([
            Value::text("pci"),
            Value::Text(named(function.address)),
            Value::Text(format!("{:04x}:{:04x}", function.vendor, function.device)),
            Value::text(pci_class::name(function.class)),
            Value::Text(match function.wrong {
                wrong if !wrong.is_empty() => wrong,
                _ if function.command & BUS_MASTER != 0 => String::from("masters the bus"),
                _ => String::from("quiet"),
            }),
        ]);
    }
    Ok(report)
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
