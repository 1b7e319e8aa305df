//! One thread hands the kernel as many slow operations at once as a ring takes; another, of higher priority, is on time all the same.

use crate::Setup;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Fields;
use probe::bare::{Bare, MESSAGE, SPARE};
use rt::abi::{PAGE_SIZE, RingShape, Sqe};
use rt::region::Region;
use rt::schema::timer::{self, SleepUntilParams};
use rt::schema::virtual_memory::{self, ProtectParams, Protection};
use rt::{CallError, CapId};

/// Slow operations of the batch.
const BATCH: u32 = 1023;
/// With the one behind them that is done later.
const WHOLE: u32 = BATCH + 1;
/// When that is: later than the slow ones can be done.
const LATER_NS: u64 = 1_000_000_000;
/// How often, and for how long, the other thread sleeps.
const NAPS: u32 = 100;
const NAP_NS: u64 = 500_000;

/// Protects `setup.batch` pages over and over in one batch, and says how late the sleeper was at worst.
///
/// Behind the slow operations comes a sleep, and the thread waits for all of them: what the kernel takes in several goes is one system call
/// to the program, with the wait that it asked for.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    let size = setup.batch * PAGE_SIZE as u64;
    let region = Region::reserve(size)?;
    region.commit(0, size, Protection::ReadWrite)?;
    let done = Arc::new(AtomicU64::new(0));
    let (theirs, address) = (done.clone(), region.address());
    let shape = RingShape { sq_entries: WHOLE, cq_entries: 2 * WHOLE, ..RingShape::DEFAULT };
    let timer = setup.audit.timer().cap().id();
    let later = SleepUntilParams { ns: setup.audit.timer().now_blocking()? + LATER_NS };
    let worker = rt::raw::spawn(shape, 5, move |ring| {
        let mut bare = Bare::new(ring);
        let sleep = bare.call((timer, timer::INTERFACE_ID), timer::SLEEP_UNTIL, &later, &[], 0);
        (0..sleep.msg_len)
            .step_by(8)
            .for_each(|n| bare.ring.set_arena(SPARE + n, bare.ring.arena(MESSAGE + n)));
        let sleep = Sqe { msg_off: SPARE, ..sleep };
        let params = ProtectParams { address, size, protection: Protection::Read };
        let target = (CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID);
        let call = bare.call(target, virtual_memory::PROTECT, &params, &[], 0);
        bare.submit_all((0..u64::from(BATCH)).map(|user_data| Sqe { user_data, ..call }));
        bare.submit(&Sqe { user_data: u64::from(BATCH), ..sleep });
        let returned = bare.ring.enter(u64::from(WHOLE), rt::sys::FOREVER);
        let mut good = 0;
        bare.take_all(|cqe| good += i64::from(cqe.outcome() == 0 && cqe.user_data < u64::from(WHOLE)));
        theirs.store(if returned == good { good as u64 } else { 0 }, Ordering::Relaxed);
    })?;
    let mut latest = 0;
    for _ in 0..NAPS {
        let start = setup.audit.timer().now_blocking()?;
        setup.audit.pause(NAP_NS);
        let woken = setup.audit.timer().now_blocking()?;
        latest = latest.max((woken - start).saturating_sub(NAP_NS));
    }
    worker.join()?;
    let fields = Fields::new()
        .value("done", done.load(Ordering::Relaxed))
        .value("naps", NAPS)
        .value("latest_ns", latest);
    setup.report.event("smp.batch", fields);
    Ok(())
}
