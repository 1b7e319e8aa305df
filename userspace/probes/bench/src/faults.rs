//! Faults of one process that another one mends.

use crate::measure::{Bench, Region};
use crate::primitives::bare_figure;
use core::sync::atomic::{AtomicU64, Ordering};
use probe::Limits;
use probe::bare::Bare;
use rt::CallError;
use rt::abi::Sqe;
use rt::misdeed::Misdeed;
use rt::schema::process_debug::{self, ResumeAndWaitParams, ResumeAndWaitResults, StopCause};

const NAME: &str = "fault.to_handler_and_back";
/// Rounds of one sample.
const ROUNDS: u64 = 32;
/// `user_data` of the handler's operation.
const MEND: u64 = 3;
/// Bytes of `ud2`, and the exception that it raises.
const UNDEFINED: (u64, u8) = (2, 6);

/// Set in the faulting process by its handler, which is there then.
static GO: AtomicU64 = AtomicU64::new(0);
/// Faults that the process has left behind.
static MENDED: AtomicU64 = AtomicU64::new(0);

/// `fault.to_handler_and_back`: a thread raises an exception; its handler, in another process, gets its cause, where it is and its flags
/// (`resumeAndWait`; the other registers are another call), and has it go on behind the instruction: one operation, and one system call, for each.
pub fn round_trip(bench: &Bench) -> Result<(), CallError> {
    if !bench.wants(NAME) {
        return Ok(());
    }
    let program = bench.nursery.program("probe-bench")?;
    let child = bench.nursery.child(&program, &Limits::SMALL, "faulty")?.arg("--role=faulty").start()?;
    let debug = child.debug_blocking()?;
    // The programs are the same, so what is at an address is, too.
    debug.write_blocking(core::ptr::from_ref(&GO) as u64, &1u64.to_le_bytes())?;
    let first = debug.wait_blocking()?;
    let (target, thread, rip) = (debug.cap().id(), first.thread, first.rip + UNDEFINED.0);
    bare_figure(bench, NAME, ROUNDS, move |bare| {
        let params = ResumeAndWaitParams { thread, step: false, redirect: true, rip };
        let target = (target, process_debug::INTERFACE_ID);
        let call = bare.call(target, process_debug::RESUME_AND_WAIT, &params, &[], 0);
        bare.prepare(&Sqe { user_data: MEND, ..call });
        mend(bare)
    })?;
    let left = debug.read_blocking(core::ptr::from_ref(&MENDED) as u64, 8)?;
    let left = left.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let rounds = ROUNDS * bench.samples.max(1) as u64;
    bench.report.equal("each fault was raised and mended", left, rounds);
    child.kill_blocking()
}

fn mend(bare: &mut Bare<'_>) -> u64 {
    let region = Region::start();
    let mut last = None;
    for _ in 0..ROUNDS {
        bare.again();
        bare.ring.enter(1, rt::sys::FOREVER);
        last = bare.pop().filter(|cqe| cqe.user_data == MEND && cqe.result > 0 && cqe.flags == 0);
        if last.is_none() {
            return 0;
        }
    }
    let ticks = region.stop();
    let event = last.and_then(|cqe| bare.decode::<ResumeAndWaitResults>(&cqe));
    let as_told = event.is_some_and(|event| (event.cause, event.vector) == (StopCause::Fault, UNDEFINED.1));
    if as_told { ticks } else { 0 }
}

/// The process whose faults are mended.
pub fn fault_forever() -> i64 {
    while GO.load(Ordering::Relaxed) == 0 {
        rt::threads::yield_now();
    }
    loop {
        Misdeed::Undefined.commit();
        MENDED.fetch_add(1, Ordering::Relaxed);
    }
}
