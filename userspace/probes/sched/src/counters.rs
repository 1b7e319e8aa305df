//! Processes that do nothing but count, in memory that we see: how far they come is how much of the processors they got, whatever the
//! kernel says.

use crate::Setup;
use alloc::format;
use alloc::vec::Vec;
use probe::{Limits, number};
use rt::abi::PAGE_SIZE;
use rt::generated::{MemoryObjectClient, ProcessHandleClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, Env, threads};

/// Bytes between two counters: no two share a cache line.
const STRIDE: u64 = 64;
const PAGE: u64 = PAGE_SIZE as u64;

/// What a child does: counts in its place for ever.
pub fn count(mut env: Env) -> i64 {
    let place = number(&env, "place", 0) * STRIDE;
    let Ok(memory) = env.client::<MemoryObjectClient>("memory") else { return 2 };
    let Ok(region) = Region::map(&memory, 0, PAGE, Protection::ReadWrite) else { return 2 };
    spin(&region, place)
}

/// Counts at `place` for ever.
pub fn spin(region: &Region, place: u64) -> i64 {
    let mut turns = 0;
    loop {
        turns += 1;
        region.store(place, turns);
    }
}

/// One of them.
pub struct Counter {
    handle: ProcessHandleClient,
    /// Process id.
    pub id: u64,
    place: u64,
}

/// All of them.
pub struct Counters {
    object: MemoryObjectClient,
    region: Region,
    list: Vec<Counter>,
}

/// What was seen of one at one moment: how far it came, and the time that the kernel says it had.
#[derive(Clone, Copy)]
pub struct Seen {
    /// Turns.
    pub turns: u64,
    /// Nanoseconds.
    pub cpu_ns: u64,
}

impl Counters {
    /// None yet.
    pub fn new() -> Result<Counters, CallError> {
        let object = threads::memory().create_object_blocking(PAGE)?;
        let region = Region::map(&object, 0, PAGE, Protection::ReadWrite)?;
        Ok(Counters { object, region, list: Vec::new() })
    }

    /// One more.
    pub fn start(&mut self, setup: &Setup, priority: u8, cpu_percent: u16) -> Result<(), CallError> {
        let program = setup.nursery.program("probe-sched")?;
        let limits = Limits { priority, cpu_percent, ..Limits::SMALL };
        let place = self.list.len() as u64;
        let child = setup.nursery.child(&program, &limits, "counter")?.arg("--role=count");
        let child = child.arg(&format!("--place={place}")).lend("memory", &self.object)?;
        let handle = child.start()?;
        let id = handle.info_blocking()?.id;
        self.list.push(Counter { handle, id, place: place * STRIDE });
        Ok(())
    }

    /// What all of them have done so far.
    pub fn look(&self, setup: &Setup) -> Result<Vec<Seen>, CallError> {
        let mut seen = Vec::with_capacity(self.list.len());
        for counter in &self.list {
            let turns = self.region.load(counter.place).unwrap_or(0);
            let cpu_ns = setup.audit.system().process_blocking(counter.id)?.cpu_ns;
            seen.push(Seen { turns, cpu_ns });
        }
        Ok(seen)
    }

    /// Ends the last one.
    pub fn stop_one(&mut self) -> Result<(), CallError> {
        self.list.pop().map_or(Ok(()), |counter| counter.handle.kill_blocking())
    }

    /// Ends all.
    pub fn stop(mut self) -> Result<(), CallError> {
        while !self.list.is_empty() {
            self.stop_one()?;
        }
        Ok(())
    }
}
