//! What is kept as bytes.

use crate::machine::{Phase, Why};
use crate::{Crash, Ending, Event, Last, Memory, Outcome, Policy, Restarts};
use proptest::prelude::{ProptestConfig, any, prop, prop_compose, proptest};
use std::vec::Vec;

fn memory(phase: Phase, last: Option<Ending>, condemned: Option<(u32, Why)>, fails: usize) -> Memory {
    let mut restarts = Restarts::default();
    for n in 0..fails {
        restarts.ended(&Policy { restarts: 16, ..super::policy::USUAL }, n as u64, Outcome::Failure);
    }
    restarts.started(77);
    Memory {
        phase,
        restarts,
        times: 1,
        counted: 2,
        announced: 3,
        successor: 4,
        condemned,
        last,
        trial_ns: Some(77),
        escalated_ns: last.map(|_| 5),
    }
}

#[test]
fn memories_there_and_back() {
    let phases = [
        Phase::Idle,
        Phase::Blocked,
        Phase::Backoff(9),
        Phase::Starting,
        Phase::Up,
        Phase::Ended,
        Phase::GivenUp,
    ];
    let ends = [
        None,
        Some(Ending::Exited(-5)),
        Some(Ending::Killed),
        Some(Ending::Faulted(14)),
        Some(Ending::NotStarted),
    ];
    let reasons = [
        None,
        Some(Why::Person),
        Some(Why::Unready),
        Some(Why::Silent),
        Some(Why::Unwell),
        Some(Why::Follow),
        Some(Why::Group),
    ];
    for phase in phases {
        for last in ends {
            for why in reasons {
                for fails in [0, 1, 16] {
                    let memory = memory(phase, last, why.map(|why| (8, why)), fails);
                    assert_eq!(Memory::decode(&memory.encode()), Some(memory));
                }
            }
        }
    }
}

#[test]
fn memories_fit_where_they_are_kept() {
    let largest = memory(Phase::Up, Some(Ending::Killed), Some((1, Why::Group)), 16);
    assert!(largest.encode().len() <= 3000);
}

#[test]
fn a_memory_of_another_version_or_cut_off_is_none() {
    let bytes = memory(Phase::Up, None, None, 0).encode();
    for length in 0..bytes.len() {
        assert_eq!(Memory::decode(&bytes[..length]), None, "{length}");
    }
    let mut other = bytes.clone();
    other[0] += 1;
    assert_eq!(Memory::decode(&other), None);
    let mut many = bytes;
    many.extend([0; 17 * 8]);
    assert_eq!(Memory::decode(&many), None);
}

#[test]
fn causes_are_said_in_words() {
    let crash = |vector, error_code| Crash { vector, error_code, address: 0x10, ..Crash::default() }.cause();
    assert_eq!(crash(14, 0b00100), "page fault reading 0x10, where nothing is mapped");
    assert_eq!(crash(14, 0b00111), "page fault writing 0x10, which is protected");
    assert_eq!(crash(14, 0b10101), "page fault executing 0x10, which is protected");
    assert_eq!(crash(6, 0), "undefined instruction");
    assert_eq!(crash(30, 0), "exception 30");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(words in prop::collection::vec(prop::sample::select(Vec::from([0u64, 1, 2, 3, 5, u64::MAX])), 0..40), cut in 0usize..8) {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(bytes.len().saturating_sub(cut));
        if let Some(memory) = Memory::decode(&bytes) {
            assert_eq!(Memory::decode(&memory.encode()), Some(memory));
        }
    }

    #[test]
    fn crashes_there_and_back(registers in any::<[u64; 19]>(), program in ".{0,20}", vector in any::<u32>(), backtrace in prop::collection::vec(any::<u64>(), 0..20), last in last()) {
        let [time_ns, error_code, address, thread, ..] = registers;
        let program = program.get(..program.floor_char_boundary(64)).unwrap_or("").into();
        let crash = Crash { program, time_ns, vector, error_code, address, thread, registers, backtrace, last };
        assert_eq!(Crash::decode(&crash.encode()), Some(crash));
    }

    #[test]
    fn last_events_there_and_back(last in last()) {
        assert_eq!(Last::decode(&last.encode()), Some(last));
    }
}

prop_compose! {
    fn event()(time_ns: u64, thread: u32, kind: u8, operation: u8, method: u16, first: u64, second: u64) -> Event {
        Event { time_ns, thread, kind, operation, method, first, second }
    }
}

prop_compose! {
    fn last()(epoch: u32, process: u64, lost: u32, events in prop::collection::vec(event(), 0..Last::MOST)) -> Last {
        Last { epoch, process, lost: lost.into(), events: events.into() }
    }
}

fn numbered(count: u64) -> Last {
    let mut last = Last::default();
    (0..count).for_each(|first| last.add(Event { first, ..Event::default() }));
    last
}

#[test]
fn the_last_events_are_kept_and_the_others_counted() {
    assert_eq!(numbered(32).lost, 0);
    let last = numbered(40);
    assert_eq!((last.events.len(), last.lost), (Last::MOST, 8));
    let told: Vec<(u64, u64)> =
        (0..42).filter_map(|cursor| last.at(cursor)).map(|(number, event)| (number, event.first)).collect();
    assert_eq!(told[..9], [(8, 8); 9]);
    assert_eq!((told.len(), told[39]), (40, (39, 39)));
    assert_eq!(last.at(40), None);
}

#[test]
fn a_crash_record_fits_where_it_is_kept() {
    let crash = Crash {
        program: "x".repeat(100),
        backtrace: Vec::from([7; 40]),
        last: numbered(100),
        ..Crash::default()
    };
    let kept = Crash::decode(&crash.encode()).unwrap();
    assert!(crash.encode().len() <= 3000);
    assert_eq!((kept.program.len(), kept.backtrace.len(), kept.last.events.len()), (64, 32, 32));
}

#[test]
fn last_events_that_were_cut_off_or_are_too_many_are_none() {
    let bytes = numbered(3).encode();
    for length in 0..bytes.len() {
        assert_eq!(Last::decode(&bytes[..length]), None, "{length}");
    }
    let mut many = numbered(32).encode();
    many[32] += 1;
    many.extend([0; 32]);
    assert_eq!(Last::decode(&many), None);
    let mut endless = bytes;
    endless[24..32].fill(0xff);
    assert_eq!(Last::decode(&endless), None);
}
