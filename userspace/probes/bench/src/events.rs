//! Notifications between processes, on bare rings.

use crate::measure::{Bench, Region};
use crate::primitives::bare_figure;
use probe::bare::Bare;
use probe::{Limits, factory};
use rt::abi::{Op, RingShape, Sqe};
use rt::generated::{NotificationClient, ProcessHandleClient, SignallerClient};
use rt::schema::{notification, signaller};
use rt::{CallError, CapId, Client};

/// Rounds of one sample.
const ROUNDS: u64 = 32;
/// Where the bits come.
const BITS: u32 = 0x1000;
/// `user_data` of the two operations.
const SIGNAL: u64 = 1;
pub const WAIT: u64 = 2;

/// What one side holds: its own notification, and a signaller of the other's.
#[derive(Clone, Copy)]
struct Ends {
    own: CapId,
    other: CapId,
}

/// Signals the other side and waits for its signal, in one `cap_enter`.
fn signal_and_wait(bare: &mut Bare<'_>, ends: Ends) -> bool {
    let signal = Sqe {
        op: Op::Call as u8,
        method: signaller::SIGNAL,
        user_data: SIGNAL,
        cap: ends.other.raw(),
        interface: signaller::INTERFACE_ID,
        ..Sqe::default()
    };
    bare.submit_all([signal, wait(ends.own)].into_iter());
    bare.ring.enter(2, rt::sys::FOREVER) == 2 && is(bare, SIGNAL, 0) && is(bare, WAIT, 16)
}

/// The wait for one's own bits.
pub fn wait(own: CapId) -> Sqe {
    Sqe {
        op: Op::Call as u8,
        method: notification::WAIT,
        user_data: WAIT,
        cap: own.raw(),
        interface: notification::INTERFACE_ID,
        reply_off: BITS,
        reply_len: 64,
        ..Sqe::default()
    }
}

fn is(bare: &mut Bare<'_>, user_data: u64, result: u64) -> bool {
    bare.pop().is_some_and(|cqe| cqe.user_data == user_data && cqe.outcome() == result)
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
        let region = Region::start();
        let done = (0..ROUNDS).filter(|_| signal_and_wait(bare, ends)).count() as u64;
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
        let mut going = bare.ring.enter(1, rt::sys::FOREVER) == 1 && is(&mut bare, WAIT, 16);
        while going {
            going = signal_and_wait(&mut bare, ends);
        }
    });
    i64::from(served.and_then(rt::threads::JoinHandle::join).is_err())
}
