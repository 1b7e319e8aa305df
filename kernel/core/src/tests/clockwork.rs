//! A machine whose programs do nothing but pass the time: the timer goes off when it was asked to, kicked processors look, and who runs
//! is written down from outside.

use super::{User, World};
use crate::trap::HANDLERS;
use kernel_hal::fake;
use kernel_hal::user::is_running;
use std::vec::Vec;

/// Time that passes for some threads.
pub struct Clockwork<'u> {
    users: Vec<&'u User>,
    /// How long each of them ran, nanoseconds.
    pub ran: Vec<u64>,
    /// How long each CPU ran none of them.
    pub idle: Vec<u64>,
    /// Timer interrupts of each CPU.
    pub ticks: Vec<u64>,
    now: u64,
}

impl<'u> Clockwork<'u> {
    /// For these threads, from now on.
    pub fn new(_world: &World, users: &[&'u User]) -> Self {
        let cpus = kernel_hal::cpu::count();
        let mut work = Clockwork {
            users: users.to_vec(),
            ran: std::vec![0; users.len()],
            idle: std::vec![0; cpus],
            ticks: std::vec![0; cpus],
            now: kernel_hal::time::now_ns(),
        };
        // What the tests before left armed is no longer.
        (0..cpus).for_each(|cpu| work.interrupt(cpu));
        work.ticks.fill(0);
        work
    }

    /// Lets `ns` pass.
    pub fn pass(&mut self, ns: u64) {
        let end = self.now + ns;
        while self.now < end {
            self.answer_kicks();
            let cpus = 0..self.idle.len();
            let (at, cpu) = cpus.map(|cpu| (fake::time::armed(cpu), cpu)).min().expect("a processor");
            self.advance(at.clamp(self.now, end) - self.now);
            if at <= self.now {
                self.interrupt(cpu);
            }
        }
        self.answer_kicks();
    }

    fn interrupt(&mut self, cpu: usize) {
        fake::cpu::become_cpu(cpu);
        kernel_hal::time::arm(u64::MAX);
        self.ticks[cpu] += 1;
        (HANDLERS.timer)();
    }

    fn answer_kicks(&self) {
        loop {
            let kicked = fake::cpu::take_kicks();
            if kicked == 0 {
                return;
            }
            for cpu in (0..64).filter(|cpu| kicked >> cpu & 1 != 0) {
                fake::cpu::become_cpu(cpu);
                (HANDLERS.kick)();
            }
        }
    }

    fn advance(&mut self, ns: u64) {
        fake::time::advance(ns);
        self.now += ns;
        for cpu in 0..self.idle.len() {
            match self.users.iter().position(|user| is_running(cpu, &user.thread.context)) {
                Some(user) => self.ran[user] += ns,
                None => self.idle[cpu] += ns,
            }
        }
    }

    /// Hundredths of the time since the beginning that each thread ran, rounded.
    pub fn percent(&self, since: u64) -> Vec<u64> {
        self.ran.iter().map(|ran| (ran * 100 + since / 2) / since).collect()
    }
}
