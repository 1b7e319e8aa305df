//! Which processors have nothing to do, and the two looks without which one of them sleeps beside work.
//!
//! Who makes a thread ready looks for an idle processor and, finding none, queues the thread where it is. Who becomes idle says so, and
//! then looks at every queue. If the first looked before the second said so, and the second looked before the first had queued, neither
//! would see the other: so the first looks again when it has queued. A queue's lock orders the rest: whoever has it second sees what the
//! other did before.

#[cfg(not(all(loom, test)))]
use core::sync::atomic::{AtomicU64, Ordering};
#[cfg(all(loom, test))]
use loom::sync::atomic::{AtomicU64, Ordering};

/// One bit for each of up to 64 processors that are idle and to which nobody has given work yet.
pub struct Idlers(AtomicU64);

/// Where a thread was queued, and who has to be told that there is work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// The processor whose queue has it.
    pub on: usize,
    /// An idle one that counts as busy now and does not know yet why.
    pub kick: Option<usize>,
}

fn bit(cpu: usize) -> u64 {
    1 << (cpu % 64)
}

impl Idlers {
    /// Everybody is busy.
    #[cfg(not(all(loom, test)))]
    pub const fn new() -> Self {
        Idlers(AtomicU64::new(0))
    }

    /// Everybody is busy.
    #[cfg(all(loom, test))]
    pub fn new() -> Self {
        Idlers(AtomicU64::new(0))
    }

    /// Queues a ready thread by `enqueue`: at an idle processor, `home` if that is one, else `here`. A processor that is chosen counts as busy
    /// from now on: whoever places another thread before it has woken up finds another.
    #[inline]
    pub fn place(&self, here: usize, home: usize, enqueue: impl FnOnce(usize)) -> Placed {
        let target = self.other(here, home);
        let on = target.unwrap_or(here);
        enqueue(on);
        let kick = if target.is_some() { target } else { self.other(here, home) };
        Placed { on, kick }
    }

    /// One to choose: mostly there is none.
    #[inline]
    fn other(&self, here: usize, home: usize) -> Option<usize> {
        if self.has_other(here) { self.take(here, home) } else { None }
    }

    #[inline]
    fn has_other(&self, here: usize) -> bool {
        self.0.load(Ordering::SeqCst) & !bit(here) != 0
    }

    /// Processor `here` has nothing to do. False when `somebody_waits` after all: it is busy, then.
    #[inline]
    pub fn rest(&self, here: usize, somebody_waits: impl FnOnce() -> bool) -> bool {
        self.0.fetch_or(bit(here), Ordering::SeqCst);
        if somebody_waits() {
            self.rise(here);
            return false;
        }
        true
    }

    /// Processor `here` has something to do.
    #[inline]
    pub fn rise(&self, here: usize) {
        self.0.fetch_and(!bit(here), Ordering::SeqCst);
    }

    /// An idle processor other than `here`, `home` if that is one.
    #[inline(never)]
    fn take(&self, here: usize, home: usize) -> Option<usize> {
        loop {
            let idle = self.0.load(Ordering::SeqCst) & !bit(here);
            if idle == 0 {
                return None;
            }
            let home = idle & bit(home);
            let chosen = if home != 0 { home } else { idle & idle.wrapping_neg() };
            if self.0.fetch_and(!chosen, Ordering::SeqCst) & chosen != 0 {
                return Some(chosen.trailing_zeros() as usize);
            }
        }
    }
}

impl Default for Idlers {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Idlers, Placed};
    use std::vec::Vec;

    fn place(idlers: &Idlers, here: usize, home: usize) -> Placed {
        let mut queued = Vec::new();
        let placed = idlers.place(here, home, |cpu| queued.push(cpu));
        assert_eq!(queued, [placed.on]);
        placed
    }

    fn idle(cpus: &[usize]) -> Idlers {
        let idlers = Idlers::new();
        assert!(cpus.iter().all(|cpu| idlers.rest(*cpu, || false)));
        idlers
    }

    #[test]
    fn several_threads_wake_several_processors_home_first() {
        let idlers = idle(&[1, 2, 5]);
        for on in [2, 1, 5] {
            assert_eq!(place(&idlers, 0, 2), Placed { on, kick: Some(on) });
        }
        assert_eq!(place(&idlers, 0, 2), Placed { on: 0, kick: None });
    }

    #[test]
    fn nobody_gives_work_to_itself() {
        assert_eq!(place(&idle(&[3]), 3, 3), Placed { on: 3, kick: None });
    }

    #[test]
    fn who_finds_work_is_busy() {
        let idlers = Idlers::new();
        assert!(!idlers.rest(1, || true));
        assert_eq!(place(&idlers, 0, 1), Placed { on: 0, kick: None });
        assert!(idlers.rest(1, || false));
        idlers.rise(1);
        assert_eq!(place(&idlers, 0, 1), Placed { on: 0, kick: None });
    }

    #[test]
    fn who_became_idle_while_a_thread_was_queued_is_told() {
        let idlers = Idlers::new();
        let placed = idlers.place(0, 0, |_| assert!(idlers.rest(1, || false)));
        assert_eq!(placed, Placed { on: 0, kick: Some(1) });
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::Idlers;
    use loom::sync::{Arc, Mutex};
    use loom::thread;
    use std::vec::Vec;

    /// Processors with a queue each.
    struct Machine {
        idlers: Idlers,
        queues: [Mutex<Vec<u32>>; 3],
    }

    impl Machine {
        fn new() -> Arc<Machine> {
            Arc::new(Machine {
                idlers: Idlers::new(),
                queues: [Mutex::new(Vec::new()), Mutex::new(Vec::new()), Mutex::new(Vec::new())],
            })
        }

        fn enqueue(&self, cpu: usize) {
            self.queues[cpu].lock().unwrap().push(1);
        }

        fn somebody_waits(&self) -> bool {
            self.queues.iter().any(|queue| !queue.lock().unwrap().is_empty())
        }

        fn rest(&self, here: usize) -> bool {
            self.idlers.rest(here, || self.somebody_waits())
        }
    }

    /// A thread is made ready on processor 0 by `place`, which gives who is kicked, while `idle` others go to sleep.
    fn nobody_sleeps_beside_work(idle: usize, place: fn(&Machine) -> Option<usize>) {
        loom::model(move || {
            let machine = Machine::new();
            let sleepers: Vec<_> = (1..=idle)
                .map(|cpu| {
                    let machine = machine.clone();
                    thread::spawn(move || machine.rest(cpu))
                })
                .collect();
            let kicked = place(&machine);
            let asleep: Vec<bool> = sleepers.into_iter().map(|sleeper| sleeper.join().unwrap()).collect();
            // Somebody looks at the queues, or will because it was kicked. One is enough: it takes the thread.
            let awake = asleep.iter().any(|asleep| !asleep);
            assert!(awake || kicked.is_some(), "everybody sleeps beside a thread that is ready");
            if let Some(cpu) = kicked {
                // Whoever was told may have seen the work itself and then was not asleep; nobody is told who is busy with something else.
                assert!((1..=idle).contains(&cpu));
            }
        });
    }

    #[test]
    fn one_processor_becomes_idle_meanwhile() {
        nobody_sleeps_beside_work(1, |machine| machine.idlers.place(0, 0, |cpu| machine.enqueue(cpu)).kick);
    }

    #[test]
    fn two_processors_become_idle_meanwhile() {
        nobody_sleeps_beside_work(2, |machine| machine.idlers.place(0, 2, |cpu| machine.enqueue(cpu)).kick);
    }

    #[test]
    #[should_panic(expected = "everybody sleeps beside a thread that is ready")]
    fn without_the_second_look_one_is_missed() {
        nobody_sleeps_beside_work(1, |machine| {
            let idle = machine.idlers.take(0, 0);
            machine.enqueue(idle.unwrap_or(0));
            idle
        });
    }
}
