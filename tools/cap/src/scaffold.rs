//! `cap new`: a crate, a case and the lines to add to system.cue. The templates are files in `tools/cap/templates/`, so that they
//! are read as what they are; every other place finds new crates by itself.

use std::fs;
use std::path::PathBuf;

use crate::command_line::Kind;
use crate::exec::{Context, Failure};
use crate::house::House;

const MANIFEST: &str = include_str!("../templates/Cargo.toml.in");
const APP: &str = include_str!("../templates/app.rs.in");
const SERVICE: &str = include_str!("../templates/service.rs.in");
const PROBE: &str = include_str!("../templates/probe.rs.in");
const CASE: &str = include_str!("../templates/case.toml.in");

/// Writes the new files and says what is left to do.
pub fn make(house: &House, kind: Kind, name: &str) -> Result<(), Failure> {
    if !is_name(name) {
        return Err(Failure::new(format!(
            "`{name}` is no name: lower-case words joined by -, at most 32 characters"
        )));
    }
    let plan = Plan::new(kind, name);
    let files = plan.files();
    if let Some((path, _)) = files.iter().find(|(path, _)| house.root.join(path).exists()) {
        return Err(Failure::new(format!("{} exists already", path.display())));
    }
    for (path, text) in files {
        let full = house.root.join(&path);
        if let Some(folder) = full.parent() {
            fs::create_dir_all(folder).context(folder.display())?;
        }
        fs::write(&full, text).context(full.display())?;
        println!("wrote {}", path.display());
    }
    println!(
        "now add to the services of system.cue:\n{}\nthen: cap export && make run-{}",
        plan.cue(),
        plan.case()
    );
    Ok(())
}

/// Names are boot file names and package names alike.
fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    let rest = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    first && rest && name.len() <= 32 && !name.ends_with('-') && !name.contains("--")
}

struct Plan<'a> {
    kind: Kind,
    name: &'a str,
}

impl<'a> Plan<'a> {
    fn new(kind: Kind, name: &'a str) -> Plan<'a> {
        Plan { kind, name }
    }

    fn folder(&self) -> &'static str {
        match self.kind {
            Kind::Driver => "drivers",
            Kind::Service => "services",
            Kind::App => "apps",
            Kind::Probe => "probes",
        }
    }

    /// Probes are told from what they look at.
    fn package(&self) -> String {
        if self.kind == Kind::Probe { format!("probe-{}", self.name) } else { self.name.to_owned() }
    }

    fn case(&self) -> String {
        format!("{}-starts", self.name)
    }

    fn files(&self) -> Vec<(PathBuf, String)> {
        let crate_folder = PathBuf::from("userspace").join(self.folder()).join(self.name);
        let source = match self.kind {
            Kind::Driver | Kind::Service => SERVICE,
            Kind::App => APP,
            Kind::Probe => PROBE,
        };
        let case = PathBuf::from("tools/lab/cases").join(self.name).join(format!("{}.toml", self.case()));
        vec![
            (crate_folder.join("Cargo.toml"), self.fill(MANIFEST)),
            (crate_folder.join("src/main.rs"), self.fill(source)),
            (case, self.fill(CASE)),
        ]
    }

    fn cue(&self) -> String {
        let package = self.package();
        format!(
            "\t\"{package}\": {{binary: \"{package}\", caps: {{log: {{kernel: \"log\", interface: \"LogSink\"}}}}}}"
        )
    }

    fn fill(&self, template: &str) -> String {
        let extra = match self.kind {
            Kind::Driver => "kit.workspace = true\n",
            Kind::Probe => "probe-support.workspace = true\n",
            Kind::Service | Kind::App => "",
        };
        template.replace("@package@", &self.package()).replace("@name@", self.name).replace("@extra@", extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["nvme", "virtio-net", "a1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a-", "a--b", "A", "a_b", "a/b", "a b", &"a".repeat(33)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn every_kind_fills_its_templates() {
        for kind in [Kind::Driver, Kind::Service, Kind::App, Kind::Probe] {
            for (path, text) in Plan::new(kind, "new-thing").files() {
                assert!(!text.contains('@'), "{} has a hole:\n{text}", path.display());
            }
        }
    }

    #[test]
    fn the_scaffolded_case_and_manifest_are_sound() {
        let files = Plan::new(Kind::Probe, "thing").files();
        lab::library::read("thing-starts", "thing", &files[2].1).unwrap();
        let manifest: toml::Table = files[0].1.parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("probe-thing"));
    }
}
