//! What runs next: the first case whose machine's processors are free, so that small machines run side by side while a large one waits.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::matrix::SubCase;
use crate::stop;

/// Machines that mostly sleep, at the same time, beside those that work.
pub const SLEEPERS: usize = 3;

/// Cases to be run, on so many processors.
pub struct Queue<'c> {
    cases: &'c [SubCase],
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Not begun yet, by their places.
    left: Vec<usize>,
    busy: usize,
    sleepers: usize,
}

impl<'c> Queue<'c> {
    pub fn new(cases: &'c [SubCase], capacity: usize) -> Queue<'c> {
        let state = State { left: (0..cases.len()).collect(), busy: 0, sleepers: 0 };
        Queue { cases, capacity: capacity.max(1), state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for one that fits. `None` when all have begun, or the lab is to stop.
    pub fn take(&self) -> Option<(usize, &'c SubCase)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.left.is_empty() && !stop::requested() {
            let fits = |at: &usize| self.cases.get(*at).is_some_and(|case| self.fits(&state, case));
            if let Some(place) = state.left.iter().position(fits) {
                let at = state.left.remove(place);
                let case = self.cases.get(at)?;
                let (busy, sleepers) = self.weight(case);
                state.busy += busy;
                state.sleepers += sleepers;
                return Some((at, case));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.changed.notify_all();
        None
    }

    /// It has ended.
    pub fn give_back(&self, case: &SubCase) {
        let (busy, sleepers) = self.weight(case);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy -= busy;
        state.sleepers -= sleepers;
        self.changed.notify_all();
    }

    fn fits(&self, state: &State, case: &SubCase) -> bool {
        let (busy, sleepers) = self.weight(case);
        state.busy + busy <= self.capacity && state.sleepers + sleepers <= SLEEPERS
    }

    /// Processors that it keeps busy, and whether it sleeps. Under icount all processors share one thread; more than there are counts as
    /// all of them.
    fn weight(&self, case: &SubCase) -> (usize, usize) {
        let machine = &case.case.machine;
        match (machine.sleeps, machine.icount) {
            (true, _) => (0, 1),
            (false, true) => (1, 0),
            (false, false) => ((machine.cpus as usize).clamp(1, self.capacity), 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn cases(machines: &[&str]) -> Vec<SubCase> {
        let read = |machine: &&str| {
            crate::library::read("x-y", "x", &format!("why = 'a'\n[machine]\n{machine}")).unwrap().remove(0)
        };
        machines.iter().map(read).collect()
    }

    #[test]
    fn small_ones_go_before_a_large_one_that_does_not_fit() {
        let cases = cases(&[
            "cpus = 1",
            "cpus = 4",
            "cpus = 1",
            "sleeps = true\ncpus = 4",
            "cpus = 4\nicount = true",
        ]);
        let queue = Queue::new(&cases, 2);
        let begun: Vec<usize> = (0..3).map(|_| queue.take().unwrap().0).collect();
        assert_eq!(begun, [0, 2, 3], "both processors are busy, and one sleeps");
        queue.give_back(&cases[0]);
        assert_eq!(queue.take().unwrap().0, 4, "all its processors are one thread");
        queue.give_back(&cases[2]);
        queue.give_back(&cases[4]);
        assert_eq!(queue.take().unwrap().0, 1);
        assert!(queue.take().is_none());
    }

    #[test]
    fn no_more_sleep_than_may() {
        let cases = cases(&["sleeps = true"; SLEEPERS + 1]);
        let queue = Queue::new(&cases, 1);
        assert!((0..SLEEPERS).all(|at| queue.take().unwrap().0 == at));
        thread::scope(|scope| {
            let last = scope.spawn(|| queue.take().unwrap().0);
            queue.give_back(&cases[0]);
            assert_eq!(last.join().unwrap(), SLEEPERS);
        });
    }
}
