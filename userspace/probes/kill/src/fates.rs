//! Services, the shell and the supervisor killed at random instructions of a system under load: `--fates=a,b,c --kills=N --warm-up=N --seed=N
//! --life=NS`.
//!
//! The killer is more urgent than everybody else and has the handle of its next victim in hand while it sleeps: so the kill comes when the clock
//! says so, and nobody has to run before it. Meanwhile somebody types at the serial port, clients call `patient`, and who was killed before
//! is started again. In the end everybody who lives has what was had before. Who may be killed is made anew before that is looked at; who lived
//! all the time is not, and shows what it kept of those who went.

use crate::living::{self, Living};
use crate::load::Load;
use crate::{NOT_SET_UP, Setup, setup};
use alloc::format;
use alloc::vec::Vec;
use probe::mutate::Rng;
use probe::{Fields, number};
use rt::generated::{ByteStreamClient, ProcessHandleClient, ProcessesClient, ServicesClient};
use rt::schema::process_handle::ExitReason;
use rt::schema::services::ServiceState;
use rt::{CallError, Env, EnvError, ExceptionCode};

/// Kills before anything is compared, if nothing else is said: heaps and tables then have the size that they need.
const WARM_UP: u64 = 150;
/// Longest time until all who were killed are there again and nothing happens any more, in looks.
const PATIENCE: u32 = 2000;
const PAUSE_NS: u64 = 5_000_000;
/// Looks that find the same before that is rest. Somebody may type, and is not seen between two lines.
const ALIKE: u32 = 30;

struct Fates<'s> {
    setup: &'s Setup,
    services: ServicesClient,
    processes: ProcessesClient,
    names: Vec<&'static str>,
    load: Load,
    rng: Rng,
    life_ns: u32,
    /// Victims that a kill ended, by name.
    killed: Vec<u64>,
    /// That had none to end: it was not there yet, or the supervisor was gone.
    early: u64,
    /// That had left by themselves, as the shell does when its console is gone.
    left: u64,
    /// That ended otherwise.
    wrong: u64,
}

/// Runs to the end.
pub fn run(mut env: Env, names: &'static str) -> i64 {
    let Ok(setup) = setup(&mut env) else { return NOT_SET_UP };
    let Ok(mut fates) = Fates::new(&setup, &mut env, names) else { return NOT_SET_UP };
    if let Err(error) = fates.all(number(&env, "kills", 1000), number(&env, "warm-up", WARM_UP)) {
        setup.report.check("fates", false, error);
    }
    0
}

impl<'s> Fates<'s> {
    fn new(setup: &'s Setup, env: &mut Env, names: &'static str) -> Result<Fates<'s>, EnvError> {
        let names: Vec<&str> = names.split(',').collect();
        let patient: ByteStreamClient = env.client("patient")?;
        Ok(Fates {
            setup,
            services: env.client("services")?,
            processes: env.client("processes")?,
            load: Load::new(patient, setup.audit.timer()),
            rng: Rng::new(number(env, "seed", 1)),
            life_ns: number(env, "life", 2_000_000) as u32,
            killed: alloc::vec![0; names.len()],
            names,
            early: 0,
            left: 0,
            wrong: 0,
        })
    }

    fn all(&mut self, kills: u64, warm_up: u64) -> Result<(), CallError> {
        self.kill_at_random(warm_up)?;
        let before = self.at_rest()?;
        self.killed.fill(0);
        (self.early, self.left, self.wrong) = (0, 0, 0);
        self.setup.report.event("fates.begin", Fields::new());
        self.kill_at_random(kills)?;
        let after = self.at_rest()?;
        let differences = after.differences(&before);
        for difference in differences.iter().take(10) {
            self.setup.report.check("who lives has what was had before", false, difference);
        }
        let disorder = self.setup.audit.disorder(&self.setup.report)?;
        let each = self.names.iter().zip(&self.killed);
        let fields = each.fold(Fields::new(), |fields, (name, count)| fields.value(name, count));
        let fields = fields
            .value("kills", self.killed.iter().sum::<u64>())
            .value("early", self.early)
            .value("left", self.left)
            .value("wrong", self.wrong)
            .value("answered", self.load.answered())
            .value("disconnected", self.load.disconnected())
            .value("mistakes", self.load.mistakes())
            .value("differences", differences.len())
            .value("disorder", disorder)
            .value("derivations_wrong", after.derivations_wrong())
            .value("compared", after.compared());
        self.setup.report.event("fates.done", fields);
        Ok(())
    }

    fn kill_at_random(&mut self, kills: u64) -> Result<(), CallError> {
        self.load.set_on(true);
        let end = self.killed.iter().sum::<u64>() + kills;
        while self.killed.iter().sum::<u64>() < end {
            let at = self.rng.below(self.names.len() as u32) as usize;
            let Some(name) = self.names.get(at) else { break };
            match self.processes.open_blocking(name) {
                Ok(victim) => self.kill(at, &victim.handle)?,
                // It has not been started again yet.
                Err(error) if error.exception() == Some(ExceptionCode::WrongState) => self.come_later(),
                // The supervisor has gone before it could answer, or init is about to start the next.
                Err(error) if error.is_disconnect() || error.exception() == Some(ExceptionCode::Failed) => {
                    self.come_later();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn come_later(&mut self) {
        self.early += 1;
        self.setup.audit.pause(u64::from(self.rng.below(self.life_ns)));
    }

    /// Mostly long enough for some work, sometimes so short that the last kill is still being dealt with.
    fn kill(&mut self, at: usize, handle: &ProcessHandleClient) -> Result<(), CallError> {
        let most = if self.rng.chance(1, 4) { self.life_ns / 8 } else { self.life_ns };
        self.setup.audit.pause(u64::from(self.rng.below(most.max(1))));
        handle.kill_blocking()?;
        let end = handle.wait_blocking()?;
        match (end.reason, self.killed.get_mut(at)) {
            (ExitReason::Killed, Some(count)) => *count += 1,
            (ExitReason::Exited, _) => self.left += 1,
            _ => self.wrong += 1,
        }
        Ok(())
    }

    /// What there is when nobody calls or types, everybody is new and nothing changes any more.
    fn at_rest(&mut self) -> Result<Living, CallError> {
        self.load.set_on(false);
        self.quiet()?;
        // What one has depends on what was asked of it. So each is made anew, in the same order, and nobody asks for anything.
        for name in self.names.clone() {
            self.all_run()?;
            let victim = self.processes.open_blocking(name)?;
            victim.handle.kill_blocking()?;
            drop(victim);
            // The answer to a call of its successor is the sign that there is one.
            self.all_run()?;
        }
        self.quiet()
    }

    /// What there is when nothing changes any more.
    fn quiet(&self) -> Result<Living, CallError> {
        let (mut last, mut alike) = (self.look()?, 0);
        for _ in 0..PATIENCE {
            self.setup.audit.pause(PAUSE_NS);
            let now = self.look()?;
            alike = if now == last { alike + 1 } else { 0 };
            if alike == ALIKE {
                return Ok(now.0);
            }
            last = now;
        }
        self.setup.report.check(
            "it comes to rest",
            false,
            format!("{:?}", last.0.differences(&self.look()?.0)),
        );
        Ok(last.0)
    }

    /// What there is, and how long those who may be killed have worked.
    fn look(&self) -> Result<(Living, u64), CallError> {
        self.all_run()?;
        Ok((living::look(self.setup)?, living::worked(self.setup, &self.names)?))
    }

    fn all_run(&self) -> Result<(), CallError> {
        for _ in 0..PATIENCE {
            if self.do_all_run()? {
                return Ok(());
            }
            self.setup.audit.pause(PAUSE_NS);
        }
        self.setup.report.check("all run again", false, "they do not");
        Ok(())
    }

    fn do_all_run(&self) -> Result<bool, CallError> {
        let mut cursor = 0;
        loop {
            let service = match self.services.list_blocking(cursor) {
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(true),
                Err(error) if error.is_disconnect() || error.exception() == Some(ExceptionCode::Failed) => {
                    return Ok(false);
                }
                service => service?,
            };
            let wanted = self.names.contains(&service.name.as_str());
            if wanted && (service.state != ServiceState::Running || service.process == 0) {
                return Ok(false);
            }
            cursor = service.next;
        }
    }
}
