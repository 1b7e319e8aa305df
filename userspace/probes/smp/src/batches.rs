//! One thread hands the kernel as many slow operations at once as a ring takes; another, of higher priority, is on time all the same.

use crate::Setup;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Fields;
use probe::bare::Bare;
use rt::abi::{PAGE_SIZE, RingShape, Sqe};
use rt::region::Region;
use rt::schema::virtual_memory::{self, ProtectParams, Protection};
use rt::{CallError, CapId};

/// Operations of the batch.
const BATCH: u32 = 1024;
/// How often, and for how long, the other thread sleeps.
const NAPS: u32 = 100;
const NAP_NS: u64 = 500_000;

/// Protects `setup.batch` pages over and over in one batch, and says how late the sleeper was at worst.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    let size = setup.batch * PAGE_SIZE as u64;
    let region = Region::reserve(size)?;
    region.commit(0, size, Protection::ReadWrite)?;
    let done = Arc::new(AtomicU64::new(0));
    let (theirs, address) = (done.clone(), region.address());
    let shape = RingShape { sq_entries: BATCH, cq_entries: 2 * BATCH, ..RingShape::DEFAULT };
    let worker = rt::raw::spawn(shape, 5, move |ring| {
        let mut bare = Bare::new(ring);
        let params = ProtectParams { address, size, protection: Protection::Read };
        let target = (CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID);
        let call = bare.call(target, virtual_memory::PROTECT, &params, &[], 0);
        bare.submit_all((0..u64::from(BATCH)).map(|user_data| Sqe { user_data, ..call }));
        bare.ring.enter(u64::from(BATCH), rt::sys::FOREVER);
        let mut good = 0;
        bare.take_all(|cqe| good += u64::from(cqe.outcome() == 0 && cqe.user_data < u64::from(BATCH)));
        theirs.store(good, Ordering::Relaxed);
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
