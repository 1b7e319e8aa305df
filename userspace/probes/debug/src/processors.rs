//! D2 on several processors: threads that run elsewhere are stopped and let go, again and again, and killed in between.

use crate::debuggee::THREADS;
use crate::{Setup, Target};
use alloc::vec::Vec;
use probe::mutate::Rng;
use rt::schema::process_debug::{StopCause, ThreadState, WaitResults};
use rt::schema::process_handle::ExitReason;
use rt::{CallError, exhibit};

pub(crate) fn all(setup: &Setup) -> Result<(), CallError> {
    let mut random = Rng::new(setup.seed);
    stop_and_go(setup, &mut random)?;
    for _ in 0..setup.rounds {
        kill_at_any_moment(setup, &mut random)?;
    }
    Ok(())
}

fn stop_and_go(setup: &Setup, random: &mut Rng) -> Result<(), CallError> {
    let report = &setup.report;
    let target = setup.target("--role=threads")?;
    let spinning = exhibit::spin_loop()..exhibit::spin_loop() + 5;
    let count = || -> Result<usize, CallError> {
        let mut cursor = 0;
        let mut found = 0;
        while let Ok(thread) = target.debug.thread_blocking(cursor) {
            found += 1;
            cursor = thread.id + 1;
        }
        Ok(found)
    };
    crate::stops::wait_until(setup, || Ok(count()? == THREADS))?;
    // However long a thread takes to get there: all are seen in the loop before anything is counted.
    crate::stops::wait_until(setup, || {
        let there = events(&target)?.iter().all(|event| spinning.contains(&event.rip));
        target.debug.resume_blocking(0, false, false, 0)?;
        Ok(there)
    })?;
    let (mut asked, mut elsewhere, mut twice, mut lost) = (0, 0, 0, 0);
    for _ in 0..setup.rounds {
        let events = events(&target)?;
        for (n, event) in events.iter().enumerate() {
            asked += usize::from(event.cause == StopCause::Asked);
            elsewhere += usize::from(!spinning.contains(&event.rip));
            twice += usize::from(events.iter().take(n).any(|before| before.thread == event.thread));
        }
        let mut cursor = 0;
        while let Ok(thread) = target.debug.thread_blocking(cursor) {
            lost += usize::from(thread.state != ThreadState::Stopped);
            cursor = thread.id + 1;
        }
        target.debug.resume_blocking(0, false, false, 0)?;
        setup.audit.pause(u64::from(random.below(2_000_000)));
    }
    report.equal("D2 every stop of every thread is told", asked, setup.rounds as usize * THREADS);
    report.equal("D2 and once", twice, 0);
    report.equal("D2 where the thread was", elsewhere, 0);
    report.equal("D2 and all are stopped then", lost, 0);
    target.handle.kill_blocking()
}

/// Stops all threads and waits for each.
fn events(target: &Target) -> Result<Vec<WaitResults>, CallError> {
    target.debug.stop_blocking(0)?;
    (0..THREADS).map(|_| target.debug.wait_blocking()).collect()
}

fn kill_at_any_moment(setup: &Setup, random: &mut Rng) -> Result<(), CallError> {
    let target = setup.target("--role=threads")?;
    setup.audit.pause(u64::from(random.below(1_000_000)));
    target.debug.stop_blocking(0)?;
    for _ in 0..random.below(3) {
        let event = target.debug.wait_blocking()?;
        target.debug.resume_blocking(event.thread, random.below(2) == 0, false, 0)?;
    }
    if random.below(2) == 0 {
        drop(target.debug);
    }
    target.handle.kill_blocking()?;
    let end = target.handle.wait_blocking()?.reason;
    setup.report.equal("D8 killed in the middle of it", end, ExitReason::Killed);
    Ok(())
}
