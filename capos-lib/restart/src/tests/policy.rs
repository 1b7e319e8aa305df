//! When a service is started again.

use crate::{Decision, Ending, Outcome, Policy, Restarts, When};
use proptest::prelude::{Just, ProptestConfig, prop, prop_oneof, proptest};
use std::vec::Vec;

const MS: u64 = 1_000_000;

pub(super) const USUAL: Policy = Policy {
    when: When::Always,
    first_ns: 10 * MS,
    longest_ns: 1000 * MS,
    restarts: 6,
    window_ns: 10_000 * MS,
};

fn with(when: When) -> Policy {
    Policy { when, ..USUAL }
}

#[test]
fn policies_decide_by_outcome() {
    let wants = |when, outcome| Restarts::default().ended(&with(when), 0, outcome) != Decision::Leave;
    assert!(!wants(When::Never, Outcome::Failure));
    assert!(!wants(When::OnFailure, Outcome::Success));
    assert!(wants(When::OnFailure, Outcome::Failure));
    assert!(wants(When::Always, Outcome::Success));
    assert!(wants(When::Always, Outcome::Failure));
}

#[test]
fn what_was_killed_comes_back_only_if_it_always_does() {
    let killed = |when| Restarts::default().ended(&with(when), 5, Outcome::Killed);
    assert_eq!(killed(When::OnFailure), Decision::Leave);
    let mut service = Restarts::default();
    for _ in 0..100 {
        assert_eq!(service.ended(&USUAL, 5, Outcome::Killed), Decision::StartAt(5 + 10 * MS));
    }
}

#[test]
fn what_ends_well_is_slowed_down_and_never_given_up() {
    let mut service = Restarts::default();
    let mut waits = (0..1000).map(|_| match service.ended(&USUAL, 5, Outcome::Success) {
        Decision::StartAt(at) => at - 5,
        other => panic!("{other:?}"),
    });
    assert_eq!(waits.next(), Some(10 * MS));
    assert_eq!(waits.next(), Some(20 * MS));
    assert_eq!(waits.last(), Some(1000 * MS));
}

#[test]
fn waits_double_up_to_the_longest() {
    let mut service = Restarts::default();
    let policy = Policy { restarts: 16, longest_ns: 50 * MS, ..USUAL };
    for wait in [10, 20, 40, 50, 50] {
        assert_eq!(service.ended(&policy, 100, Outcome::Failure), Decision::StartAt(100 + wait * MS));
    }
}

#[test]
fn a_crash_loop_ends() {
    let mut service = Restarts::default();
    let mut starts = 0;
    while let Decision::StartAt(time) = service.ended(&USUAL, 0, Outcome::Failure) {
        service.started(time);
        starts += 1;
    }
    assert_eq!(starts, USUAL.restarts);
    assert_eq!(service.ended(&USUAL, 1, Outcome::Failure), Decision::GiveUp);
}

#[test]
fn failures_that_are_far_apart_are_forgiven_for_ever() {
    let mut service = Restarts::default();
    for n in 1..1000 {
        let now = n * USUAL.window_ns / 6;
        assert!(matches!(service.ended(&USUAL, now, Outcome::Failure), Decision::StartAt(_)), "{n}");
        service.started(now);
    }
}

#[test]
fn a_long_life_makes_the_wait_short_again_and_a_person_forgives_all() {
    let mut service = Restarts::default();
    for _ in 0..6 {
        service.ended(&USUAL, 5, Outcome::Failure);
    }
    service.started(5);
    let late = 6 + USUAL.window_ns;
    assert_eq!(service.ended(&USUAL, late, Outcome::Failure), Decision::StartAt(late + 10 * MS));
    for _ in 0..5 {
        service.ended(&USUAL, late, Outcome::Failure);
    }
    let mut forgiven = service;
    assert_eq!(service.ended(&USUAL, late, Outcome::Failure), Decision::GiveUp);
    forgiven.forgive();
    assert_eq!(forgiven.ended(&USUAL, late, Outcome::Failure), Decision::StartAt(late + 10 * MS));
}

#[test]
fn the_end_of_time_does_not_overflow() {
    let policy = Policy { first_ns: u64::MAX, longest_ns: u64::MAX, ..USUAL };
    assert_eq!(Restarts::default().ended(&policy, u64::MAX, Outcome::Failure), Decision::StartAt(u64::MAX));
}

#[test]
fn ends_are_told_apart() {
    assert_eq!(Ending::Exited(0).outcome(), Outcome::Success);
    assert_eq!(Ending::Exited(3).outcome(), Outcome::Failure);
    assert_eq!(Ending::Faulted(14).outcome(), Outcome::Failure);
    assert_eq!(Ending::NotStarted.outcome(), Outcome::Failure);
    assert_eq!(Ending::Killed.outcome(), Outcome::Killed);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens: never more failures forgiven within a window than may be, and every wait between the first and the longest.
    #[test]
    fn limits_hold(
        steps in prop::collection::vec((0u64..5000, prop_oneof![Just(Outcome::Failure), Just(Outcome::Success), Just(Outcome::Killed)]), 1..200),
        restarts in 1u8..=16,
        first in 1u64..100,
        more in 0u64..1000,
        window in 1u64..20_000,
    ) {
        let policy = Policy { when: When::Always, first_ns: first, longest_ns: first + more, restarts, window_ns: window };
        let (mut service, mut now) = (Restarts::default(), 1);
        let mut forgiven: Vec<u64> = Vec::new();
        for (pause, outcome) in steps {
            now += pause;
            let recent = forgiven.iter().filter(|at| **at > now.saturating_sub(window)).count();
            match service.ended(&policy, now, outcome) {
                Decision::StartAt(at) => {
                    assert!((first..=first + more).contains(&(at - now)));
                    if outcome == Outcome::Failure {
                        assert!(recent < usize::from(restarts));
                        forgiven.push(now);
                    }
                    now = at;
                    service.started(now);
                }
                Decision::GiveUp => {
                    assert_eq!(outcome, Outcome::Failure);
                    assert!(recent >= usize::from(restarts));
                    service.forgive();
                    forgiven.clear();
                }
                Decision::Leave => panic!("it is always started again"),
            }
        }
    }
}
