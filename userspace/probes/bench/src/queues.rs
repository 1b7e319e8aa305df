//! Shared queues, and the wake-up alone.

use crate::events::{WAIT, notification, wait};
use crate::measure::{Bench, Region, middle};
use crate::primitives::bare_figure_at;
use alloc::vec::Vec;
use core::hint::black_box;
use core::mem::ManuallyDrop;
use probe::bare::Bare;
use probe::{Limits, Nursery};
use rt::abi::{Op, RingShape, Sqe};
use rt::generated::{MemoryObjectClient, NotificationClient, ProcessHandleClient};
use rt::queue::{Consumer, Producer, Wake};
use rt::schema::signaller;
use rt::shared::{Mapped, size};
use rt::time::{Mark, mark, ticks};
use rt::{CallError, CapId, Client, Env};

/// Words of an entry: 64 bytes.
const WORDS: usize = 8;
/// Entries of a queue.
const ENTRIES: u32 = 64;
/// Rounds of one sample.
const ROUNDS: u64 = 32;
/// Entries of a batch.
const BATCH: usize = 32;
/// Who is woken runs at once: it is above who wakes it.
const URGENT: u8 = 10;
/// Below that.
pub const PATIENT: u8 = 5;

const ENTRY: [u64; WORDS] = [1, 2, 3, 4, 5, 6, 7, 8];

/// All figures of queues.
pub fn all(bench: &Bench) -> Result<(), CallError> {
    push_pop(bench)?;
    signal_to_waiting(bench)?;
    wakeup(bench, "queue.wakeup.64B", 1)?;
    wakeup(bench, "queue.batch32.64B", BATCH)
}

fn object() -> Result<MemoryObjectClient, CallError> {
    let bytes = size::<WORDS>(ENTRIES).unwrap_or(0);
    rt::threads::memory().create_object_blocking(bytes)
}

/// `queue.push_pop.64B`: both sides on the same CPU, the consumer awake.
fn push_pop(bench: &Bench) -> Result<(), CallError> {
    if !bench.wants("queue.push_pop.64B") {
        return Ok(());
    }
    let object = object()?;
    let mut producer = Producer::new(Mapped::<WORDS>::map(&object, ENTRIES)?);
    let mut consumer = Consumer::new(Mapped::<WORDS>::map(&object, ENTRIES)?);
    let mut costs = Vec::with_capacity(bench.samples);
    let mut out = [0; WORDS];
    let mut wrong = 0;
    for _ in 0..bench.samples.max(1) {
        let region = Region::start();
        for _ in 0..ROUNDS {
            wrong += u64::from(producer.push(black_box(&ENTRY)) != Ok(Some(Wake::No)));
            wrong += u64::from(consumer.pop(&mut out) != Ok(Some(Wake::No)));
            black_box(&out);
        }
        costs.push(region.stop());
    }
    // Fresh memory says that the consumer waits: the first push alone is to wake it.
    bench.tell("queue.push_pop.64B", bench.cost(if wrong == 1 { middle(&mut costs) } else { 0 }, ROUNDS));
    Ok(())
}

/// A process above us that waits on its own notification, and what it shares with us.
fn sleeper(
    nursery: &Nursery,
    own: NotificationClient,
    object: &MemoryObjectClient,
    role: &str,
) -> Result<ProcessHandleClient, CallError> {
    let program = nursery.program("probe-bench")?;
    let limits = Limits { priority: URGENT, ..Limits::threads(2) };
    let child = nursery.child(&program, &limits, "sleeper")?.arg(role);
    child.give("own", NotificationClient::ID, own)?.lend("memory", object)?.start()
}

/// A process above us that waits on its own notification, and tells when it ran.
pub struct Stamper(ManuallyDrop<Consumer<WORDS, Mapped<WORDS>>>);

impl Stamper {
    /// One that waits for `own`.
    pub fn start(
        bench: &Bench,
        own: NotificationClient,
    ) -> Result<(Stamper, ProcessHandleClient), CallError> {
        let object = object()?;
        let handle = sleeper(&bench.nursery, own, &object, "--role=stamper")?;
        bench.audit.pause(2_000_000);
        let stamps = Consumer::new(Mapped::<WORDS>::map(&object, ENTRIES)?);
        Ok((Stamper(ManuallyDrop::new(stamps)), handle))
    }

    /// When it ran, in the order of the times.
    pub fn stamp(&mut self) -> Option<u64> {
        let mut out = [0; WORDS];
        let came = self.0.pop(&mut out).is_ok_and(|popped| popped.is_some());
        let [stamp, ..] = out;
        came.then_some(stamp)
    }

    /// How often it ran since it was asked last.
    pub fn stamps(&mut self) -> usize {
        core::iter::from_fn(|| self.stamp()).count()
    }
}

/// `notify.signal_to_waiting`: from the signal until a more urgent thread of another process that waits for it runs.
fn signal_to_waiting(bench: &Bench) -> Result<(), CallError> {
    if !bench.wants("notify.signal_to_waiting") {
        return Ok(());
    }
    let own = notification()?;
    let signaller = own.mint_blocking(1, 0)?;
    let signal = signaller.cap().id();
    let (mut stamper, handle) = Stamper::start(bench, own)?;
    // Here the region ends in the other process.
    bare_figure_at(bench, "notify.signal_to_waiting", PATIENT, 1, move |bare| {
        bare.prepare(&bell(signal));
        let mut cost = 0;
        for _ in 0..ROUNDS {
            mark(Mark::Start);
            let start = ticks();
            let stamp = if ring_again(bare) { stamper.stamp() } else { None };
            // A signal after which nobody ran has no cost worth reporting.
            let Some(ticks) = stamp.and_then(|stamp| stamp.checked_sub(start)) else { return 0 };
            cost += ticks;
        }
        cost / ROUNDS
    })?;
    handle.kill_blocking()
}

/// Pushes `batch` entries to a process above us that sleeps, which takes them and goes to sleep again: the cost of each entry.
fn wakeup(bench: &Bench, name: &'static str, batch: usize) -> Result<(), CallError> {
    if !bench.wants(name) {
        return Ok(());
    }
    let own = notification()?;
    let signaller = own.mint_blocking(1, 0)?;
    let signal = signaller.cap().id();
    let object = object()?;
    let handle = sleeper(&bench.nursery, own, &object, "--role=sleeper")?;
    bench.audit.pause(2_000_000);
    // A raw thread cannot unmap: the mapping stays until we end.
    let mut producer = ManuallyDrop::new(Producer::new(Mapped::<WORDS>::map(&object, ENTRIES)?));
    bare_figure_at(bench, name, PATIENT, ROUNDS * batch as u64, move |bare| {
        bare.prepare(&bell(signal));
        let entries = [ENTRY; BATCH];
        let entries = entries.get(..batch).unwrap_or_default();
        let region = Region::start();
        let mut taken = 0;
        for _ in 0..ROUNDS {
            let pushed = producer.push_all(black_box(entries));
            if pushed == Ok((batch, Wake::Yes)) && ring_again(bare) {
                taken += 1;
            }
        }
        let cost = region.stop();
        // Whoever was woken has taken everything before we went on.
        if taken == ROUNDS && producer.room() == Ok(ENTRIES) { cost } else { 0 }
    })?;
    handle.kill_blocking()
}

/// The call that signals.
fn bell(signal: CapId) -> Sqe {
    Sqe {
        op: Op::Call as u8,
        method: signaller::SIGNAL,
        user_data: WAIT,
        cap: signal.raw(),
        interface: signaller::INTERFACE_ID,
        ..Sqe::default()
    }
}

/// Signals, and waits for the answer.
pub fn ring(bare: &mut Bare<'_>, signal: CapId) -> bool {
    bare.submit(&bell(signal));
    rung(bare)
}

/// The same with what was prepared.
fn ring_again(bare: &mut Bare<'_>) -> bool {
    bare.again();
    rung(bare)
}

fn rung(bare: &mut Bare<'_>) -> bool {
    bare.ring.enter(1, rt::sys::FOREVER) == 1 && bare.pop().is_some_and(|cqe| cqe.outcome() == 0)
}

/// The process above: takes what there is, and sleeps.
pub fn sleep_forever(mut env: Env) -> i64 {
    let Ok(object) = env.client::<MemoryObjectClient>("memory") else { return 2 };
    let Ok(mapped) = Mapped::<WORDS>::map(&object, ENTRIES) else { return 3 };
    let mut consumer = ManuallyDrop::new(Consumer::new(mapped));
    let own = CapId::granted(0);
    let served = rt::raw::spawn(RingShape::DEFAULT, URGENT, move |ring| {
        let mut bare = Bare::new(ring);
        let mut out = [[0; WORDS]; BATCH];
        bare.prepare(&wait(own));
        loop {
            while consumer.pop_all(&mut out).is_ok_and(|(count, _)| count > 0) {
                black_box(&out);
            }
            if consumer.may_sleep() == Ok(true) {
                bare.again();
                bare.ring.enter(1, rt::sys::FOREVER);
                bare.pop();
            }
        }
    });
    i64::from(served.and_then(rt::threads::JoinHandle::join).is_err())
}

/// The process above that tells when it runs.
pub fn stamp_forever(mut env: Env) -> i64 {
    let Ok(object) = env.client::<MemoryObjectClient>("memory") else { return 2 };
    let Ok(mapped) = Mapped::<WORDS>::map(&object, ENTRIES) else { return 3 };
    let mut stamps = ManuallyDrop::new(Producer::new(mapped));
    let own = CapId::granted(0);
    let served = rt::raw::spawn(RingShape::DEFAULT, URGENT, move |ring| {
        let mut bare = Bare::new(ring);
        bare.prepare(&wait(own));
        loop {
            bare.again();
            bare.ring.enter(1, rt::sys::FOREVER);
            let stamp = ticks();
            mark(Mark::Stop);
            bare.pop();
            let _ = stamps.push(&[stamp, 0, 0, 0, 0, 0, 0, 0]);
        }
    });
    i64::from(served.and_then(rt::threads::JoinHandle::join).is_err())
}
