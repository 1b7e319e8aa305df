//! Who gets how much, with and without shares.

use crate::Setup;
use crate::counters::{Counters, Seen};
use alloc::vec::Vec;
use core::sync::atomic::AtomicBool;
use probe::Fields;
use rt::CallError;

/// How long one counts alone, so that we know how far one comes.
const ALONE_NS: u64 = 100_000_000;
/// How long they run before we look: what they had saved is used up.
const WARM_UP_NS: u64 = 100_000_000;
/// How often shares are given out anew.
const PERIOD_NS: u64 = 10_000_000;
/// How long we nap while they run.
const NAP_NS: u64 = 5_000_000;
/// Who wakes up later than that was on a processor that stood still: it is more than a share can save up.
const DISTURBED_NS: u64 = 3 * PERIOD_NS;
/// Measurements, if each is disturbed. The last one counts.
const TRIES: u32 = 12;
/// Where nothing else is said.
const PRIORITY: u8 = 9;

/// Starts one counter for each share, and says what each got.
pub fn all(setup: &Setup, shares: &str, priorities: &str, ns: u64) -> Result<(), CallError> {
    let rate = alone(setup)?;
    let before = setup.audit.counts()?;
    let shares: Vec<u16> = numbers(shares);
    let priorities: Vec<u8> = numbers(priorities);
    let mut counters = Counters::new()?;
    for (n, share) in shares.iter().enumerate() {
        counters.start(setup, priorities.get(n).copied().unwrap_or(PRIORITY), *share)?;
    }
    setup.audit.pause(WARM_UP_NS);
    let cpus = setup.audit.system().system_blocking()?.cpus;
    let Measured { got, ns } = measure(setup, &counters, ns, cpus)?;
    counters.stop()?;
    let turns: u64 = got.iter().map(|got| got.turns).sum();
    for (n, (got, share)) in got.iter().zip(&shares).enumerate() {
        let permille = |part: u64, whole: u64| part * 1000 / whole.max(1);
        let fields = Fields::new()
            .value("index", n)
            .value("percent", share)
            .value("work_permille", permille(got.turns, ns * rate / 1_000_000))
            .value("of_all_permille", permille(got.turns * u64::from(cpus), turns))
            .value("cpu_permille", permille(got.cpu_ns, ns));
        setup.report.event("sched.share", fields);
        check(setup, got, u64::from(*share), ns, cpus == 1 && priorities.is_empty());
    }
    setup.audit.report(&setup.report, before);
    Ok(())
}

/// What the counters did within some time.
struct Measured {
    got: Vec<Seen>,
    ns: u64,
}

/// Looks twice, `ns` apart. A host with much to do stops processors for long, and whoever runs on one that stands still gets what nobody gave
/// him: then it is measured anew. We come before the counters, so our naps tell. One processor is counted in instructions, and never
/// stands still.
fn measure(setup: &Setup, counters: &Counters, ns: u64, cpus: u32) -> Result<Measured, CallError> {
    let nap_ns = if cpus == 1 { ns } else { NAP_NS };
    let mut tries = 0;
    loop {
        let (start, first) = (setup.audit.timer().now_blocking()?, counters.look(setup)?);
        let (_, latest) = setup.audit.nap_until(&AtomicBool::new(false), nap_ns, ns / nap_ns)?;
        let (end, last) = (setup.audit.timer().now_blocking()?, counters.look(setup)?);
        tries += 1;
        if latest <= DISTURBED_NS || tries == TRIES {
            let got = first.iter().zip(&last).map(|(first, last)| between(first, last)).collect();
            return Ok(Measured { got, ns: end - start });
        }
    }
}

/// What is promised of a share, by the kernel's own books; `comes_first` where nobody else's priority or CPU matters.
fn check(setup: &Setup, got: &Seen, share: u64, ns: u64, comes_first: bool) {
    if share == 0 {
        return;
    }
    let own = ns * share / 100;
    let most = own + 2 * PERIOD_NS;
    setup.report.check("S3 no more than a share and two periods' worth", got.cpu_ns <= most, got.cpu_ns);
    if comes_first {
        let least = own.saturating_sub(2 * PERIOD_NS);
        setup.report.check("S4 a share comes before what is left", got.cpu_ns >= least, got.cpu_ns);
    }
}

fn between(first: &Seen, last: &Seen) -> Seen {
    Seen { turns: last.turns - first.turns, cpu_ns: last.cpu_ns - first.cpu_ns }
}

/// How far one comes that has a processor to itself: turns in a million nanoseconds.
fn alone(setup: &Setup) -> Result<u64, CallError> {
    let mut counters = Counters::new()?;
    counters.start(setup, PRIORITY, 0)?;
    setup.audit.pause(ALONE_NS);
    let first = counters.look(setup)?;
    let start = setup.audit.timer().now_blocking()?;
    setup.audit.pause(ALONE_NS);
    let last = counters.look(setup)?;
    let end = setup.audit.timer().now_blocking()?;
    counters.stop()?;
    let turns: u64 = first.iter().zip(&last).map(|(first, last)| between(first, last).turns).sum();
    Ok(turns * 1_000_000 / (end - start).max(1))
}

/// Numbers with commas between them.
fn numbers<T: core::str::FromStr>(text: &str) -> Vec<T> {
    text.split(',').filter_map(|number| number.parse().ok()).collect()
}
