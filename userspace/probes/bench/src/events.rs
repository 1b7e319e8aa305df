//! Notifications between processes, on bare rings.

use crate::measure::{Bench, Region};
use crate::primitives::bare_figure;
use probe::bare::Bare;
use probe::{Limits, factory};
use rt::abi::{Op, RingShape, Sqe};
use rt::generated::{NotificationClient, ProcessHandleClient, SignallerClient};
use rt::{CallError, CapId, Client};

/// Rounds of one sample.
const ROUNDS: u64 = 32;
/// `user_data` of a wait.
pub const WAIT: u64 = 2;

/// What one side holds: its own notification, and a signaller of the other's.
#[derive(Clone, Copy)]
struct Ends {
    own: CapId,
    other: CapId,
}

/// Prepares to signal the other side and to wait for its signal, in one submission.
fn prepare(bare: &mut Bare<'_>, ends: Ends) {
    bare.prepare(&Sqe { interface: ends.other.raw(), ..wait(ends.own) });
}

fn signal_and_wait(bare: &mut Bare<'_>) -> bool {
    bare.again();
    waited(bare)
}

/// The wait for one's own bits.
pub fn wait(own: CapId) -> Sqe {
    Sqe { op: Op::Wait as u8, user_data: WAIT, cap: own.raw(), ..Sqe::default() }
}

/// Sleeps until the wait that was submitted is over. False when it did not bring a bit.
fn waited(bare: &mut Bare<'_>) -> bool {
    bare.ring.enter(1, rt::sys::FOREVER) == 1
        && bare.pop().is_some_and(|cqe| cqe.user_data == WAIT && cqe.outcome() == 0 && cqe.badge == 1)
}

/// `notify.round_trip`: a signal to a thread of another process that waits, and its signal back.
pub fn round_trip(bench: &Bench) -> Result<(), CallError> {
    if !bench.wants("notify.round_trip") {
        return Ok(());
    }
    let (own, theirs) = (notification()?, notification()?);
    let to_us = own.mint_blocking(1, 0)?;
    let to_them = theirs.mint_blocking(1, 0)?;
    let handle = partner(bench, theirs, to_us)?;
    let ends = Ends { own: own.cap().id(), other: to_them.cap().id() };
    bare_figure(bench, "notify.round_trip", ROUNDS, move |bare| {
        prepare(bare, ends);
        let region = Region::start();
        let done = (0..ROUNDS).filter(|_| signal_and_wait(bare)).count() as u64;
        if done == ROUNDS { region.stop() } else { 0 }
    })?;
    handle.kill_blocking()
}

/// A new notification.
pub fn notification() -> Result<NotificationClient, CallError> {
    factory().create_notification_blocking()
}

fn partner(
    bench: &Bench,
    own: NotificationClient,
    other: SignallerClient,
) -> Result<ProcessHandleClient, CallError> {
    let program = bench.nursery.program("probe-bench")?;
    let child = bench.nursery.child(&program, &Limits::threads(2), "partner")?.arg("--role=partner");
    let child = child.give("own", NotificationClient::ID, own)?.give("other", SignallerClient::ID, other)?;
    let handle = child.start()?;
    bench.audit.pause(2_000_000);
    Ok(handle)
}

/// The other side: waits, and signals back, for ever.
pub fn answer_forever() -> i64 {
    let served = rt::raw::spawn(RingShape::DEFAULT, 10, |ring| {
        let mut bare = Bare::new(ring);
        let ends = Ends { own: CapId::granted(0), other: CapId::granted(1) };
        bare.submit(&wait(ends.own));
        let mut going = waited(&mut bare);
        prepare(&mut bare, ends);
        while going {
            going = signal_and_wait(&mut bare);
        }
    });
    i64::from(served.and_then(rt::threads::JoinHandle::join).is_err())
}
