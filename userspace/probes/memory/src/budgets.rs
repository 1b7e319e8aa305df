//! Every budget ends in a typed error, harmless to what was there before, and comes back whole.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use probe::{Report, factory};
use rt::abi::PAGE_SIZE;
use rt::generated::{EndpointClient, MemoryObjectClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::{self, memory};
use rt::{CallError, Cap, CapId, ExceptionCode, TransportError};

const PAGE: u64 = PAGE_SIZE as u64;
/// More threads than our budget has.
const THREADS_MOST: usize = 64;
/// More than our whole budget, bytes.
const LARGE: u64 = 1 << 26;
/// Pages of one step of exhaustion.
const STEP: u64 = 64;

pub fn all(report: &Report) -> Result<(), CallError> {
    pages(report)?;
    slots(report)?;
    endpoint_entries(report)?;
    threads(report)
}

/// Takes objects until one is refused, twice: the second time as many fit as the first time.
fn pages(report: &Report) -> Result<(), CallError> {
    let exhaust = || {
        let mut objects: Vec<MemoryObjectClient> = Vec::with_capacity(64);
        loop {
            match memory().create_object_blocking(STEP * PAGE) {
                Ok(object) if objects.len() < objects.capacity() => objects.push(object),
                Ok(_) => return (objects.len(), None),
                Err(error) => return (objects.len(), Some(error)),
            }
        }
    };
    let (first, error) = exhaust();
    report.fails(
        "memory ends",
        Err::<(), _>(error.unwrap_or(CallError::MissingCap)),
        ExceptionCode::BudgetExhausted,
    );
    let (second, _) = exhaust();
    report.equal("and comes back whole", second, first);
    let object = memory().create_object_blocking(STEP * PAGE)?;
    let mapped = Region::map(&object, 0, STEP * PAGE, Protection::Read)?;
    drop(object);
    report.check("M6 an object is charged while it is mapped", exhaust().0 < first, first);
    drop(mapped);
    report.equal("M6 and no longer", exhaust().0, first);
    let region = Region::reserve(LARGE)?;
    let all = region.commit(0, LARGE, Protection::ReadWrite);
    report.fails("a commit larger than the budget", all, ExceptionCode::BudgetExhausted);
    report.works("leaves nothing committed", region.commit(0, PAGE, Protection::ReadWrite));
    Ok(())
}

/// Takes facets of an object until the table is full.
fn slots(report: &Report) -> Result<(), CallError> {
    let object = memory().create_object_blocking(PAGE)?;
    let mut facets = Vec::with_capacity(1024);
    let error = loop {
        match object.read_only_blocking() {
            Ok(facet) if facets.len() < facets.capacity() => facets.push(facet),
            Ok(_) => break None,
            Err(error) => break Some(error),
        }
    };
    let error = Err::<(), _>(error.unwrap_or(CallError::MissingCap));
    report.fails("slots end", error, TransportError::BudgetExhausted);
    let last = facets.pop();
    let stale = last.as_ref().map_or(CapId::NULL, |facet| facet.cap().id());
    drop(last);
    let again = object.read_only_blocking()?;
    report.check("a slot comes back under another id", again.cap().id() != stale, "ids compared");
    let ghost = MemoryObjectClient::from(Cap::from_id(stale));
    report.fails("and the old id is refused", ghost.info_blocking(), TransportError::InvalidCap);
    ghost.into_cap().into_id();
    Ok(())
}

fn endpoint_entries(report: &Report) -> Result<(), CallError> {
    report.fails("an endpoint of no depth", factory().create_blocking(0), ExceptionCode::InvalidArgument);
    report.fails("an endpoint too deep", factory().create_blocking(1025), ExceptionCode::InvalidArgument);
    let count = || {
        let mut endpoints: Vec<EndpointClient> = Vec::with_capacity(80);
        while endpoints.len() < endpoints.capacity() {
            match factory().create_blocking(16) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(error) => return (endpoints.len(), Some(error)),
            }
        }
        (endpoints.len(), None)
    };
    let (first, error) = count();
    let error = Err::<(), _>(error.unwrap_or(CallError::MissingCap));
    report.fails("endpoint entries end", error, ExceptionCode::BudgetExhausted);
    report.equal("and come back whole", count().0, first);
    Ok(())
}

/// Starts threads that wait for each other until one is refused.
fn threads(report: &Report) -> Result<(), CallError> {
    let open = Arc::new(AtomicBool::new(false));
    let mut handles = Vec::with_capacity(THREADS_MOST);
    let error = loop {
        let gate = open.clone();
        let waiter = threads::spawn(10, move || {
            while !gate.load(Ordering::Relaxed) {
                threads::yield_now();
            }
        });
        match waiter {
            Ok(handle) => handles.push(handle),
            Err(error) => break error,
        }
    };
    open.store(true, Ordering::Relaxed);
    let started = handles.len();
    handles.into_iter().try_for_each(threads::JoinHandle::join)?;
    report.check("threads were started", (1..THREADS_MOST).contains(&started), started);
    report.fails("threads end", Err::<(), _>(error), ExceptionCode::BudgetExhausted);
    report.works("and come back", threads::spawn(10, || ()).and_then(threads::JoinHandle::join));
    report.fails("a thread above our priority", threads::spawn(31, || ()).map(|_| ()), ExceptionCode::Denied);
    Ok(())
}
