//! What the debugged process does.

use core::sync::atomic::{AtomicU64, Ordering};
use rt::abi::RingShape;
use rt::generated::NotificationClient;
use rt::misdeed::Misdeed;
use rt::{Env, exhibit};

/// What [`marker`] was called with last.
pub(crate) static LAST: AtomicU64 = AtomicU64::new(0);
/// What the debugger writes.
pub(crate) static ORDER: AtomicU64 = AtomicU64::new(0);

/// Threads of the role `--role=threads`.
pub(crate) const THREADS: usize = 3;

/// Where breakpoints are set.
#[inline(never)]
pub(crate) extern "C" fn marker(number: u64) {
    LAST.store(number, Ordering::Relaxed);
}

/// Its address, which is the same in all processes of a program.
pub(crate) fn marker_address() -> u64 {
    marker as extern "C" fn(u64) as usize as u64
}

/// The address of a number.
pub(crate) fn address_of(number: &AtomicU64) -> u64 {
    core::ptr::from_ref(number) as u64
}

pub(crate) fn play(role: &str, env: Env) -> i64 {
    match role {
        "spin" => exhibit::spin(),
        "threads" => threads(),
        "count" => count(),
        "event" => events(env),
        "fault" => faults(),
        _ => 3,
    }
}

fn threads() -> i64 {
    for _ in 1..THREADS {
        if rt::raw::spawn(RingShape::DEFAULT, 10, |_| exhibit::spin()).is_err() {
            return 4;
        }
    }
    exhibit::spin()
}

/// Counts until it is told otherwise.
fn count() -> i64 {
    let mut number = 0;
    while ORDER.load(Ordering::Relaxed) == 0 {
        number += 1;
        marker(number);
    }
    ORDER.load(Ordering::Relaxed).cast_signed()
}

/// Counts events.
fn events(mut env: Env) -> i64 {
    let Ok(event) = env.client::<NotificationClient>("event") else { return 5 };
    let mut number = 0;
    while event.wait_blocking().is_ok() {
        number += 1;
        marker(number);
    }
    6
}

/// Does what cannot be done, from when it is told to until it is told that it is enough.
fn faults() -> i64 {
    while ORDER.load(Ordering::Relaxed) == 0 {
        rt::threads::yield_now();
    }
    while ORDER.load(Ordering::Relaxed) == 1 {
        Misdeed::Undefined.commit();
        marker(LAST.load(Ordering::Relaxed) + 1);
    }
    55
}
