//! The states of a run that is written down here.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::image::Image;
use crate::record::Event;
use crate::states::{State, states};
use crate::workload::Random;

fn write(number: u64, byte: u8) -> Event {
    Event::Write(number, Rc::new([byte; 4096]))
}

fn all(events: &[Event]) -> Vec<State> {
    let mut all = Vec::new();
    states(&Image::new(4), events, 3, &mut Random(1), |state| all.push(state));
    all
}

/// The first bytes of all sectors of the disk.
fn sectors(state: &State) -> Vec<u8> {
    let block = |number| state.image.block(number).unwrap().iter().step_by(512).copied().collect::<Vec<u8>>();
    (0..4).flat_map(block).collect()
}

#[test]
fn what_was_flushed_is_there_and_of_the_rest_any_part() {
    let events = [write(0, 1), Event::Flush, write(0, 2), write(1, 3), write(0, 4), Event::Flush];
    let all = all(&events);
    let seen: BTreeSet<Vec<u8>> = all.iter().map(sectors).collect();
    for (first, second) in [(0, 0), (1, 0), (2, 0), (1, 3), (2, 3), (4, 0), (4, 3)] {
        let blocks = [[first; 8], [second; 8], [0; 8], [0; 8]].concat();
        assert!(seen.contains(&blocks), "{first} {second}");
    }
    assert!(!seen.iter().any(|state| state[0] == 0 && state[8] != 0), "the first flush came before");
    for cut in 1..8 {
        let mut torn = [[1; 8], [0; 8], [0; 8], [0; 8]].concat();
        torn[..cut].fill(2);
        assert!(seen.contains(&torn), "{cut}");
        let mut torn = [[1; 8], [3; 8], [0; 8], [0; 8]].concat();
        torn[cut..8].fill(4);
        assert!(seen.contains(&torn) || cut > 0, "{cut}");
    }
    assert_eq!(sectors(all.last().unwrap())[..16], [[4; 8], [3; 8]].concat());
}

#[test]
fn what_is_durable_by_itself_is_there_and_other_writes_stay_uncertain() {
    let events = [
        write(0, 1),
        write(1, 2),
        Event::Durable(vec![1]),
        write(1, 3),
        write(2, 4),
        Event::Durable(vec![0, 4]),
    ];
    let all = all(&events);
    let whole = |state: &State| {
        let sectors = sectors(state);
        sectors
            .chunks(8)
            .all(|block| block.iter().all(|byte| *byte == block[0]))
            .then(|| [sectors[0], sectors[8], sectors[16]])
    };
    let seen: BTreeSet<[u8; 3]> = all.iter().filter_map(whole).collect();
    let first = [[0, 0, 0], [1, 0, 0], [0, 2, 0], [1, 2, 0]];
    let second = [[0, 3, 0], [1, 3, 0], [0, 2, 4], [1, 2, 4], [0, 3, 4], [1, 3, 4]];
    assert_eq!(seen, first.into_iter().chain(second).collect());
    // At the end only the third is not durable.
    let last: BTreeSet<[u8; 3]> = all[all.len() - 44..].iter().filter_map(whole).collect();
    assert_eq!(last, [[1, 2, 4], [1, 3, 4]].into());
}

#[test]
fn what_must_be_there_follows_from_what_was_said() {
    let events = [
        Event::Begun(0),
        write(0, 1),
        Event::Flush,
        Event::Synced(1),
        Event::Begun(1),
        write(1, 2),
        Event::Begun(2),
        write(2, 3),
    ];
    for state in all(&events) {
        let sectors = sectors(&state);
        let last = [16, 8, 0].into_iter().find(|at| sectors[*at..*at + 8].iter().any(|byte| *byte != 0));
        let expected = match last {
            Some(16) => 1..4,
            Some(8) => 1..3,
            // Either the first write is flushed and more may be lost, or it is not.
            _ => {
                assert!(
                    state.operations == (0..1) || state.operations == (0..2) || state.operations == (1..2)
                );
                continue;
            }
        };
        assert_eq!(state.operations, expected);
    }
}

#[test]
fn many_writes_are_sampled() {
    let events: Vec<Event> = (0..30).map(|at| write(at % 4, at as u8)).collect();
    let count = all(&events).len();
    assert!((60..2000).contains(&count), "{count}");
}
