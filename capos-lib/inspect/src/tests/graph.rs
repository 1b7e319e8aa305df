//! The graph, on one that is small enough to see.

use super::{capability, process};
use crate::{Capability, Graph, Kind, Name, Origin, Process, Slot, Tie};
use std::vec::Vec;

const INIT: u64 = 1;
const SERVER: u64 = 2;
const CLIENT: u64 = 3;

fn slot(process: u64, slot: u32) -> Slot {
    Slot { process, slot }
}

fn cap(at: Slot, kind: Kind, object: u64, origin: Origin) -> Capability {
    Capability { at, kind, object, origin, ..capability() }
}

/// Init made endpoint 5 and gave the server the right to it, and the client a facet. The server lent the client some memory.
fn small() -> Graph {
    let named = |id, name| Process { id, name: Name::new(name), ..process() };
    let processes = [named(INIT, "init"), named(SERVER, "server"), named(CLIENT, "client")];
    let all = [
        cap(slot(INIT, 0), Kind::Endpoint, 5, Origin::Root),
        cap(slot(SERVER, 3), Kind::Endpoint, 5, Origin::From(slot(INIT, 0))),
        cap(slot(CLIENT, 3), Kind::Facet, 5, Origin::From(slot(INIT, 0))),
        cap(slot(SERVER, 4), Kind::Memory, 9, Origin::Root),
        cap(slot(CLIENT, 4), Kind::Memory, 9, Origin::From(slot(SERVER, 4))),
        cap(slot(CLIENT, 5), Kind::Facet, 6, Origin::Root),
    ];
    Graph::new(processes.to_vec(), all)
}

#[test]
fn what_somebody_holds_is_his_and_in_order() {
    let graph = small();
    let slots: Vec<u32> = graph.held_by(CLIENT).map(|cap| cap.at.slot).collect();
    assert_eq!(slots, [3, 4, 5]);
    assert_eq!(graph.held_by(4).count(), 0);
    assert_eq!(graph.capabilities().count(), 6);
    assert_eq!(graph.process(SERVER).map(|process| process.name.as_str()), Some("server"));
    assert_eq!(graph.processes().len(), 3);
}

#[test]
fn who_was_given_the_right_serves_before_who_made_it() {
    let graph = small();
    let servers: Vec<u64> = graph.servers(5).map(|cap| cap.at.process).collect();
    assert_eq!(servers, [SERVER, INIT]);
    assert_eq!(graph.servers(6).count(), 0);
    assert_eq!(graph.servers(9).count(), 0, "memory is served by nobody");
}

#[test]
fn others_owe_what_they_got() {
    let graph = small();
    let ties = |process| {
        let tied = graph.capabilities().filter_map(|cap| Some((cap.at, graph.owes(cap, process)?)));
        tied.collect::<Vec<_>>()
    };
    assert_eq!(ties(SERVER), [(slot(CLIENT, 3), Tie::Served), (slot(CLIENT, 4), Tie::Derived)]);
    assert_eq!(ties(INIT), [(slot(SERVER, 3), Tie::Derived), (slot(CLIENT, 3), Tie::Served)]);
    assert_eq!(ties(CLIENT), []);
}

#[test]
fn a_chain_is_followed_to_its_end_and_a_circle_comes_to_one() {
    let mut all: Vec<_> =
        (1..9).map(|n| cap(slot(n, 0), Kind::Memory, 1, Origin::From(slot(n - 1, 0)))).collect();
    all.push(cap(slot(0, 0), Kind::Memory, 1, Origin::Root));
    let graph = Graph::new(Vec::new(), all.clone());
    let last = graph.at(slot(8, 0)).expect("it is there");
    assert_eq!(graph.ancestors(last).count(), 8);
    assert_eq!(graph.owes(last, 0), Some(Tie::Derived));
    // Read at different times: a slot is another's by now.
    all.push(cap(slot(0, 0), Kind::Memory, 1, Origin::From(slot(8, 0))));
    let graph = Graph::new(Vec::new(), all);
    let last = graph.at(slot(8, 0)).expect("it is there");
    assert_eq!(graph.ancestors(last).count(), 9);
    assert_eq!(graph.owes(last, 77), None);
}
