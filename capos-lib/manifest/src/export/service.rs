//! From the JSON of one service to the model.

use super::error::ExportError;
use super::fields::Fields;
use super::json::Json;
use crate::device::{PciMatch, parse_address};
use crate::facts::POLICIES;
use crate::model::{
    Backoff, Budget, Escalate, Export, Follow, Grant, Health, Limit, Restart, Service, Source,
};
use alloc::string::String;
use alloc::vec::Vec;

const FIELDS: &[&str] = &[
    "binary",
    "args",
    "caps",
    "exports",
    "budget",
    "restart",
    "autostart",
    "backoff",
    "limit",
    "health",
    "drainMs",
    "follow",
    "escalate",
];
const BUDGET: &[&str] = &[
    "memoryPages",
    "capSlots",
    "threads",
    "callsInFlight",
    "endpointEntries",
    "logBytes",
    "priority",
    "cpuPercent",
    "dmaPages",
    "vectors",
];
pub(super) const RESTART: &[(&str, Restart)] =
    &[("never", Restart::Never), ("onFailure", Restart::OnFailure), ("always", Restart::Always)];
pub(super) const FOLLOW: &[(&str, Follow)] =
    &[("nothing", Follow::Nothing), ("told", Follow::Told), ("restarted", Follow::Restarted)];
pub(super) const ESCALATE: &[(&str, Escalate)] =
    &[("nothing", Escalate::Nothing), ("group", Escalate::Group), ("reboot", Escalate::Reboot)];
/// Where a capability can come from; each grant has exactly one of them.
const SOURCES: [&str; 5] = ["kernel", "export", "ioPort", "irq", "pci"];
const PCI: &[&str] =
    &["policy", "vendor", "device", "class", "subsystemVendor", "subsystem", "address", "nth"];

/// Reads the service `name` at `path`. A grant without `interface` has an empty one: see [`super::Definitions::compose`].
pub(super) fn read(path: &[&str], name: &str, value: &Json) -> Result<Service, ExportError> {
    let fields = Fields::of(path, value)?;
    fields.only(FIELDS)?;
    let default = Service::new(name);
    Ok(Service {
        binary: fields.text("binary")?.map_or(default.binary, String::from),
        args: fields.texts("args")?,
        caps: each(&fields, "caps", grant)?,
        exports: each(&fields, "exports", export)?,
        budget: budget(&fields)?,
        restart: fields.choice("restart", RESTART)?.unwrap_or(default.restart),
        autostart: fields.flag("autostart")?.unwrap_or(default.autostart),
        backoff: backoff(&fields)?,
        limit: limit(&fields)?,
        health: health(&fields)?,
        drain_ms: fields.number("drainMs")?.unwrap_or(default.drain_ms),
        follow: fields.choice("follow", FOLLOW)?.unwrap_or(default.follow),
        escalate: fields.choice("escalate", ESCALATE)?.unwrap_or(default.escalate),
        name: default.name,
    })
}

/// All members of the object in `field`, by `read`.
fn each<T>(
    fields: &Fields<'_>,
    field: &str,
    read: fn(&[&str], &str, &Json) -> Result<T, ExportError>,
) -> Result<Vec<T>, ExportError> {
    let Some(object) = fields.object(field)? else { return Ok(Vec::new()) };
    let members = object.members().iter().filter(|(_, value)| *value != Json::Null);
    members.map(|(name, value)| read(&object.path(name), name, value)).collect()
}

fn export(path: &[&str], name: &str, value: &Json) -> Result<Export, ExportError> {
    match value {
        Json::Text(interface) => Ok(Export { name: String::from(name), interface: interface.clone() }),
        other => Err(ExportError::new(
            path,
            alloc::format!("the name of an interface should be here, not {}", other.kind()),
        )),
    }
}

fn grant(path: &[&str], name: &str, value: &Json) -> Result<Grant, ExportError> {
    let fields = Fields::of(path, value)?;
    fields.only(&["interface", "kernel", "export", "ioPort", "irq", "pci"])?;
    let interface = String::from(fields.text("interface")?.unwrap_or_default());
    let mut sources = SOURCES.into_iter().filter(|source| fields.get(source).is_some());
    let source = match (sources.next(), sources.next()) {
        (Some(only), None) => source(&fields, only)?,
        (None, _) => {
            return Err(fields
                .error("it comes from nowhere; one of kernel, export, ioPort, irq, pci says from where"));
        }
        (Some(one), Some(other)) => {
            return Err(fields.error(alloc::format!("it comes from two places, {one} and {other}")));
        }
    };
    Ok(Grant { name: String::from(name), interface, source })
}

fn source(fields: &Fields<'_>, kind: &str) -> Result<Source, ExportError> {
    match kind {
        "kernel" => Ok(Source::Kernel(String::from(fields.text("kernel")?.unwrap_or_default()))),
        "irq" => Ok(Source::Irq(fields.number("irq")?.unwrap_or_default())),
        "pci" => {
            let hint = || Some(String::from("a list, also of one device: pci: [{...}]"));
            let devices = fields.objects("pci").map_err(|error| error.hint(hint()))?;
            devices.iter().map(pci).collect::<Result<_, _>>().map(Source::Pci)
        }
        "export" => {
            let of = part(fields, "export", &["service", "export"])?;
            Ok(Source::Export { service: needed_text(&of, "service")?, export: needed_text(&of, "export")? })
        }
        _ => {
            let of = part(fields, "ioPort", &["base", "length"])?;
            Ok(Source::IoPort { base: needed_port(&of, "base")?, length: needed_port(&of, "length")? })
        }
    }
}

fn pci(fields: &Fields<'_>) -> Result<PciMatch, ExportError> {
    fields.only(PCI)?;
    let address = fields.text("address")?.map(|text| {
        let message = || alloc::format!("{text:?} is no address like \"00:05.0\"");
        parse_address(text).ok_or_else(|| ExportError::new(&fields.path("address"), message()))
    });
    Ok(PciMatch {
        policy: needed_text(fields, "policy").map_err(|error| {
            let hint = alloc::format!("what the kernel is to know about it: {}", POLICIES.join(", "));
            error.hint(Some(hint))
        })?,
        vendor: fields.number("vendor")?,
        device: fields.number("device")?,
        class: fields.number("class")?,
        subsystem_vendor: fields.number("subsystemVendor")?,
        subsystem: fields.number("subsystem")?,
        address: address.transpose()?,
        nth: fields.number("nth")?,
    })
}

fn part<'a>(fields: &Fields<'a>, name: &'a str, known: &[&str]) -> Result<Fields<'a>, ExportError> {
    let part = fields.object(name)?.ok_or_else(|| fields.error("it comes from nowhere"))?;
    part.only(known)?;
    Ok(part)
}

fn needed_text<'a>(fields: &Fields<'a>, name: &'a str) -> Result<String, ExportError> {
    fields.text(name)?.map(String::from).ok_or_else(|| missing(fields, name))
}

fn needed_port<'a>(fields: &Fields<'a>, name: &'a str) -> Result<u16, ExportError> {
    fields.number(name)?.ok_or_else(|| missing(fields, name))
}

fn missing(fields: &Fields<'_>, name: &str) -> ExportError {
    fields.error(alloc::format!("{name} is missing"))
}

fn budget(fields: &Fields<'_>) -> Result<Budget, ExportError> {
    let default = Budget::default();
    let Some(of) = fields.object("budget")? else { return Ok(default) };
    of.only(BUDGET)?;
    Ok(Budget {
        memory_pages: of.number("memoryPages")?.unwrap_or(default.memory_pages),
        cap_slots: of.number("capSlots")?.unwrap_or(default.cap_slots),
        threads: of.number("threads")?.unwrap_or(default.threads),
        calls_in_flight: of.number("callsInFlight")?.unwrap_or(default.calls_in_flight),
        endpoint_entries: of.number("endpointEntries")?.unwrap_or(default.endpoint_entries),
        log_bytes: of.number("logBytes")?.unwrap_or(default.log_bytes),
        priority: of.number("priority")?.unwrap_or(default.priority),
        cpu_percent: of.number("cpuPercent")?.unwrap_or(default.cpu_percent),
        dma_pages: of.number("dmaPages")?.unwrap_or(default.dma_pages),
        vectors: of.number("vectors")?.unwrap_or(default.vectors),
    })
}

fn backoff(fields: &Fields<'_>) -> Result<Backoff, ExportError> {
    let default = Backoff::default();
    let Some(of) = fields.object("backoff")? else { return Ok(default) };
    of.only(&["firstMs", "longestMs"])?;
    Ok(Backoff {
        first_ms: of.number("firstMs")?.unwrap_or(default.first_ms),
        longest_ms: of.number("longestMs")?.unwrap_or(default.longest_ms),
    })
}

fn limit(fields: &Fields<'_>) -> Result<Limit, ExportError> {
    let default = Limit::default();
    let Some(of) = fields.object("limit")? else { return Ok(default) };
    of.only(&["restarts", "windowMs"])?;
    Ok(Limit {
        restarts: of.number("restarts")?.unwrap_or(default.restarts),
        window_ms: of.number("windowMs")?.unwrap_or(default.window_ms),
    })
}

/// Without it nothing was promised; empty, the usual.
fn health(fields: &Fields<'_>) -> Result<Option<Health>, ExportError> {
    let default = Health::default();
    let Some(of) = fields.object("health")? else { return Ok(None) };
    of.only(&["readyMs", "everyMs", "answerMs"])?;
    Ok(Some(Health {
        ready_ms: of.number("readyMs")?.unwrap_or(default.ready_ms),
        every_ms: of.number("everyMs")?.unwrap_or(default.every_ms),
        answer_ms: of.number("answerMs")?.unwrap_or(default.answer_ms),
    }))
}
