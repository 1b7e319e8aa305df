//! Systems: from system.cue, by way of its export, to the manifests of what ships and of what a case composes.

use capos_manifest::export::Json;
use capos_manifest::{Facts, Manifest, encode};
use lab::case::System;
use serde_json::{Value, json};

use crate::build::Programs;
use crate::exec::{Context, Failure};
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
    /// Reads the export; evaluates system.cue only where it changed since, or where there is an overlay.
    pub fn load(house: &House, programs: &Programs) -> Result<Systems, Failure> {
        let systems = cue::load(&house.root).map_err(|error| Failure::new(error.to_string()))?;
        Ok(Systems { systems, files: programs.binaries.clone() })
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
}
