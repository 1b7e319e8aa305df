//! Starting order and rings of services.

use super::{config, export, from, issues, sound};
use crate::{Manifest, Service, Source, start_order};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::prelude::{any, prop, proptest};

/// Services `a`, `b`, ..., each needing the listed ones.
fn system(needs: &[&[usize]]) -> Manifest {
    let name = |n: usize| String::from(char::from(b'a' + n as u8));
    let services = needs.iter().enumerate().map(|(n, needs)| Service {
        caps: needs.iter().map(|need| from(&name(*need), "Console", &name(*need), "x")).collect(),
        exports: Vec::from([export("x", "Console")]),
        ..Service::new(&name(n))
    });
    Manifest { services: services.collect(), ..Manifest::default() }
}

#[test]
fn in_the_order_of_the_manifest_where_nothing_else_counts() {
    assert_eq!(start_order(&system(&[&[], &[], &[]])).unwrap(), [0, 1, 2]);
    assert_eq!(start_order(&sound()).unwrap(), [0, 1, 2]);
    assert_eq!(start_order(&Manifest::default()).unwrap(), []);
}

#[test]
fn after_what_is_needed() {
    assert_eq!(start_order(&system(&[&[1], &[2], &[]])).unwrap(), [2, 1, 0]);
    assert_eq!(start_order(&system(&[&[2], &[], &[1]])).unwrap(), [1, 2, 0]);
}

#[test]
fn a_service_that_needs_itself() {
    let cycle = start_order(&system(&[&[], &[1]])).unwrap_err();
    assert_eq!(cycle.services, [1]);
    assert_eq!(cycle.to_string(), "b needs b");
}

#[test]
fn a_ring_is_named_without_those_who_only_lead_to_it() {
    let cycle = start_order(&system(&[&[1], &[2], &[3], &[1]])).unwrap_err();
    assert_eq!(cycle.services, [1, 2, 3]);
    assert_eq!(cycle.to_string(), "b needs c needs d needs b");
}

#[test]
fn unknown_services_and_init_do_not_count() {
    let mut manifest = system(&[&[]]);
    manifest.services[0].caps.push(from("y", "Console", "nobody", "x"));
    manifest.services[0].caps.push(from("z", "Services", "supervisor", "services"));
    assert_eq!(start_order(&manifest).unwrap(), [0]);
}

#[test]
fn a_ring_is_an_issue_at_the_capability_that_closes_it() {
    let found = issues(|manifest| {
        manifest.services[2].exports.push(export("shell", "Console"));
        manifest.services[0].caps.push(from("back", "Console", "shell", "shell"));
    });
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place.labels(), ["serial", "caps", "back"]);
    assert!(found[0].to_string().contains("serial needs shell needs console needs serial"), "{}", found[0]);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn either_an_order_or_a_ring(needs in prop::collection::vec(prop::collection::vec(any::<usize>(), 0..3), 1..12)) {
        let count = needs.len();
        let needs: Vec<Vec<usize>> =
            needs.into_iter().map(|needs| needs.into_iter().map(|need| need % count).collect()).collect();
        let lists: Vec<&[usize]> = needs.iter().map(Vec::as_slice).collect();
        let manifest = system(&lists);
        match start_order(&manifest) {
            Ok(order) => {
                let place = |n: usize| order.iter().position(|other| *other == n).unwrap();
                assert_eq!(order.len(), count);
                for (n, needs) in needs.iter().enumerate() {
                    assert!(needs.iter().all(|need| place(*need) < place(n)));
                }
            }
            Err(cycle) => {
                for (n, service) in cycle.services.iter().enumerate() {
                    let next = cycle.services[(n + 1) % cycle.services.len()];
                    assert!(needs[*service].contains(&next));
                }
            }
        }
    }
}

#[test]
fn the_source_of_a_ring_is_found_by_name() {
    let manifest = system(&[&[0]]);
    assert!(matches!(&manifest.services[0].caps[0].source, Source::Export { service, .. } if service == "a"));
}

/// Calls wait at the endpoint until somebody starts the service, so this is for the manifest's author to want.
#[test]
fn what_starts_by_itself_may_need_what_does_not() {
    assert_eq!(super::issues(|manifest| manifest.services[1].autostart = false), []);
}
