//! From definitions to one system.

use super::error::ExportError;
use super::fields::Fields;
use super::json::Json;
use super::service;
use crate::facts::{DEVICE_CLAIM, KERNEL_OBJECTS, SUPERVISOR, SUPERVISOR_EXPORTS};
use crate::model::{Grant, Iommu, Manifest, PanicAction, Service, Source};
use crate::suggest::did_you_mean;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const SYSTEM: &[&str] = &["use", "services", "onPanic", "seed", "iommu"];
const ON_PANIC: &[(&str, PanicAction)] = &[("halt", PanicAction::Halt), ("reboot", PanicAction::Reboot)];
const IOMMU: &[(&str, Iommu)] = &[("optional", Iommu::Optional), ("required", Iommu::Required)];
/// A system changes fields of a service, and single capabilities, exports and resources; these it replaces.
const CHANGE_DEPTH: usize = 2;

/// The words that a field can be, if it is one of a few.
pub fn choices(field: &str) -> Option<Vec<&'static str>> {
    match field {
        "onPanic" => Some(ON_PANIC.iter().map(|(word, _)| *word).collect()),
        "iommu" => Some(IOMMU.iter().map(|(word, _)| *word).collect()),
        "restart" => Some(service::RESTART.iter().map(|(word, _)| *word).collect()),
        "follow" => Some(service::FOLLOW.iter().map(|(word, _)| *word).collect()),
        "escalate" => Some(service::ESCALATE.iter().map(|(word, _)| *word).collect()),
        _ => None,
    }
}

/// All service definitions and all systems.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definitions {
    services: Json,
    systems: Json,
}

impl Definitions {
    /// Reads the export; its field `source`, which says what it was made from, is for tools. Systems and services are looked at when a system is composed.
    pub fn parse(text: &str) -> Result<Definitions, ExportError> {
        let top = Json::parse(text)?;
        let fields = Fields::of(&[], &top)?;
        fields.only(&["source", "services", "systems"])?;
        let part = |name| {
            let found = fields.get(name).ok_or_else(|| fields.error(format!("{name} is missing")))?;
            Fields::of(&[name], found).map(|_| found.clone())
        };
        Ok(Definitions { services: part("services")?, systems: part("systems")? })
    }

    /// Names of the systems, in order.
    pub fn systems(&self) -> impl Iterator<Item = &str> {
        names(&self.systems)
    }

    /// Names of the services, in order.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        names(&self.services)
    }

    /// The manifest of a system that the definitions have.
    pub fn system(&self, name: &str) -> Result<Manifest, ExportError> {
        let Some(system) = self.systems.get(name) else {
            let hint = did_you_mean(name, self.systems())
                .or_else(|| Some(format!("there are {}", self.systems().collect::<Vec<_>>().join(", "))));
            return Err(ExportError::new(&["systems"], format!("there is no system {name:?}")).hint(hint));
        };
        self.compose_at(&["systems", name], name, system)
    }

    /// The manifest of a system of the caller's own, in the same form: `use`, `services`, `onPanic`, `seed`, `iommu`.
    pub fn compose(&self, name: &str, system: &Json) -> Result<Manifest, ExportError> {
        self.compose_at(&[], name, system)
    }

    fn compose_at(&self, path: &[&str], name: &str, system: &Json) -> Result<Manifest, ExportError> {
        let fields = Fields::of(path, system)?;
        fields.only(SYSTEM)?;
        let uses = fields.texts("use")?;
        if let Some((_, twice)) =
            uses.iter().enumerate().find(|(n, name)| uses.iter().take(*n).any(|it| it == *name))
        {
            return Err(ExportError::new(&fields.path("use"), format!("{twice:?} is there twice")));
        }
        let changes = fields.object("services")?;
        let mut services = Vec::new();
        for name in &uses {
            let change = fields.get("services").and_then(|changes| changes.get(name));
            services.push(self.used(&fields, name, change)?);
        }
        let added = changes.iter().flat_map(|changes| changes.members().iter().map(move |it| (changes, it)));
        for (changes, (name, value)) in added.filter(|(_, (name, _))| !uses.contains(name)) {
            // A service that the definitions have is changed here too, but its definition is where it says what it is.
            services.push(match self.services.get(name) {
                Some(_) => self.used(&fields, name, Some(value))?,
                None => service::read(&changes.path(name), name, value)?,
            });
        }
        resolve(&mut services);
        Ok(Manifest {
            name: String::from(name),
            services,
            on_panic: fields.choice("onPanic", ON_PANIC)?.unwrap_or_default(),
            seed: fields.number("seed")?.unwrap_or(0),
            iommu: fields.choice("iommu", IOMMU)?.unwrap_or_default(),
        })
    }

    /// A service of the definitions, with a system's changes.
    fn used(&self, system: &Fields<'_>, name: &str, change: Option<&Json>) -> Result<Service, ExportError> {
        let Some(definition) = self.services.get(name) else {
            let error = ExportError::new(&system.path("use"), format!("there is no service {name:?}"));
            return Err(error.hint(did_you_mean(name, self.services())));
        };
        match change {
            None => service::read(&["services", name], name, definition),
            Some(change) => {
                let mut path = system.path("services");
                path.push(name);
                service::read(&path, name, &definition.changed(change, CHANGE_DEPTH))
            }
        }
    }
}

fn names(object: &Json) -> impl Iterator<Item = &str> {
    object.members().unwrap_or_default().iter().map(|(name, _)| name.as_str())
}

/// A grant that does not say which interface it expects, expects what its source offers. From a source that does not exist it
/// expects nothing, which validation reports.
fn resolve(services: &mut [Service]) {
    let exports: Vec<(String, String, String)> = services
        .iter()
        .flat_map(|service| {
            let exports = service.exports.iter();
            exports.map(|export| (service.name.clone(), export.name.clone(), export.interface.clone()))
        })
        .collect();
    for grant in services.iter_mut().flat_map(|service| &mut service.caps) {
        if grant.interface.is_empty() {
            grant.interface = String::from(offered(grant, &exports).unwrap_or_default());
        }
    }
}

fn offered<'a>(grant: &Grant, exports: &'a [(String, String, String)]) -> Option<&'a str> {
    let by_name = |known: &[(&str, &'static str)], name: &str| {
        known.iter().find(|(known, _)| *known == name).map(|(_, interface)| *interface)
    };
    match &grant.source {
        Source::Kernel(name) => by_name(KERNEL_OBJECTS, name),
        Source::IoPort { .. } => Some("IoPort"),
        Source::Irq(_) => Some("Interrupt"),
        Source::Pci(_) => Some(DEVICE_CLAIM),
        Source::Export { service, export } if service == SUPERVISOR => by_name(SUPERVISOR_EXPORTS, export),
        Source::Export { service, export } => {
            let found = exports.iter().find(|(of, name, _)| of == service && name == export);
            found.map(|(_, _, interface)| interface.as_str())
        }
    }
}
