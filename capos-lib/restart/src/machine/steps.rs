//! Events, and what follows from each.

use super::instance::{Instance, Life, Why};
use super::service::{Leaving, Phase, Service};
use super::spec::{Escalation, Follow};
use super::{Action, Refusal, Report, Supervision};
use crate::policy::{Decision, Ending, Outcome};
use alloc::vec::Vec;

/// A service that is given up and tries its group again does so at most once in so many of its windows.
const GROUP_WINDOWS: u64 = 10;

impl Supervision {
    /// An instance runs: what [`Action::Start`] came to.
    pub fn started(&mut self, number: usize, epoch: u32, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        let instance = Instance::new(epoch, now_ns, it.spec.health.as_ref());
        it.dirty = true;
        if it.replacing && it.current.is_some() {
            it.replacing = false;
            it.successor = Some(instance);
        } else {
            it.replacing = false;
            it.phase = Phase::Up;
            it.current = Some(instance);
            it.restarts.started(now_ns);
        }
        match instance.life {
            Life::Unready { .. } => self.actions.push(Action::AskReady { service: number, epoch }),
            _ => self.fit(number, epoch, now_ns),
        }
        self.progress();
    }

    /// No instance came of [`Action::Start`].
    pub fn not_started(&mut self, number: usize, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        if it.replacing {
            it.replacing = false;
            self.report(number, Report::ReplacementFailed);
        }
        let Some(it) = self.services.get_mut(number) else { return };
        if it.current.is_none() {
            it.last = Some(Ending::NotStarted);
            it.dirty = true;
            self.decide(number, Outcome::Failure, now_ns);
        }
        self.progress();
    }

    /// An instance says that it is ready.
    pub fn ready(&mut self, number: usize, epoch: u32, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        let Some(health) = it.spec.health else { return };
        let waiting = it.current.iter_mut().chain(&mut it.successor);
        let found = waiting.filter(|it| it.epoch == epoch).find(|it| matches!(it.life, Life::Unready { .. }));
        let Some(instance) = found else { return };
        instance.life = Life::Well { ask_ns: now_ns.saturating_add(health.every_ns) };
        self.fit(number, epoch, now_ns);
        self.progress();
    }

    /// An instance answered that it is well.
    pub fn well(&mut self, number: usize, epoch: u32, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        let Some(health) = it.spec.health else { return };
        if let Some(current) = it.current.as_mut().filter(|current| current.epoch == epoch)
            && matches!(current.life, Life::Asked { .. })
        {
            current.life = Life::Well { ask_ns: now_ns.saturating_add(health.every_ns) };
        }
    }

    /// An instance said itself that it is not well, or not ready.
    pub fn unwell(&mut self, number: usize, epoch: u32) {
        self.condemn(number, epoch, Why::Unwell);
    }

    /// An instance ended. For one that is not known, or known to have ended, it is buried and nothing else.
    pub fn ended(&mut self, number: usize, epoch: u32, ending: Ending, now_ns: u64) {
        self.actions.push(Action::Bury { service: number, epoch });
        let Some(it) = self.services.get_mut(number) else { return };
        it.leaving.retain(|leaving| leaving.epoch != epoch);
        if it.successor.is_some_and(|successor| successor.epoch == epoch) {
            it.successor = None;
            it.dirty = true;
            self.report(number, Report::ReplacementFailed);
        } else if let Some(current) = it.current.filter(|current| current.epoch == epoch) {
            it.current = None;
            it.counted = epoch;
            it.last = Some(ending);
            it.dirty = true;
            self.lost(number, current.life, ending, now_ns);
        }
        self.progress();
    }

    /// The instance that served has ended.
    fn lost(&mut self, number: usize, life: Life, ending: Ending, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        if let Some(successor) = it.successor.take() {
            // It takes over now, ready or not: there is nobody else.
            it.current = Some(successor);
            it.restarts.started(successor.since_ns);
            self.succeed(number, successor.epoch, now_ns);
            if successor.is_fit() {
                self.fit(number, successor.epoch, now_ns);
            }
            return;
        }
        if it.replacing {
            return;
        }
        if it.trial_ns.take().is_some() {
            self.report(number, Report::Reverted);
        }
        let Some(it) = self.services.get_mut(number) else { return };
        match life {
            Life::Condemned(Why::Follow | Why::Group) => {
                it.phase = Phase::Blocked;
                it.times = it.times.saturating_add(1);
            }
            Life::Condemned(why) if why.is_fault() => self.decide(number, Outcome::Failure, now_ns),
            _ => self.decide(number, ending.outcome(), now_ns),
        }
    }

    /// A successor serves. What has promised nothing may still turn out not to be such a service at all: it is on trial first.
    fn succeed(&mut self, number: usize, epoch: u32, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        it.trial_ns = match it.spec.health {
            Some(_) => None,
            None => Some(now_ns.saturating_add(it.spec.policy.window_ns)),
        };
        if it.trial_ns.is_none() {
            self.actions.push(Action::Settle { service: number, epoch });
        }
        self.report(number, Report::Replaced(epoch));
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ns: u64) {
        for number in 0..self.services.len() {
            self.tick_one(number, now_ns);
        }
        self.progress();
    }

    fn tick_one(&mut self, number: usize, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        if matches!(it.phase, Phase::Backoff(at) if at <= now_ns) {
            it.phase = Phase::Blocked;
            it.times = it.times.saturating_add(1);
            it.dirty = true;
            let well = it.last.is_some_and(|last| last.outcome() == Outcome::Success);
            self.report(number, if well { Report::StartedAfterLeaving } else { Report::StartedAgain });
        }
        let Some(it) = self.services.get_mut(number) else { return };
        if let Some(current) = it.current.filter(|_| it.trial_ns.is_some_and(|at| at <= now_ns)) {
            it.trial_ns = None;
            it.dirty = true;
            self.actions.push(Action::Settle { service: number, epoch: current.epoch });
        }
        let Some(it) = self.services.get_mut(number) else { return };
        let due: Vec<Instance> = it.current.iter().chain(&it.successor).copied().collect();
        let answer_ns = it.spec.health.map_or(0, |health| health.answer_ns);
        for instance in due.iter().filter(|it| it.deadline().is_some_and(|at| at <= now_ns)) {
            match instance.life {
                Life::Unready { .. } => self.condemn(number, instance.epoch, Why::Unready),
                Life::Asked { .. } => self.condemn(number, instance.epoch, Why::Silent),
                Life::Well { .. } => self.ask(number, instance.epoch, now_ns.saturating_add(answer_ns)),
                Life::Plain | Life::Condemned(_) => {}
            }
        }
        self.hurry(number, now_ns);
    }

    fn ask(&mut self, number: usize, epoch: u32, by_ns: u64) {
        if let Some(current) = self.services.get_mut(number).and_then(|it| it.current.as_mut())
            && current.epoch == epoch
        {
            current.life = Life::Asked { by_ns };
            self.actions.push(Action::Ping { service: number, epoch });
        }
    }

    /// Kills what was to leave by now.
    fn hurry(&mut self, number: usize, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        let mut late = Vec::new();
        for leaving in it.leaving.iter_mut().filter(|it| it.by_ns.is_some_and(|at| at <= now_ns)) {
            leaving.by_ns = None;
            late.push(leaving.epoch);
        }
        for epoch in late {
            self.report(number, Report::Overdue(epoch));
            self.actions.push(Action::Kill { service: number, epoch });
        }
    }

    /// A person wants a service to run.
    pub fn ask_start(&mut self, number: usize) -> Result<(), Refusal> {
        let it = self.services.get_mut(number).ok_or(Refusal::Unknown)?;
        if matches!(it.phase, Phase::Starting | Phase::Up) {
            return Err(Refusal::Running);
        }
        it.restarts.forgive();
        it.escalated_ns = None;
        self.launch(number);
        Ok(())
    }

    /// A person wants a service to end.
    pub fn ask_kill(&mut self, number: usize) -> Result<(), Refusal> {
        let it = self.services.get_mut(number).ok_or(Refusal::Unknown)?;
        let current = it.current.ok_or(Refusal::NotRunning)?.epoch;
        self.condemn(number, current, Why::Person);
        Ok(())
    }

    /// A person wants another program to be the service. Which one, whoever performs the start knows.
    pub fn ask_replace(&mut self, number: usize) -> Result<(), Refusal> {
        let it = self.services.get_mut(number).ok_or(Refusal::Unknown)?;
        let current = it.current.ok_or(Refusal::NotRunning)?;
        if it.replacing || it.successor.is_some() {
            return Err(Refusal::Replacing);
        }
        if current.is_condemned() {
            return Err(Refusal::NotRunning);
        }
        it.replacing = true;
        self.actions.push(Action::Start { service: number, replacement: true });
        Ok(())
    }

    /// Has an instance killed, once.
    fn condemn(&mut self, number: usize, epoch: u32, why: Why) {
        let Some(it) = self.services.get_mut(number) else { return };
        let mut known = it.current.iter_mut().chain(&mut it.successor);
        let Some(instance) = known.find(|it| it.epoch == epoch && !it.is_condemned()) else { return };
        instance.life = Life::Condemned(why);
        it.dirty = true;
        self.report(number, Report::Condemned(why));
        self.actions.push(Action::Kill { service: number, epoch });
    }

    /// An instance serves now. A successor takes over; who follows is told of what is new.
    fn fit(&mut self, number: usize, epoch: u32, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        if it.successor.is_some_and(|successor| successor.epoch == epoch) {
            let old = core::mem::replace(&mut it.current, it.successor.take());
            it.restarts.started(now_ns);
            it.dirty = true;
            let with_control = it.spec.health.is_some();
            self.succeed(number, epoch, now_ns);
            if let Some(old) = old {
                self.see_off(number, old, with_control, now_ns);
            }
        }
        self.announce(number, epoch);
    }

    /// An instance has been replaced. One that cannot be asked to end is killed; what it has received and not answered is lost.
    fn see_off(&mut self, number: usize, old: Instance, with_control: bool, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        let asked = with_control && !old.is_condemned();
        let by_ns = asked.then(|| now_ns.saturating_add(it.spec.drain_ns));
        it.leaving.push(Leaving { epoch: old.epoch, by_ns });
        let (service, epoch) = (number, old.epoch);
        self.actions.push(if asked {
            Action::Drain { service, epoch }
        } else {
            Action::Kill { service, epoch }
        });
    }

    /// Lets those follow who want to. Nobody knew an instance before the first.
    fn announce(&mut self, number: usize, epoch: u32) {
        let Some(it) = self.services.get_mut(number) else { return };
        let known = it.announced;
        if epoch <= known {
            return;
        }
        it.announced = epoch;
        it.dirty = true;
        if known == 0 {
            return;
        }
        let follows = |it: &Service| it.spec.follow != Follow::Nothing && it.spec.providers.contains(&number);
        let followers: Vec<(usize, Follow, u32)> = self
            .services
            .iter()
            .enumerate()
            .filter(|(_, it)| follows(it))
            .filter_map(|(client, it)| Some((client, it.spec.follow, it.current?.epoch)))
            .collect();
        for (client, follow, epoch) in followers {
            match follow {
                Follow::Told => self.actions.push(Action::Tell { client, epoch, provider: number }),
                Follow::Restarted => self.condemn(client, epoch, Why::Follow),
                Follow::Nothing => {}
            }
        }
    }

    /// What the policy says about an end, or about a start that failed.
    fn decide(&mut self, number: usize, outcome: Outcome, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        it.dirty = true;
        let policy = it.spec.policy;
        match it.restarts.ended(&policy, now_ns, outcome) {
            Decision::StartAt(at) => it.phase = Phase::Backoff(at),
            Decision::Leave => {
                it.phase = Phase::Ended;
                self.close(number);
            }
            Decision::GiveUp => self.give_up(number, now_ns),
        }
    }

    fn give_up(&mut self, number: usize, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        it.phase = Phase::GivenUp;
        let window = it.spec.policy.window_ns.saturating_mul(GROUP_WINDOWS);
        let tried = it.escalated_ns.is_some_and(|at| now_ns.saturating_sub(at) < window);
        match it.spec.escalation {
            Escalation::Group if !tried => {
                it.escalated_ns = Some(now_ns);
                self.report(number, Report::GroupRestarted);
                self.restart_group(number);
            }
            Escalation::Reboot => {
                self.report(number, Report::Rebooting);
                self.actions.push(Action::Reboot);
            }
            Escalation::Nothing | Escalation::Group => {
                self.report(number, Report::GivenUp);
                self.close(number);
            }
        }
    }

    fn close(&mut self, number: usize) {
        if self.services.get(number).is_some_and(|it| it.spec.exports) {
            self.actions.push(Action::Close(number));
        }
    }

    /// A service and all that need it, directly or not, begin anew. What nobody wanted to run stays as it is.
    fn restart_group(&mut self, number: usize) {
        for member in self.group(number) {
            let Some(it) = self.services.get_mut(member) else { continue };
            it.restarts.forgive();
            it.dirty = true;
            match (it.current, it.phase) {
                (Some(current), _) => self.condemn(member, current.epoch, Why::Group),
                (None, Phase::Backoff(_) | Phase::GivenUp) => it.phase = Phase::Blocked,
                (None, _) => {}
            }
        }
    }

    /// A service and all that need it, directly or not.
    fn group(&self, number: usize) -> Vec<usize> {
        let mut members = alloc::vec![number];
        let mut next = 0;
        while let Some(provider) = members.get(next).copied() {
            next += 1;
            for (client, it) in self.services.iter().enumerate() {
                if it.spec.providers.contains(&provider) && !members.contains(&client) {
                    members.push(client);
                }
            }
        }
        members
    }

    /// Starts what waits for nobody any more.
    pub(super) fn progress(&mut self) {
        for number in 0..self.services.len() {
            let Some(it) = self.services.get(number) else { continue };
            let fit = |provider: &usize| self.services.get(*provider).is_none_or(Service::is_fit);
            if it.phase == Phase::Blocked && it.spec.providers.iter().all(fit) {
                self.launch(number);
            }
        }
    }

    fn launch(&mut self, number: usize) {
        let Some(it) = self.services.get_mut(number) else { return };
        it.phase = Phase::Starting;
        self.actions.push(Action::Start { service: number, replacement: false });
    }
}
