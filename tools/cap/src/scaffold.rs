//! `cap new`: a crate, a lab case that passes, and the lines to append to system.cue. The templates are files in
//! `tools/cap/templates/`, so that they are read as what they are; every other place finds new crates by itself. That of a driver is a driver of
//! the tree: whether interrupts arrive shows only where it runs.

use std::fs;
use std::path::PathBuf;

use crate::build;
use crate::command_line::Kind;
use crate::exec::{Context, Failure};
use crate::house::House;

const MANIFEST: &str = include_str!("../templates/Cargo.toml.in");
const APP: &str = include_str!("../templates/app.rs.in");
const SERVICE: &str = include_str!("../templates/service.rs.in");
const DRIVER: &str = include_str!("../../../userspace/drivers/sample/src/main.rs");
const PROBE: &str = include_str!("../templates/probe.rs.in");
const APP_CASE: &str = include_str!("../templates/app-case.toml.in");
const SERVICE_CASE: &str = include_str!("../templates/service-case.toml.in");
const DRIVER_CASE: &str = include_str!("../../lab/cases/sample/sample-drives.toml");
const PROBE_CASE: &str = include_str!("../templates/probe-case.toml.in");
const SERVICE_CUE: &str = include_str!("../templates/service.cue.in");
const DRIVER_CUE: &str = include_str!("../templates/driver.cue.in");
const PROBE_CUE: &str = include_str!("../templates/probe.cue.in");

/// The driver of the tree that new ones are like.
const SAMPLE: &str = "sample";

/// Writes the new files and says what is left to do.
pub fn make(house: &House, kind: Kind, name: &str) -> Result<(), Failure> {
    if !is_name(name) {
        return Err(Failure::new(format!(
            "`{name}` is no name: lower-case words joined by -, at most 32 characters"
        )));
    }
    let plan = Plan::new(kind, name);
    if build::packages(house)?.iter().any(|package| package.name == plan.package()) {
        return Err(Failure::new(format!("there is a crate `{}` already", plan.package())));
    }
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
    println!("\n{}", plan.next());
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

    /// Its lab case is called after what it shows.
    fn case(&self) -> String {
        let shows = match self.kind {
            Kind::Driver => "drives",
            Kind::Service => "serves",
            Kind::App => "runs",
            Kind::Probe => "seen",
        };
        format!("{}-{shows}", self.name)
    }

    fn files(&self) -> Vec<(PathBuf, String)> {
        let crate_folder = PathBuf::from("userspace").join(self.folder()).join(self.name);
        let (source, case) = match self.kind {
            Kind::Driver => (DRIVER, DRIVER_CASE),
            Kind::Service => (SERVICE, SERVICE_CASE),
            Kind::App => (APP, APP_CASE),
            Kind::Probe => (PROBE, PROBE_CASE),
        };
        let case_path =
            PathBuf::from("tools/lab/cases").join(self.name).join(format!("{}.toml", self.case()));
        vec![
            (crate_folder.join("Cargo.toml"), self.fill(MANIFEST)),
            (crate_folder.join("src/main.rs"), self.fill(source)),
            (case_path, self.fill(case)),
        ]
    }

    /// What to append to system.cue, as it is. The shell runs an app without.
    fn cue(&self) -> Option<String> {
        let template = match self.kind {
            Kind::Driver => DRIVER_CUE,
            Kind::Service => SERVICE_CUE,
            Kind::App => return None,
            Kind::Probe => PROBE_CUE,
        };
        Some(self.fill(template))
    }

    /// What is left to do, in words.
    fn next(&self) -> String {
        let run = format!("make run-{}", self.case());
        match self.cue() {
            Some(cue) => {
                format!("append to system.cue:\n\n{cue}\nthen run:\n\ncargo cap export\n{run}")
            }
            None => format!("now run:\n\n{run}"),
        }
    }

    fn fill(&self, template: &str) -> String {
        let extra = match self.kind {
            Kind::Driver | Kind::Service => "kit.workspace = true\n",
            Kind::Probe => "probe.workspace = true\n",
            Kind::App => "",
        };
        let named =
            if self.kind == Kind::Driver { template.replace(SAMPLE, "@name@") } else { template.into() };
        named.replace("@package@", &self.package()).replace("@name@", self.name).replace("@extra@", extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    #[test]
    fn names() {
        for good in ["nvme", "virtio-net", "a1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a-", "a--b", "A", "a_b", "a/b", "a b", &"a".repeat(33)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    const KINDS: [Kind; 4] = [Kind::Driver, Kind::Service, Kind::App, Kind::Probe];
    const PAGE: &str = include_str!("../../../docs/src/write-a-service.md");
    const WORKSPACE: &str = include_str!("../../../Cargo.toml");
    const SYSTEM: &str = include_str!("../../../system.cue");

    #[test]
    fn every_kind_fills_its_templates() {
        for kind in KINDS {
            let plan = Plan::new(kind, "new-thing");
            let files = plan.files().into_iter().map(|(_, text)| text);
            for text in files.chain(plan.cue()) {
                assert!(!text.contains('@') && !text.contains(SAMPLE), "{kind:?} has a hole:\n{text}");
            }
        }
    }

    #[test]
    fn scaffolded_crates_depend_on_crates_that_exist() {
        let workspace: toml::Table = WORKSPACE.parse().unwrap();
        let known = workspace["workspace"]["dependencies"].as_table().unwrap();
        for kind in KINDS {
            let manifest: toml::Table = Plan::new(kind, "thing").files()[0].1.parse().unwrap();
            for name in manifest["dependencies"].as_table().unwrap().keys() {
                assert!(known.contains_key(name), "{kind:?} depends on {name}");
            }
        }
        let probe: toml::Table = Plan::new(Kind::Probe, "thing").files()[0].1.parse().unwrap();
        assert_eq!(probe["package"]["name"].as_str(), Some("probe-thing"));
    }

    /// A workspace of new crates, with everything else where it is in ours.
    fn workspace_of(plans: &[Plan<'_>], root: &Path, folder: &Path) {
        let mut manifest: toml::Table = WORKSPACE.parse().unwrap();
        let workspace = manifest["workspace"].as_table_mut().unwrap();
        workspace.remove("exclude");
        let members = plans.iter().map(|plan| format!("userspace/{}/{}", plan.folder(), plan.name).into());
        workspace["members"] = toml::Value::Array(members.collect());
        for (_, dependency) in workspace["dependencies"].as_table_mut().unwrap() {
            if let Some(path) = dependency.get_mut("path") {
                *path = root.join(path.as_str().unwrap()).display().to_string().into();
            }
        }
        manifest.remove("profile");
        let files = plans.iter().flat_map(Plan::files);
        for (path, text) in files.chain([("Cargo.toml".into(), manifest.to_string())]) {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    }

    #[test]
    fn scaffolded_crates_compile_without_a_warning() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        let folder = root.join("target/scaffolded");
        let names = KINDS.map(|kind| format!("new-{}", format!("{kind:?}").to_lowercase()));
        let plans: Vec<Plan<'_>> =
            KINDS.into_iter().zip(&names).map(|(kind, name)| Plan::new(kind, name)).collect();
        workspace_of(&plans, &root, &folder);
        for line in [&["clippy", "--quiet", "--offline", "--", "--deny=warnings"][..], &["fmt", "--check"]] {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(line).current_dir(&folder).env("CARGO_TARGET_DIR", folder.join("target"));
            let done = cargo.output().unwrap();
            assert!(
                done.status.success(),
                "{}{}",
                String::from_utf8_lossy(&done.stdout),
                String::from_utf8_lossy(&done.stderr)
            );
        }
    }

    #[test]
    fn scaffolded_cases_are_sound() {
        for kind in KINDS {
            let plan = Plan::new(kind, "thing");
            lab::library::read(&plan.case(), "thing", &plan.files()[2].1).unwrap();
        }
    }

    /// What a case's system grants is what the lines for system.cue export.
    #[test]
    fn the_case_uses_what_system_cue_exports() {
        for kind in [Kind::Driver, Kind::Service] {
            let plan = Plan::new(kind, "new-thing");
            let case: toml::Table = plan.files()[2].1.parse().unwrap();
            let given = &case["system"]["services"]["shell"]["caps"]["new-thing"];
            assert_eq!(given["export"]["service"].as_str(), Some("new-thing"));
            let export =
                format!("exports: {}: {}", given["export"]["export"].as_str().unwrap(), given["interface"]);
            assert!(plan.cue().unwrap().contains(&export), "{export}");
        }
    }

    /// So the case of the tree shows what that of a new driver would.
    #[test]
    fn the_sample_is_as_scaffolded() {
        let plan = Plan::new(Kind::Driver, SAMPLE);
        assert_eq!(plan.files()[0].1, include_str!("../../../userspace/drivers/sample/Cargo.toml"));
        assert_eq!(plan.files()[2].0, Path::new("tools/lab/cases/sample/sample-drives.toml"));
        assert!(SYSTEM.contains(&plan.cue().unwrap()));
    }

    /// The chapter says that `services` shows a driver that waits for its device: that is what the supervisor's questions bring.
    #[test]
    fn drivers_are_asked_how_they_are() {
        assert!(Plan::new(Kind::Driver, "thing").cue().unwrap().contains("\thealth:  #Patient\n"));
    }

    /// Pasted at the end, the lines define the service at the place where it is looked for.
    #[test]
    fn the_lines_for_system_cue_can_be_appended() {
        for kind in [Kind::Driver, Kind::Service, Kind::Probe] {
            let plan = Plan::new(kind, "new-thing");
            let labels = cue::Labels::of(&format!("{SYSTEM}{}", plan.cue().unwrap()));
            let place = labels.find(&["services", &plan.package()]).unwrap();
            assert_eq!((place.depth, place.line), (2, SYSTEM.lines().count() + 1), "{kind:?}");
        }
    }

    #[test]
    fn the_page_shows_what_is_scaffolded() {
        let plan = Plan::new(Kind::Service, "greeter");
        let [_, program, case] = plan.files().try_into().unwrap();
        let cue = plan.cue().unwrap();
        let supervised = cue.replace("\n}\n", "\n\thealth: {everyMs: 1000, answerMs: 2000}\n}\n");
        for part in [program.1, case.1, cue, supervised, format!("make run-{}", plan.case())] {
            assert!(PAGE.contains(&part), "docs/src/write-a-service.md lacks:\n{part}");
        }
    }
}
