//! What one process measures by itself.

use crate::measure::{Bench, middle};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Limits;
use probe::bare::Bare;
use rt::CallError;
use rt::abi::{Op, RingShape, Sqe};
use rt::schema::timer;
use rt::threads;
use rt::time::ticks;

/// Submissions of one batch.
const BATCH: u64 = 32;
/// `user_data` of null calls.
const NULL: u64 = 9;

/// `ring.nop.batch32`: 32 NOPs in one `cap_enter`, completions taken, each.
pub fn nops(bench: &Bench) -> Result<(), CallError> {
    bare_figure(bench, "ring.nop.batch32", |bare| nop_batch(bare) / BATCH)
}

/// The median of what `cost` finds on a bare thread.
pub fn bare_figure(
    bench: &Bench,
    name: &'static str,
    cost: impl FnMut(&mut Bare<'_>) -> u64 + Send + 'static,
) -> Result<(), CallError> {
    bare_figure_at(bench, name, 10, cost)
}

/// The same on a thread of that priority.
pub fn bare_figure_at(
    bench: &Bench,
    name: &'static str,
    priority: u8,
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
    bench.report.figure(name, found.load(Ordering::Relaxed));
    Ok(())
}

fn nop_batch(bare: &mut Bare<'_>) -> u64 {
    let start = ticks();
    bare.submit_all((0..BATCH).map(|user_data| Sqe { user_data, ..Sqe::default() }));
    bare.ring.enter(BATCH, rt::sys::FOREVER);
    let mut taken = 0;
    bare.take_all(|cqe| taken += u64::from(cqe.result == 0));
    // A batch that did not do its work has no cost worth reporting.
    if taken == BATCH { ticks() - start } else { 0 }
}

/// `call.kernel_null`: a call that carries nothing and gets nothing, `Timer.sleepUntil` of what has passed, on a bare ring.
pub fn null_call(bench: &Bench) -> Result<(), CallError> {
    let cap = bench.audit.timer().cap().id().raw();
    bare_figure(bench, "call.kernel_null", move |bare| calls_of_nothing(bare, cap) / BATCH)
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
    let start = ticks();
    for _ in 0..BATCH {
        bare.again();
        bare.ring.enter(1, rt::sys::FOREVER);
        // Calls that did not do their work have no cost worth reporting.
        if !bare.pop().is_some_and(|cqe| cqe.user_data == NULL && cqe.outcome() == 0) {
            return 0;
        }
    }
    ticks() - start
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
