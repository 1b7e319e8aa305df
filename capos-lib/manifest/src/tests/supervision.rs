//! Promises and policies that could not be kept, or could never matter.

use super::{export, from, issue, issues};
use crate::{Backoff, Escalate, Field, Follow, Health, Limit, Restart, Service};
use alloc::string::ToString;
use alloc::vec::Vec;

/// The one issue of the console service after a change.
#[track_caller]
fn console(change: impl FnOnce(&mut Service)) -> (alloc::string::String, Field, alloc::string::String) {
    issue(|manifest| change(&mut manifest.services[1]))
}

#[test]
fn defaults_are_those_of_the_schema() {
    let text = include_str!("../../../../schema/manifest.capnp");
    let (backoff, limit, health) = (Backoff::default(), Limit::default(), Health::default());
    let values = [
        ("firstMs", backoff.first_ms),
        ("longestMs", backoff.longest_ms),
        ("restarts @", u32::from(limit.restarts)),
        ("windowMs", limit.window_ms),
        ("readyMs", health.ready_ms),
        ("everyMs", health.every_ms),
        ("answerMs", health.answer_ms),
        ("drainMs", Service::new("x").drain_ms),
    ];
    for (name, value) in values {
        let line = text.lines().find(|line| line.trim().starts_with(name)).unwrap();
        assert!(line.ends_with(&alloc::format!("= {value};")), "{line}");
    }
}

/// What is said of so many services that promise to be healthy, or do not.
fn crowd(count: usize, health: Option<Health>) -> usize {
    let found = issues(|manifest| {
        let one = Service { caps: Vec::new(), exports: Vec::new(), health, ..manifest.services[0].clone() };
        let named = |n: usize| Service { name: alloc::format!("s{n}"), ..one.clone() };
        manifest.services = (0..count).map(named).collect();
        manifest.services.iter_mut().for_each(|service| service.budget.memory_pages = 100);
    });
    found.iter().filter(|issue| issue.message.contains("look after: 56, or half")).count()
}

#[test]
#[cfg_attr(miri, ignore = "too long, and there is no unsafe code")]
fn a_supervisor_looks_after_so_many() {
    assert_eq!((crowd(56, None), crowd(57, None), crowd(90, None)), (0, 1, 1));
    let health = Some(Health::default());
    assert_eq!((crowd(28, health), crowd(29, health), crowd(60, health)), (0, 1, 1));
}

#[test]
fn waits_are_waits() {
    let (text, field, entry) = console(|it| it.backoff.first_ms = 0);
    assert_eq!((field, entry.as_str()), (Field::Backoff, "firstMs"));
    assert!(text.starts_with(r#"service "console": backoff firstMs: without a wait"#), "{text}");
    let (text, _, entry) = console(|it| it.backoff = Backoff { first_ms: 50, longest_ms: 49 });
    assert_eq!(
        (text.contains("less than the first wait, 50"), entry.as_str()),
        (true, "longestMs"),
        "{text}"
    );
    let (text, ..) = console(|it| it.backoff.longest_ms = u32::MAX);
    assert!(text.contains("more than a day"), "{text}");
    assert!(console(|it| it.drain_ms = u32::MAX).0.contains("drainMs: 4294967295 ms are more than a day"));
}

#[test]
fn limits_can_be_remembered() {
    assert!(console(|it| it.limit.restarts = 0).0.contains("says restart: \"never\""));
    assert!(console(|it| it.limit.restarts = Limit::MOST + 1).0.contains("1 to 16 are possible"));
    assert!(console(|it| it.limit.window_ms = 0).0.contains("limit windowMs"));
    assert_eq!(issues(|manifest| manifest.services[1].limit.restarts = Limit::MOST), []);
}

#[test]
fn health_takes_time() {
    for (n, entry) in ["readyMs", "everyMs", "answerMs"].into_iter().enumerate() {
        let health = |value: u32| {
            let mut times = [100; 3];
            times[n] = value;
            Health { ready_ms: times[0], every_ms: times[1], answer_ms: times[2] }
        };
        let (text, field, found) = console(|it| it.health = Some(health(0)));
        assert_eq!((field, found.as_str()), (Field::Health, entry), "{text}");
        assert!(console(|it| it.health = Some(health(u32::MAX))).0.contains("more than a day"));
    }
    assert_eq!(issues(|manifest| manifest.services[1].health = Some(Health::default())), []);
}

#[test]
fn who_promises_health_has_a_slot_and_a_name_for_it() {
    let (text, _, entry) = console(|it| {
        it.health = Some(Health::default());
        let timer = crate::Source::Kernel("timer".to_string());
        it.caps.push(super::grant("control", "Timer", timer));
    });
    assert!(text.contains("hears from its supervisor under this name"), "{text}");
    assert_eq!(entry, "control");
    let fits = |slots| {
        issues(|manifest| {
            manifest.services[1].health = Some(Health::default());
            manifest.services[1].budget.cap_slots = slots;
        })
    };
    // Three of its own, one granted, its endpoint, its control.
    assert_eq!(fits(6), []);
    assert_eq!(fits(5).len(), 1);
}

#[test]
fn policies_that_could_never_matter() {
    let (text, field, _) = console(|it| it.escalate = Escalate::Group);
    assert_eq!(field, Field::Escalate);
    assert!(text.contains("never given up"), "{text}");
    let sound = issues(|manifest| {
        manifest.services[1].escalate = Escalate::Reboot;
        manifest.services[1].restart = Restart::OnFailure;
    });
    assert_eq!(sound, []);
    let (text, field, _) = issue(|manifest| manifest.services[0].follow = Follow::Restarted);
    assert_eq!(field, Field::Follow);
    assert!(text.contains("nobody to follow"), "{text}");
}

#[test]
fn only_who_listens_can_be_told() {
    let (text, field, _) = console(|it| it.follow = Follow::Told);
    assert_eq!(field, Field::Follow);
    assert!(text.ends_with(r#"(add health: {} if it serves `control`, or say "restarted")"#), "{text}");
    let sound = issues(|manifest| {
        manifest.services[1].follow = Follow::Told;
        manifest.services[1].health = Some(Health::default());
    });
    assert_eq!(sound, []);
}

#[test]
fn names_are_an_export_of_the_supervisor() {
    assert_eq!(
        issues(|manifest| manifest.services[1].caps.push(from("names", "Names", "supervisor", "names"))),
        []
    );
    let (text, ..) = issue(|manifest| {
        manifest.services[1].caps.push(from("services", "Services", "init", "services"));
        manifest.services[1].exports.push(export("other", "Console"));
    });
    assert!(text.contains("there is no service \"init\""), "{text}");
    assert_eq!("supervisor".to_string(), crate::SUPERVISOR);
}
