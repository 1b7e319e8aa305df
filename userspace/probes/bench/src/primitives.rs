//! What one process measures by itself.

use crate::measure::{Bench, Region, middle};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Limits;
use probe::bare::Bare;
use rt::CallError;
use rt::abi::{Op, RingShape, Sqe};
use rt::schema::timer;
use rt::threads;

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
    mut cost: impl FnMut(&mut Bare<'_>) -> u64 + Send + 'static,
) -> Result<(), CallError> {
    if !bench.wants(name) {
        return Ok(());
    }
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
    bench.tell(name, bench.cost(found.load(Ordering::Relaxed), operations));
    Ok(())
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
    bare_figure(bench, "call.kernel_null", BATCH, move |bare| calls_of_nothing(bare, cap))
}

fn calls_of_nothing(bare: &mut Bare<'_>, cap: u64) -> u64 {
    bare.prepare(&Sqe {
        op: Op::Call as u8,
        method: timer::SLEEP_UNTIL,
        user_data: NULL,
        cap,
        interface: timer::INTERFACE_ID,
        ..Sqe::default()
    });
    let region = Region::start();
    for _ in 0..BATCH {
        bare.again();
        bare.ring.enter(1, rt::sys::FOREVER);
        if !bare.pop().is_some_and(|cqe| cqe.user_data == NULL && cqe.outcome() == 0) {
            return 0;
        }
    }
    region.stop()
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

/// `thread.yield_round_trip`: to a thread of another process and back.
pub fn yields(bench: &Bench) -> Result<(), CallError> {
    let program = bench.nursery.program("probe-bench")?;
    let child = bench.nursery.child(&program, &Limits::SMALL, "yield")?.arg("--role=yield").start()?;
    bench.audit.pause(2_000_000);
    bench.figure("thread.yield_round_trip", || {
        threads::yield_now();
        Ok(())
    })?;
    child.kill_blocking()
}
