//! A small world around the machine: processes that serve, crash, hang and end, supervisors that die between any two of their actions, and
//! people who start, kill and replace. Whatever happens, what a supervisor is for stays true.

use super::machine::{HEALTH, spec};
use crate::{
    Action, Ending, Escalation, Follow, Found, Memory, Policy, Serving, Spec, State, Supervision, When,
};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

const MS: u64 = 1_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Process {
    /// How it ended, if it has.
    end: Option<Ending>,
    /// It answers its supervisor.
    answers: bool,
    draining: bool,
}

struct World {
    specs: Vec<Spec>,
    machine: Supervision,
    queue: VecDeque<Action>,
    notes: Vec<Option<Memory>>,
    /// What init keeps, by service and epoch.
    processes: BTreeMap<(usize, u32), Process>,
    epochs: Vec<u32>,
    now: u64,
    /// Services that a person wanted to start, whatever they need.
    asked: Vec<bool>,
    kills: usize,
}

impl World {
    fn new(specs: Vec<Spec>) -> World {
        let count = specs.len();
        let mut world = World {
            machine: Supervision::adopt(specs.clone(), &[], &[], 1),
            specs,
            queue: VecDeque::new(),
            notes: std::vec![None; count],
            processes: BTreeMap::new(),
            epochs: std::vec![0; count],
            now: 1,
            asked: std::vec![false; count],
            kills: 0,
        };
        world.collect();
        world
    }

    fn collect(&mut self) {
        self.queue.extend(self.machine.actions());
    }

    /// The supervisor dies, whatever it was at, and the next one takes over.
    fn supervisor_dies(&mut self) {
        let found = self.processes.iter().map(|((service, epoch), process)| Found {
            service: *service,
            epoch: *epoch,
            ended: process.end.is_some(),
        });
        let found: Vec<Found> = found.collect();
        self.machine = Supervision::adopt(self.specs.clone(), &self.notes, &found, self.now);
        self.queue.clear();
        self.collect();
        for found in found.iter().filter(|found| found.ended) {
            self.tell_end(found.service, found.epoch);
        }
    }

    fn tell_end(&mut self, service: usize, epoch: u32) {
        if let Some(end) = self.processes.get(&(service, epoch)).and_then(|process| process.end) {
            self.machine.ended(service, epoch, end, self.now);
            self.collect();
        }
    }

    fn end(&mut self, service: usize, epoch: u32, end: Ending) {
        if let Some(process) = self.processes.get_mut(&(service, epoch))
            && process.end.is_none()
        {
            process.end = Some(end);
            self.tell_end(service, epoch);
        }
    }

    /// Does what is to be done next; false when there is nothing.
    fn step(&mut self) -> bool {
        let Some(action) = self.queue.pop_front() else { return false };
        match action {
            Action::Start { service, replacement } => self.start(service, replacement),
            Action::Kill { service, epoch } => {
                self.kills += 1;
                self.end(service, epoch, Ending::Killed);
            }
            Action::AskReady { service, epoch } if self.answers(service, epoch) => {
                self.machine.ready(service, epoch, self.now);
            }
            Action::Ping { service, epoch } if self.answers(service, epoch) => {
                self.machine.well(service, epoch, self.now);
            }
            Action::Drain { service, epoch } => {
                if let Some(process) = self.processes.get_mut(&(service, epoch)) {
                    process.draining = true;
                }
                if self.answers(service, epoch) {
                    self.end(service, epoch, Ending::Exited(0));
                }
            }
            Action::Note(service) => self.notes[service] = self.machine.memory(service),
            Action::Bury { service, epoch } => {
                let buried = self.processes.remove(&(service, epoch));
                assert!(buried.is_none_or(|process| process.end.is_some()), "buried alive");
            }
            _ => {}
        }
        self.collect();
        self.check();
        true
    }

    fn answers(&self, service: usize, epoch: u32) -> bool {
        self.processes.get(&(service, epoch)).is_some_and(|process| process.end.is_none() && process.answers)
    }

    fn start(&mut self, service: usize, replacement: bool) {
        let serving = self.alive(service).filter(|(_, process)| !process.draining).count();
        assert!(serving <= usize::from(replacement), "service {service} was started although it runs");
        if self.epochs[service] == 0 && !self.asked[service] {
            for provider in &self.specs[service].providers {
                let started = self.epochs[*provider] > 0 || !self.specs[*provider].autostart;
                assert!(started, "{service} was started before {provider}");
            }
        }
        self.epochs[service] += 1;
        let epoch = self.epochs[service];
        let process = Process { end: None, answers: true, draining: false };
        self.processes.insert((service, epoch), process);
        self.machine.started(service, epoch, self.now);
    }

    fn alive(&self, service: usize) -> impl Iterator<Item = (u32, &Process)> {
        let of_service =
            self.processes.iter().filter(move |((of, _), it)| *of == service && it.end.is_none());
        of_service.map(|((_, epoch), process)| (*epoch, process))
    }

    /// At most one serves, and at most one more is about to.
    fn check(&self) {
        for service in 0..self.specs.len() {
            let serving = self.alive(service).filter(|(_, process)| !process.draining).count();
            assert!(serving <= 2, "service {service} runs {serving} times");
        }
    }

    /// Does all that is to be done at this time.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.step() {
                return;
            }
        }
        panic!("there is no end to it");
    }

    /// Time passes, and all that is due is done in its time.
    fn pass(&mut self, ns: u64) {
        let until = self.now + ns;
        self.settle();
        while let Some(at) = self.machine.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.machine.tick(self.now);
            self.collect();
            assert!(self.machine.deadline().is_none_or(|at| at > self.now), "the clock would spin");
            self.settle();
        }
        self.now = until;
    }

    fn current(&self, service: usize) -> Option<u32> {
        self.machine.view(service).map(|view| view.epoch).filter(|epoch| *epoch > 0)
    }
}

/// Something that happens from outside.
#[derive(Clone, Copy, Debug)]
enum Event {
    Crash,
    Leave,
    Hang,
    SupervisorDies,
    /// It dies in the middle of what it does.
    SupervisorDiesAfter(u8),
    PersonKills,
    PersonStarts,
    PersonReplaces,
    Time(u32),
}

fn event(kind: u8, number: u32) -> Event {
    match kind % 10 {
        0 | 1 => Event::Crash,
        2 => Event::Leave,
        3 => Event::Hang,
        4 => Event::SupervisorDies,
        5 => Event::SupervisorDiesAfter(number as u8 % 8),
        6 => Event::PersonKills,
        7 => Event::PersonStarts,
        8 => Event::PersonReplaces,
        _ => Event::Time(number % 2000),
    }
}

fn happen(world: &mut World, service: usize, event: Event) {
    let current = world.current(service);
    match (event, current) {
        (Event::Crash, Some(epoch)) => world.end(service, epoch, Ending::Faulted(14)),
        (Event::Leave, Some(epoch)) => world.end(service, epoch, Ending::Exited(0)),
        (Event::Hang, Some(epoch)) => {
            if let Some(process) = world.processes.get_mut(&(service, epoch)) {
                process.answers = false;
            }
        }
        (Event::SupervisorDies, _) => world.supervisor_dies(),
        (Event::SupervisorDiesAfter(steps), _) => {
            for _ in 0..steps {
                world.step();
            }
            world.supervisor_dies();
        }
        // Refusals are as good.
        (Event::PersonKills, _) => {
            let _ = world.machine.ask_kill(service);
        }
        (Event::PersonStarts, _) => {
            world.asked[service] = true;
            let _ = world.machine.ask_start(service);
        }
        (Event::PersonReplaces, _) => {
            let _ = world.machine.ask_replace(service);
        }
        (Event::Time(ms), _) => world.pass(u64::from(ms) * MS),
        _ => {}
    }
    world.collect();
}

/// Services with any policies, each needing some of those before it.
fn specs(choices: &[(u8, u8, u16)]) -> Vec<Spec> {
    let one = |(number, (kind, more, needs)): (usize, &(u8, u8, u16))| Spec {
        policy: Policy {
            when: [When::Always, When::Always, When::OnFailure, When::Never][usize::from(kind % 4)],
            restarts: more % 7 + 1,
            ..super::policy::USUAL
        },
        health: (kind & 4 != 0).then_some(HEALTH),
        autostart: kind & 24 != 24,
        follow: [Follow::Nothing, Follow::Told, Follow::Restarted][usize::from(more % 3)],
        escalation: [Escalation::Nothing, Escalation::Group][usize::from(more / 3 % 2)],
        ..spec(&(0..number).filter(|provider| needs & 1 << provider != 0).collect::<Vec<_>>())
    };
    choices.iter().enumerate().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    /// No service is ever started while it runs, none before those it needs, nobody is buried alive, and the clock never spins; and when
    /// nothing more goes wrong, what always runs serves again or was given up.
    #[test]
    #[cfg_attr(miri, ignore = "too long, and there is no unsafe code")]
    fn services_survive_everything(
        choices in prop::collection::vec(any::<(u8, u8, u16)>(), 1..6),
        events in prop::collection::vec((any::<u8>(), any::<usize>(), any::<u32>()), 0..60),
    ) {
        let specs = specs(&choices);
        let mut world = World::new(specs.clone());
        for (kind, service, number) in events {
            happen(&mut world, service % specs.len(), event(kind, number));
        }
        world.pass(100_000 * MS);
        for (number, spec) in specs.iter().enumerate() {
            let view = world.machine.view(number).unwrap();
            assert!(!view.replacing && view.condemned.is_none(), "{number}: {view:?}");
            let runs = matches!(world.machine.serving(number), Serving::Now(_));
            let may_rest = spec.policy.when != When::Always || !spec.autostart;
            assert!(runs || may_rest || view.state == State::GivenUp, "{number}: {view:?}");
            assert_eq!(world.alive(number).count(), usize::from(runs), "{number}: {view:?}");
        }
    }

    /// However often supervisors die, and at whatever they are: services that are well are neither killed nor started again.
    #[test]
    #[cfg_attr(miri, ignore = "too long, and there is no unsafe code")]
    fn the_death_of_supervisors_disturbs_nobody(
        choices in prop::collection::vec(any::<(u8, u8, u16)>(), 1..6),
        deaths in prop::collection::vec((any::<u8>(), 0u32..3000), 1..30),
    ) {
        let mut world = World::new(specs(&choices));
        world.pass(5000 * MS);
        let (before, processes) = (world.epochs.clone(), world.processes.clone());
        for (steps, ms) in deaths {
            happen(&mut world, 0, Event::SupervisorDiesAfter(steps % 8));
            world.pass(u64::from(ms) * MS);
        }
        world.pass(5000 * MS);
        assert_eq!((&world.epochs, &world.processes, world.kills), (&before, &processes, 0));
    }
}
