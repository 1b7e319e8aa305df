//! Lines at fault.

use super::Systems;
use crate::sources::Sources;
use capos_manifest::Facts;
use capos_manifest::export::Json;

const SOURCE: &str = r#"package capos

services: serial: {
	exports: line: "ByteStream"
}
services: shell: {
	caps: {
		timer: kernel: "timer"
		line: export: {service: "serial", export: "line"}
	}
}
systems: default: use: ["serial", "shell"]
systems: tiny: {
	use: ["serial", "shell"]
	services: shell: budget: threads: 0
}
"#;

const EXPORT: &str = r#"{
  "source": "0",
  "services": {
    "serial": {"exports": {"line": "ByteStream"}},
    "shell": {"caps": {
      "timer": {"kernel": "timer"},
      "line": {"export": {"service": "serial", "export": "line"}}
    }}
  },
  "systems": {
    "default": {"use": ["serial", "shell"]},
    "tiny": {"use": ["serial", "shell"], "services": {"shell": {"budget": {"threads": 0}}}}
  }
}"#;

fn systems(from: &str, to: &str, overlay: Option<&str>) -> Systems {
    assert!(EXPORT.contains(from));
    let sources = Sources { source: SOURCE.into(), overlay: overlay.map(str::to_owned) };
    Systems::new(&EXPORT.replacen(from, to, 1), sources).unwrap()
}

fn facts() -> Facts {
    Facts::new(vec!["serial".into(), "shell".into()], 24_576)
}

#[track_caller]
fn refusal(from: &str, to: &str, system: &str) -> String {
    systems(from, to, None).system(system, &facts()).unwrap_err().to_string()
}

#[test]
fn a_sound_system() {
    let systems = systems("timer", "timer", None);
    assert_eq!(systems.system("default", &facts()).unwrap().services.len(), 2);
    assert_eq!(systems.definitions().systems().count(), 2);
}

#[test]
fn a_capability_that_nobody_exports() {
    assert_eq!(
        refusal(r#""export": "line""#, r#""export": "lime""#, "default"),
        r#"system.cue:9: service "shell": capability "line": nobody exports it: "serial" has no export "lime" (did you mean "line"?)"#
    );
}

#[test]
fn an_unknown_kernel_object() {
    let text = refusal(r#"{"kernel": "timer"}"#, r#"{"kernel": "tmer"}"#, "default");
    assert!(text.starts_with(r#"system.cue:8: service "shell": capability "timer": "#), "{text}");
}

#[test]
fn an_interface_that_does_not_exist() {
    let text = refusal("ByteStream", "BiteStream", "default");
    assert!(text.starts_with("system.cue:4: "), "{text}");
}

#[test]
fn a_change_that_a_system_makes() {
    let text = refusal("timer", "timer", "tiny");
    assert!(text.starts_with(r#"system.cue:15: service "shell": budget threads: "#), "{text}");
}

#[test]
fn a_missing_program_is_at_its_service() {
    let facts = Facts::new(vec!["serial".into()], 24_576);
    let text = systems("timer", "timer", None).system("default", &facts).unwrap_err().to_string();
    assert!(text.starts_with(r#"system.cue:6: service "shell": binary: "#), "{text}");
}

#[test]
fn every_mistake_has_its_line() {
    let facts = Facts::new(Vec::new(), 24_576);
    let text = systems("timer", "timer", None).system("tiny", &facts).unwrap_err().to_string();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.lines().all(|line| line.starts_with("system.cue:")), "{text}");
}

#[test]
fn an_unknown_service_in_a_list() {
    assert_eq!(
        refusal(r#"["serial", "shell"]"#, r#"["serial", "shel"]"#, "default"),
        r#"system.cue:12: systems.default.use: there is no service "shel" (did you mean "shell"?)"#
    );
}

#[test]
fn an_unknown_system() {
    let text = refusal("timer", "timer", "defualt");
    assert!(text.ends_with(r#"there is no system "defualt" (did you mean "default"?)"#), "{text}");
}

#[test]
fn what_the_overlay_says_is_found_there() {
    let overlay = "package capos\nservices: shell: caps: extra: kernel: \"nothing\"\n";
    let with = r#""extra": {"kernel": "nothing"}, "timer": {"kernel": "timer"}"#;
    let systems = systems(r#""timer": {"kernel": "timer"}"#, with, Some(overlay));
    let text = systems.system("default", &facts()).unwrap_err().to_string();
    assert!(text.starts_with(r#"system.local.cue:2: service "shell": capability "extra": "#), "{text}");
}

#[test]
fn what_the_overlay_only_adds_to_is_found_where_it_is() {
    let overlay = "package capos\nservices: shell: args: []\n";
    let systems = systems(r#"{"kernel": "timer"}"#, r#"{"kernel": "tmer"}"#, Some(overlay));
    let text = systems.system("default", &facts()).unwrap_err().to_string();
    assert!(text.starts_with("system.cue:8: "), "{text}");
}

#[test]
fn a_service_of_the_callers_own_has_no_line() {
    let systems = systems("timer", "timer", None);
    let own = Json::parse(r#"{"services": {"probe": {"budget": {"threads": 0}}}}"#).unwrap();
    let manifest = systems.compose("case", &own).unwrap();
    let text = systems.check(&manifest, &facts()).unwrap_err().to_string();
    assert!(text.lines().all(|line| line.starts_with("service \"probe\": ")), "{text}");
}

#[test]
fn an_export_that_is_none_is_refused() {
    let sources = Sources { source: SOURCE.into(), overlay: None };
    let text = Systems::new(r#"{"services": 1, "systems": {}}"#, sources).unwrap_err().to_string();
    assert_eq!(text, "system.cue:3: services: an object should be here, not a number");
}

#[test]
fn every_system_is_checked() {
    let with = r#""mine": {"use": ["serial", "shel"]}, "other": {"use": ["shell"]}, "default": {"use""#;
    let text = systems(r#""default": {"use""#, with, None).check_all(&facts()).unwrap_err().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].ends_with(r#"there is no service "shel" (did you mean "shell"?)"#), "{text}");
    assert!(
        lines[1]
            .starts_with(r#"system.cue:9: service "shell": capability "line": there is no service "serial""#)
    );
    assert!(lines[2].starts_with(r#"system.cue:15: service "shell": budget threads: "#), "{text}");
}

#[test]
fn what_no_system_uses_is_checked_beside_what_it_needs() {
    let check = |caps: &str| {
        let with = format!(r#""services": {{"idle": {{"binary": "shell", "caps": {{{caps}}}}},"#);
        let sound = EXPORT.replace(r#"{"threads": 0}"#, "{}").replacen(r#""services": {"#, &with, 1);
        let sources = Sources { source: SOURCE.into(), overlay: None };
        Systems::new(&sound, sources).unwrap().check_all(&facts())
    };
    check(r#""line": {"export": {"service": "serial", "export": "line"}}"#).unwrap();
    let text = check(r#""timer": {"kernel": "tmer"}"#).unwrap_err().to_string();
    assert!(
        text.contains(r#"service "idle": capability "timer": the kernel has no object "tmer""#),
        "{text}"
    );
}

#[test]
fn a_service_used_twice_is_at_the_list() {
    let text = refusal(r#"["serial", "shell"]"#, r#"["serial", "shell", "serial"]"#, "default");
    assert_eq!(text, r#"system.cue:12: systems.default.use: "serial" is there twice"#);
}

#[test]
fn a_service_that_only_the_overlay_has_may_be_a_mistyped_one() {
    let overlay = "package capos\nservices: shel: budget: threads: 3\n";
    let with = r#""shel": {"budget": {"threads": 3}}, "serial""#;
    let text = systems(r#""serial""#, with, Some(overlay)).check_all(&facts()).unwrap_err().to_string();
    assert!(
        text.contains(
            r#"system.local.cue:2: service "shel": binary: there is no boot file "shel", and system.cue has no service "shel" to change (did you mean "shell"?)"#
        ),
        "{text}"
    );
}
