//! The real `system.cue`: its export is up to date, its systems are sound, and evaluation works where an evaluator is.

use std::fs;
use std::path::{Path, PathBuf};

use capos_manifest::{DEVMGR, Facts, Source, decode, encode, start_order};
use cue::{CueError, EXPORT, Evaluator, OVERLAY, Outcome, SOURCE};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every program of the repository: the crates below `userspace` with a `main.rs`.
fn programs() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["", "drivers", "services", "apps", "probes"] {
        for entry in fs::read_dir(root().join("userspace").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.join("src/main.rs").is_file() {
                let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap();
                let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap();
                found.push(name.trim_matches('"').to_owned());
            }
        }
    }
    found
}

/// A repository of its own with the real text, changed, and the real export.
fn copy(name: &str, change: impl FnOnce(String) -> String) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(to.join("tools/cue")).unwrap();
    let _ = fs::remove_file(to.join(OVERLAY));
    let _ = fs::remove_dir_all(to.join("target"));
    fs::write(to.join(SOURCE), change(fs::read_to_string(root().join(SOURCE)).unwrap())).unwrap();
    fs::copy(root().join(EXPORT), to.join(EXPORT)).unwrap();
    // What was installed for the repository serves the copy too.
    let tools = root().canonicalize().unwrap().join("target/tools");
    if tools.is_dir() {
        fs::create_dir_all(to.join("target")).unwrap();
        std::os::unix::fs::symlink(tools, to.join("target/tools")).unwrap();
    }
    to
}

#[test]
fn the_checked_in_export_is_up_to_date() {
    let outcome = cue::export(&root(), true).unwrap();
    assert!(
        matches!(outcome, Outcome::UpToDate | Outcome::Unverified),
        "{outcome:?}: run `cargo cap export`"
    );
}

#[test]
fn every_system_is_sound_on_the_smallest_machine() {
    let systems = cue::load(&copy("sound", |text| text)).unwrap();
    let facts = Facts::new(programs(), 96 << 8);
    for name in ["default", "diag", "minimal"] {
        let manifest = systems.system(name, &facts).unwrap_or_else(|error| panic!("{name}:\n{error}"));
        assert_eq!(decode(&encode(&manifest)).unwrap(), manifest);
        assert_eq!(start_order(&manifest).unwrap().len(), manifest.services.len());
    }
}

#[test]
fn devices_are_handed_out_by_one_service_only() {
    let systems = cue::load(&copy("devices", |text| text)).unwrap();
    for name in ["default", "diag", "minimal"] {
        let manifest = systems.definitions().system(name).unwrap();
        for service in &manifest.services {
            let all = Source::Kernel("devices".into());
            let has_all = service.caps.iter().any(|grant| grant.source == all);
            assert_eq!(has_all, service.name == DEVMGR, "{} of {name}", service.name);
        }
    }
}

#[test]
fn every_service_is_sound_beside_those_it_needs() {
    let systems = cue::load(&copy("services", |text| text)).unwrap();
    let facts = Facts::new(programs(), 1 << 18);
    let names: Vec<&str> = systems.definitions().services().collect();
    for name in names {
        let uses = ["serial", "console", "testport", "devmgr", name].map(|name| format!("\"{name}\""));
        let uses = if uses[..4].contains(&uses[4]) { uses[..4].join(",") } else { uses.join(",") };
        let own = capos_manifest::export::Json::parse(&format!("{{\"use\": [{uses}]}}")).unwrap();
        let manifest = systems.compose("alone", &own).unwrap();
        systems.check(&manifest, &facts).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_changed_text_without_evaluator_is_refused() {
    let root = copy("stale", |text| text.replace("restart: \"always\"", "restart: \"never\""));
    match (cue::load(&root), Evaluator::find(&root)) {
        (Err(CueError::StaleNeedsEvaluator), None) => {}
        (Ok(systems), Some(_)) => {
            let manifest = systems.definitions().system("default").unwrap();
            assert!(manifest.services.iter().all(|it| it.restart == capos_manifest::Restart::Never));
        }
        (result, evaluator) => panic!("{evaluator:?}: {:?}", result.map(|_| ())),
    }
}

#[test]
fn an_overlay_without_evaluator_is_refused() {
    let root = copy("overlay", |text| text);
    fs::write(root.join(OVERLAY), "package capos\nservices: serial: budget: memoryPages: 99\n").unwrap();
    match (cue::load(&root), Evaluator::find(&root)) {
        (Err(error @ CueError::OverlayNeedsEvaluator), None) => {
            assert!(error.to_string().starts_with("system.local.cue cannot be laid over"));
        }
        (Ok(systems), Some(_)) => {
            let manifest = systems.definitions().system("default").unwrap();
            assert_eq!(manifest.services[0].budget.memory_pages, 99);
        }
        (result, evaluator) => panic!("{evaluator:?}: {:?}", result.map(|_| ())),
    }
}

#[test]
fn the_overlay_is_left_out_of_the_export() {
    let root = copy("export", |text| text);
    fs::write(root.join(OVERLAY), "package capos\nservices: serial: nonsense: 1\n").unwrap();
    assert!(matches!(cue::export(&root, true), Ok(Outcome::UpToDate | Outcome::Unverified)));
}

#[test]
fn a_text_that_does_not_evaluate_is_refused_with_its_line() {
    let root = copy("wrong", |text| format!("{text}\nservices: serial: restart: \"somehow\"\n"));
    match cue::load(&root) {
        Err(CueError::StaleNeedsEvaluator) => {}
        Err(CueError::Evaluation(text)) => assert!(text.contains("system.cue:"), "{text}"),
        result => panic!("{:?}", result.map(|_| ())),
    }
}

#[test]
fn a_repository_without_the_text() {
    let root = copy("empty", |text| text);
    fs::remove_file(root.join(SOURCE)).unwrap();
    let text = cue::load(&root).unwrap_err().to_string();
    assert!(text.contains("system.cue: "), "{text}");
}
