//! PCI functions: which bridge leads to which, where they answer, what they can do.

use crate::machine::{LIMIT, item};
use crate::{Trouble, shapes};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Report, Value};
use rt::generated::SystemInfoClient;
use rt::schema::device_manager::{DeviceState, DmaBackend};

/// A function, kept beyond the next question.
pub(crate) struct Function {
    pub address: u32,
    pub vendor: u16,
    pub device: u16,
    pub class: u32,
    pub command: u16,
    pub wrong: String,
    /// The process that has claimed it, 0 for none.
    pub driver: u64,
    pub state: DeviceState,
    pub backend: DmaBackend,
    /// An IOMMU shows it nothing but what it was given.
    pub guarded: bool,
    /// Nobody can have it.
    pub bridge: bool,
    pub header: u8,
    pub line: u8,
    pub gsi: Option<u32>,
    /// First and last bus behind it.
    pub buses: Option<(u8, u8)>,
    pub msi: u16,
    pub msix: u16,
}

impl Function {
    /// Whether it interrupts by line `gsi`: it has no messages.
    pub fn has_line(&self, gsi: u32) -> bool {
        self.gsi == Some(gsi) && self.msi == 0 && self.msix == 0
    }
}

/// Every function, in bus order. A cursor that does not advance ends the list.
pub(crate) async fn functions(system: &SystemInfoClient) -> Result<Vec<Function>, Trouble> {
    let mut found = Vec::new();
    let mut cursor = 0;
    for _ in 0..=LIMIT {
        let Some(function) = item(system.pci_function(cursor).await)? else { break };
        let next = function.next;
        found.push(Function {
            address: function.address,
            vendor: function.vendor,
            device: function.device,
            class: function.class,
            command: function.command,
            wrong: function.wrong,
            driver: function.driver,
            state: function.state,
            backend: function.backend,
            guarded: function.guarded,
            bridge: function.bridge,
            header: function.header,
            line: function.interrupt_line,
            gsi: function.routed.then_some(function.gsi),
            buses: (function.secondary != 0).then_some((function.secondary, function.subordinate)),
            msi: function.msi,
            msix: function.msix,
        });
        if next <= cursor {
            break;
        }
        cursor = next;
    }
    Ok(found)
}

/// `bus:device.function`.
pub(crate) fn named(address: u32) -> String {
    format!("{:02x}:{:02x}.{}", address >> 8 & 0xff, address >> 3 & 0x1f, address & 7)
}

/// The bridge that leads to the bus of `function`; nothing on a root bus.
fn bridge_to(functions: &[Function], function: &Function) -> String {
    let leads =
        |bridge: &&Function| bridge.buses.is_some_and(|(bus, _)| u32::from(bus) == function.address >> 8);
    functions.iter().find(leads).map_or_else(String::new, |bridge| named(bridge.address))
}

pub(crate) async fn all(system: &SystemInfoClient) -> Result<Vec<Report>, Trouble> {
    let functions = functions(system).await?;
    let (mut report, mut bars, mut abilities) =
        (shapes::PCI.report(), shapes::PCI_BAR.report(), shapes::PCI_CAPABILITY.report());
    for function in &functions {
        report.row([
            Value::Text(named(function.address)),
            Value::Text(bridge_to(&functions, function)),
            Value::Hex(u64::from(function.vendor), 4),
            Value::Hex(u64::from(function.device), 4),
            Value::Hex(u64::from(function.class), 6),
            Value::Hex(u64::from(function.header), 2),
            Value::Text(
                function.buses.map_or_else(String::new, |(first, last)| format!("{first:02x}-{last:02x}")),
            ),
            Value::number(function.line),
            function.gsi.map_or(Value::Nothing, Value::number),
            Value::number(function.msi),
            Value::number(function.msix),
            Value::Text(function.wrong.clone()),
        ]);
        add_bars(system, function.address, &mut bars).await?;
        add_abilities(system, function.address, &mut abilities).await?;
    }
    Ok(alloc::vec![report, bars, abilities])
}

async fn add_bars(system: &SystemInfoClient, address: u32, report: &mut Report) -> Result<(), Trouble> {
    let mut cursor = 0;
    while !report.is_full() {
        let Some(bar) = item(system.pci_bar(address, cursor).await)? else { break };
        let place = match (bar.placed, bar.high) {
            (false, _) => "nowhere",
            (true, false) => "below 4 GiB",
            (true, true) => "above 4 GiB",
        };
        report.row([
            Value::Text(named(address)),
            Value::number(bar.index),
            Value::number(bar.size),
            Value::Text(bar.kind),
            Value::text(place),
        ]);
        match bar.index.checked_add(1) {
            Some(next) if next > cursor => cursor = next,
            _ => break,
        }
    }
    Ok(())
}

async fn add_abilities(system: &SystemInfoClient, address: u32, report: &mut Report) -> Result<(), Trouble> {
    for index in 0..LIMIT {
        if report.is_full() {
            break;
        }
        let Some(ability) = item(system.pci_capability(address, index).await)? else { break };
        report.row([
            Value::Text(named(address)),
            Value::Flag(ability.extended),
            Value::Hex(u64::from(ability.id), 2),
            Value::Text(ability.text),
        ]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{DeviceState, DmaBackend, Function, bridge_to, named};
    use alloc::string::String;

    impl Function {
        /// One that nobody has.
        pub(crate) fn at(address: u32) -> Function {
            Function {
                address,
                vendor: 1,
                device: 2,
                class: 3,
                command: 0,
                wrong: String::new(),
                driver: 0,
                state: DeviceState::Free,
                backend: DmaBackend::Bounce,
                guarded: false,
                bridge: false,
                header: 0,
                line: 0,
                gsi: None,
                buses: None,
                msi: 0,
                msix: 0,
            }
        }
    }

    fn function(address: u32, buses: Option<(u8, u8)>) -> Function {
        Function { buses, ..Function::at(address) }
    }

    #[test]
    fn functions_are_behind_the_bridge_to_their_bus() {
        let all = [function(0x0010, Some((1, 3))), function(0x0100, Some((2, 2))), function(0x0208, None)];
        let behind: [String; 3] = [0, 1, 2].map(|at| bridge_to(&all, &all[at]));
        assert_eq!(behind, ["", "00:02.0", "01:00.0"]);
        assert_eq!(named(0x12fb), "12:1f.3");
    }
}
