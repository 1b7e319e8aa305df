//! Large pages: nobody sees them but by what the kernel counts, and parts of them behave like all other pages.

use alloc::vec::Vec;
use probe::Report;
use rt::abi::PAGE_SIZE;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;
use rt::{CallError, ExceptionCode};

const PAGE: u64 = PAGE_SIZE as u64;
const LARGE: u64 = 512 * PAGE;

pub fn all(report: &Report) -> Result<(), CallError> {
    whole_and_in_parts(report)?;
    beside_the_boundary(report)?;
    shared(report)?;
    exhausted(report)
}

fn large() -> Result<u64, CallError> {
    Ok(memory().usage_blocking()?.large)
}

/// A word of every 32nd page keeps what was written.
fn fill(region: &Region, mark: u64) {
    (0..region.size()).step_by(32 * PAGE_SIZE).for_each(|at| {
        region.store(at + 8, at ^ mark);
    });
}

fn keeps(region: &Region, mark: u64, mut pages: impl Iterator<Item = u64>) -> bool {
    pages.all(|at| region.load(at + 8) == Some(at ^ mark))
}

fn steps(from: u64, to: u64) -> impl Iterator<Item = u64> {
    (from..to).step_by(32 * PAGE_SIZE)
}

fn whole_and_in_parts(report: &Report) -> Result<(), CallError> {
    let before = memory().usage_blocking()?;
    let region = Region::reserve(2 * LARGE)?;
    report.equal("M2 what is large begins at a large page", region.address() % LARGE, 0);
    region.commit(0, 2 * LARGE, Protection::ReadWrite)?;
    let usage = memory().usage_blocking()?;
    report.equal("M8 a large commit lies in large pages", usage.large - before.large, 1024);
    let tables = usage.tables - before.tables;
    report.check("M8 it costs as many tables as small pages", (2..=4).contains(&tables), tables);
    report.check(
        "M3 it is zero",
        steps(0, 2 * LARGE).all(|at| region.load(at) == Some(0)),
        "every 32nd page",
    );
    fill(&region, 0x77);
    // A page in the middle of the first, which is made small; the second stays large.
    region.protect(64 * PAGE, PAGE, Protection::Read)?;
    report.equal("M8 a part protected makes small pages", large()? - before.large, 512);
    report.check("M8 they keep their content", keeps(&region, 0x77, steps(0, 2 * LARGE)), "read");
    report.check(
        "M8 those beside can be written",
        region.store(63 * PAGE, 1) && region.store(65 * PAGE, 1),
        "",
    );
    memory().unmap_blocking(region.address() + LARGE + 32 * PAGE, PAGE)?;
    report.equal("M8 so does a part unmapped", large()?, before.large);
    let rest = steps(0, 2 * LARGE).filter(|at| *at != LARGE + 32 * PAGE);
    report.check("M8 the rest keeps its content", keeps(&region, 0x77, rest), "read");
    report.equal("M8 no table is made for it", memory().usage_blocking()?.tables, usage.tables);
    region.protect(0, LARGE, Protection::None)?;
    region.protect(0, LARGE, Protection::ReadWrite)?;
    report.check("M4 forbidden pages keep their content", keeps(&region, 0x77, steps(0, LARGE)), "read");
    // The region's own end unmaps all of it, which has a hole.
    memory().unmap_blocking(region.address(), LARGE + 32 * PAGE)?;
    memory().unmap_blocking(region.address() + LARGE + 33 * PAGE, LARGE - 33 * PAGE)?;
    drop(region);
    let after = memory().usage_blocking()?;
    report.equal("M5 nothing is left", (after.backed, after.large), (before.backed, before.large));
    report.check("M9 but one empty table at most", after.tables <= before.tables + 1, after.tables);
    Ok(())
}

/// Pages whose beginning and end lie between large pages; and what nobody may touch keeps its place when its neighbours go.
fn beside_the_boundary(report: &Report) -> Result<(), CallError> {
    let before = large()?;
    let region = Region::reserve(2 * LARGE)?;
    region.commit(LARGE - PAGE, LARGE + PAGE, Protection::ReadWrite)?;
    report.equal("M8 only what fills a large page is one", large()? - before, 512);
    region.store(LARGE - PAGE, 1);
    region.store(LARGE, 2);
    report.equal("M8 its beginning", (region.load(LARGE - PAGE), region.load(LARGE)), (Some(1), Some(2)));
    let small = Region::reserve(3 * PAGE)?;
    small.commit(0, 3 * PAGE, Protection::ReadWrite)?;
    small.store(0, 4711);
    small.protect(0, PAGE, Protection::None)?;
    memory().unmap_blocking(small.address() + PAGE, 2 * PAGE)?;
    small.protect(0, PAGE, Protection::Read)?;
    report.equal("M4 a forbidden page outlives its neighbours", small.load(0), Some(4711));
    memory().unmap_blocking(small.address(), PAGE)?;
    memory().unmap_blocking(region.address(), 2 * LARGE)
}

fn shared(report: &Report) -> Result<(), CallError> {
    let before = large()?;
    let object = memory().create_object_blocking(LARGE + 2 * PAGE)?;
    let whole = Region::map(&object, 0, LARGE + 2 * PAGE, Protection::ReadWrite)?;
    let later = Region::map(&object, 2 * PAGE, LARGE, Protection::Read)?;
    report.equal("M8 a mapped object lies in large pages", large()? - before, 512);
    report.equal("M8 a mapping has the phase of its object", later.address() % LARGE, 2 * PAGE);
    fill(&whole, 0x55);
    let same = (2..514).all(|page| later.load((page - 2) * PAGE + 8) == whole.load(page * PAGE + 8));
    report.check("M7 small and large pages show the same", same, "all pages");
    drop(whole);
    report.equal("M7 a mapping keeps the memory", later.load(30 * PAGE + 8), Some((32 * PAGE) ^ 0x55));
    Ok(())
}

/// When the budget ends in the middle of the tables, nothing has changed.
fn exhausted(report: &Report) -> Result<(), CallError> {
    let region = Region::reserve(LARGE)?;
    let mut objects = Vec::with_capacity(64);
    let mut step = 256;
    while step > 0 {
        match memory().create_object_blocking(step * PAGE) {
            Ok(object) if objects.len() < objects.capacity() => objects.push(object),
            Ok(_) => break,
            Err(_) => step /= 2,
        }
    }
    let before = memory().usage_blocking()?;
    let refused = region.commit(0, LARGE, Protection::ReadWrite);
    report.fails("M10 a commit without a budget", refused, ExceptionCode::BudgetExhausted);
    let mapped = objects.first().map(|object| Region::map(object, 0, PAGE, Protection::Read).map(drop));
    // Where a table is needed it is refused; else it works. Either way everything is as before afterwards.
    drop(mapped);
    let after = memory().usage_blocking()?;
    report.check(
        "M10 changes nothing",
        after.backed == before.backed && after.large == before.large,
        after.backed,
    );
    Ok(())
}
