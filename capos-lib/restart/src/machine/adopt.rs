//! The beginning: from nothing, or from what another supervisor left.

use super::instance::{Instance, Life};
use super::service::{Leaving, Phase, Service};
use super::spec::Spec;
use super::{Action, Supervision};
use crate::memory::Memory;
use alloc::vec::Vec;

/// An instance that was started and not buried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Its service.
    pub service: usize,
    /// Which it is.
    pub epoch: u32,
    /// It does not run any more.
    pub ended: bool,
}

impl Supervision {
    /// Takes over. `memories` are what was noted of each service, if anything was; `found` all instances that were started and not buried,
    /// also those that have ended: whoever waits for them tells how.
    ///
    /// A service that runs is not disturbed. It is asked again whether it is ready, since the answer may have gone to one who is no more.
    pub fn adopt(specs: Vec<Spec>, memories: &[Option<Memory>], found: &[Found], now_ns: u64) -> Supervision {
        let mut all = Supervision { services: Vec::with_capacity(specs.len()), actions: Vec::new() };
        for (number, spec) in specs.into_iter().enumerate() {
            let phase = if spec.autostart { Phase::Blocked } else { Phase::Idle };
            let fresh = Memory { phase, ..Memory::default() };
            let memory = memories.get(number).copied().flatten().unwrap_or(fresh);
            all.services.push(Service::new(spec, &memory));
            let mut mine: Vec<Found> =
                found.iter().filter(|found| found.service == number).copied().collect();
            mine.sort_by_key(|found| found.epoch);
            all.take_over(number, &mine, &memory, now_ns);
        }
        all.progress();
        all
    }

    fn take_over(&mut self, number: usize, found: &[Found], memory: &Memory, now_ns: u64) {
        let Some(it) = self.services.get_mut(number) else { return };
        let (dealt_with, found): (Vec<Found>, Vec<Found>) =
            found.iter().partition(|found| found.epoch == memory.counted);
        for Found { service, epoch, .. } in dealt_with {
            self.actions.push(Action::Bury { service, epoch });
        }
        // On probation only while there is one that it could take over from.
        let first = found.first().map_or(0, |first| first.epoch);
        let on_probation = |found: &&Found| found.epoch == memory.successor && found.epoch > first;
        let known = || found.iter().rev().filter(|found| !on_probation(found));
        // Of those that still run the latest; if none does, what the latest came to is still to be dealt with.
        let current = known().find(|found| !found.ended).or(known().next()).map(|found| found.epoch);
        let successor = found.iter().find(on_probation).map(|found| found.epoch);
        let health = it.spec.health;
        let since_ns = if memory.restarts.started_ns == 0 { now_ns } else { memory.restarts.started_ns };
        let adopted = |epoch: u32| Instance { since_ns, ..Instance::new(epoch, now_ns, health.as_ref()) };
        it.current = current.map(adopted);
        it.successor = successor.map(adopted);
        if let (Some(current), Some((epoch, why))) = (&mut it.current, memory.condemned)
            && current.epoch == epoch
        {
            current.life = Life::Condemned(why);
            self.actions.push(Action::Kill { service: number, epoch });
        }
        for instance in it.current.iter().chain(&it.successor) {
            if matches!(instance.life, Life::Unready { .. }) {
                self.actions.push(Action::AskReady { service: number, epoch: instance.epoch });
            }
        }
        let by_ns = Some(now_ns.saturating_add(it.spec.drain_ns));
        for Found { epoch, ended, .. } in found {
            if Some(epoch) == current || Some(epoch) == successor {
                continue;
            }
            it.leaving.push(Leaving { epoch, by_ns });
            if !ended {
                self.actions.push(Action::Drain { service: number, epoch });
            }
        }
        if it.current.is_some() {
            it.phase = Phase::Up;
            it.dirty = true;
        }
    }
}
