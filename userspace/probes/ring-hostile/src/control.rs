//! Starts everybody, counts, and judges by what the witness and the system say.

use crate::stats::{EXCEPTIONS, KINDS, UNTYPED};
use crate::{to_control, to_server, witness};
use alloc::format;
use core::mem::ManuallyDrop;
use probe::child::Program;
use probe::mutate::Rng;
use probe::{Audit, Fields, Limits, Nursery, Report, echo, factory, number};
use rt::generated::{
    EndpointClient, EntropySourceClient, LogReaderClient, ProcessHandleClient, WallClockClient,
};
use rt::schema::process_handle::{ExitReason, WaitResults};
use rt::serve::{Event, Receiver};
use rt::threads::memory;
use rt::{CallError, Cap, Client, Either, Env, EnvError, Request, TransportError, block_on, select};

/// Entries between two reports.
const PROGRESS: u64 = 1_000_000;
/// Calls that may wait at an endpoint: the hostile process may fill it.
const DEPTH: u32 = 256;
/// Entries after which a hostile process is replaced: it has given up most of what it had. Every other one is killed in the middle
/// of what it does.
const LIFE: u64 = 200_000;
/// Badge of the hostile process.
const HOSTILE: u64 = 2;

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
    log_reader: LogReaderClient,
    wall_clock: WallClockClient,
    entropy: EntropySourceClient,
    entries: u64,
    warm_up: u64,
    threads: u64,
    seed: u64,
}

/// What came in during a round.
#[derive(Default)]
struct Seen {
    /// Entries, corrupt indices, completions by kind.
    counts: [u64; KINDS + 2],
    /// Rounds, wrong answers, failed calls, damaged words, as the witness last said.
    witness: [u64; 4],
    incarnations: u64,
    faulted: u64,
    killed: u64,
    strangers: u64,
}

/// Everything.
pub fn run(mut env: Env) -> i64 {
    match setup(&mut env) {
        Ok(setup) => {
            let done = all(&setup);
            if let Err(error) = &done {
                setup.report.check("hostile", false, error);
            }
            setup.report.finish(u8::from(done.is_err()))
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup {
        entries: number(env, "entries", 10_000_000),
        warm_up: number(env, "warm-up", 500_000),
        threads: number(env, "threads", 3),
        seed: number(env, "seed", 1),
        report: Report::new(env)?,
        nursery: Nursery::new(env)?,
        audit: Audit::new(env)?,
        log_reader: env.client("log_reader")?,
        wall_clock: env.client("wall_clock")?,
        entropy: env.client("entropy")?,
    })
}

fn all(setup: &Setup) -> Result<(), CallError> {
    // The first round is to warm up: the kernel's heap then has the size that such a load needs.
    round(setup, setup.warm_up, setup.seed ^ 0xffff)?;
    let before = setup.audit.counts()?;
    let seen = round(setup, setup.entries, setup.seed)?;
    tell(setup, &seen);
    setup.audit.report(&setup.report, before);
    Ok(())
}

fn tell(setup: &Setup, seen: &Seen) {
    let [rounds, wrong, failed, damaged] = seen.witness;
    let [entries, corrupt, ..] = seen.counts;
    let kind = |n: usize| seen.counts.get(n + 2).copied().unwrap_or(0);
    let error = |error: TransportError| kind(error.code().unsigned_abs() as usize);
    let fields = Fields::new()
        .value("entries", entries)
        .value("threads", setup.threads)
        .value("incarnations", seen.incarnations)
        .value("faults", seen.faulted)
        .value("killed", seen.killed)
        .value("corrupt_rings", corrupt)
        .value("succeeded", kind(0))
        .value("exceptions", kind(EXCEPTIONS))
        .value("untyped", kind(UNTYPED))
        .value("invalid_cap", error(TransportError::InvalidCap))
        .value("invalid_argument", error(TransportError::InvalidArgument))
        .value("wrong_interface", error(TransportError::WrongInterface))
        .value("bad_message", error(TransportError::BadMessage))
        .value("unknown_op", error(TransportError::UnknownOp))
        .value("stale_token", error(TransportError::StaleToken))
        .value("in_flight", error(TransportError::TooManyInFlight))
        .value("canceled", error(TransportError::Canceled))
        .value("strangers_calls", seen.strangers)
        .value("neighbour_rounds", rounds)
        .value("neighbour_ok", wrong + failed + damaged == 0)
        .value("neighbour_wrong", wrong)
        .value("neighbour_failed", failed)
        .value("neighbour_damaged", damaged);
    setup.report.event("hostile.done", fields);
}

/// What all children are made of.
struct Cast<'s> {
    setup: &'s Setup,
    program: Program,
    /// The receiver's endpoint by another name, which must not be released.
    control: ManuallyDrop<EndpointClient>,
    server: EndpointClient,
    /// What tells the reports of the hostile process from what its other threads send us.
    secret: u64,
}

impl Cast<'_> {
    fn server(&self) -> Result<ProcessHandleClient, CallError> {
        let limits = Limits { priority: 9, endpoint_entries: 0, ..Limits::threads(1) };
        let child = self.setup.nursery.child(&self.program, &limits, "server")?.arg("--role=server");
        child.lend("serve", &self.server)?.start()
    }

    fn witness(&self) -> Result<ProcessHandleClient, CallError> {
        let limits = Limits { priority: 8, ..Limits::threads(1) };
        let child = self.setup.nursery.child(&self.program, &limits, "witness")?.arg("--role=witness");
        let (server, control) = self.facets(witness::WITNESS)?;
        child
            .give("server", echo::INTERFACE, server)?
            .give("control", echo::INTERFACE, control)?
            .lend("timer", self.setup.audit.timer())?
            .start()
    }

    fn hostile(&self, seed: u64) -> Result<ProcessHandleClient, CallError> {
        let setup = self.setup;
        let threads = setup.threads as u32 + 4;
        let limits = Limits {
            memory_pages: 2048,
            cap_slots: 128,
            endpoint_entries: 256,
            priority: 8,
            log_bytes: 0,
            ..Limits::threads(threads)
        };
        let child = setup.nursery.child(&self.program, &limits, "hostile")?.arg("--role=hostile");
        let child = child.arg(&format!("--threads={}", setup.threads)).arg(&format!("--seed={seed}"));
        let child = child.arg(&format!("--secret={}", self.secret));
        let (server, control) = self.facets(HOSTILE)?;
        child
            .give("control", echo::INTERFACE, control)?
            .give("server", echo::INTERFACE, server)?
            .give("object", rt::generated::MemoryObjectClient::ID, memory().create_object_blocking(0x4000)?)?
            .lend("timer", setup.audit.timer())?
            .lend("system", setup.audit.system())?
            .lend("boot", setup.nursery.boot())?
            .lend("log_reader", &setup.log_reader)?
            .lend("wall_clock", &setup.wall_clock)?
            .lend("entropy", &setup.entropy)?
            .start()
    }

    /// Facets of the server and of ourselves with that badge.
    fn facets(&self, badge: u64) -> Result<(Cap, Cap), CallError> {
        let server = self.server.mint_blocking(badge, echo::INTERFACE)?;
        Ok((server, self.control.mint_blocking(badge, echo::INTERFACE)?))
    }
}

fn endpoint() -> Result<EndpointClient, CallError> {
    factory().create_blocking(DEPTH)
}

/// Lets the hostile process have its way until `entries` entries were taken.
fn round(setup: &Setup, entries: u64, seed: u64) -> Result<Seen, CallError> {
    let program = setup.nursery.program("probe-ring-hostile")?;
    let mut receiver = Receiver::new(endpoint()?.into_cap(), 2);
    let control = ManuallyDrop::new(EndpointClient::from(Cap::from_id(receiver.endpoint().id())));
    let secret = Rng::new(seed ^ rt::time::ticks()).draw();
    let cast = Cast { setup, program, control, server: endpoint()?, secret };
    let server = cast.server()?;
    let witness = cast.witness()?;
    let mut seen = Seen::default();
    while entries_of(&seen) < entries {
        let goal = entries.min(entries_of(&seen) + LIFE);
        let hostile = cast.hostile(seed.wrapping_add(seen.incarnations << 20))?;
        seen.incarnations += 1;
        let end = block_on(attend(&cast, &mut receiver, &hostile, &mut seen, goal))?;
        seen.faulted += u64::from(end.reason == ExitReason::Faulted);
        seen.killed += u64::from(end.reason == ExitReason::Killed);
    }
    let facet = cast.server.mint_blocking(HOSTILE + 1, echo::INTERFACE)?;
    [seen.strangers] = echo::call(&facet, to_server::STRANGERS, &[])?;
    witness.kill_blocking()?;
    server.kill_blocking()?;
    Ok(seen)
}

fn entries_of(seen: &Seen) -> u64 {
    seen.counts.first().copied().unwrap_or(0)
}

/// Answers reports until the hostile process ends, by itself or by us.
async fn attend(
    cast: &Cast<'_>,
    receiver: &mut Receiver,
    hostile: &ProcessHandleClient,
    seen: &mut Seen,
    goal: u64,
) -> Result<WaitResults, CallError> {
    let mut wait = core::pin::pin!(hostile.wait());
    loop {
        match select(receiver.next(), wait.as_mut()).await {
            Either::First(event) => {
                if let Event::Call(request) = event? {
                    note(cast, request, seen, goal);
                }
                if entries_of(seen) >= goal && seen.incarnations.is_multiple_of(2) {
                    hostile.kill().await?;
                }
            }
            Either::Second(end) => return end,
        }
    }
}

/// One report.
fn note(cast: &Cast<'_>, request: Request, seen: &mut Seen, goal: u64) {
    let badge = request.context().badge();
    let secret = echo::word(request.bytes(), 0) == cast.secret;
    match (request.method(), badge) {
        (to_control::PROGRESS, HOSTILE) if secret => {
            let before = entries_of(seen);
            for (n, count) in seen.counts.iter_mut().enumerate() {
                *count += echo::word(request.bytes(), n + 1);
            }
            let now = entries_of(seen);
            if now / PROGRESS != before / PROGRESS {
                cast.setup.report.event("hostile.progress", Fields::new().value("entries", now));
            }
            echo::answer(request, &[u64::from(now >= goal && !seen.incarnations.is_multiple_of(2))]);
        }
        (to_control::WITNESSED, witness::WITNESS) => {
            for (n, count) in seen.witness.iter_mut().enumerate() {
                *count = echo::word(request.bytes(), n);
            }
            echo::answer(request, &[0]);
        }
        // The hostile process may call us with anything.
        _ => request.fail(rt::ExceptionCode::Unsupported.into()),
    }
}
