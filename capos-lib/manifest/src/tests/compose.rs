//! From definitions to systems.

use super::{facts, sound};
use crate::export::{Definitions, Json, choices};
use crate::{Budget, Iommu, PanicAction, PciMatch, Restart, Source, validate};
use alloc::string::{String, ToString};

const EXPORT: &str = r#"{
  "services": {
    "serial": {
      "caps": {
        "ports": {"ioPort": {"base": 1016, "length": 8}},
        "irq": {"irq": 4},
        "log": {"kernel": "log", "interface": "LogSink"}
      },
      "exports": {"line": "ByteStream"}
    },
    "console": {
      "caps": {"line": {"export": {"service": "serial", "export": "line"}}},
      "exports": {"console": "Console"}
    },
    "shell": {
      "binary": "shell",
      "args": ["--quiet"],
      "caps": {
        "console": {"interface": "Console", "export": {"service": "console", "export": "console"}},
        "services": {"export": {"service": "supervisor", "export": "services"}},
        "timer": {"kernel": "timer"}
      }
    }
  },
  "systems": {
    "default": {"use": ["serial", "console", "shell"]},
    "patient": {
      "use": ["serial", "console", "shell"],
      "onPanic": "reboot",
      "seed": 7,
      "iommu": "required",
      "services": {
        "shell": {"autostart": false, "restart": "always", "args": [], "budget": {"threads": 9}, "caps": {"timer": null}},
        "diag": {"caps": {"console": {"export": {"service": "console", "export": "console"}}}}
      }
    }
  }
}"#;

fn definitions() -> Definitions {
    Definitions::parse(EXPORT).unwrap()
}

#[track_caller]
fn compose(system: &str) -> Result<crate::Manifest, String> {
    definitions().compose("case", &Json::parse(system).unwrap()).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(system: &str, expected: &str) {
    assert_eq!(compose(system).unwrap_err(), expected);
}

#[test]
fn a_system_as_defined() {
    assert_eq!(definitions().system("default").unwrap(), sound());
    assert_eq!(definitions().systems().collect::<alloc::vec::Vec<_>>(), ["default", "patient"]);
    assert_eq!(definitions().services().count(), 3);
}

#[test]
fn a_system_with_changes_and_a_service_of_its_own() {
    let manifest = definitions().system("patient").unwrap();
    assert_eq!((manifest.on_panic, manifest.seed), (PanicAction::Reboot, 7));
    assert_eq!((manifest.iommu, sound().iommu), (Iommu::Required, Iommu::Optional));
    let [serial, console, shell, diag] = manifest.services.as_slice() else { panic!("{manifest:?}") };
    assert_eq!([serial, console], [&sound().services[0], &sound().services[1]]);
    assert_eq!((shell.autostart, shell.restart, shell.args.len()), (false, Restart::Always, 0));
    assert_eq!(shell.budget, Budget { threads: 9, ..Budget::default() });
    assert_eq!(shell.caps.len(), 2);
    assert_eq!(diag.caps[0].interface, "Console");
    assert_eq!(validate(&manifest, &facts()), []);
}

#[test]
fn a_changed_capability_comes_from_its_new_place_alone() {
    let manifest = compose(
        r#"{"use": ["serial", "console", "shell"],
            "services": {"shell": {"caps": {"timer": {"export": {"service": "serial", "export": "line"}}}}}}"#,
    );
    let timer = manifest.unwrap().services[2].caps[2].clone();
    assert!(matches!(timer.source, Source::Export { .. }));
    assert_eq!(timer.interface, "ByteStream");
}

#[test]
fn a_case_uses_what_it_wants() {
    let manifest = compose(r#"{"use": ["serial"], "seed": 3}"#).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.services.len(), manifest.seed), ("case", 1, 3));
    let manifest = compose(r#"{"services": {"serial": {"autostart": false}}}"#).unwrap();
    assert_eq!(manifest.services[0].exports.len(), 1);
    assert!(compose("{}").unwrap().services.is_empty());
}

#[test]
fn what_does_not_exist_is_validations_to_say() {
    let manifest = compose(r#"{"use": ["console"]}"#).unwrap();
    assert_eq!(manifest.services[0].caps[0].interface, "");
    let found = validate(&manifest, &facts());
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().contains(r#"there is no service "serial""#));
}

#[test]
fn unknown_systems_and_services() {
    let error = definitions().system("defualt").unwrap_err().to_string();
    assert_eq!(error, r#"systems: there is no system "defualt" (did you mean "default"?)"#);
    let error = definitions().system("x").unwrap_err().to_string();
    assert_eq!(error, r#"systems: there is no system "x" (there are default, patient)"#);
    refused(r#"{"use": ["seriel"]}"#, r#"use: there is no service "seriel" (did you mean "serial"?)"#);
}

#[test]
fn a_service_that_is_used_twice() {
    refused(r#"{"use": ["serial", "console", "serial"]}"#, r#"use: "serial" is there twice"#);
}

#[test]
fn fields_with_a_few_words() {
    assert_eq!(choices("restart").unwrap(), ["never", "onFailure", "always"]);
    assert_eq!(choices("onPanic").unwrap(), ["halt", "reboot"]);
    assert_eq!(choices("iommu").unwrap(), ["optional", "required"]);
    assert_eq!(choices("budget"), None);
}

#[test]
fn unknown_fields() {
    refused(r#"{"uses": []}"#, r#"uses: there is no such field (did you mean "use"?)"#);
    refused(
        r#"{"services": {"x": {"bin": "x"}}}"#,
        "services.x.bin: there is no such field (possible are binary, args, caps, exports, budget, restart, autostart, backoff, limit, health, drainMs, follow, escalate)",
    );
    refused(
        r#"{"services": {"x": {"budget": {"memory": 1}}}}"#,
        "services.x.budget.memory: there is no such field (possible are memoryPages, capSlots, threads, callsInFlight, endpointEntries, logBytes, priority, cpuPercent, dmaPages, vectors)",
    );
    let wrong = EXPORT.replace("\"systems\"", "\"system\"");
    assert_eq!(
        Definitions::parse(&wrong).unwrap_err().to_string(),
        r#"system: there is no such field (did you mean "systems"?)"#
    );
}

#[test]
fn values_of_the_wrong_kind() {
    refused(r#"{"use": "serial"}"#, "use: a list of texts should be here, not a text");
    refused(r#"{"use": [1]}"#, "use: a list of texts should be here, not a number");
    refused(r#"{"seed": "1"}"#, "seed: a number should be here, not a text");
    refused(r#"{"services": []}"#, "services: an object should be here, not a list");
    refused(r#"{"services": {"x": 1}}"#, "services.x: an object should be here, not a number");
    refused(
        r#"{"services": {"x": {"binary": {}}}}"#,
        "services.x.binary: a text should be here, not an object",
    );
    refused(
        r#"{"services": {"x": {"autostart": 1}}}"#,
        "services.x.autostart: true or false should be here, not a number",
    );
    refused(
        r#"{"services": {"x": {"exports": {"y": true}}}}"#,
        "services.x.exports.y: the name of an interface should be here, not true or false",
    );
    refused("[]", "an object should be here, not a list");
}

#[test]
fn numbers_that_do_not_fit() {
    refused(
        r#"{"services": {"x": {"caps": {"p": {"ioPort": {"base": 65536, "length": 1}}}}}}"#,
        "services.x.caps.p.ioPort.base: 65536 is too large",
    );
    refused(
        r#"{"services": {"x": {"budget": {"priority": 256}}}}"#,
        "services.x.budget.priority: 256 is too large",
    );
}

#[test]
fn words_that_are_no_choice() {
    refused(
        r#"{"services": {"x": {"restart": "onFailur"}}}"#,
        r#"services.x.restart: "onFailur" is none of never, onFailure, always (did you mean "onFailure"?)"#,
    );
    refused(r#"{"onPanic": "sing"}"#, r#"onPanic: "sing" is none of halt, reboot"#);
    refused(
        r#"{"iommu": "require"}"#,
        r#"iommu: "require" is none of optional, required (did you mean "required"?)"#,
    );
}

#[test]
fn a_capability_has_one_source() {
    refused(
        r#"{"services": {"x": {"caps": {"y": {"interface": "Timer"}}}}}"#,
        "services.x.caps.y: it comes from nowhere; one of kernel, export, ioPort, irq, pci says from where",
    );
    refused(
        r#"{"services": {"x": {"caps": {"y": {"kernel": "log", "irq": 4}}}}}"#,
        "services.x.caps.y: it comes from two places, kernel and irq",
    );
    refused(
        r#"{"services": {"x": {"caps": {"y": {"export": {"service": "z"}}}}}}"#,
        "services.x.caps.y.export: export is missing",
    );
    refused(
        r#"{"services": {"x": {"caps": {"y": {"ioPort": {"base": 1}}}}}}"#,
        "services.x.caps.y.ioPort: length is missing",
    );
}

#[test]
fn devices_are_described() {
    let text = r#"{"services": {"x": {"caps": {"y": {"pci": [
        {"policy": "virtio", "vendor": 6900, "device": 4164, "address": "00:05.0", "nth": 1},
        {"policy": "plain", "class": 65536, "subsystemVendor": 1, "subsystem": 2}
    ]}}}}}"#;
    let manifest = definitions().compose("x", &Json::parse(text).unwrap()).unwrap();
    let grant = &manifest.services[0].caps[0];
    assert_eq!(grant.interface, "DeviceClaim");
    let first = PciMatch {
        policy: "virtio".to_string(),
        vendor: Some(6900),
        device: Some(4164),
        address: Some(0x28),
        nth: Some(1),
        ..PciMatch::default()
    };
    let second = PciMatch {
        policy: "plain".to_string(),
        class: Some(0x1_0000),
        subsystem_vendor: Some(1),
        subsystem: Some(2),
        ..PciMatch::default()
    };
    assert_eq!(grant.source, Source::Pci([first, second].into()));
    let of =
        |text: &str| alloc::format!(r#"{{"services": {{"x": {{"caps": {{"y": {{"pci": {text}}}}}}}}}}}"#);
    refused(
        &of("{\"policy\": \"edu\"}"),
        "services.x.caps.y.pci: a list of objects should be here, not an object (a list, also of one device: pci: [{...}])",
    );
    let knows = alloc::format!("what the kernel is to know about it: {}", crate::POLICIES.join(", "));
    refused(&of("[{}]"), &alloc::format!("services.x.caps.y.pci: policy is missing ({knows})"));
    refused(
        &of(r#"[{"policy": "edu", "address": "5"}]"#),
        r#"services.x.caps.y.pci.address: "5" is no address like "00:05.0""#,
    );
    refused(
        &of(r#"[{"policy": "edu", "vendr": 5}]"#),
        r#"services.x.caps.y.pci.vendr: there is no such field (did you mean "vendor"?)"#,
    );
}

#[test]
fn exports_that_are_none() {
    assert_eq!(
        Definitions::parse("{").unwrap_err().to_string(),
        "line 1, column 2: a member begins with its name in quotes"
    );
    assert_eq!(Definitions::parse("{}").unwrap_err().to_string(), "services is missing");
    let text = r#"{"services": {}, "systems": 1}"#;
    assert_eq!(
        Definitions::parse(text).unwrap_err().to_string(),
        "systems: an object should be here, not a number"
    );
}

#[test]
fn an_error_knows_its_path() {
    let error = definitions().compose("x", &Json::parse(r#"{"services": {"x": {"args": 1}}}"#).unwrap());
    assert_eq!(error.unwrap_err().path, ["services".to_string(), "x".to_string(), "args".to_string()]);
}
