//! One thread has the kernel make a lot of memory at once; another, of higher priority, is on time all the same.

use crate::Setup;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use probe::Fields;
use rt::abi::PAGE_SIZE;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::{self, memory};
use rt::{CallError, ExceptionCode};

/// How long the other thread sleeps at a time.
const NAP_NS: u64 = 300_000;
/// Most naps.
const NAPS: u64 = 10_000;

/// Makes `setup.long` pages of memory, in the address space and as an object, and gives them back, while somebody naps. Says how late the
/// sleeper was at worst.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    let size = setup.long * PAGE_SIZE as u64;
    let (done, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (theirs, count) = (done.clone(), good.clone());
    let worker = threads::spawn(5, move || {
        count.store(work(size).unwrap_or(0), Ordering::Relaxed);
        theirs.store(true, Ordering::Relaxed);
    })?;
    let (naps, latest) = setup.audit.nap_until(&done, NAP_NS, NAPS)?;
    worker.join()?;
    let fields = Fields::new()
        .value("good", good.load(Ordering::Relaxed))
        .value("naps", naps)
        .value("latest_ns", latest);
    setup.report.event("smp.long", fields);
    Ok(())
}

/// How many of the things that it did went well; all is 5.
fn work(size: u64) -> Result<u64, CallError> {
    let region = Region::reserve(size)?;
    region.commit(0, size, Protection::ReadWrite)?;
    let zero = |region: &Region| (0..size).step_by(PAGE_SIZE).all(|at| region.load(at) == Some(0));
    let mut good = u64::from(zero(&region));
    region.store(size - 8, 1);
    region.protect(0, size, Protection::Read)?;
    good += u64::from(region.load(size - 8) == Some(1));
    let again = region.commit(0, size, Protection::ReadWrite);
    good += u64::from(again.is_err_and(|error| error.exception() == Some(ExceptionCode::Exists)));
    drop(region);
    let object = memory().create_object_blocking(size)?;
    good += u64::from(object.info_blocking()?.size == size);
    let mapped = Region::map(&object, 0, size, Protection::ReadWrite)?;
    good += u64::from(zero(&mapped));
    Ok(good)
}
