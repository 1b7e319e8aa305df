//! Names that are too long, unprintable, taken or reserved, and startup blocks that are full.

use super::{export, issue, issues, kernel};
use crate::Field;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

#[test]
fn two_services_of_one_name() {
    let found = issues(|manifest| {
        let again = manifest.services[2].clone();
        manifest.services.push(again);
    });
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().contains("another service has this name too"));
}

#[test]
fn a_service_is_not_called_init_or_supervisor() {
    for name in ["init", "supervisor"] {
        let (text, ..) = issue(|manifest| manifest.services[2].name = name.to_string());
        assert!(text.contains("every system has goes by this name"), "{text}");
    }
}

#[test]
fn two_capabilities_of_one_name() {
    let (text, field, entry) = issue(|manifest| manifest.services[2].caps.push(kernel("timer", "Timer")));
    assert!(text.contains("another one has this name too"), "{text}");
    assert_eq!((field, entry.as_str()), (Field::Caps, "timer"));
}

#[test]
fn two_exports_of_one_name() {
    let (text, field, _) = issue(|manifest| manifest.services[1].exports.push(export("console", "Console")));
    assert!(text.contains("another one has this name too"), "{text}");
    assert_eq!(field, Field::Exports);
}

#[test]
fn the_name_of_the_own_endpoint_is_reserved_for_who_has_one() {
    let rename = |n: usize| {
        issues(move |manifest| {
            let mut log = kernel("log", "LogSink");
            log.name = "serve".to_string();
            manifest.services[n].caps.push(log);
        })
    };
    assert_eq!(rename(1).len(), 1);
    assert_eq!(rename(2), []);
}

#[test]
fn names_are_not_empty() {
    let (text, ..) = issue(|manifest| manifest.services[2].name = String::new());
    assert!(text.contains("the name is empty"), "{text}");
    let (text, ..) = issue(|manifest| manifest.services[2].caps[2].name = String::new());
    assert!(text.contains("the name is empty"), "{text}");
}

#[test]
fn names_have_at_most_31_bytes() {
    assert_eq!(issues(|manifest| manifest.services[2].name = "a".repeat(31)), []);
    let (text, ..) = issue(|manifest| manifest.services[2].name = "a".repeat(32));
    assert!(text.contains("32 bytes"), "{text}");
    let (text, field, _) = issue(|manifest| manifest.services[2].caps[2].name = "b".repeat(300));
    assert!(text.contains("300 bytes"), "{text}");
    assert_eq!(field, Field::Caps);
}

#[test]
fn names_cannot_disturb_a_terminal() {
    for name in ["a b", "a\u{1b}[2J", "é", "a/b", "a\"b"] {
        let (text, ..) = issue(|manifest| manifest.services[2].name = name.to_string());
        assert!(text.contains("in it; letters"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}

#[test]
fn arguments_have_at_most_255_bytes() {
    assert_eq!(issues(|manifest| manifest.services[2].args[0] = "a".repeat(255)), []);
    let (text, field, _) = issue(|manifest| manifest.services[2].args[0] = "a".repeat(256));
    assert!(text.contains("256 bytes"), "{text}");
    assert_eq!(field, Field::Args);
}

#[test]
fn a_full_startup_block() {
    let fill = |count: usize| {
        issues(move |manifest| {
            manifest.services[2].args = core::iter::repeat_n("x".repeat(240), count).collect::<Vec<_>>();
        })
    };
    assert_eq!(fill(14), []);
    let found = fill(16);
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().contains("do not fit into 3900 bytes"));
}

#[test]
#[cfg_attr(miri, ignore = "minutes")]
fn names_of_clients_count_for_who_asks_for_them() {
    let crowd = |argument: &str| {
        let argument = argument.to_string();
        let mut found = issues(move |manifest| {
            manifest.services[1].args.push(argument);
            for n in 0..150 {
                let mut client = manifest.services[2].clone();
                client.name = alloc::format!("client-number-{n}");
                client.budget.memory_pages = 16;
                manifest.services.push(client);
            }
        });
        // That there are too many of them is another matter.
        found.retain(|issue| !issue.message.contains("look after"));
        found
    };
    assert_eq!(crowd("--quiet"), []);
    let found = crowd("--clients");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place.service, "console");
}
