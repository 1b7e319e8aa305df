//! What one process measures by itself.

use crate::measure::{Bench, Cost, Region, middle};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Limits;
use probe::bare::Bare;
use rt::abi::{Op, RingShape, Sqe};
use rt::schema::{thread_control, timer};
use rt::threads;
use rt::{CallError, CapId};

/// Submissions of one batch.
const BATCH: u64 = 32;
/// `user_data` of null calls.
const NULL: u64 = 9;

/// `ring.nop.batch32`: 32 NOPs in one `cap_enter`, completions taken, each.
pub fn nops(bench: &Bench) -> Result<(), CallError> {
    bare_figure(bench, "ring.nop.batch32", BATCH, nop_batch)
}

/// The median of what `cost` finds on a bare thread: the ticks of a region, or 0 where that did not do its work, which has no cost
/// worth reporting.
pub fn bare_figure(
    bench: &Bench,
    name: &'static str,
    operations: u64,
    cost: impl FnMut(&mut Bare<'_>) -> u64 + Send + 'static,
) -> Result<(), CallError> {
    bare_figure_at(bench, name, 10, operations, cost)
}

/// The same on a thread of that priority.
pub fn bare_figure_at(
    bench: &Bench,
    name: &'static str,
    priority: u8,
    operations: u64,
    cost: impl FnMut(&mut Bare<'_>) -> u64 + Send + 'static,
) -> Result<(), CallError> {
    if bench.wants(name) {
        bench.tell(name, bare_cost(bench, priority, operations, cost)?);
    }
    Ok(())
}

/// What it costs, and nothing told.
pub fn bare_cost(
    bench: &Bench,
    priority: u8,
    operations: u64,
    mut cost: impl FnMut(&mut Bare<'_>) -> u64 + Send + 'static,
) -> Result<Cost, CallError> {
    let found = Arc::new(AtomicU64::new(0));
    let (theirs, samples) = (found.clone(), bench.samples);
    // A raw thread must not make the heap grow: the room is made here.
    let mut costs = Vec::with_capacity(samples);
    let thread = rt::raw::spawn(RingShape::DEFAULT, priority, move |ring| {
        let mut bare = Bare::new(ring);
        for _ in 0..samples.max(1) {
            costs.push(cost(&mut bare));
        }
        theirs.store(middle(&mut costs), Ordering::Relaxed);
    })?;
    thread.join()?;
    Ok(bench.cost(found.load(Ordering::Relaxed), operations))
}

fn nop_batch(bare: &mut Bare<'_>) -> u64 {
    let region = Region::start();
    bare.submit_all((0..BATCH).map(|user_data| Sqe { user_data, ..Sqe::default() }));
    bare.ring.enter(BATCH, rt::sys::FOREVER);
    let mut taken = 0;
    bare.take_all(|cqe| taken += u64::from(cqe.result == 0));
    if taken == BATCH { region.stop() } else { 0 }
}

/// `call.kernel_null`: a call that carries nothing and gets nothing, `Timer.sleepUntil` of what has passed, on a bare ring.
pub fn null_call(bench: &Bench) -> Result<(), CallError> {
    let cap = bench.audit.timer().cap().id().raw();
    bare_figure(bench, "call.kernel_null", BATCH, move |bare| {
        calls_of_nothing(bare, cap, timer::INTERFACE_ID, timer::SLEEP_UNTIL)
    })
}

/// Calls of a kernel object that carry nothing and get nothing: their ticks, or 0 where one was refused.
fn calls_of_nothing(bare: &mut Bare<'_>, cap: u64, interface: u64, method: u16) -> u64 {
    prepare_nothing(bare, cap, interface, method);
    let region = Region::start();
    if (0..BATCH).all(|_| call_nothing(bare)) { region.stop() } else { 0 }
}

fn prepare_nothing(bare: &mut Bare<'_>, cap: u64, interface: u64, method: u16) {
    bare.prepare(&Sqe { op: Op::Call as u8, method, user_data: NULL, cap, interface, ..Sqe::default() });
}

#[inline]
fn call_nothing(bare: &mut Bare<'_>) -> bool {
    bare.again();
    bare.ring.enter(1, rt::sys::FOREVER);
    bare.pop().is_some_and(|cqe| cqe.user_data == NULL && cqe.outcome() == 0)
}

const YIELD: (u64, u64, u16) =
    (CapId::SELF_THREADS.raw(), thread_control::INTERFACE_ID, thread_control::YIELD);

/// Gives the processor back as soon as it gets it, until that is refused.
pub fn yield_by_hand(bare: &mut Bare<'_>) {
    let (cap, interface, method) = YIELD;
    prepare_nothing(bare, cap, interface, method);
    while call_nothing(bare) {}
}

/// `call.kernel_typed`: `Timer.now` through the typed client, the cheapest call with an answer; and `ThreadControl.yield` alone.
pub fn typed_calls(bench: &Bench) -> Result<(), CallError> {
    let timer = bench.audit.timer();
    bench.figure("call.kernel_typed", || timer.now_blocking().map(|_| ()))?;
    bench.figure("call.yield_alone", || {
        threads::yield_now();
        Ok(())
    })
}

/// `proc.spawn_to_exit`: from `create` of the smallest program to the answer of `wait`, everything taken back.
pub fn spawn(bench: &Bench) -> Result<(), CallError> {
    let program = bench.nursery.program("probe-spawn")?;
    bench.figure("proc.spawn_to_exit", || {
        let child = bench.nursery.child(&program, &Limits::SMALL, "null")?;
        child.start()?.wait_blocking().map(|_| ())
    })
}

/// `thread.yield_round_trip`: to a thread of another process and back, on bare rings and with the runtime.
pub fn yields(bench: &Bench) -> Result<(), CallError> {
    let program = bench.nursery.program("probe-bench")?;
    let child = bench.nursery.child(&program, &Limits::SMALL, "yield")?.arg("--role=yield").start()?;
    bench.audit.pause(2_000_000);
    bench.figure("thread.yield_round_trip_runtime", || {
        threads::yield_now();
        Ok(())
    })?;
    child.kill_blocking()?;
    let child =
        bench.nursery.child(&program, &Limits::threads(2), "yield")?.arg("--role=yield-bare").start()?;
    bench.audit.pause(2_000_000);
    let (cap, interface, method) = YIELD;
    bare_figure(bench, "thread.yield_round_trip", BATCH, move |bare| {
        calls_of_nothing(bare, cap, interface, method)
    })?;
    child.kill_blocking()
}
