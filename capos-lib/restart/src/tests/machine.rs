//! The machine, event by event.

use super::policy::USUAL;
use crate::{
    Action, Ending, Escalation, Follow, Found, Health, Memory, Policy, Refusal, Report, Serving, Spec, State,
    Supervision, When, Why,
};
use std::vec::Vec;

const MS: u64 = 1_000_000;
pub(super) const HEALTH: Health = Health { ready_ns: 50 * MS, every_ns: 100 * MS, answer_ns: 20 * MS };

pub(super) fn spec(providers: &[usize]) -> Spec {
    Spec {
        policy: USUAL,
        autostart: true,
        health: None,
        drain_ns: 30 * MS,
        follow: Follow::Nothing,
        escalation: Escalation::Nothing,
        providers: providers.to_vec(),
        exports: true,
    }
}

fn well(providers: &[usize]) -> Spec {
    Spec { health: Some(HEALTH), ..spec(providers) }
}

/// From the beginning, with what is done first.
fn fresh(specs: &[Spec]) -> (Supervision, Vec<Action>) {
    let mut machine = Supervision::adopt(specs.to_vec(), &[], &[], 0);
    let actions = machine.actions();
    (machine, actions)
}

fn start(service: usize) -> Action {
    Action::Start { service, replacement: false }
}

/// Services that are to be started.
fn starts(actions: &[Action]) -> Vec<usize> {
    let started = actions.iter().filter_map(|action| match action {
        Action::Start { service, replacement: false } => Some(*service),
        _ => None,
    });
    started.collect()
}

fn kills(actions: &[Action]) -> Vec<(usize, u32)> {
    let killed = actions.iter().filter_map(|action| match action {
        Action::Kill { service, epoch } => Some((*service, *epoch)),
        _ => None,
    });
    killed.collect()
}

#[test]
fn services_start_after_those_they_need_serve() {
    let (mut machine, actions) = fresh(&[spec(&[1]), well(&[]), spec(&[0])]);
    assert_eq!(starts(&actions), [1]);
    machine.started(1, 1, 0);
    let actions = machine.actions();
    assert_eq!(starts(&actions), [], "it runs, but it is not ready");
    assert!(actions.contains(&Action::AskReady { service: 1, epoch: 1 }));
    machine.ready(1, 1, 5);
    assert_eq!(starts(&machine.actions()), [0]);
    machine.started(0, 1, 6);
    assert_eq!(starts(&machine.actions()), [2]);
}

#[test]
fn who_is_only_started_by_hand_keeps_nobody_waiting() {
    let (mut machine, actions) = fresh(&[Spec { autostart: false, ..well(&[]) }, spec(&[0])]);
    assert_eq!(starts(&actions), [1]);
    assert_eq!(machine.serving(0), Serving::Later);
    assert_eq!(machine.ask_start(0), Ok(()));
    assert_eq!(starts(&machine.actions()), [0]);
    assert_eq!(machine.ask_start(0), Err(Refusal::Running));
}

#[test]
fn who_never_becomes_ready_is_killed_and_that_counts() {
    let limit = Policy { restarts: 1, ..USUAL };
    let (mut machine, _) = fresh(&[Spec { policy: limit, ..well(&[]) }]);
    for epoch in 1..=2 {
        let now = u64::from(epoch) * 1000 * MS;
        machine.started(0, epoch, now);
        machine.actions();
        assert_eq!(machine.deadline(), Some(now + HEALTH.ready_ns));
        machine.tick(now + HEALTH.ready_ns - 1);
        assert_eq!(machine.actions(), []);
        machine.tick(now + HEALTH.ready_ns);
        let actions = machine.actions();
        assert!(actions.contains(&Action::Report(0, Report::Condemned(Why::Unready))));
        assert_eq!(kills(&actions), [(0, epoch)]);
        machine.ended(0, epoch, Ending::Killed, now + HEALTH.ready_ns);
        assert_eq!(machine.memory(0).unwrap().last, Some(Ending::Killed));
        machine.tick(now + 900 * MS);
    }
    let actions = machine.actions();
    assert!(actions.contains(&Action::Report(0, Report::GivenUp)), "{actions:?}");
    assert!(actions.contains(&Action::Close(0)));
    assert_eq!(machine.serving(0), Serving::Never);
}

#[test]
fn who_does_not_answer_is_killed() {
    let (mut machine, _) = fresh(&[well(&[])]);
    machine.started(0, 1, 0);
    machine.ready(0, 1, 10);
    machine.actions();
    machine.tick(10 + HEALTH.every_ns);
    assert_eq!(machine.actions(), [Action::Ping { service: 0, epoch: 1 }]);
    machine.well(0, 1, 11 + HEALTH.every_ns);
    machine.tick(11 + 2 * HEALTH.every_ns);
    assert_eq!(machine.actions(), [Action::Ping { service: 0, epoch: 1 }]);
    assert_eq!(machine.view(0).unwrap().late, Some(true));
    assert_eq!(machine.serving(0), Serving::Now(1), "late is not dead");
    let by = 11 + 2 * HEALTH.every_ns + HEALTH.answer_ns;
    machine.tick(by - 1);
    assert_eq!(machine.actions(), []);
    machine.tick(by);
    assert_eq!(kills(&machine.actions()), [(0, 1)]);
    machine.well(0, 1, by);
    machine.tick(by + 1000 * MS);
    assert_eq!(machine.actions(), [], "an answer that comes late does not help, and it is killed once");
}

#[test]
fn who_says_that_it_is_not_well_is_killed() {
    let (mut machine, _) = fresh(&[well(&[])]);
    machine.started(0, 1, 0);
    machine.actions();
    machine.unwell(0, 1);
    assert_eq!(kills(&machine.actions()), [(0, 1)]);
    machine.unwell(0, 1);
    machine.unwell(0, 7);
    assert_eq!(machine.actions(), []);
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let (mut machine, _) = fresh(&[well(&[]), spec(&[])]);
    machine.started(0, 1, 0);
    machine.started(1, 1, 0);
    machine.ready(0, 1, 1);
    machine.actions();
    let before = machine.deadline();
    for epoch in [0, 1, 2, u32::MAX] {
        machine.ready(0, epoch, 5);
        machine.well(0, epoch, 5);
        machine.ready(1, epoch, 5);
        machine.well(1, epoch, 5);
    }
    machine.ready(9, 1, 5);
    machine.ended(9, 1, Ending::Killed, 5);
    assert_eq!(machine.actions(), [Action::Bury { service: 9, epoch: 1 }]);
    assert_eq!(machine.deadline(), before);
}

#[test]
fn what_ended_is_known_before_it_is_buried_and_started_after() {
    let (mut machine, _) = fresh(&[spec(&[])]);
    machine.started(0, 1, 0);
    machine.actions();
    machine.ended(0, 1, Ending::Faulted(14), 5 * MS);
    assert_eq!(machine.actions(), [Action::Note(0), Action::Bury { service: 0, epoch: 1 }]);
    assert_eq!(machine.deadline(), Some(15 * MS));
    machine.tick(15 * MS);
    assert_eq!(machine.actions(), [Action::Note(0), Action::Report(0, Report::StartedAgain), start(0)]);
    let view = machine.view(0).unwrap();
    assert_eq!((view.restarts, view.last, view.launching), (1, Some(Ending::Faulted(14)), true));
}

#[test]
fn a_start_that_fails_is_tried_again_and_given_up() {
    let (mut machine, _) = fresh(&[spec(&[])]);
    let mut tries = 1;
    loop {
        machine.not_started(0, 0);
        machine.actions();
        let Some(at) = machine.deadline() else { break };
        machine.tick(at);
        assert_eq!(starts(&machine.actions()), [0]);
        tries += 1;
    }
    assert_eq!((tries, machine.view(0).unwrap().state), (1 + u32::from(USUAL.restarts), State::GivenUp));
}

/// Lets service 0 fail until it is given up; gives everything that was done.
fn fail(machine: &mut Supervision, epoch: &mut u32, now: u64) -> Vec<Action> {
    let mut done = Vec::new();
    for _ in 0..=USUAL.restarts {
        machine.started(0, *epoch, now);
        machine.ended(0, *epoch, Ending::Exited(1), now);
        *epoch += 1;
        done.extend(machine.actions());
        let Some(at) = machine.deadline() else { break };
        machine.tick(at);
        done.extend(machine.actions());
    }
    done
}

#[test]
fn who_is_given_up_takes_those_who_need_it_along_once() {
    let group = Spec { escalation: Escalation::Group, ..spec(&[]) };
    let (mut machine, _) = fresh(&[group, spec(&[0]), spec(&[1]), spec(&[])]);
    let mut epoch = 1;
    machine.started(0, epoch, 0);
    for number in 1..4 {
        machine.started(number, 1, 0);
    }
    machine.ended(0, epoch, Ending::Exited(1), 0);
    epoch += 1;
    let done = fail(&mut machine, &mut epoch, 0);
    assert!(done.contains(&Action::Report(0, Report::GroupRestarted)));
    assert_eq!(kills(&done), [(1, 1), (2, 1)], "the one that does not need it goes on");
    assert!(!done.contains(&Action::Close(0)));
    for number in [1, 2] {
        machine.ended(number, 1, Ending::Killed, 0);
    }
    assert!(machine.view(0).unwrap().launching);
    machine.actions();
    machine.started(0, epoch, 0);
    assert_eq!(starts(&machine.actions()), [1], "in the order of their needs");
    machine.ended(0, epoch, Ending::Exited(1), 0);
    epoch += 1;
    let done = fail(&mut machine, &mut epoch, 0);
    assert!(done.contains(&Action::Report(0, Report::GivenUp)), "{done:?}");
    assert!(done.contains(&Action::Close(0)));
    assert_eq!(machine.ask_start(0), Ok(()), "a person may try again");
}

#[test]
fn the_machine_is_reset_when_the_manifest_says_so() {
    let (mut machine, _) = fresh(&[Spec { escalation: Escalation::Reboot, ..spec(&[]) }]);
    let done = fail(&mut machine, &mut 1, 0);
    assert_eq!(done.iter().filter(|action| **action == Action::Reboot).count(), 1);
}

#[test]
fn who_ends_for_good_leaves_nobody_waiting() {
    let (mut machine, _) = fresh(&[Spec { policy: Policy { when: When::OnFailure, ..USUAL }, ..spec(&[]) }]);
    machine.started(0, 1, 0);
    machine.actions();
    machine.ended(0, 1, Ending::Exited(0), 1);
    assert!(machine.actions().contains(&Action::Close(0)));
    assert_eq!((machine.serving(0), machine.view(0).unwrap().state), (Serving::Never, State::Ended));
}

#[test]
fn who_follows_is_told_or_restarted_when_what_it_needs_serves_again() {
    let told = Spec { follow: Follow::Told, ..well(&[0]) };
    let follows =
        Spec { follow: Follow::Restarted, policy: Policy { when: When::Never, ..USUAL }, ..spec(&[0]) };
    let (mut machine, _) = fresh(&[well(&[]), told, follows]);
    machine.started(0, 1, 0);
    machine.ready(0, 1, 0);
    machine.started(1, 1, 0);
    machine.started(2, 1, 0);
    let actions = machine.actions();
    assert!(kills(&actions).is_empty() && !actions.iter().any(|it| matches!(it, Action::Tell { .. })));
    machine.ended(0, 1, Ending::Killed, 0);
    machine.tick(10 * MS);
    machine.started(0, 2, 10 * MS);
    assert!(kills(&machine.actions()).is_empty(), "it does not serve yet");
    machine.ready(0, 2, 10 * MS);
    let actions = machine.actions();
    assert!(actions.contains(&Action::Tell { client: 1, epoch: 1, provider: 0 }));
    assert_eq!(kills(&actions), [(2, 1)]);
    machine.ended(2, 1, Ending::Killed, 10 * MS);
    assert_eq!(starts(&machine.actions()), [2], "it did not end by its own will, so no policy is asked");
}

#[test]
fn a_successor_takes_over_when_it_is_ready() {
    let (mut machine, _) = fresh(&[well(&[])]);
    machine.started(0, 1, 0);
    machine.ready(0, 1, 0);
    machine.actions();
    assert_eq!(machine.ask_replace(0), Ok(()));
    assert_eq!(machine.actions(), [Action::Start { service: 0, replacement: true }]);
    assert_eq!(machine.ask_replace(0), Err(Refusal::Replacing));
    machine.started(0, 2, 5);
    assert!(machine.actions().contains(&Action::AskReady { service: 0, epoch: 2 }));
    assert_eq!(machine.serving(0), Serving::Now(1));
    machine.ready(0, 2, 6);
    let actions = machine.actions();
    assert_eq!(actions.first(), Some(&Action::Settle { service: 0, epoch: 2 }));
    assert!(actions.contains(&Action::Drain { service: 0, epoch: 1 }));
    assert!(actions.contains(&Action::Report(0, Report::Replaced(2))));
    assert_eq!(machine.serving(0), Serving::Now(2));
    machine.ended(0, 1, Ending::Exited(0), 7);
    assert_eq!(
        machine.actions(),
        [Action::Bury { service: 0, epoch: 1 }],
        "its end is no failure of the service"
    );
}

#[test]
fn a_predecessor_that_does_not_end_is_killed() {
    let (mut machine, _) = fresh(&[well(&[])]);
    machine.started(0, 1, 0);
    machine.ready(0, 1, 0);
    assert_eq!(machine.ask_replace(0), Ok(()));
    machine.started(0, 2, 0);
    machine.ready(0, 2, 0);
    machine.actions();
    machine.tick(30 * MS - 1);
    assert_eq!(kills(&machine.actions()), []);
    machine.tick(30 * MS);
    assert_eq!(kills(&machine.actions()), [(0, 1)]);
    machine.tick(31 * MS);
    assert_eq!(kills(&machine.actions()), []);
}

#[test]
fn a_successor_that_does_not_become_ready_changes_nothing() {
    let (mut machine, _) = fresh(&[well(&[])]);
    machine.started(0, 1, 0);
    machine.ready(0, 1, 0);
    assert_eq!(machine.ask_replace(0), Ok(()));
    machine.started(0, 2, 0);
    machine.actions();
    machine.tick(HEALTH.ready_ns);
    assert_eq!(kills(&machine.actions()), [(0, 2)]);
    machine.ended(0, 2, Ending::Killed, HEALTH.ready_ns);
    assert!(machine.actions().contains(&Action::Report(0, Report::ReplacementFailed)));
    assert_eq!(machine.serving(0), Serving::Now(1));
    assert_eq!(machine.ask_replace(0), Ok(()), "and it can be tried again");
    machine.not_started(0, HEALTH.ready_ns);
    assert!(machine.actions().contains(&Action::Report(0, Report::ReplacementFailed)));
    assert_eq!(machine.serving(0), Serving::Now(1));
}

#[test]
fn a_successor_steps_in_when_the_one_before_dies_too_early() {
    let (mut machine, _) = fresh(&[well(&[])]);
    machine.started(0, 1, 0);
    machine.ready(0, 1, 0);
    assert_eq!(machine.ask_replace(0), Ok(()));
    machine.started(0, 2, 0);
    machine.actions();
    machine.ended(0, 1, Ending::Faulted(6), 1);
    let actions = machine.actions();
    assert!(actions.contains(&Action::Settle { service: 0, epoch: 2 }), "{actions:?}");
    assert_eq!(starts(&actions), []);
    machine.ready(0, 2, 2);
    assert_eq!(machine.serving(0), Serving::Now(2));
    // The same while its start is under way.
    assert_eq!(machine.ask_replace(0), Ok(()));
    machine.ended(0, 2, Ending::Faulted(6), 3);
    assert_eq!(starts(&machine.actions()), []);
    machine.started(0, 3, 4);
    machine.ready(0, 3, 5);
    assert_eq!(machine.serving(0), Serving::Now(3));
    // And if that start fails, the policy decides.
    assert_eq!(machine.ask_replace(0), Ok(()));
    machine.ended(0, 3, Ending::Faulted(6), 6);
    machine.not_started(0, 7);
    assert!(machine.deadline().is_some());
}

#[test]
fn who_cannot_be_asked_to_end_is_killed_when_it_is_replaced() {
    let (mut machine, _) = fresh(&[spec(&[])]);
    machine.started(0, 1, 0);
    assert_eq!(machine.ask_replace(0), Ok(()));
    machine.actions();
    machine.started(0, 2, 0);
    assert_eq!(kills(&machine.actions()), [(0, 1)]);
    assert_eq!(machine.serving(0), Serving::Now(2));
}

#[test]
fn what_has_promised_nothing_is_on_trial() {
    let specs = [spec(&[])];
    let window = specs[0].policy.window_ns;
    let settles = |actions: &[Action]| actions.contains(&Action::Settle { service: 0, epoch: 2 });
    let replaced = || {
        let (mut machine, _) = fresh(&specs);
        machine.started(0, 1, 0);
        assert_eq!(machine.ask_replace(0), Ok(()));
        machine.started(0, 2, 5);
        machine.ended(0, 1, Ending::Killed, 5);
        let actions = machine.actions();
        assert!(!settles(&actions) && actions.contains(&Action::Report(0, Report::Replaced(2))));
        assert_eq!(machine.deadline(), Some(5 + window));
        machine
    };
    // It lives.
    let mut machine = replaced();
    machine.tick(4 + window);
    assert!(!settles(&machine.actions()));
    machine.tick(5 + window);
    assert!(settles(&machine.actions()));
    machine.ended(0, 2, Ending::Exited(0), 6 + window);
    assert!(!machine.actions().contains(&Action::Report(0, Report::Reverted)));
    // It does not.
    let mut machine = replaced();
    machine.ended(0, 2, Ending::Exited(0), 6);
    let actions = machine.actions();
    assert!(!settles(&actions) && actions.contains(&Action::Report(0, Report::Reverted)));
    machine.tick(5 + window);
    assert!(!settles(&machine.actions()));
    // The next supervisor knows.
    let (mut next, _) = adopted(&specs, &replaced(), &[alive(0, 2)], 7);
    next.ended(0, 2, Ending::Faulted(14), 8);
    assert!(next.actions().contains(&Action::Report(0, Report::Reverted)));
}

#[test]
fn a_person_kills_what_runs() {
    let (mut machine, _) = fresh(&[spec(&[])]);
    assert_eq!(machine.ask_kill(0), Err(Refusal::NotRunning));
    assert_eq!(machine.ask_kill(5), Err(Refusal::Unknown));
    machine.started(0, 1, 0);
    machine.actions();
    assert_eq!(machine.ask_kill(0), Ok(()));
    assert_eq!(kills(&machine.actions()), [(0, 1)]);
    for _ in 0..100 {
        machine.ended(0, machine.view(0).unwrap().epoch, Ending::Killed, 0);
        machine.tick(10 * MS);
        let epoch = machine.memory(0).unwrap().counted + 1;
        machine.started(0, epoch, 10 * MS);
        assert_eq!(machine.ask_kill(0), Ok(()), "killing is no failure");
    }
}

/// What was noted last of every service, and what is found.
fn adopted(specs: &[Spec], machine: &Supervision, found: &[Found], now: u64) -> (Supervision, Vec<Action>) {
    let memories: Vec<Option<Memory>> =
        (0..specs.len()).map(|number| Memory::decode(&machine.memory(number).unwrap().encode())).collect();
    let mut next = Supervision::adopt(specs.to_vec(), &memories, found, now);
    let actions = next.actions();
    (next, actions)
}

fn alive(service: usize, epoch: u32) -> Found {
    Found { service, epoch, ended: false }
}

#[test]
fn what_runs_is_taken_over_and_not_disturbed() {
    let specs = [well(&[]), spec(&[0])];
    let (mut machine, _) = fresh(&specs);
    machine.started(0, 1, 3);
    machine.ready(0, 1, 3);
    machine.started(1, 1, 3);
    let (mut next, actions) = adopted(&specs, &machine, &[alive(0, 1), alive(1, 1)], 70);
    assert_eq!((starts(&actions), kills(&actions)), (Vec::new(), Vec::new()));
    assert!(actions.contains(&Action::AskReady { service: 0, epoch: 1 }));
    next.ready(0, 1, 71);
    assert_eq!(next.serving(0), Serving::Now(1));
    assert_eq!(next.view(1).unwrap().since_ns, machine.view(1).unwrap().since_ns);
    assert_eq!((starts(&next.actions()), next.view(1).unwrap().restarts), (Vec::new(), 0));
}

#[test]
fn what_was_found_without_a_note_runs_as_well() {
    let (mut next, actions) =
        (Supervision::adopt(Vec::from([spec(&[])]), &[None], &[alive(0, 1)], 9), Vec::<Action>::new());
    assert_eq!(starts(&actions), []);
    assert_eq!(starts(&next.actions()), []);
    assert_eq!(next.serving(0), Serving::Now(1));
}

#[test]
fn waits_limits_and_good_ends_outlive_the_supervisor() {
    let specs = [spec(&[]), Spec { policy: Policy { when: When::Never, ..USUAL }, ..spec(&[]) }];
    let (mut machine, _) = fresh(&specs);
    machine.started(1, 1, 0);
    machine.ended(1, 1, Ending::Exited(0), 0);
    let mut now = 0;
    for epoch in 1..=u32::from(USUAL.restarts) {
        machine.started(0, epoch, now);
        machine.ended(0, epoch, Ending::Exited(1), now);
        now = machine.deadline().unwrap();
        let (next, actions) = adopted(&specs, &machine, &[], now - 1);
        machine = next;
        assert_eq!(starts(&actions), [], "not before its time");
        machine.tick(now);
        assert_eq!(starts(&machine.actions()), [0]);
    }
    machine.started(0, 99, now);
    machine.ended(0, 99, Ending::Exited(1), now);
    assert_eq!(machine.view(0).unwrap().state, State::GivenUp);
    let (next, actions) = adopted(&specs, &machine, &[], now);
    assert_eq!(
        (starts(&actions), next.serving(0), next.serving(1)),
        (Vec::new(), Serving::Never, Serving::Never)
    );
}

#[test]
fn an_end_that_nobody_dealt_with_is_dealt_with_once() {
    let specs = [spec(&[])];
    let (mut machine, _) = fresh(&specs);
    machine.started(0, 1, 0);
    let dead = Found { service: 0, epoch: 1, ended: true };
    let (mut next, _) = adopted(&specs, &machine, &[dead], 5);
    next.ended(0, 1, Ending::Exited(1), 5);
    assert_eq!(next.deadline(), Some(5 + USUAL.first_ns));
    // It was noted and not buried: the next one buries it, and counts it no second time.
    let (after, actions) = adopted(&specs, &next, &[dead], 6);
    assert!(actions.contains(&Action::Bury { service: 0, epoch: 1 }));
    assert_eq!(after.deadline(), Some(5 + USUAL.first_ns));
    assert_eq!(after.memory(0).unwrap().restarts, next.memory(0).unwrap().restarts);
}

#[test]
fn a_replacement_outlives_the_supervisor_at_every_step() {
    let specs = [well(&[])];
    let (mut machine, _) = fresh(&specs);
    machine.started(0, 1, 0);
    machine.ready(0, 1, 0);
    assert_eq!(machine.ask_replace(0), Ok(()));
    machine.started(0, 2, 0);
    let (mut next, actions) = adopted(&specs, &machine, &[alive(0, 1), alive(0, 2)], 1);
    assert_eq!((starts(&actions), kills(&actions)), (Vec::new(), Vec::new()));
    assert!(!actions.iter().any(|action| matches!(action, Action::Drain { .. })), "not before it is ready");
    next.ready(0, 1, 2);
    assert_eq!(next.serving(0), Serving::Now(1));
    next.ready(0, 2, 2);
    assert_eq!(next.serving(0), Serving::Now(2));
    // Promoted, and asked to go once more.
    let (after, actions) = adopted(&specs, &next, &[alive(0, 1), alive(0, 2)], 3);
    assert!(actions.contains(&Action::Drain { service: 0, epoch: 1 }));
    assert_eq!(after.view(0).unwrap().epoch, 2);
    // A successor that died on probation does not take the place of the one that serves.
    let dead = Found { service: 0, epoch: 2, ended: true };
    let (mut after, _) = adopted(&specs, &machine, &[alive(0, 1), dead], 3);
    after.ended(0, 2, Ending::Exited(1), 3);
    after.ready(0, 1, 3);
    assert_eq!(after.serving(0), Serving::Now(1));
    // Nor when its end was known already.
    machine.ended(0, 2, Ending::Exited(1), 2);
    let (after, actions) = adopted(&specs, &machine, &[alive(0, 1), dead], 3);
    assert_eq!(after.view(0).unwrap().epoch, 1, "{actions:?}");
}

#[test]
fn why_somebody_is_killed_outlives_the_supervisor() {
    let never = Policy { when: When::Never, ..USUAL };
    let specs = [spec(&[]), Spec { follow: Follow::Restarted, policy: never, ..spec(&[0]) }];
    let (mut machine, _) = fresh(&specs);
    machine.started(0, 1, 0);
    machine.started(1, 1, 0);
    machine.ended(0, 1, Ending::Killed, 0);
    machine.tick(10 * MS);
    machine.started(0, 2, 10 * MS);
    assert_eq!(machine.view(1).unwrap().condemned, Some(Why::Follow));
    let (mut next, actions) = adopted(&specs, &machine, &[alive(0, 2), alive(1, 1)], 11 * MS);
    assert_eq!(kills(&actions), [(1, 1)]);
    next.ended(1, 1, Ending::Killed, 11 * MS);
    assert_eq!(starts(&next.actions()), [1]);
}
