//! The numbers of the reports, for Prometheus: what is watched over time.

use crate::{Sources, gather};
use Does::{Counts, Varies};
use Of::{Column, Is, One};
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Does, Exposition, Report, Sample, Value};

/// The commands whose reports have such numbers, with what is to be asked for.
const ASKED: [(&str, Option<&str>); 10] = [
    ("status", None),
    ("cpu", None),
    ("processes", None),
    ("services", None),
    ("devices", None),
    ("iommu", None),
    ("irq", None),
    ("storage", None),
    ("network", None),
    ("hardware", Some("0")),
];

/// Where a number comes from.
enum Of {
    /// What stands there.
    Column(&'static str),
    /// 1: the row says it all.
    One,
    /// Whether that stands there: 1 or 0.
    Is(&'static str, &'static str),
}

/// A family of numbers: of each row of a report one.
struct Family {
    name: &'static str,
    does: Does,
    help: &'static str,
    kind: &'static str,
    of: Of,
    labels: &'static [&'static str],
}

const fn family(
    name: &'static str,
    does: Does,
    help: &'static str,
    (kind, of): (&'static str, Of),
    labels: &'static [&'static str],
) -> Family {
    Family { name, does, help, kind, of, labels }
}

const CPU: &[&str] = &["cpu"];
const PROCESS: &[&str] = &["id", "name"];
const SERVICE: &[&str] = &["name"];
const UNIT: &[&str] = &["unit", "type"];

/// All of them. Names end as Prometheus wants it: `_total` counts, `_seconds` and `_bytes` are in those.
const FAMILIES: [Family; 53] = [
    family("capos_build_info", Varies, "Which capOS this is.", ("status", One), &["version"]),
    family("capos_uptime_seconds", Varies, "Time since boot.", ("status", Column("uptime")), &[]),
    family("capos_cpus", Varies, "Processors.", ("status", Column("cpus")), &[]),
    family("capos_processes", Varies, "Processes.", ("status", Column("processes")), &[]),
    family("capos_threads", Varies, "Threads.", ("status", Column("threads")), &[]),
    family("capos_memory_total_bytes", Varies, "All memory.", ("status", Column("total_pages")), &[]),
    family("capos_memory_free_bytes", Varies, "Memory nobody has.", ("status", Column("free_pages")), &[]),
    family(
        "capos_memory_kernel_bytes",
        Varies,
        "Memory of the kernel.",
        ("status", Column("kernel_pages")),
        &[],
    ),
    family("capos_cpu_idle_seconds_total", Counts, "Time without work.", ("cpu", Column("idle")), CPU),
    family("capos_cpu_switches_total", Counts, "Changes of the thread.", ("cpu", Column("switches")), CPU),
    family("capos_cpu_interrupts_total", Counts, "Interrupts taken.", ("cpu", Column("interrupts")), CPU),
    family("capos_cpu_syscalls_total", Counts, "System calls.", ("cpu", Column("syscalls")), CPU),
    family("capos_cpu_ipis_total", Counts, "Kicks from other processors.", ("cpu", Column("ipis")), CPU),
    family(
        "capos_cpu_shootdowns_total",
        Counts,
        "Translations forgotten for others.",
        ("cpu", Column("shootdowns")),
        CPU,
    ),
    family(
        "capos_process_cpu_seconds_total",
        Counts,
        "Time charged to a process.",
        ("process", Column("cpu")),
        PROCESS,
    ),
    family("capos_process_threads", Varies, "Threads of a process.", ("process", Column("threads")), PROCESS),
    family(
        "capos_process_memory_bytes",
        Varies,
        "Memory of a process.",
        ("process", Column("memory")),
        PROCESS,
    ),
    family(
        "capos_process_memory_lent_bytes",
        Varies,
        "Memory lent to children.",
        ("process", Column("lent")),
        PROCESS,
    ),
    family(
        "capos_process_memory_limit_bytes",
        Varies,
        "Memory it may have, lent or not.",
        ("process", Column("limit")),
        PROCESS,
    ),
    family(
        "capos_process_slots",
        Varies,
        "Capabilities charged to a process.",
        ("budget", Column("slots")),
        PROCESS,
    ),
    family(
        "capos_process_slots_limit",
        Varies,
        "Capabilities it may have.",
        ("budget", Column("slots_limit")),
        PROCESS,
    ),
    family(
        "capos_process_calls",
        Varies,
        "Calls in flight that are charged.",
        ("budget", Column("calls")),
        PROCESS,
    ),
    family(
        "capos_process_calls_limit",
        Varies,
        "Calls in flight it may have.",
        ("budget", Column("calls_limit")),
        PROCESS,
    ),
    family("capos_process_dma_bytes", Varies, "Memory for devices.", ("budget", Column("dma")), PROCESS),
    family(
        "capos_process_dma_limit_bytes",
        Varies,
        "Memory for devices it may have.",
        ("budget", Column("dma_limit")),
        PROCESS,
    ),
    family("capos_process_vectors", Varies, "Interrupt vectors.", ("budget", Column("vectors")), PROCESS),
    family(
        "capos_service_up",
        Varies,
        "Whether a service runs.",
        ("service", Is("state", "running")),
        SERVICE,
    ),
    family(
        "capos_service_late",
        Varies,
        "Whether it owes an answer.",
        ("service", Is("health", "late")),
        SERVICE,
    ),
    family(
        "capos_service_failed",
        Varies,
        "Whether it was given up.",
        ("service", Is("state", "failed")),
        SERVICE,
    ),
    family("capos_service_epoch", Varies, "Which instance runs.", ("service", Column("epoch")), SERVICE),
    family(
        "capos_service_restarts_total",
        Counts,
        "Starts because an instance ended.",
        ("service", Column("restarts")),
        SERVICE,
    ),
    family(
        "capos_service_uptime_seconds",
        Varies,
        "How long it has run.",
        ("service", Column("uptime")),
        SERVICE,
    ),
    family(
        "capos_device_info",
        Varies,
        "A device and who has it.",
        ("device", One),
        &["bus", "address", "id", "what", "state", "dma"],
    ),
    family(
        "capos_device_interrupts_total",
        Counts,
        "Interrupts of a device.",
        ("device", Column("interrupts")),
        &["bus", "address"],
    ),
    family("capos_iommu_on", Varies, "Whether an IOMMU translates.", ("iommu", Is("state", "on")), UNIT),
    family(
        "capos_iommu_faults_total",
        Counts,
        "What devices were kept from.",
        ("iommu", Column("faults")),
        UNIT,
    ),
    family(
        "capos_iommu_faults_lost_total",
        Counts,
        "Times there were more than could be told.",
        ("iommu", Column("lost")),
        UNIT,
    ),
    family(
        "capos_interrupts_total",
        Counts,
        "Interrupts by source.",
        ("irq", Column("count")),
        &["source", "owner"],
    ),
    family(
        "capos_disk_size_bytes",
        Varies,
        "Size of a disk.",
        ("disk", Column("size")),
        &["disk", "address", "model"],
    ),
    family("capos_volume_size_bytes", Varies, "Size of the volume.", ("volume", Column("size")), &[]),
    family("capos_volume_free_bytes", Varies, "Room that is left.", ("volume", Column("free")), &[]),
    family("capos_volume_held_bytes", Varies, "What only snapshots hold.", ("volume", Column("held")), &[]),
    family(
        "capos_volume_objects",
        Varies,
        "Files, directories and blobs.",
        ("volume", Column("objects")),
        &[],
    ),
    family(
        "capos_volume_commits",
        Varies,
        "States that were made durable.",
        ("volume", Column("commits")),
        &[],
    ),
    family(
        "capos_hardware_events_total",
        Counts,
        "Entries of the hardware log.",
        ("hardware_log", Column("events")),
        &[],
    ),
    family(
        "capos_hardware_events_lost_total",
        Counts,
        "Entries it has lost.",
        ("hardware_log", Column("lost")),
        &[],
    ),
    family("capos_network_up", Varies, "Whether there is a link.", ("network", Column("up")), &[]),
    family("capos_network_received_total", Counts, "Frames received.", ("network", Column("received")), &[]),
    family(
        "capos_network_received_bytes_total",
        Counts,
        "Bytes of these.",
        ("network", Column("received_bytes")),
        &[],
    ),
    family("capos_network_sent_total", Counts, "Frames sent.", ("network", Column("sent")), &[]),
    family(
        "capos_network_sent_bytes_total",
        Counts,
        "Bytes of these.",
        ("network", Column("sent_bytes")),
        &[],
    ),
    family(
        "capos_network_dropped_total",
        Counts,
        "Frames without room.",
        ("network", Column("dropped")),
        &[],
    ),
    family("capos_network_sockets", Varies, "Sockets that there are.", ("network", Column("sockets")), &[]),
];

/// All numbers that can be had. What can not is left out, and said to be missing.
pub async fn metrics(sources: Sources<'_>) -> String {
    let (mut reports, mut answered) = (Vec::new(), Vec::new());
    for (command, argument) in ASKED {
        let found = gather(sources, command, argument).await;
        answered.push((command, found.is_ok()));
        reports.extend(found.unwrap_or_default());
    }
    exposed(&reports, &answered)
}

fn exposed(reports: &[Report], answered: &[(&str, bool)]) -> String {
    let mut text = Exposition::default();
    text.family("capos_report_up", Varies, "Whether what these numbers come from could be asked.");
    for (command, ok) in answered {
        text.sample(&[("report", command)], Sample::Whole((*ok).into()));
    }
    for family in &FAMILIES {
        let mut of_kind = reports.iter().filter(|report| report.kind() == family.kind && !report.is_empty());
        let Some(report) = of_kind.next() else { continue };
        text.family(family.name, family.does, family.help);
        for row in 0..report.len() {
            let Some(sample) = sample(report, row, &family.of) else { continue };
            let words =
                family.labels.iter().map(|label| report.get(row, label).map_or_else(String::new, plain));
            let words: Vec<String> = words.collect();
            let labels: Vec<(&str, &str)> =
                family.labels.iter().copied().zip(words.iter().map(String::as_str)).collect();
            text.sample(&labels, sample);
        }
    }
    text.finish()
}

fn sample(report: &Report, row: usize, of: &Of) -> Option<Sample> {
    match of {
        Of::One => Some(Sample::Whole(1)),
        Of::Is(column, word) => match report.get(row, column)? {
            Value::Text(text) => Some(Sample::Whole((text == word).into())),
            _ => Some(Sample::Whole(0)),
        },
        Of::Column(column) => match report.get(row, column)? {
            Value::Number(number) => Some(Sample::Whole(*number)),
            Value::Hex(number, _) => Some(Sample::Whole((*number).into())),
            Value::Flag(flag) => Some(Sample::Whole((*flag).into())),
            Value::Pages(pages) => Some(Sample::Whole(i128::from(*pages) * 4096)),
            Value::Span(ns) => Some(Sample::Nanoseconds(*ns)),
            Value::Text(_) | Value::Nothing => None,
        },
    }
}

/// As a label: names as they are, numbers without units.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => other.shown(),
    }
}

#[cfg(test)]
mod tests {
    use super::{FAMILIES, Of, exposed};
    use crate::shapes;
    use alloc::vec::Vec;
    use capos_text::{Does, Value};

    #[test]
    fn every_family_is_of_a_report_that_has_it() {
        let reports: Vec<capos_text::Report> = shapes::all()
            .map(|shape| {
                let mut report = shape.report();
                report.row((0..shape.width()).map(|_| Value::number(1)));
                report
            })
            .collect();
        let mut names = Vec::new();
        for family in &FAMILIES {
            let report = reports.iter().find(|report| report.kind() == family.kind);
            let report = report.unwrap_or_else(|| panic!("{} is of no report", family.name));
            let column = match family.of {
                Of::Column(column) | Of::Is(column, _) => Some(column),
                Of::One => None,
            };
            for column in family.labels.iter().copied().chain(column) {
                assert!(report.get(0, column).is_some(), "{}: {column}", family.name);
            }
            assert!(!names.contains(&family.name), "{} twice", family.name);
            names.push(family.name);
            assert_eq!(family.name.ends_with("_total"), family.does == Does::Counts, "{}", family.name);
        }
        let text = exposed(&reports, &[("status", true)]);
        assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE")).count(), FAMILIES.len() + 1);
    }

    #[test]
    fn pages_are_bytes_and_spans_are_seconds() {
        let mut status = shapes::STATUS.report();
        let pages = [10, 4, 1].map(Value::Pages);
        let row = [Value::text("1 \"x\""), Value::text(""), Value::Span(1_500_000_000)];
        let counts = [1, 2, 3].map(|number: i64| Value::number(number));
        status.row(row.into_iter().chain(counts).chain(pages).chain([Value::Nothing, Value::Nothing]));
        let text = exposed(&[status], &[("status", true), ("cpu", false)]);
        for line in [
            "capos_report_up{report=\"cpu\"} 0",
            "capos_build_info{version=\"1 \\\"x\\\"\"} 1",
            "capos_uptime_seconds 1.500000000",
            "capos_memory_free_bytes 16384",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
        assert!(!text.contains("capos_cpu_idle"), "of what can not be asked nothing is told");
    }
}
