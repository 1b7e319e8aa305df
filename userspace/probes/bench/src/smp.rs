//! The same work at once on several processors, each part of it in processes of its own: what it takes together.

use crate::calls;
use crate::events::{WAIT, notification, wait};
use crate::measure::{Bench, Region};
use crate::memory::Rounds;
use crate::queues;
use crate::servers::INTERFACE;
use alloc::format;
use alloc::vec::Vec;
use core::hint::black_box;
use probe::bare::Bare;
use probe::{Fields, Limits, number, options};
use rt::abi::{CapId, Op, PAGE_SIZE, RingShape, Sqe};
use rt::generated::{MemoryObjectClient, NotificationClient, ProcessHandleClient, SignallerClient};
use rt::schema::notification as interface;
use rt::{CallError, Client, Env};

/// Polls of one unit of work.
const POLLS: u32 = 4;
/// Steps of computing of one unit of work.
const STEPS: u64 = 300;
/// The bit that is set when a member ends.
const LOST: u64 = 1 << 63;

/// Members that wait to be let go, and what they signal when they have done their part.
struct Crew {
    what: &'static str,
    units: u64,
    go: Vec<SignallerClient>,
    done: NotificationClient,
    processes: Vec<ProcessHandleClient>,
}

/// `--work=N,N` and `--pairs=N,N`: so many members at once, each of them `--units=N`; all that `--times=N`. The first time everything is
/// still cold.
pub fn all(bench: &Bench, env: &Env) -> Result<(), CallError> {
    let (units, times) = (number(env, "units", 1000), number(env, "times", 3));
    if let Some(counts) = options::text(env, "work") {
        measure(bench, &numbers(counts), times, Crew::new("work", units)?, add_worker)?;
    }
    if let Some(counts) = options::text(env, "pairs") {
        measure(bench, &numbers(counts), times, Crew::new("pairs", units)?, add_pair)?;
    }
    Ok(())
}

fn numbers(text: &str) -> Vec<usize> {
    text.split(',').filter_map(|number| number.parse().ok()).collect()
}

type Add = fn(&Bench, &mut Crew) -> Result<(), CallError>;

fn measure(bench: &Bench, counts: &[usize], times: u64, mut crew: Crew, add: Add) -> Result<(), CallError> {
    for _ in 0..counts.iter().copied().max().unwrap_or(0) {
        add(bench, &mut crew)?;
    }
    bench.audit.pause(5_000_000);
    for _ in 0..times {
        for count in counts {
            crew.run(bench, *count)?;
        }
    }
    crew.processes.iter().try_for_each(ProcessHandleClient::kill_blocking)
}

impl Crew {
    fn new(what: &'static str, units: u64) -> Result<Crew, CallError> {
        Ok(Crew { what, units, go: Vec::new(), done: notification()?, processes: Vec::new() })
    }

    /// Lets the first `count` members do their part, and reports what that took together.
    fn run(&self, bench: &Bench, count: usize) -> Result<(), CallError> {
        let wanted = (1 << count) - 1;
        let mut done = 0;
        let region = Region::start();
        for go in self.go.iter().take(count) {
            go.signal_blocking()?;
        }
        while done & (wanted | LOST) != wanted {
            if done & LOST != 0 {
                return Err(CallError::MissingCap);
            }
            done |= self.done.wait_blocking()?;
        }
        let cost = bench.cost(region.stop(), self.units * count as u64);
        let fields = Fields::new().text("what", self.what).value("members", count).value("ticks", cost.ticks);
        let fields = fields.value("series", cost.series()).value("operations", cost.operations);
        bench.report.event("together", fields);
        Ok(())
    }

    /// A process that is let go by a signal, and what it holds for its work.
    fn add(
        &mut self,
        bench: &Bench,
        role: &str,
        interface: u64,
        tool: impl Into<rt::Outgoing>,
    ) -> Result<(), CallError> {
        let program = bench.nursery.program("probe-bench")?;
        let own = notification()?;
        let done = self.done.mint_blocking(1 << self.go.len(), LOST)?;
        self.go.push(own.mint_blocking(1, 0)?);
        let child = bench.nursery.child(&program, &Limits::threads(2), "member")?.arg(role);
        let child = child.arg(&format!("--units={}", self.units));
        let child = child.give("own", NotificationClient::ID, own)?;
        let child = child.give("done", SignallerClient::ID, done)?.give("tool", interface, tool)?;
        self.processes.push(child.start()?);
        Ok(())
    }
}

fn add_worker(bench: &Bench, crew: &mut Crew) -> Result<(), CallError> {
    let object = rt::threads::memory().create_object_blocking(PAGE_SIZE as u64)?;
    crew.add(bench, "--role=worker", MemoryObjectClient::ID, object)
}

fn add_pair(bench: &Bench, crew: &mut Crew) -> Result<(), CallError> {
    let (server, facet) = calls::server(bench, "--role=bare")?;
    crew.add(bench, "--role=caller", INTERFACE, facet)?;
    // Behind its caller: that is killed first.
    crew.processes.push(server);
    Ok(())
}

/// What a member holds, in the order of its grants.
const OWN: CapId = CapId::granted(0);
const DONE: CapId = CapId::granted(1);
const TOOL: CapId = CapId::granted(2);

/// Does its part, whenever it is let go, with `part`: false ends it.
fn member(part: impl FnMut(&mut Bare<'_>) -> bool + Send + 'static) -> i64 {
    let mut part = part;
    let served = rt::raw::spawn(RingShape::DEFAULT, 10, move |ring| {
        let mut bare = Bare::new(ring);
        loop {
            bare.submit(&wait(OWN));
            bare.ring.enter(1, rt::sys::FOREVER);
            let woken = bare.pop().is_some_and(|cqe| cqe.user_data == WAIT && cqe.result >= 0);
            if !(woken && part(&mut bare) && queues::ring(&mut bare, DONE)) {
                return;
            }
        }
    });
    i64::from(served.and_then(rt::threads::JoinHandle::join).is_err())
}

/// Computes, calls the kernel, and maps, touches and unmaps a page: each unit.
pub fn work_forever(env: &Env) -> i64 {
    let units = number(env, "units", 1000);
    member(move |bare| {
        let rounds = Rounds::prepare(bare, TOOL);
        (0..units).all(|seed| {
            compute(seed);
            (0..POLLS).all(|_| poll(bare)) && rounds.one(bare)
        })
    })
}

/// Calls its server, each unit once.
pub fn call_forever(env: &Env) -> i64 {
    let units = number(env, "units", 1000);
    member(move |bare| {
        (0..units).all(|_| {
            bare.submit(&Sqe { op: Op::Call as u8, cap: TOOL.raw(), interface: INTERFACE, ..Sqe::default() });
            bare.ring.enter(1, rt::sys::FOREVER);
            bare.pop().is_some_and(|cqe| cqe.outcome() == 0)
        })
    })
}

fn compute(seed: u64) {
    let mixed = (0..STEPS).fold(seed, |state, step| {
        black_box((state ^ step).rotate_left(13).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    });
    black_box(mixed);
}

fn poll(bare: &mut Bare<'_>) -> bool {
    bare.submit(&Sqe {
        op: Op::Call as u8,
        method: interface::POLL,
        cap: OWN.raw(),
        interface: interface::INTERFACE_ID,
        reply_off: probe::bare::REPLY,
        reply_len: 64,
        ..Sqe::default()
    });
    bare.ring.enter(1, rt::sys::FOREVER);
    bare.pop().is_some_and(|cqe| cqe.result >= 0 && cqe.flags == 0)
}
