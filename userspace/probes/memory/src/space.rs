//! `VirtualMemory`: reserve, commit, protect, unmap.

use probe::Report;
use rt::abi::{PAGE_SIZE, layout};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;
use rt::{CallError, ExceptionCode};

const PAGE: u64 = PAGE_SIZE as u64;

pub fn all(report: &Report) -> Result<(), CallError> {
    committed(report)?;
    refused(report)?;
    parts(report)
}

fn committed(report: &Report) -> Result<(), CallError> {
    let region = Region::reserve(8 * PAGE)?;
    let inside = (layout::DYNAMIC_BASE..layout::DYNAMIC_MAX).contains(&region.address());
    report.check("a reservation lies where the ABI says", inside, "address compared");
    report.equal("it lies on a page", region.address() % PAGE, 0);
    region.commit(2 * PAGE, 3 * PAGE, Protection::ReadWrite)?;
    let zero = (2 * PAGE..5 * PAGE).step_by(8).all(|offset| region.load(offset) == Some(0));
    report.check("committed memory is zero", zero, "3 pages read");
    for offset in (2 * PAGE..5 * PAGE).step_by(8) {
        region.store(offset, offset ^ 0x5a5a);
    }
    let kept = (2 * PAGE..5 * PAGE).step_by(8).all(|offset| region.load(offset) == Some(offset ^ 0x5a5a));
    report.check("it keeps what is written", kept, "3 pages read back");
    region.protect(2 * PAGE, PAGE, Protection::Read)?;
    report.equal("read-only memory keeps its content", region.load(2 * PAGE), Some((2 * PAGE) ^ 0x5a5a));
    region.protect(2 * PAGE, PAGE, Protection::ReadWrite)?;
    report.check("writable again", region.store(2 * PAGE, 1), "written");
    Ok(())
}

fn refused(report: &Report) -> Result<(), CallError> {
    let memory = memory();
    let invalid = ExceptionCode::InvalidArgument;
    report.fails("M1 reserve nothing", memory.reserve_blocking(0), invalid);
    report.fails("M1 reserve part of a page", memory.reserve_blocking(100), invalid);
    for size in [!0xfff, 1 << 63, 1 << 47] {
        report.fails("M2 reserve more than there ever is", memory.reserve_blocking(size), invalid);
    }
    let half = 1 << 46;
    let at = memory.reserve_blocking(half)?;
    report.fails("M2 reserve more than is left", memory.reserve_blocking(half), ExceptionCode::OutOfMemory);
    report.works("M2 and give it back", memory.unmap_blocking(at, half));
    let region = Region::reserve(4 * PAGE)?;
    let at = region.address();
    let commit = |address, size| memory.commit_blocking(address, size, Protection::ReadWrite);
    report.fails("M1 commit between pages", commit(at + 8, PAGE), invalid);
    report.fails("M1 commit nothing", commit(at, 0), invalid);
    report.check("commit beyond the reservation", commit(at, 5 * PAGE).is_err(), "refused");
    report.check("commit of the guard page", commit(at + 4 * PAGE, PAGE).is_err(), "refused");
    report.fails("M1 commit in the kernel", commit(0xffff_8000_0000_0000, PAGE), invalid);
    report.check("commit at zero", commit(0, PAGE).is_err(), "refused");
    report.fails("M1 a commit that wraps", commit(at, !0xfff), invalid);
    commit(at + PAGE, PAGE)?;
    report.fails("commit twice", commit(at + PAGE, PAGE), ExceptionCode::Exists);
    report.fails("commit over a committed part", commit(at, 4 * PAGE), ExceptionCode::Exists);
    // All or nothing: the refused commit left the rest as it was.
    report.works("the rest is still free", commit(at + 2 * PAGE, 2 * PAGE));
    let protect = |address| memory.protect_blocking(address, PAGE, Protection::Read);
    report.check("protect what is not backed", protect(at).is_err(), "refused");
    report.check(
        "unmap what is not ours",
        memory.unmap_blocking(0xffff_8000_0000_0000, PAGE).is_err(),
        "refused",
    );
    report.fails("M1 unmap between pages", memory.unmap_blocking(at + 1, PAGE), invalid);
    Ok(())
}

/// A reservation can be given back in parts, and its place is taken again.
fn parts(report: &Report) -> Result<(), CallError> {
    let memory = memory();
    let at = memory.reserve_blocking(6 * PAGE)?;
    memory.commit_blocking(at, 6 * PAGE, Protection::ReadWrite)?;
    report.works("unmap the middle", memory.unmap_blocking(at + 2 * PAGE, 2 * PAGE));
    let again = memory.commit_blocking(at + 2 * PAGE, PAGE, Protection::ReadWrite);
    report.check("what was unmapped is no reservation any more", again.is_err(), "refused");
    report.works("unmap the beginning", memory.unmap_blocking(at, 2 * PAGE));
    report.works("unmap the end", memory.unmap_blocking(at + 4 * PAGE, 2 * PAGE));
    let protected = memory.protect_blocking(at, PAGE, Protection::Read);
    report.check("nothing is left", protected.is_err(), "refused");
    Ok(())
}
