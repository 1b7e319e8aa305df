//! Who holds what, and from whom.

use crate::{Trouble, look, shapes};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_inspect::{Capability, Graph, Kind, Origin, Process};
use capos_text::{Report, Value, pages};
use rt::generated::InspectorClient;
use rt::schema::interface_name;

/// In the number of an interrupt: it is no line but a message of a function, whose number and the message's follow.
const MESSAGE: u64 = 1 << 31;

/// What may be called through it.
pub fn interface(cap: &Capability) -> String {
    interface_name(cap.interface).map_or_else(|| format!("{:#x}", cap.interface), String::from)
}

/// A process by its name and number.
pub fn title(process: &Process) -> String {
    format!("{} ({})", look::name(process), process.id)
}

/// A process by its id.
pub fn name(graph: &Graph, id: u64) -> String {
    graph.process(id).map_or_else(|| format!("({id}, ended)"), title)
}

/// What it stands for.
pub fn what(graph: &Graph, cap: &Capability) -> String {
    let Capability { object, detail, .. } = *cap;
    match cap.kind {
        Kind::Kernel => String::from("of the kernel"),
        Kind::Own => String::from("its own"),
        Kind::Endpoint => format!("receives at endpoint {object}"),
        Kind::Facet => {
            let server = graph.servers(object).next().map(|right| right.at.process);
            match server {
                Some(server) if server == cap.at.process => format!("served by itself, endpoint {object}"),
                Some(server) => format!("served by {}, endpoint {object}", name(graph, server)),
                None => format!("served by nobody, endpoint {object}"),
            }
        }
        Kind::Memory => {
            let limit = if detail & 1 == 0 { ", read only" } else { "" };
            format!("memory {object}, {}{limit}", pages(detail >> 1))
        }
        Kind::Process => format!("process {}", name(graph, object)),
        Kind::Watch => format!("how {} fares", name(graph, object)),
        Kind::Debug => format!("debugs {}", name(graph, object)),
        Kind::Notification => format!("waits at notification {object}"),
        Kind::Signaller => format!("sets {detail:#x} of notification {object}"),
        Kind::Alarm => format!("alarm {object}"),
        Kind::Ports => {
            let (first, count) = (detail & 0xffff, detail >> 16);
            format!("ports {first:#x} to {:#x}", (first + count).saturating_sub(1))
        }
        Kind::Line if object & MESSAGE == 0 => format!("line {object}"),
        Kind::Line => format!("message {} of {}", object & 0x7ff, function(object >> 11)),
        Kind::Device => format!("device {}", function(object)),
        Kind::Other(kind) => format!("of kind {kind}"),
    }
}

/// The address of a PCI function.
fn function(number: u64) -> String {
    format!("{:02x}:{:02x}.{}", number >> 8 & 0xff, number >> 3 & 0x1f, number & 7)
}

/// Whose capability it was made from.
pub fn from(graph: &Graph, cap: &Capability) -> String {
    match cap.origin {
        Origin::Root => String::from("-"),
        Origin::From(above) if above.process == cap.at.process => String::from("itself"),
        Origin::From(above) => name(graph, above.process),
        Origin::Gone | Origin::Other(_) => String::from("somebody gone"),
    }
}

/// What one process holds: alike capabilities are one row, with how many they are.
pub(crate) async fn all(inspector: &InspectorClient) -> Result<Vec<Report>, Trouble> {
    let (graph, whole) = look::graph(inspector).await?;
    Ok(alloc::vec![rows(&graph, whole)])
}

fn rows(graph: &Graph, whole: bool) -> Report {
    let mut report = shapes::HOLDING.report();
    for process in graph.processes() {
        let mut alike: Vec<(u64, &Capability, String)> = Vec::new();
        for cap in graph.held_by(process.id).filter(|cap| cap.kind != Kind::Own) {
            let what = what(graph, cap);
            let same = |other: &Capability| other.interface == cap.interface && giver(other) == giver(cap);
            match alike.iter_mut().find(|(_, other, words)| *words == what && same(other)) {
                Some((count, ..)) => *count += 1,
                None => alike.push((1, cap, what)),
            }
        }
        for (count, cap, what) in alike {
            let number = |id: Option<u64>| id.map_or(Value::Nothing, Value::number);
            report.row([
                Value::number(process.id),
                Value::Text(look::name(process)),
                Value::number(count),
                Value::Text(interface(cap)),
                Value::Text(what),
                number(target(graph, cap)),
                number(giver(cap)),
                Value::Flag(whole),
            ]);
        }
    }
    report
}

/// The process that a capability leads to: who serves what is called, or what may be done something with.
fn target(graph: &Graph, cap: &Capability) -> Option<u64> {
    match cap.kind {
        Kind::Facet => graph.servers(cap.object).next().map(|right| right.at.process),
        Kind::Process | Kind::Watch | Kind::Debug => Some(cap.object),
        _ => None,
    }
}

/// Who had what it was made of, if that is somebody else.
fn giver(cap: &Capability) -> Option<u64> {
    match cap.origin {
        Origin::From(above) if above.process != cap.at.process => Some(above.process),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::rows;
    use capos_inspect::{
        Capability, End, Graph, Kind, Leaves, Life, Name, Origin, Process, RESOURCES, Slot, Use,
    };
    use rt::schema::interface_id;

    fn process(id: u64, name: &str) -> Process {
        let budget = [Use::default(); RESOURCES];
        let (life, end, name) = (Life::Runs, End::None, Name::new(name));
        Process { id, cpu_ns: 0, life, end, priority: 10, cpu_percent: 0, name, budget }
    }

    fn cap(at: (u64, u32), interface: &str, kind: Kind, object: u64, origin: Origin) -> Capability {
        let interface = interface_id(interface).unwrap_or(0x77);
        let at = Slot { process: at.0, slot: at.1 };
        Capability { at, interface, kind, object, detail: 0, leaves: Leaves::Freely, origin, family: 1 }
    }

    #[test]
    fn alike_ones_are_one_row_that_leads_somewhere() {
        let of = |process, slot| Origin::From(Slot { process, slot });
        let caps = [
            cap((1, 4), "Endpoint", Kind::Endpoint, 2, Origin::Root),
            cap((5, 0), "VirtualMemory", Kind::Own, 5, Origin::Root),
            cap((5, 4), "Endpoint", Kind::Endpoint, 2, of(1, 4)),
            cap((6, 3), "Console", Kind::Facet, 2, of(1, 4)),
            cap((6, 4), "Console", Kind::Facet, 2, of(1, 4)),
            cap((6, 5), "ProcessHandle", Kind::Process, 99, of(6, 9)),
        ];
        let graph =
            Graph::new([process(1, "init"), process(5, "console"), process(6, "shell")].to_vec(), caps);
        let json = rows(&graph, true).json();
        let lines: alloc::vec::Vec<&str> = json.lines().collect();
        assert_eq!(lines.len(), 4, "{json}");
        assert_eq!(
            lines[2],
            r#"{"kind":"holding","process":6,"name":"shell","count":2,"interface":"Console","what":"served by console (5), endpoint 2","target":5,"giver":1,"whole":true}"#
        );
        assert!(
            lines[3].contains(r#""count":1,"interface":"ProcessHandle""#)
                && lines[3].contains(r#""target":99,"giver":null"#)
        );
    }
}
