//! Systems: from system.cue, by way of its export, to the manifests of what ships and of what a case composes.

use capos_manifest::export::Json;
use capos_manifest::{Facts, Grant, Manifest, Service, Source, encode};
use lab::case::System;
use serde_json::{Value, json};

use crate::build::{self, Programs, Scope};
use crate::exec::{Context, Failure};
use crate::export;
use crate::house::House;

/// Pages of the smallest machine that must boot: 96 MiB.
const SMALLEST_MACHINE: u64 = 96 * PAGES_PER_MEBIBYTE;
const PAGES_PER_MEBIBYTE: u64 = 256;

/// The systems that system.cue defines.
pub struct Systems {
    systems: cue::Systems,
    files: Vec<String>,
}

impl Systems {
    /// Reads the export, or evaluates system.cue where it changed since or where there is an overlay; and checks all of it.
    pub fn load(house: &House, programs: &Programs) -> Result<Systems, Failure> {
        let systems = export::load(house)?;
        // Also of what is not built now: a system of probes is sound while only what ships is wanted.
        let all = programs.binaries.iter().chain(&programs.others).cloned().collect();
        systems
            .check_all(&Facts::new(all, SMALLEST_MACHINE))
            .map_err(|error| Failure::new(error.to_string()))?;
        Ok(Systems { systems, files: programs.binaries.clone() })
    }

    /// How a person at its prompt turns a system off; `None` where nobody there may.
    pub fn way_out(&self, name: &str) -> Result<Option<&'static str>, Failure> {
        let manifest = self.systems.definitions().system(name).context(format!("system {name}"))?;
        Ok(manifest.services.iter().any(takes_halt).then_some("halt"))
    }

    /// The manifest of a system that system.cue defines, checked.
    pub fn manifest(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let manifest =
            self.systems.system(name, &self.facts(SMALLEST_MACHINE)).context(format!("system {name}"))?;
        Ok(encode(&manifest))
    }

    /// The manifest of a case's system on a machine with so much memory; `{seed}` stands for the seed in every text of it.
    pub fn manifest_of_case(
        &self,
        system: &System,
        name: &str,
        seed: u64,
        mebibytes: u32,
    ) -> Result<Vec<u8>, String> {
        let mut manifest = self.compose(system, name, seed)?;
        manifest.seed = seed;
        if !system.unchecked {
            let facts = self.facts(u64::from(mebibytes) * PAGES_PER_MEBIBYTE);
            self.systems.check(&manifest, &facts).map_err(|error| error.to_string())?;
        }
        Ok(encode(&manifest))
    }

    fn compose(&self, system: &System, name: &str, seed: u64) -> Result<Manifest, String> {
        if let Some(shipped) = &system.name {
            return self.systems.definitions().system(shipped).map_err(|error| error.to_string());
        }
        let fields = Json::parse(&definition(system, seed)).map_err(|error| error.to_string())?;
        self.systems.compose(name, &fields).map_err(|error| error.to_string())
    }

    fn facts(&self, memory_pages: u64) -> Facts {
        Facts::new(self.files.clone(), memory_pages)
    }
}

/// Whether every system and every service of system.cue is sound.
pub fn check(house: &House) -> Result<(), Failure> {
    Systems::load(house, &build::programs(house, Scope::All)?).map(drop)
}

/// A program that reads commands, and holds the power to turn the machine off.
fn takes_halt(service: &Service) -> bool {
    let is_power = |grant: &Grant| grant.source == Source::Kernel("power".into());
    service.autostart
        && ["shell", "diag"].contains(&service.binary.as_str())
        && service.caps.iter().any(is_power)
}

/// A case's system in the form of system.cue.
fn definition(system: &System, seed: u64) -> String {
    let mut fields = json!({ "use": system.uses, "services": system.services });
    if let Value::Object(fields) = &mut fields {
        fields.extend(system.with.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    fields.to_string().replace("{seed}", &seed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_written_as_system_cue_has_it() {
        let system: System = toml::from_str(
            "use = ['probe']\n[services.probe]\nargs = ['--seed={seed}']\n[with]\nonPanic = 'reboot'",
        )
        .unwrap();
        let value: Value = serde_json::from_str(&definition(&system, 77)).unwrap();
        assert_eq!(value["use"], json!(["probe"]));
        assert_eq!(value["services"]["probe"]["args"], json!(["--seed=77"]));
        assert_eq!(value["onPanic"], "reboot");
    }

    fn house() -> House {
        House { root: concat!(env!("CARGO_MANIFEST_DIR"), "/../..").into() }
    }

    /// The systems of the checked-in export.
    fn shipped() -> Systems {
        let text = std::fs::read_to_string(house().root.join(cue::EXPORT)).unwrap();
        let systems =
            cue::Systems::new(&text, cue::Sources { source: String::new(), overlay: None }).unwrap();
        Systems { systems, files: Vec::new() }
    }

    #[test]
    fn only_who_can_halt_is_told_so() {
        let systems = shipped();
        for (name, way) in [("default", Some("halt")), ("diag", Some("halt")), ("minimal", None)] {
            assert_eq!(systems.way_out(name).unwrap(), way, "{name}");
        }
        assert!(systems.way_out("nosuch").unwrap_err().to_string().contains("there is no system"));
    }
}
