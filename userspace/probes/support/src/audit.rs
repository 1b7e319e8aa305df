//! What is left behind: the system's and our own counts before and after.

use crate::report::{Fields, Report};
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use rt::generated::system_info::AuditProcessReply;
use rt::generated::{SystemInfoClient, TimerClient};
use rt::{CallError, Env, EnvError, ExceptionCode};

/// Longest wait for the system to come to rest: what was killed is taken back behind our back on other processors.
const PATIENCE: u32 = 200;
/// Time between two looks.
const PAUSE_NS: u64 = 5_000_000;
/// Looks that find the books of a process wrong before they are.
const LOOKS: u32 = 20;
/// Looks that find the same before that counts as rest: on a busy host a processor may do nothing for the time of some.
const ALIKE: u32 = 5;

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
    /// Kernel objects, whoever can still reach them: processes, threads, endpoints, facets, notifications.
    pub objects: [u64; 5],
}

/// What `objects` are, in their order.
const OBJECTS: [&str; 5] = [
    "leaked_process_objects",
    "leaked_thread_objects",
    "leaked_endpoints",
    "leaked_facets",
    "leaked_notifications",
];

impl Counts {
    /// Pages that are free or of known use: what is missing of them is nobody's. The kernel's heap may grow to the size that the
    /// load needs, which is reported by itself.
    fn known_pages(&self) -> u64 {
        self.free_pages + self.kernel_pages
    }

    /// What is gone since `before`, each under the name of its field.
    fn lost(&self, before: &Counts) -> impl Iterator<Item = (&'static str, i64)> {
        let change = |after: u64, before: u64| after as i64 - before as i64;
        let objects =
            self.objects.into_iter().zip(before.objects).map(move |(after, before)| change(after, before));
        [
            ("leaked_pages", change(before.known_pages(), self.known_pages())),
            ("leaked_processes", change(self.processes.into(), before.processes.into())),
            ("leaked_threads", change(self.threads.into(), before.threads.into())),
            ("leaked_budget_pages", change(self.own_pages, before.own_pages)),
            ("leaked_slots", change(self.own_slots.into(), before.own_slots.into())),
        ]
        .into_iter()
        .chain(OBJECTS.into_iter().zip(objects))
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

    /// Sleeps for `nap_ns` again and again until `done`, at most so often: how often, and how late we woke up at worst.
    pub fn nap_until(&self, done: &AtomicBool, nap_ns: u64, most: u64) -> Result<(u64, u64), CallError> {
        let (mut naps, mut latest) = (0, 0);
        while !done.load(Ordering::Relaxed) && naps < most {
            let begin = self.timer.now_blocking()?;
            self.pause(nap_ns);
            let woken = self.timer.now_blocking()?;
            latest = latest.max((woken - begin).saturating_sub(nap_ns));
            naps += 1;
        }
        Ok((naps, latest))
    }

    /// The counts once they have stopped changing: what was given up may take some time to come back.
    pub fn counts(&self) -> Result<Counts, CallError> {
        let (mut last, mut alike) = (self.look()?, 0);
        for _ in 0..PATIENCE {
            self.pause(PAUSE_NS);
            let now = self.look()?;
            alike = if now == last { alike + 1 } else { 0 };
            if alike == ALIKE {
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
        let audit = self.system.audit_blocking()?;
        Ok(Counts {
            free_pages: system.free_pages,
            kernel_pages: system.kernel_pages,
            processes: system.processes,
            threads: system.threads,
            own_pages: own.pages,
            own_slots: own.slots,
            objects: [audit.processes, audit.threads, audit.endpoints, audit.facets, audit.notifications],
        })
    }

    /// The counts once they are as they were, or when we have waited long enough for that.
    fn settled(&self, before: &Counts) -> Result<Counts, CallError> {
        let mut after = self.look()?;
        for _ in 0..PATIENCE {
            if after.lost(before).all(|(_, number)| number == 0) {
                break;
            }
            self.pause(PAUSE_NS);
            after = self.look()?;
        }
        Ok(after)
    }

    /// Fails the case if anything is gone since `before`, giving the system some time to come to rest.
    pub fn compare(&self, report: &Report, before: Counts) -> Result<(), CallError> {
        let after = self.settled(&before)?;
        for (name, number) in after.lost(&before).filter(|(_, number)| *number != 0) {
            report.check(name, false, number);
        }
        self.disorder(report).map(drop)
    }

    /// Goes over the books of every process; reports those that are not in order, and gives how many these are. What is at work may look
    /// wrong for a moment, so it is looked at again.
    pub fn disorder(&self, report: &Report) -> Result<u64, CallError> {
        let mut suspects = Vec::new();
        self.each_process(|books| suspects.extend((!books.wrong.is_empty()).then_some(books.id)))?;
        let mut wrong = 0;
        for id in suspects {
            let found = self.persistent_disorder(id)?;
            if !found.is_empty() {
                wrong += 1;
                report.check("books of a process", false, format_args!("{id}: {found}"));
            }
        }
        Ok(wrong)
    }

    /// What is wrong with the books of a process however often one looks; nothing when it has gone meanwhile.
    fn persistent_disorder(&self, id: u64) -> Result<String, CallError> {
        let mut found = String::new();
        for _ in 0..LOOKS {
            self.pause(PAUSE_NS);
            found = match self.system.audit_process_blocking(id) {
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(String::new()),
                books => {
                    Some(books?).filter(|books| books.id == id).map(|books| books.wrong).unwrap_or_default()
                }
            };
            if found.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// Hands the books of each process to `look`.
    pub fn each_process(&self, mut look: impl FnMut(&AuditProcessReply)) -> Result<(), CallError> {
        let mut cursor = 0;
        loop {
            let books = match self.system.audit_process_blocking(cursor) {
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(()),
                books => books?,
            };
            look(&books);
            cursor = books.id + 1;
        }
    }

    /// The counts now, though they may be changing.
    pub fn counts_now(&self) -> Result<Counts, CallError> {
        self.look()
    }

    /// Reports what is gone since `before`, giving the system some time to come to rest.
    pub fn report(&self, report: &Report, before: Counts) {
        let after = match self.settled(&before) {
            Ok(after) => after,
            Err(error) => return report.check("audit", false, format_args!("{error:?}")),
        };
        let fields = after.lost(&before).fold(Fields::new(), |fields, (name, lost)| fields.value(name, lost));
        let fields = fields
            .value("kernel_pages_grown", after.kernel_pages as i64 - before.kernel_pages as i64)
            .value("free_pages", after.free_pages);
        report.event("audit", fields);
    }
}
