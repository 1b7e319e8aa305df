//! What is left behind: the system's and our own counts before and after.

use crate::report::{Fields, Report};
use rt::generated::{SystemInfoClient, TimerClient};
use rt::{CallError, Env, EnvError};

/// Longest wait for the system to come to rest: what was killed is taken back behind our back on other processors.
const PATIENCE: u32 = 200;
/// Time between two looks.
const PAUSE_NS: u64 = 5_000_000;

/// Counts at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Free pages of the machine.
    pub free_pages: u64,
    /// Pages that the kernel itself uses.
    pub kernel_pages: u64,
    /// Processes.
    pub processes: u32,
    /// Threads.
    pub threads: u32,
    /// Pages charged to us, our children's budgets included.
    pub own_pages: u64,
    /// Our capability slots in use.
    pub own_slots: u32,
}

impl Counts {
    /// Pages that are free or of known use: what is missing of them is nobody's. The kernel's heap may grow to the size that the
    /// load needs, which is reported by itself.
    fn known_pages(&self) -> u64 {
        self.free_pages + self.kernel_pages
    }
}

/// Takes counts and compares them.
pub struct Audit {
    system: SystemInfoClient,
    timer: TimerClient,
}

impl Audit {
    /// From the capabilities granted as `system` and `timer`.
    pub fn new(env: &mut Env) -> Result<Audit, EnvError> {
        Ok(Audit { system: env.client("system")?, timer: env.client("timer")? })
    }

    /// The clock.
    pub fn timer(&self) -> &TimerClient {
        &self.timer
    }

    /// The system's counters.
    pub fn system(&self) -> &SystemInfoClient {
        &self.system
    }

    /// Lets time pass.
    pub fn pause(&self, ns: u64) {
        if let Ok(now) = self.timer.now_blocking() {
            let _ = self.timer.sleep_until_blocking(now + ns);
        }
    }

    /// The counts once they have stopped changing: what was given up may take some time to come back.
    pub fn counts(&self) -> Result<Counts, CallError> {
        let mut last = self.look()?;
        for _ in 0..PATIENCE {
            self.pause(PAUSE_NS);
            let now = self.look()?;
            if now == last {
                break;
            }
            last = now;
        }
        Ok(last)
    }

    /// The counts now. Releases that are still queued are carried out first.
    fn look(&self) -> Result<Counts, CallError> {
        rt::threads::yield_now();
        let own = self.system.process_blocking(rt::threads::process_id())?;
        let system = self.system.system_blocking()?;
        Ok(Counts {
            free_pages: system.free_pages,
            kernel_pages: system.kernel_pages,
            processes: system.processes,
            threads: system.threads,
            own_pages: own.pages,
            own_slots: own.slots,
        })
    }

    /// Reports what is gone since `before`, giving the system some time to come to rest.
    pub fn report(&self, report: &Report, before: Counts) {
        let mut after = Counts::default();
        for _ in 0..PATIENCE {
            match self.look() {
                Ok(counts) => after = counts,
                Err(error) => return report.check("audit", false, format_args!("{error:?}")),
            }
            if after == before {
                break;
            }
            self.pause(PAUSE_NS);
        }
        let fields = Fields::new()
            .value("leaked_pages", before.known_pages() as i64 - after.known_pages() as i64)
            .value("leaked_processes", i64::from(after.processes) - i64::from(before.processes))
            .value("leaked_threads", i64::from(after.threads) - i64::from(before.threads))
            .value("leaked_budget_pages", after.own_pages as i64 - before.own_pages as i64)
            .value("leaked_slots", i64::from(after.own_slots) - i64::from(before.own_slots))
            .value("kernel_pages_grown", after.kernel_pages as i64 - before.kernel_pages as i64)
            .value("free_pages", after.free_pages);
        report.event("audit", fields);
    }
}
