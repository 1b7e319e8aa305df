//! Capabilities that nobody has, or that are something else.

use super::{export, from, grant, issue, issues, kernel};
use crate::{Field, Service, Source};
use alloc::string::ToString;

#[test]
fn an_unknown_service_is_named_and_the_nearest_offered() {
    let (text, field, entry) =
        issue(|manifest| manifest.services[2].caps[0] = from("console", "Console", "consol", "console"));
    assert_eq!(
        text,
        r#"service "shell": capability "console": there is no service "consol" (did you mean "console"?)"#
    );
    assert_eq!((field, entry.as_str()), (Field::Caps, "console"));
}

#[test]
fn a_capability_nobody_exports() {
    let (text, ..) =
        issue(|manifest| manifest.services[2].caps[0] = from("consol", "Console", "console", "consol"));
    assert_eq!(
        text,
        r#"service "shell": capability "consol": nobody exports it: "console" has no export "consol" (did you mean "console"?)"#
    );
}

#[test]
fn a_service_without_exports_is_said_to_have_none() {
    let (text, ..) = issue(|manifest| {
        let diag = Service { caps: [from("x", "Console", "shell", "x")].into(), ..Service::new("diag") };
        manifest.services.push(diag);
    });
    assert!(text.ends_with(r#"("shell" exports nothing)"#), "{text}");
}

#[test]
fn among_several_exports_the_nearest_is_offered() {
    let (text, ..) = issue(|manifest| {
        manifest.services[1].exports.push(export("mirror", "Console"));
        manifest.services[2].caps[0] = from("console", "Console", "console", "miror");
    });
    assert!(text.ends_with(r#"(did you mean "mirror"?)"#), "{text}");
}

#[test]
fn the_supervisor_exports_what_it_does_and_nothing_else() {
    let (text, ..) = issue(|manifest| {
        manifest.services[2].caps[1] = from("services", "Services", "supervisor", "service")
    });
    assert!(text.ends_with(r#"(did you mean "services"?)"#), "{text}");
}

#[test]
fn an_export_of_another_interface() {
    let (text, ..) =
        issue(|manifest| manifest.services[2].caps[0] = from("console", "Console", "serial", "line"));
    assert_eq!(
        text,
        r#"service "shell": capability "console": "shell" expects Console, but "line" of "serial" speaks ByteStream"#
    );
}

#[test]
fn a_kernel_object_of_another_interface() {
    let (text, ..) = issue(|manifest| manifest.services[2].caps[2] = kernel("timer", "WallClock"));
    assert!(text.contains(r#"expects WallClock, but the kernel's "timer" speaks Timer"#), "{text}");
}

#[test]
fn ports_and_interrupts_have_their_own_interfaces() {
    let (text, ..) = issue(|manifest| manifest.services[0].caps[0].interface = "Interrupt".to_string());
    assert!(text.contains("a range of ports speaks IoPort"), "{text}");
    let (text, ..) = issue(|manifest| manifest.services[0].caps[1].interface = "IoPort".to_string());
    assert!(text.contains("an interrupt line speaks Interrupt"), "{text}");
}

#[test]
fn an_unknown_kernel_object() {
    let (text, ..) = issue(|manifest| manifest.services[2].caps[2] = kernel("timers", "Timer"));
    assert!(text.ends_with(r#"the kernel has no object "timers" (did you mean "timer"?)"#), "{text}");
}

#[test]
fn what_is_given_in_parts_is_explained() {
    let (text, ..) = issue(|manifest| manifest.services[2].caps[2] = kernel("io_ports", "IoPort"));
    assert!(text.contains("write ioPort: {base"), "{text}");
    let (text, ..) = issue(|manifest| manifest.services[2].caps[2] = kernel("irqs", "InterruptController"));
    assert!(text.contains("write irq: NUMBER"), "{text}");
}

#[test]
fn an_unknown_interface_of_a_capability() {
    let (text, ..) = issue(|manifest| manifest.services[2].caps[2] = kernel("timer", "Timr"));
    assert!(text.ends_with(r#"there is no interface "Timr" (did you mean "Timer"?)"#), "{text}");
}

#[test]
fn an_unknown_interface_of_an_export() {
    let (text, field, entry) =
        issue(|manifest| manifest.services[1].exports.push(export("other", "Consoles")));
    assert!(text.ends_with(r#"(did you mean "Console"?)"#), "{text}");
    assert_eq!((field, entry.as_str()), (Field::Exports, "other"));
}

#[test]
fn a_missing_program() {
    let (text, field, _) = issue(|manifest| manifest.services[2].binary = "shel".to_string());
    assert_eq!(text, r#"service "shell": binary: there is no boot file "shel" (did you mean "shell"?)"#);
    assert_eq!(field, Field::Binary);
}

#[test]
fn two_owners_of_one_interrupt_line() {
    let (text, ..) =
        issue(|manifest| manifest.services[2].caps.push(grant("irq", "Interrupt", Source::Irq(4))));
    assert!(text.ends_with(r#"the same line with "irq" of service "serial""#), "{text}");
}

#[test]
fn lines_that_do_not_exist_or_are_the_kernels() {
    let (text, ..) = issue(|manifest| manifest.services[0].caps[1].source = Source::Irq(16));
    assert!(text.contains("no interrupt line 16"), "{text}");
    for line in [0, 2] {
        let (text, ..) = issue(|manifest| manifest.services[0].caps[1].source = Source::Irq(line));
        assert!(text.contains("belongs to the kernel"), "{text}");
    }
}

#[test]
fn overlapping_ports() {
    for (base, length) in [(0x3f8, 8), (0x3ff, 1), (0x3f0, 9), (0x3e0, 0x100)] {
        let more = grant("more", "IoPort", Source::IoPort { base, length });
        let (text, ..) = issue(|manifest| manifest.services[2].caps.push(more));
        assert!(text.contains("overlap") && text.contains("serial"), "{text}");
    }
    for (base, length) in [(0x400, 8), (0x3f0, 8), (0x60, 1)] {
        let more = grant("more", "IoPort", Source::IoPort { base, length });
        assert_eq!(issues(|manifest| manifest.services[2].caps.push(more)), []);
    }
}

#[test]
fn ports_out_of_range() {
    let range = |base, length| Source::IoPort { base, length };
    let (text, ..) = issue(|manifest| manifest.services[0].caps[0].source = range(0xfff9, 8));
    assert!(text.contains("beyond the last port"), "{text}");
    let (text, ..) = issue(|manifest| manifest.services[0].caps[0].source = range(0x3f8, 0));
    assert!(text.contains("without ports"), "{text}");
    assert_eq!(issues(|manifest| manifest.services[0].caps[0].source = range(0xfff8, 8)), []);
}

#[test]
fn ports_of_the_kernel() {
    let range = |base, length| Source::IoPort { base, length };
    let (text, ..) = issue(|manifest| manifest.services[0].caps[0].source = range(0x60, 5));
    assert!(text.ends_with(r#"capability "ports": port 0x64 belongs to the kernel"#), "{text}");
    let (text, ..) = issue(|manifest| manifest.services[0].caps[0].source = range(0xcfc, 4));
    assert!(text.ends_with("ports 0xcf8 to 0xcff belong to the kernel"), "{text}");
    for (base, length) in [(0x22, 30), (0x60, 4), (0x65, 11), (0xcf0, 8), (0xd00, 1)] {
        assert_eq!(issues(|manifest| manifest.services[0].caps[0].source = range(base, length)), []);
    }
}
