//! Paths and their lines in all the ways that CUE writes them.

use super::{Labels, Place};
use proptest::prelude::{ProptestConfig, proptest};

const TEXT: &str = r#"// A comment with services: shell: {
package capos

#Cap: {
	interface?: string
	kernel?:    string
}

services: [string]: #Service

services: serial: {
	caps: {
		log: kernel:   "log"
		ports: ioPort: {base: 0x3f8, length: 8}
		irq: irq: 4 // the line: {
	}
	exports: line: "ByteStream"
	restart: "always"
}

services: "probe-many": #Probe & {
	args: ["--count={", "a: b"]
	budget: threads: 3
}

services: {
	console: caps: line: {interface: "ByteStream", export: {service: "serial", export: "line"}}
	shell: {
		why: """
			caps: x: y
			}
			"""
		caps: a:
			kernel: "timer"
		restart: "never" |
			"always"
		autostart: true
	}
}

systems: default: use: ["serial", "console"]
systems: default: services: shell: autostart: false
"#;

#[track_caller]
fn line(path: &str) -> usize {
    let path: Vec<&str> = path.split('/').collect();
    let place = Labels::of(TEXT).find(&path).unwrap();
    assert_eq!(place.depth, path.len(), "{path:?} {place:?}");
    place.line
}

#[test]
fn nested_braces() {
    assert_eq!(line("services/serial/caps"), 12);
    assert_eq!(line("services/serial/caps/irq"), 15);
    assert_eq!(line("services/serial/exports"), 17);
    assert_eq!(line("services/serial/restart"), 18);
}

#[test]
fn several_labels_in_one_line() {
    assert_eq!(line("services/serial/caps/log/kernel"), 13);
    assert_eq!(line("services/serial/caps/ports/ioPort/length"), 14);
    assert_eq!(line("services/serial/exports/line"), 17);
    assert_eq!(line("systems/default/use"), 41);
}

#[test]
fn quoted_labels_and_embedded_definitions() {
    assert_eq!(line("services/probe-many"), 21);
    assert_eq!(line("services/probe-many/args"), 22);
    assert_eq!(line("services/probe-many/budget/threads"), 23);
}

#[test]
fn one_struct_for_several_services() {
    assert_eq!(line("services/console/caps/line/export/service"), 27);
    assert_eq!(line("services/shell"), 28);
    assert_eq!(line("services/shell/autostart"), 37);
}

#[test]
fn values_that_go_on_in_the_next_line() {
    assert_eq!(line("services/shell/caps/a/kernel"), 34);
    assert_eq!(line("services/shell/restart"), 35);
}

#[test]
fn the_same_path_in_two_places_is_found_at_the_first() {
    assert_eq!(line("services"), 9);
    assert_eq!(line("systems/default"), 41);
    assert_eq!(line("systems/default/services/shell/autostart"), 42);
}

#[test]
fn optional_fields_are_labels() {
    assert_eq!(line("#Cap/interface"), 5);
    assert_eq!(line("#Cap/kernel"), 6);
}

#[test]
fn as_deep_as_there_is() {
    let labels = Labels::of(TEXT);
    let deep = labels.find(&["services", "probe-many", "caps", "testport"]);
    assert_eq!(deep, Some(Place { line: 21, depth: 2 }));
    assert_eq!(labels.find(&["services", "nobody"]), Some(Place { line: 9, depth: 1 }));
    assert_eq!(labels.find(&["nothing"]), None);
    assert_eq!(labels.find(&[]), None);
}

#[test]
fn neither_comments_nor_strings_nor_lists_have_labels() {
    let labels = Labels::of(TEXT);
    assert_eq!(labels.find(&["services", "shell", "caps", "x"]).unwrap().depth, 3);
    assert_eq!(labels.find(&["a"]), None);
}

#[test]
fn escapes_in_strings() {
    let labels = Labels::of("a: \"x\\\"\\\\\"\nb: 1\n\"c\\\"d\": 2");
    assert_eq!(labels.find(&["b"]).unwrap().line, 2);
    assert_eq!(labels.find(&["c\"d"]).unwrap().line, 3);
}

#[test]
fn a_string_without_end_ends_with_its_line() {
    assert_eq!(Labels::of("a: \"x\nb: 1").find(&["b"]).unwrap().line, 2);
    assert_eq!(Labels::of("a: \"\"\"x\nb: 1").find(&["b"]), None);
}

#[test]
fn braces_that_do_not_match_do_no_harm() {
    for text in ["}}}a: 1", "{{{", "]]]: a", "a: {", "[", ":", "a: ]b: {", "\"", "\"\"\""] {
        let _ = Labels::of(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "(\\PC|[{}\\[\\]:,\"\n ]|[a-c]){0,80}") {
        let labels = Labels::of(&text);
        let lines = text.lines().count().max(1);
        for (_, line) in &labels.found {
            assert!((1..=lines + 1).contains(line));
        }
    }
}
