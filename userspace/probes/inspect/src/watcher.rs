//! Somebody who looks at everything all the time, while others do what they do.

use crate::Setup;
use crate::look::Look;
use alloc::vec::Vec;
use capos_inspect::{Capability, Origin, Process, Processor, Thread};
use probe::Limits;
use rt::generated::{InspectorClient, NotificationClient, ProcessHandleClient, SignallerClient, TimerClient};
use rt::schema::inspector::Listing;
use rt::{CallError, Env};

/// Exit code of a watcher that had no time to look.
const NEVER_LOOKED: i64 = 1000;

/// Between two looks.
const PAUSE_NS: u64 = 500_000;

/// Looks until it is told to stop; gives how often what it saw could not be.
pub fn watch(env: &mut Env) -> i64 {
    let (Ok(inspector), Ok(stop), Ok(timer)) = (
        env.client::<InspectorClient>("inspector"),
        env.client::<NotificationClient>("stop"),
        env.client::<TimerClient>("timer"),
    ) else {
        return -1;
    };
    let look = Look::new(inspector);
    let (mut looks, mut wrong) = (0, 0);
    while stop.poll_blocking() == Ok(0) {
        looks += 1;
        wrong += look_once(&look).unwrap_or(1);
        // On a single processor the others want to get on.
        let _ = timer.now_blocking().and_then(|now| timer.sleep_until_blocking(now + PAUSE_NS));
    }
    if looks == 0 { NEVER_LOOKED } else { wrong }
}

/// Looks at everything once.
fn look_once(look: &Look) -> Result<i64, CallError> {
    let processes: Vec<Process> = look.read(Listing::Processes, None)?;
    let threads: Vec<Thread> = look.read(Listing::Threads, None)?;
    let held: Vec<Capability> = look.read(Listing::Capabilities, None)?;
    let processors: Vec<Processor> = look.read(Listing::Processors, None)?;
    // Whoever has begun to look at a place goes on behind it.
    let in_order = processes.is_sorted_by(|one, next| one.id < next.id)
        && threads.is_sorted_by(|one, next| (one.process, one.id) < (next.process, next.id))
        && held.is_sorted_by(|one, next| one.at < next.at);
    let from_itself = held.iter().filter(|cap| cap.origin == Origin::From(cap.at)).count();
    Ok(i64::from(!in_order || processors.is_empty() || from_itself > 0))
}

/// A watcher at work.
pub struct Watcher {
    handle: ProcessHandleClient,
    stop: SignallerClient,
}

impl Watcher {
    pub fn start(setup: &Setup) -> Result<Watcher, CallError> {
        let event = probe::factory().create_notification_blocking()?;
        let stop = event.mint_blocking(1, 0)?;
        let program = setup.nursery.program("probe-inspect")?;
        let child = setup.nursery.child(&program, &Limits::threads(2), "watcher")?.arg("--role=watcher");
        let child = child.lend("inspector", &setup.look.inspector)?;
        let handle = child.lend("timer", setup.audit.timer())?.lend("stop", &event)?.start()?;
        Ok(Watcher { handle, stop })
    }

    /// It has seen enough.
    pub fn end(self, setup: &Setup) -> Result<(), CallError> {
        self.stop.signal_blocking()?;
        let end = self.handle.wait_blocking()?;
        setup.report.equal("L1 who looks all the while sees nothing strange", end.code, 0);
        Ok(())
    }
}
