//! `Timer`, `WallClock`, `EntropySource` and who feeds it.

use crate::Setup;
use alloc::vec::Vec;
use rt::{CallError, Either, ExceptionCode, TransportError, block_on, select, with_deadline};

const MS: u64 = 1_000_000;
/// 2020-01-01: before that no clock of a machine that runs us can be right.
const NEW_YEAR_2020: u64 = 1_577_836_800_000 * MS;
/// Feeds of a hostile feeder.
const FLOOD: u64 = 500;

pub fn all(setup: &Setup) -> Result<(), CallError> {
    timer(setup)?;
    canceled(setup)?;
    timed(setup)?;
    wall_clock(setup)?;
    entropy(setup)?;
    hostile_feeder(setup)
}

fn timer(setup: &Setup) -> Result<(), CallError> {
    let (report, timer) = (&setup.report, setup.audit.timer());
    let mut last = timer.now_blocking()?;
    let mut backwards = 0;
    for _ in 0..1000 {
        let now = timer.now_blocking()?;
        backwards += u32::from(now < last);
        last = now;
    }
    report.equal("time runs forward", backwards, 0);
    let until = timer.now_blocking()? + 3 * MS;
    timer.sleep_until_blocking(until)?;
    report.check("a sleep is never too short", timer.now_blocking()? >= until, "compared");
    report.works("a sleep until the past", timer.sleep_until_blocking(0));
    Ok(())
}

/// Of two sleeps the earlier one wins, and the other is cancelled by dropping it.
fn canceled(setup: &Setup) -> Result<(), CallError> {
    let timer = setup.audit.timer();
    let now = timer.now_blocking()?;
    let late = timer.sleep_until(now + 3_600_000 * MS);
    let soon = timer.sleep_until(now + 2 * MS);
    let first = block_on(select(late, soon));
    setup.report.check("the earlier of two sleeps wins", matches!(first, Either::Second(Ok(()))), "awaited");
    Ok(())
}

/// A deadline ends what is within it, and nothing after it.
fn timed(setup: &Setup) -> Result<(), CallError> {
    let (report, timer) = (&setup.report, setup.audit.timer());
    let now = timer.now_blocking()?;
    let (late, soon) = (now + 3_600_000 * MS, now + 3 * MS);
    let ended = block_on(with_deadline(soon, with_deadline(late, timer.sleep_until(late))));
    report.fails("the earliest deadline ends a call", ended, TransportError::TimedOut);
    report.check("and not before its time", timer.now_blocking()? >= soon, "compared");
    let next = timer.now_blocking()? + 2 * MS;
    report.works("what comes after it has none", block_on(timer.sleep_until(next)));
    Ok(())
}

fn wall_clock(setup: &Setup) -> Result<(), CallError> {
    let first = setup.wall_clock.now_blocking()?;
    setup.audit.pause(2 * MS);
    let second = setup.wall_clock.now_blocking()?;
    let report = &setup.report;
    report.check("the wall clock is of this age", first.unix_ns > NEW_YEAR_2020, first.unix_ns);
    let passed = second.unix_ns.saturating_sub(first.unix_ns);
    report.check("and runs", passed >= 2 * MS, passed);
    Ok(())
}

fn entropy(setup: &Setup) -> Result<(), CallError> {
    let (report, source) = (&setup.report, &setup.entropy);
    let features = setup.audit.system().features_blocking()?;
    if features.contains("rdrand=absent") {
        report.fails("no entropy without its source", source.fill_blocking(8), ExceptionCode::Unsupported);
        return Ok(());
    }
    let (first, second) = (source.fill_blocking(64)?, source.fill_blocking(64)?);
    report.equal("as many bytes as asked for", (first.len(), second.len()), (64, 64));
    report.check("never the same twice", first != second, "compared");
    report.equal("the most at once", source.fill_blocking(1024)?.len(), 1024);
    report.fails("more than that", source.fill_blocking(1025), ExceptionCode::InvalidArgument);
    report.equal("none", source.fill_blocking(0)?.len(), 0);
    Ok(())
}

/// Feeds what everybody knows, and much of it.
fn hostile_feeder(setup: &Setup) -> Result<(), CallError> {
    let (report, source, sink) = (&setup.report, &setup.entropy, &setup.sink);
    let absent = setup.audit.system().features_blocking()?.contains("rdrand=absent");
    let before = source.fed_blocking()?;
    for length in [0, 63, 65] {
        report.fails(
            "a feed of another size",
            sink.feed_blocking(&[0; 65][..length]),
            ExceptionCode::InvalidArgument,
        );
    }
    report.equal("and it counts for nothing", source.fed_blocking()?, before);
    let mut seen = Vec::new();
    for _ in 0..FLOOD {
        sink.feed_blocking(&[0; 64])?;
        if !absent {
            seen.push(source.fill_blocking(32)?);
        }
    }
    report.equal("a feed of zeros counts like another", source.fed_blocking()?, before + FLOOD);
    if absent {
        report.fails("fed, but without its source", source.fill_blocking(8), ExceptionCode::Unsupported);
        return Ok(());
    }
    seen.sort_unstable();
    seen.dedup();
    report.equal("under a flood of zeros never the same twice", seen.len() as u64, FLOOD);
    let ones: u32 = seen.iter().flatten().map(|byte| byte.count_ones()).sum();
    let half = FLOOD as u32 * 32 * 8 / 2;
    report.check("and half of the bits are ones", ones.abs_diff(half) < half / 25, ones);
    Ok(())
}
