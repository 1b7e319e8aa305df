//! What is kept as bytes.

use crate::machine::{Phase, Why};
use crate::{Crash, Ending, Memory, Outcome, Policy, Restarts};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
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
    fn crashes_there_and_back(registers in any::<[u64; 19]>(), program in ".{0,20}", epoch in any::<u32>(), vector in any::<u32>(), backtrace in prop::collection::vec(any::<u64>(), 0..20)) {
        let [process, time_ns, error_code, address, thread, ..] = registers;
        let program = program.get(..program.floor_char_boundary(64)).unwrap_or("").into();
        let crash = Crash { epoch, process, program, time_ns, vector, error_code, address, thread, registers, backtrace };
        assert_eq!(Crash::decode(&crash.encode()), Some(crash));
    }
}
