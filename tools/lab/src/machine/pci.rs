//! PCI as QEMU has it, beside what the system said about it; and which devices may do DMA.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The first address that takes more than 32 bits.
const HIGH: u64 = 1 << 32;
/// Differences that are named in full.
const NAMED: usize = 8;

/// One line: that both agree, or how they differ. `answer` is what QEMU says to `query-pci`, `said` has lines of `diag pci --json`.
pub fn compare(answer: &Value, said: &str) -> String {
    let mut outside = BTreeSet::new();
    for bus in answer.as_array().into_iter().flatten() {
        devices(bus, "", &mut outside);
    }
    let inside: BTreeSet<String> = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Map<String, Value>>(line.trim()).ok())
        .filter_map(|line| spoken(&line))
        .collect();
    if outside == inside {
        return format!("pci: {} functions and registers, as the system has them\n", outside.len());
    }
    let only = |who: &str, mine: &BTreeSet<String>, theirs: &BTreeSet<String>| {
        let lines = mine.difference(theirs).take(NAMED).map(|line| format!("pci: only {who}: {line}\n"));
        lines.collect::<String>()
    };
    only("QEMU has", &outside, &inside) + &only("the system has", &inside, &outside)
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

fn is(value: &Value, path: &str) -> bool {
    value.pointer(path).and_then(Value::as_bool).unwrap_or_default()
}

/// The devices of a bus and of the buses behind it; `behind` is the bridge that leads there.
fn devices(bus: &Value, behind: &str, out: &mut BTreeSet<String>) {
    for device in bus.get("devices").and_then(Value::as_array).into_iter().flatten() {
        let address = format!(
            "{:02x}:{:02x}.{}",
            number(device, "/bus"),
            number(device, "/slot"),
            number(device, "/function")
        );
        let bridge = device.get("pci_bridge");
        let buses = bridge.map_or_else(String::new, |bridge| {
            format!("{:02x}-{:02x}", number(bridge, "/bus/secondary"), number(bridge, "/bus/subordinate"))
        });
        let (vendor, id) = (number(device, "/id/vendor"), number(device, "/id/device"));
        out.insert(function(&address, behind, vendor, id, number(device, "/class_info/class"), &buses));
        for region in device.get("regions").and_then(Value::as_array).into_iter().flatten() {
            out.extend(register(&address, region));
        }
        if let Some(bridge) = bridge {
            devices(bridge, &address, out);
        }
    }
}

fn function(address: &str, behind: &str, vendor: u64, id: u64, class: u64, buses: &str) -> String {
    format!("{address} behind `{behind}`: {vendor:04x}:{id:04x}, class {class:04x}, buses `{buses}`")
}

/// A base address register that decodes something; a ROM is none.
fn register(address: &str, region: &Value) -> Option<String> {
    let bar = number(region, "/bar");
    let is_memory = region.pointer("/type").and_then(Value::as_str) == Some("memory");
    let decodes = match (is_memory, is(region, "/mem_type_64")) {
        (false, _) => "ports".to_owned(),
        (true, wide) => {
            let prefetchable = if is(region, "/prefetch") { ", prefetchable" } else { "" };
            format!("memory, {} bits{prefetchable}", if wide { 64 } else { 32 })
        }
    };
    let place = if number(region, "/address") >= HIGH { "above 4 GiB" } else { "below 4 GiB" };
    (bar < 6).then(|| decoding(address, bar, number(region, "/size"), &decodes, place))
}

fn decoding(address: &str, bar: u64, size: u64, decodes: &str, place: &str) -> String {
    format!("{address} BAR {bar}: {size} bytes of {decodes}, {place}")
}

/// What the system says in one line. Registers without a place decode nothing, so QEMU does not know them.
fn spoken(line: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| line.get(name).and_then(Value::as_u64).unwrap_or_default();
    let address = text("address");
    match text("kind") {
        "pci" => {
            let class = number("class") >> 8;
            Some(function(address, text("behind"), number("vendor"), number("device"), class, text("buses")))
        }
        "pci_bar" if text("place") != "nowhere" => {
            Some(decoding(address, number("bar"), number("size"), text("decodes"), text("place")))
        }
        _ => None,
    }
}

/// One line: the devices that may do DMA, in the order of the alphabet. `text` is what QEMU says to `info mtree`: a tree of memory for each device
/// or several, in which there is an alias of all memory if they may.
pub fn masters(text: &str) -> String {
    let mut masters = BTreeSet::new();
    let (mut names, mut in_tree) = (Vec::new(), false);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("address-space: ") {
            if std::mem::take(&mut in_tree) {
                names.clear();
            }
            names.push(name.trim());
        } else {
            in_tree = true;
            if line.contains("alias bus master ") {
                masters.extend(names.iter().copied());
            }
        }
    }
    let masters: Vec<&str> = masters.into_iter().collect();
    format!("masters: {}.\n", if masters.is_empty() { "none".to_owned() } else { masters.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::{compare, masters};
    use serde_json::{Value, json};

    fn outside() -> Value {
        json!([{ "bus": 0, "devices": [{
            "bus": 0, "slot": 2, "function": 1, "class_info": { "class": 0x604 },
            "id": { "vendor": 0x1b36, "device": 12 }, "regions": [],
            "pci_bridge": { "bus": { "number": 0, "secondary": 1, "subordinate": 3 }, "devices": [{
                "bus": 1, "slot": 0, "function": 0, "class_info": { "class": 255 },
                "id": { "vendor": 0x1b36, "device": 5 },
                "regions": [
                    { "bar": 1, "size": 256, "address": 49152, "type": "io" },
                    { "bar": 2, "size": 4096, "address": 8_589_934_592u64, "type": "memory", "mem_type_64": true, "prefetch": true },
                    { "bar": 6, "size": 4096, "address": 4096, "type": "memory", "mem_type_64": false, "prefetch": false },
                ] }] } }] }])
    }

    const INSIDE: &str = r#"diag> pci --json
{"kind":"pci","address":"00:02.1","behind":"","vendor":6966,"device":12,"class":394240,"buses":"01-03","line":11}
{"kind":"pci","address":"01:00.0","behind":"00:02.1","vendor":6966,"device":5,"class":65280,"buses":""}
{"kind":"pci_bar","address":"01:00.0","bar":0,"size":64,"decodes":"ports","place":"nowhere"}
{"kind":"pci_bar","address":"01:00.0","bar":1,"size":256,"decodes":"ports","place":"below 4 GiB"}
{"kind":"pci_bar","address":"01:00.0","bar":2,"size":4096,"decodes":"memory, 64 bits, prefetchable","place":"above 4 GiB"}
"#;

    #[test]
    fn what_agrees_is_counted() {
        assert_eq!(compare(&outside(), INSIDE), "pci: 4 functions and registers, as the system has them\n");
        assert_eq!(compare(&json!([]), ""), "pci: 0 functions and registers, as the system has them\n");
    }

    #[test]
    fn what_differs_is_named() {
        for (right, wrong) in [
            ("01-03", "01-02"),
            ("\"size\":256", "\"size\":512"),
            ("6966", "6967"),
            ("above", "below"),
            ("\"00:02.1\",\"vendor", "\"\",\"vendor"),
        ] {
            let said = compare(&outside(), &INSIDE.replace(right, wrong));
            assert!(said.contains("only QEMU has: 0") && said.contains("only the system has: 0"), "{said}");
        }
        let said = compare(&outside(), "");
        assert!(said.lines().count() == 4 && !said.contains("system"), "{said}");
        assert!(
            compare(&json!([]), INSIDE).contains("only the system has: 01:00.0 BAR 1: 256 bytes of ports")
        );
    }

    #[test]
    fn who_may_do_dma_is_named() {
        let tree = "\
address-space: nvme
  0-f (prio 0, i/o): bus master container
address-space: edu
address-space: ahci
  0-f (prio 0, i/o): bus master container
    0-f (prio 0, i/o): alias bus master @system 0-f
address-space: memory
  0-f (prio 0, i/o): system
";
        assert_eq!(masters(tree), "masters: ahci, edu.\n");
        assert_eq!(masters("address-space: nvme\n  x\n"), "masters: none.\n");
    }
}
