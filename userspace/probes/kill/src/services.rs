//! The same with the services of a real system: those that `--services=a,b,c` names are killed at random times, while the lab types at the
//! serial port.

use crate::{NOT_SET_UP, Setup, setup};
use alloc::vec::Vec;
use probe::mutate::Rng;
use probe::{Fields, number};
use rt::generated::ServicesClient;
use rt::schema::services::ServiceState;
use rt::{CallError, Env, ExceptionCode, log};

/// Kills between two looks.
const ROUND: u64 = 20;
/// Longest time from one kill to the next: restarts take some ten milliseconds.
const LIFE_NS: u32 = 30_000_000;
/// How long all may take to come up again.
const PATIENCE: u32 = 400;
const PAUSE_NS: u64 = 10_000_000;

/// Who kills services.
struct Killer<'s> {
    setup: &'s Setup,
    services: ServicesClient,
    names: Vec<&'static str>,
    rng: Rng,
    kills: u64,
    /// That came while there was nothing to kill.
    early: u64,
    wrong: u64,
}

pub fn run(mut env: Env, names: &'static str) -> i64 {
    let (Ok(setup), Ok(services)) = (setup(&mut env), env.client("services")) else { return NOT_SET_UP };
    let rng = Rng::new(number(&env, "seed", 1));
    let names = names.split(',').collect();
    let mut killer = Killer { setup: &setup, services, names, rng, kills: 0, early: 0, wrong: 0 };
    if let Err(error) = killer.all(number(&env, "kills", 300)) {
        setup.report.check("services", false, error);
    }
    // For who types: now is the time to see whether it all still works.
    log::warn(format_args!("all kills are done"));
    0
}

/// What must be as it was once all services run again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Left {
    processes: u32,
    threads: u32,
    objects: [u64; 5],
    /// Pages that are neither free nor the kernel's nor anybody's own.
    unowned: u64,
}

impl Killer<'_> {
    fn all(&mut self, kills: u64) -> Result<(), CallError> {
        // Once to warm up.
        self.round()?;
        let before = self.at_rest(None)?;
        self.kills = 0;
        while self.kills < kills {
            self.round()?;
            let after = self.at_rest(Some(before))?;
            self.setup.report.equal("what is there after a round", after, before);
            self.setup.audit.disorder(&self.setup.report)?;
        }
        let fields =
            Fields::new().value("kills", self.kills).value("early", self.early).value("wrong", self.wrong);
        self.setup.report.event("services.done", fields);
        Ok(())
    }

    fn round(&mut self) -> Result<(), CallError> {
        let end = self.kills + ROUND;
        while self.kills < end {
            self.setup.audit.pause(u64::from(self.rng.below(LIFE_NS)));
            let Some(name) = self.rng.pick(&self.names) else { break };
            match self.services.kill_blocking(name) {
                Ok(()) => self.kills += 1,
                // It has not been started again yet.
                Err(error) if error.exception() == Some(ExceptionCode::WrongState) => self.early += 1,
                // The supervisor has gone before it could answer.
                Err(error) if error.is_disconnect() => self.early += 1,
                Err(_) => self.wrong += 1,
            }
        }
        Ok(())
    }

    /// What is there when all services run and nothing changes any more, or has become what it was.
    fn at_rest(&self, before: Option<Left>) -> Result<Left, CallError> {
        let mut last = self.look()?;
        for _ in 0..PATIENCE {
            self.setup.audit.pause(PAUSE_NS);
            let all_run = self.all_run()?;
            let now = self.look()?;
            if all_run && before.map_or(now == last, |before| now == before) {
                return Ok(now);
            }
            last = if all_run { now } else { Left { processes: 0, ..now } };
        }
        Ok(last)
    }

    fn all_run(&self) -> Result<bool, CallError> {
        let mut cursor = 0;
        loop {
            let service = match self.services.list_blocking(cursor) {
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(true),
                Err(error) if error.is_disconnect() => return Ok(false),
                service => service?,
            };
            if self.names.contains(&service.name.as_str()) && service.state != ServiceState::Running {
                return Ok(false);
            }
            cursor = service.next;
        }
    }

    fn look(&self) -> Result<Left, CallError> {
        let counts = self.setup.audit.counts_now()?;
        let mut unowned = self.setup.audit.system().system_blocking()?.total_pages;
        unowned = unowned.saturating_sub(counts.free_pages + counts.kernel_pages);
        self.setup.audit.each_process(|books| unowned = unowned.saturating_sub(books.own_pages))?;
        Ok(Left { processes: counts.processes, threads: counts.threads, objects: counts.objects, unowned })
    }
}
