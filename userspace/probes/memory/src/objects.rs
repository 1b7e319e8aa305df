//! `MemoryObject`: sharing by mapping, and facets that only read.

use probe::Report;
use rt::abi::PAGE_SIZE;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;
use rt::{CallError, ExceptionCode};

const PAGE: u64 = PAGE_SIZE as u64;

pub fn all(report: &Report) -> Result<(), CallError> {
    shared(report)?;
    copied(report)?;
    parts(report)?;
    read_only(report)
}

fn shared(report: &Report) -> Result<(), CallError> {
    let object = memory().create_object_blocking(4 * PAGE)?;
    let whole = Region::map(&object, 0, 4 * PAGE, Protection::ReadWrite)?;
    let part = Region::map(&object, PAGE, PAGE, Protection::Read)?;
    whole.store(PAGE + 16, 4711);
    report.equal("two mappings show the same memory", part.load(16), Some(4711));
    report.equal("so does a read", object.read_blocking(PAGE + 16, 8)?, 4711u64.to_le_bytes().to_vec());
    drop(whole);
    report.equal("an object outlives a mapping", part.load(16), Some(4711));
    drop(object);
    report.equal("a mapping outlives its object", part.load(16), Some(4711));
    Ok(())
}

fn copied(report: &Report) -> Result<(), CallError> {
    let object = memory().create_object_blocking(PAGE)?;
    let info = object.info_blocking()?;
    report.equal("an object's size", info.size, PAGE);
    report.equal("it may be written", info.writable, true);
    report.works("a write at the end", object.write_blocking(PAGE - 4, &[1, 2, 3, 4]));
    let invalid = ExceptionCode::InvalidArgument;
    report.fails("a write beyond the end", object.write_blocking(PAGE - 3, &[1, 2, 3, 4]), invalid);
    report.fails("a write that wraps", object.write_blocking(u64::MAX - 1, &[1, 2, 3, 4]), invalid);
    report.equal("a read at the end is shorter", object.read_blocking(PAGE - 4, 100)?, [1, 2, 3, 4].to_vec());
    report.equal("a read behind the end is empty", object.read_blocking(PAGE, 100)?.len(), 0);
    report.equal("a read far behind, too", object.read_blocking(u64::MAX, 100)?.len(), 0);
    let map = |offset, size| Region::map(&object, offset, size, Protection::Read);
    report.check("a mapping beyond the end", map(0, 2 * PAGE).is_err(), "refused");
    report.check("a mapping behind the end", map(PAGE, PAGE).is_err(), "refused");
    report.check("a mapping that wraps", map(!0xfff, 2 * PAGE).is_err(), "refused");
    report.fails("a mapping between pages", map(8, PAGE), invalid);
    report.fails("a mapping of nothing", map(0, 0), invalid);
    Ok(())
}

fn parts(report: &Report) -> Result<(), CallError> {
    let object = memory().create_object_blocking(4 * PAGE)?;
    for page in 0..4u8 {
        object.write_blocking(u64::from(page) * PAGE, &[page])?;
    }
    let part = object.part_blocking(PAGE, 2 * PAGE)?;
    report.equal("M12 a part has its own size", part.info_blocking()?.size, 2 * PAGE);
    report.equal("M12 it begins where it was cut", part.read_blocking(PAGE, 1)?, [2].to_vec());
    report.equal("M12 nothing is read behind it", part.read_blocking(2 * PAGE, 1)?.len(), 0);
    let invalid = ExceptionCode::InvalidArgument;
    report.fails("M12 nothing is written behind it", part.write_blocking(2 * PAGE, &[1]), invalid);
    report.fails(
        "M12 nothing beyond is mapped",
        Region::map(&part, PAGE, 2 * PAGE, Protection::Read),
        invalid,
    );
    report.fails("M12 a part of it lies in it", part.part_blocking(PAGE, 2 * PAGE), invalid);
    report.fails("M12 a part is whole pages", part.part_blocking(8, PAGE), invalid);
    let last = part.read_only_blocking()?.part_blocking(PAGE, PAGE)?;
    let mapped = Region::map(&last, 0, PAGE, Protection::Read)?;
    report.equal("M12 a part of a facet of a part", mapped.load(0), Some(2));
    report.fails("M12 allows what the facet does", last.write_blocking(0, &[1]), ExceptionCode::Denied);
    Ok(())
}

fn read_only(report: &Report) -> Result<(), CallError> {
    let object = memory().create_object_blocking(PAGE)?;
    let facet = object.read_only_blocking()?;
    object.write_blocking(0, &[9])?;
    report.equal("a read-only facet reads", facet.read_blocking(0, 1)?, [9].to_vec());
    report.equal("it says so", facet.info_blocking()?.writable, false);
    let denied = ExceptionCode::Denied;
    report.fails("it does not write", facet.write_blocking(0, &[1]), denied);
    report.fails("it is not mapped writable", Region::map(&facet, 0, PAGE, Protection::ReadWrite), denied);
    let mapped = Region::map(&facet, 0, PAGE, Protection::Read)?;
    report.fails("its mapping is not made writable", mapped.protect(0, PAGE, Protection::ReadWrite), denied);
    let second = facet.read_only_blocking()?;
    report.fails("nor is a facet of the facet", second.write_blocking(0, &[1]), denied);
    Ok(())
}
