//! Who holds what, and from whom.

use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_inspect::{Capability, Graph, Kind, Origin, Process, Tie};
use capos_text::{Align, Table};
use capos_words::closest;
use diag::holdings::{from, interface, name, title, what};
use diag::look;
use rt::generated::InspectorClient;

/// Rows of one table at most.
const MOST: usize = 500;

/// Every process and what it holds.
pub async fn all(session: &Session) -> Result<String, Trouble> {
    let (graph, whole) = read(session).await?;
    Ok(format!("{}{}", overview(&graph), caution(whole)))
}

/// One process, by name or number: what it holds, and what others have from it.
pub async fn one(session: &Session, name: &str) -> Result<String, Trouble> {
    let (graph, whole) = read(session).await?;
    let number = name.parse::<u64>().ok();
    let meant = |process: &&Process| process.name.as_str() == name || Some(process.id) == number;
    let found: Vec<String> =
        graph.processes().iter().filter(meant).map(|process| about(&graph, process)).collect();
    if found.is_empty() {
        let names = graph.processes().iter().map(|process| process.name.as_str());
        return Err(Trouble::Say(match closest(name, names) {
            Some(meant) => format!("no process `{name}`; did you mean `{meant}`?"),
            None => format!("no process `{name}`; `graph` shows all"),
        }));
    }
    Ok(format!("{}{}", found.join("\n"), caution(whole)))
}

/// Names of all processes, for those who type.
pub async fn names(session: &Session) -> Vec<String> {
    let Some(inspector) = session.client::<InspectorClient>("inspector") else { return Vec::new() };
    let listing = rt::schema::inspector::Listing::Processes;
    let Ok(listed) = look::all::<Process>(&inspector, listing).await else { return Vec::new() };
    let names = listed.records.iter().map(|process| process.name.as_str());
    let mut names: Vec<String> = names.filter(|name| is_a_word(name)).map(String::from).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether it can be typed as one word. Whoever made a process chose its name.
fn is_a_word(name: &str) -> bool {
    !name.chars().any(|c| c.is_control() || c.is_whitespace())
}

async fn read(session: &Session) -> Result<(Graph, bool), Trouble> {
    Ok(look::graph(&*session.held.client::<InspectorClient>("inspector")?).await?)
}

fn caution(whole: bool) -> &'static str {
    if whole { "" } else { "Some of it changed while it was read.\n" }
}

/// What every process holds, beside what each has of its own: one line for those that are alike.
fn overview(graph: &Graph) -> String {
    let columns = [
        ("PROCESS", Align::Left),
        ("N", Align::Right),
        ("CAPABILITY", Align::Left),
        ("WHAT", Align::Left),
        ("FROM", Align::Left),
    ];
    let mut table = Bounded::new(&columns);
    for process in graph.processes() {
        let mut lines: Vec<(usize, [String; 3])> = Vec::new();
        for cap in graph.held_by(process.id).filter(|cap| cap.kind != Kind::Own) {
            let line = [interface(cap), what(graph, cap), from(graph, cap)];
            match lines.iter_mut().find(|(_, other)| *other == line) {
                Some((count, _)) => *count += 1,
                None => lines.push((1, line)),
            }
        }
        if lines.is_empty() {
            table.row([title(process), String::new(), String::from("(nothing)")]);
        }
        for (n, (count, line)) in lines.into_iter().enumerate() {
            let title = if n == 0 { title(process) } else { String::new() };
            table.row([title, format!("{count}")].into_iter().chain(line));
        }
    }
    table.render()
}

/// One process, both ways.
fn about(graph: &Graph, process: &Process) -> String {
    let columns =
        [("SLOT", Align::Right), ("CAPABILITY", Align::Left), ("WHAT", Align::Left), ("FROM", Align::Left)];
    let mut holds = Bounded::new(&columns);
    for cap in graph.held_by(process.id) {
        let slot = format!("{}", cap.at.slot);
        holds.row([slot, interface(cap), what(graph, cap), from_slot(graph, cap)]);
    }
    let columns =
        [("HOLDER", Align::Left), ("SLOT", Align::Right), ("CAPABILITY", Align::Left), ("WHAT", Align::Left)];
    let mut others = Bounded::new(&columns);
    for cap in graph.capabilities() {
        let Some(tie) = graph.owes(cap, process.id) else { continue };
        let what = match tie {
            Tie::Served => format!("calls endpoint {}, badge {:#x}", cap.object, cap.detail),
            Tie::Derived => what(graph, cap),
        };
        others.row([name(graph, cap.at.process), format!("{}", cap.at.slot), interface(cap), what]);
    }
    let title = title(process);
    let mut out = format!("{title} holds:\n{}", holds.render());
    if others.rows == 0 {
        out.push_str("Nobody else has anything from it.\n");
    } else {
        out.push_str(&format!("Others have from it:\n{}", others.render()));
    }
    out
}

/// The same with the slot there.
fn from_slot(graph: &Graph, cap: &Capability) -> String {
    match cap.origin {
        Origin::From(above) => format!("{}, slot {}", from(graph, cap), above.slot),
        _ => from(graph, cap),
    }
}

/// A table that does not grow for ever.
struct Bounded {
    table: Table,
    rows: usize,
}

impl Bounded {
    fn new(columns: &[(&str, Align)]) -> Self {
        Bounded { table: Table::new(columns), rows: 0 }
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows += 1;
        if self.rows <= MOST {
            self.table.row(cells);
        }
    }

    fn render(&self) -> String {
        let mut out = self.table.render();
        if self.rows > MOST {
            out.push_str(&format!("... and {} more\n", self.rows - MOST));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, about, overview};
    use alloc::vec::Vec;
    use capos_inspect::{
        Capability, End, Graph, Kind, Leaves, Life, Name, Origin, Process, RESOURCES, Slot, Use,
    };
    use rt::schema::{interface_id, interface_name};

    fn process(id: u64, name: &str) -> Process {
        Process {
            id,
            cpu_ns: 0,
            life: Life::Runs,
            end: End::None,
            priority: 10,
            cpu_percent: 0,
            name: Name::new(name),
            budget: [Use::default(); RESOURCES],
        }
    }

    fn cap(at: (u64, u32), interface: &str, what: (Kind, u64, u64), origin: Origin) -> Capability {
        let (kind, object, detail) = what;
        let at = Slot { process: at.0, slot: at.1 };
        let interface = interface_id(interface).unwrap_or(0x77);
        Capability { at, interface, kind, object, detail, leaves: Leaves::Freely, origin, family: 1 }
    }

    fn of(process: u64, slot: u32) -> Origin {
        Origin::From(Slot { process, slot })
    }

    fn small() -> Graph {
        let processes = [process(1, "init"), process(5, "console"), process(6, "shell"), process(7, "bare")];
        let caps = [
            cap((1, 0), "VirtualMemory", (Kind::Own, 1, 0), Origin::Root),
            cap((1, 3), "LogSink", (Kind::Kernel, 0, 0), Origin::Root),
            cap((1, 4), "Endpoint", (Kind::Endpoint, 2, 0), Origin::Root),
            cap((5, 3), "LogSink", (Kind::Kernel, 0, 0), of(1, 3)),
            cap((5, 4), "Endpoint", (Kind::Endpoint, 2, 0), of(1, 4)),
            cap((6, 3), "Console", (Kind::Facet, 2, 9), of(1, 4)),
            cap((6, 4), "MemoryObject", (Kind::Memory, 3, 4 << 1), Origin::Gone),
            cap((6, 5), "MemoryObject", (Kind::Memory, 3, 4 << 1), Origin::Gone),
            cap((6, 6), "strange", (Kind::Facet, 8, 0), Origin::Root),
            cap((6, 7), "ProcessHandle", (Kind::Process, 99, 0), Origin::Root),
        ];
        Graph::new(processes.to_vec(), caps)
    }

    fn lines(text: &str) -> Vec<Vec<&str>> {
        let columns = |line| str::split(line, "  ").map(str::trim).filter(|cell| !cell.is_empty());
        text.lines().map(|line| columns(line).collect()).collect()
    }

    #[test]
    fn everybody_is_there_with_what_is_not_their_own() {
        let text = overview(&small());
        let found = lines(&text);
        assert_eq!(found[0], ["PROCESS", "N", "CAPABILITY", "WHAT", "FROM"]);
        assert_eq!(found[1], ["init (1)", "1", "LogSink", "of the kernel", "-"]);
        assert_eq!(found[2], ["1", "Endpoint", "receives at endpoint 2", "-"]);
        assert_eq!(found[3], ["console (5)", "1", "LogSink", "of the kernel", "init (1)"]);
        assert_eq!(found[5], ["shell (6)", "1", "Console", "served by console (5), endpoint 2", "init (1)"]);
        assert_eq!(found[6], ["2", "MemoryObject", "memory 3, 16 KiB, read only", "somebody gone"]);
        assert_eq!(found[7], ["1", "0x77", "served by nobody, endpoint 8", "-"]);
        assert_eq!(found[8], ["1", "ProcessHandle", "process (99, ended)", "-"]);
        assert_eq!(found[9], ["bare (7)", "(nothing)"]);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn one_is_shown_both_ways() {
        let graph = small();
        let text = |id| graph.process(id).map(|process| about(&graph, process)).unwrap_or_default();
        let console = text(5);
        let found = lines(&console);
        assert_eq!(found[0], ["console (5) holds:"]);
        assert_eq!(found[3], ["4", "Endpoint", "receives at endpoint 2", "init (1), slot 4"]);
        assert_eq!(found[4], ["Others have from it:"]);
        assert_eq!(found[6], ["shell (6)", "3", "Console", "calls endpoint 2, badge 0x9"]);
        assert!(text(6).ends_with("Nobody else has anything from it.\n"));
        // Init gave both what they have of it.
        assert_eq!(lines(&text(1)).len(), 2 + 3 + 2 + 3);
    }

    #[test]
    fn interrupts_are_lines_and_messages_of_functions() {
        for (number, expected) in [(11, "line 11"), (1 << 31 | 0x0118 << 11 | 2, "message 2 of 01:03.0")] {
            let caps = [cap((1, 0), "Interrupt", (Kind::Line, number, 0), Origin::Root)];
            let text = overview(&Graph::new([process(1, "init")].to_vec(), caps));
            assert_eq!(lines(&text)[1], ["init (1)", "1", "Interrupt", expected, "-"]);
        }
    }

    #[test]
    fn much_is_cut() {
        let caps = (0..600).map(|n| cap((1, n), "LogSink", (Kind::Signaller, u64::from(n), 1), Origin::Root));
        let graph = Graph::new([process(1, "init")].to_vec(), caps);
        let text = overview(&graph);
        assert!(text.ends_with("... and 100 more\n") && text.lines().count() == MOST + 2);
    }

    #[test]
    fn interfaces_have_their_names() {
        assert_eq!(interface_id("Inspector").and_then(interface_name), Some("Inspector"));
    }
}
